// Supervisor: keeps gateway, vault and courier running, starts an inspector for each connection the vault
// asks for, and introduces them to each other with socket pairs. It reads no byte from outside.
//
// Threads: one; everything happens on the io_context.
// Trust:   its children may be owned by an attacker: the vault may dial, the others may say nothing.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include "daemon/boundary/packet_channel.hpp"
#include "daemon/boundary/service.hpp"
#include "daemon/boundary/supervisor.pb.h"
#include "daemon/config/config.hpp"
#include "daemon/supervisor/launch.hpp"
#include "daemon/supervisor/pids_file.hpp"
#include "daemon/supervisor/premises.hpp"
#include "daemon/supervisor/restart_policy.hpp"

namespace xinfu::supervisor {

namespace asio = boost::asio;

class Supervisor {
public:
    // `config_path` is opened anew for each process, so that one started after a reload sees the new file.
    Supervisor(asio::io_context& io, boundary::Service& service, std::string config_path, config::Config config,
               Premises premises, PidsFile pids);

    // Starts everything. The io_context is stopped once all processes have ended after SIGTERM.
    void start();

private:
    using Clock = std::chrono::steady_clock;

    // One of the three that always run.
    struct Resident {
        Resident(asio::io_context& io, boundary::Role of, Account as, std::chrono::milliseconds delay)
            : role(of), account(as), policy(delay), restart(io) {}
        boundary::Role role;
        Account account;
        pid_t pid = 0;  // 0: not running
        std::shared_ptr<boundary::PacketChannel> control;
        RestartPolicy policy;
        asio::steady_timer restart;
        Clock::time_point started;
    };
    enum class Phase { running, draining_gateway, draining_courier, draining_vault, killing };

    void launch_resident(Resident& resident);
    void schedule(Resident& resident, std::chrono::milliseconds delay);
    void add_role_descriptors(boundary::Role role, LaunchPlan& plan, std::vector<boundary::Descriptor>& held);
    asio::awaitable<void> serve_vault(std::shared_ptr<boundary::PacketChannel> control);
    asio::awaitable<void> watch_silent(boundary::Role role, std::shared_ptr<boundary::PacketChannel> control);
    asio::awaitable<boundary::Descriptor> dial(boundary::Dial::Role role, uid_t& peer_uid);
    boundary::Descriptor dial_inspector();

    asio::awaitable<void> heed_signals();
    asio::awaitable<void> feed_watchdog();
    void bury_children();
    void bury(pid_t pid, int status);
    asio::awaitable<void> reload();

    void begin_drain();
    void advance_drain();
    void drain_next(Phase phase);
    bool drained() const;
    void kill_all();

    void publish();
    Resident& resident(boundary::Role role);
    boundary::Descriptor open_config() const;

    asio::io_context& io_;
    boundary::Service& service_;
    std::string config_path_;
    config::Config config_;
    Premises premises_;
    PidsFile pids_;
    std::vector<std::string> folders_;
    Account inspector_account_;
    std::vector<std::unique_ptr<Resident>> residents_;  // in the order of starting
    std::set<pid_t> inspectors_;
    asio::signal_set signals_;
    asio::steady_timer patience_;  // of the present phase of draining
    asio::steady_timer watchdog_;
    Phase phase_ = Phase::running;
};

}  // namespace xinfu::supervisor
