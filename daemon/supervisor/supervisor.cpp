#include "daemon/supervisor/supervisor.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "daemon/boundary/endpoints.hpp"
#include "daemon/config/loader.hpp"

namespace xinfu::supervisor {
namespace {

using boundary::Descriptor;
using boundary::Level;
using boundary::PacketChannel;
using boundary::Role;

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);

// Inspectors beyond the vault's own bound that may exist at one time: ending ones overlap with new ones.
constexpr std::size_t kInspectorsSpare = 8;

std::string name_of(Role role) {
    return std::string(boundary::role_name(role));
}

std::string describe_end(int status) {
    if (WIFSIGNALED(status)) {
        const int number = WTERMSIG(status);
        return "was killed by signal " + std::to_string(number) + " (" + ::strsignal(number) + ")";
    }
    return "ended with " + std::to_string(WEXITSTATUS(status));
}

// Only the child itself may use its control socket, from its first packet.
boundary::Connection control_end(Descriptor descriptor, const Account& account, pid_t pid) {
    boundary::Connection connection;
    connection.descriptor = std::move(descriptor);
    connection.rules.uid = account.uid;
    connection.rules.pid = pid;
    return connection;
}

}  // namespace

Supervisor::Supervisor(asio::io_context& io, boundary::Service& service, std::string config_path, config::Config config,
                       Premises premises, PidsFile pids)
    : io_(io),
      service_(service),
      config_path_(std::move(config_path)),
      config_(std::move(config)),
      premises_(std::move(premises)),
      pids_(std::move(pids)),
      folders_(program_folders()),
      inspector_account_(account_of(Role::inspector)),
      signals_(io, SIGTERM, SIGINT, SIGHUP),
      patience_(io),
      watchdog_(io) {
    signals_.add(SIGCHLD);
    // The accepting ones first: when the vault dials, they are there.
    for (const Role role : {Role::gateway, Role::courier, Role::vault}) {
        residents_.push_back(
            std::make_unique<Resident>(io, role, account_of(role), config_.supervisor.restart_delay_ms));
    }
}

void Supervisor::start() {
    asio::co_spawn(io_, heed_signals(), asio::detached);
    for (const auto& each : residents_) {
        launch_resident(*each);
    }
    service_.log(Level::notice, "running node " + config_.node);
    service_.ready();
    if (service_.watchdog_interval()) {
        asio::co_spawn(io_, feed_watchdog(), asio::detached);
    }
}

Supervisor::Resident& Supervisor::resident(Role role) {
    return **std::ranges::find_if(residents_, [role](const auto& each) { return each->role == role; });
}

Descriptor Supervisor::open_config() const {
    return Descriptor(::open(config_path_.c_str(), O_RDONLY | O_CLOEXEC));
}

// `held` keeps what was opened for the child alone until it has been started.
void Supervisor::add_role_descriptors(Role role, LaunchPlan& plan, std::vector<Descriptor>& held) {
    if (role == Role::vault) {
        held.push_back(open_key(config_.vault.key_wrapping_key));
        plan.inherited.emplace_back("--key-fd", held.back().get());
        plan.working_directory = premises_.state.get();
        return;
    }
    plan.arguments = {"--peer-uid", std::to_string(resident(Role::vault).account.uid)};
    if (role == Role::gateway) {
        for (const auto& listener : premises_.listeners) {
            plan.inherited.emplace_back("--listen-fd", listener.get());
        }
        if (premises_.metrics) {
            plan.inherited.emplace_back("--metrics-fd", premises_.metrics.get());
        }
    }
}

void Supervisor::launch_resident(Resident& resident) try {
    auto pair = boundary::make_packet_pair();
    const Descriptor config = open_config();
    if (!pair || !config) {
        throw CannotStart("no descriptors for it");
    }
    LaunchPlan plan{
        .role = resident.role, .account = resident.account, .folders = folders_, .arguments = {}, .inherited = {}};
    std::vector<Descriptor> held;
    add_role_descriptors(resident.role, plan, held);
    plan.inherited.emplace_back("--control-fd", pair->second.get());
    plan.inherited.emplace_back("--config-fd", config.get());
    const auto pid = launch(plan);
    if (!pid) {
        throw CannotStart(pid.error().message());
    }
    resident.pid = *pid;
    resident.started = Clock::now();
    resident.control = std::make_shared<PacketChannel>(io_.get_executor(),
                                                       control_end(std::move(pair->first), resident.account, *pid));
    if (resident.role == Role::vault) {
        asio::co_spawn(io_, serve_vault(resident.control), asio::detached);
    } else {
        asio::co_spawn(io_, watch_silent(resident.role, resident.control), asio::detached);
    }
    publish();
} catch (const CannotStart& why) {
    service_.log(Level::error, "cannot start the " + name_of(resident.role) + ": " + why.what());
    schedule(resident, resident.policy.next_delay(Clock::duration::zero()));
}

void Supervisor::schedule(Resident& resident, std::chrono::milliseconds delay) {
    resident.restart.expires_after(delay);
    resident.restart.async_wait([this, &resident](const boost::system::error_code& cancelled) {
        if (!cancelled && phase_ == Phase::running) {
            launch_resident(resident);
        }
    });
}

asio::awaitable<void> Supervisor::serve_vault(std::shared_ptr<PacketChannel> control) {
    for (;;) {
        auto receiving = control->receive<boundary::Dial>();
        const auto request = co_await std::move(receiving);
        if (!request) {
            if (request.error() != boundary::Errc::closed) {
                service_.log(Level::error, "the vault's control socket: " + request.error().message());
            }
            co_return;
        }
        boundary::Dialled answer;
        answer.set_id(request->message.id());
        uid_t peer_uid = 0;
        auto dialling = dial(request->message.role(), peer_uid);
        auto end = co_await std::move(dialling);
        answer.set_failed(!end);
        answer.set_peer_uid(peer_uid);
        auto sending = control->send(answer, std::move(end));
        const auto sent = co_await std::move(sending);
        if (!sent) {
            co_return;
        }
    }
}

// Gateway and courier have nothing to say on their control sockets; one that does is not itself any more.
asio::awaitable<void> Supervisor::watch_silent(Role role, std::shared_ptr<PacketChannel> control) {
    auto receiving = control->receive_bytes();
    const auto packet = co_await std::move(receiving);
    if (packet || packet.error() != boundary::Errc::closed) {
        service_.log(Level::error, "the " + name_of(role) + " spoke on its control socket: stopped");
        if (resident(role).control == control && resident(role).pid > 0) {
            ::kill(resident(role).pid, SIGKILL);
        }
    }
}

// The vault's end of a new connection; empty: the role is not running.
asio::awaitable<Descriptor> Supervisor::dial(boundary::Dial::Role role, uid_t& peer_uid) {
    if (role == boundary::Dial::INSPECTOR) {
        peer_uid = inspector_account_.uid;
        co_return dial_inspector();
    }
    const auto& callee = resident(role == boundary::Dial::COURIER ? Role::courier : Role::gateway);
    auto pair = boundary::make_packet_pair();
    if (!pair || callee.pid == 0) {
        co_return Descriptor();
    }
    peer_uid = callee.account.uid;
    const auto control = callee.control;
    auto handing = control->send_bytes(std::string(1, boundary::kHandsConnection), std::move(pair->second));
    const auto handed = co_await std::move(handing);
    co_return handed ? std::move(pair->first) : Descriptor();
}

Descriptor Supervisor::dial_inspector() {
    auto pair = boundary::make_packet_pair();
    const Descriptor config = open_config();
    if (!pair || !config || inspectors_.size() >= config_.inspector.instances_max + kInspectorsSpare) {
        return {};
    }
    LaunchPlan plan{.role = Role::inspector,
                    .account = inspector_account_,
                    .folders = folders_,
                    .arguments = {"--peer-uid", std::to_string(resident(Role::vault).account.uid)},
                    .inherited = {{"--peer-fd", pair->second.get()}, {"--config-fd", config.get()}}};
    const auto pid = launch(plan);
    if (!pid) {
        service_.log(Level::error, "cannot start an inspector: " + pid.error().message());
        return {};
    }
    inspectors_.insert(*pid);
    publish();
    return std::move(pair->first);
}

asio::awaitable<void> Supervisor::heed_signals() {
    for (;;) {
        const auto [error, number] = co_await signals_.async_wait(kAsTuple);
        if (error) {
            co_return;
        }
        if (number == SIGCHLD) {
            bury_children();
        } else if (number == SIGHUP) {
            auto reloading = reload();
            co_await std::move(reloading);
        } else if (phase_ == Phase::running) {
            begin_drain();
        } else {
            drain_next(Phase::killing);  // asked a second time: now
        }
    }
}

asio::awaitable<void> Supervisor::feed_watchdog() {
    for (;;) {
        service_.watchdog();
        watchdog_.expires_after(*service_.watchdog_interval());
        const auto [error] = co_await watchdog_.async_wait(kAsTuple);
        if (error) {
            co_return;
        }
    }
}

void Supervisor::bury_children() {
    // Signals of one kind merge: there may be several dead for one SIGCHLD.
    int status = 0;
    for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
        bury(pid, status);
    }
    publish();
    if (phase_ != Phase::running) {
        advance_drain();
    }
}

void Supervisor::bury(pid_t pid, int status) {
    const bool clean = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (inspectors_.erase(pid) > 0) {
        if (!clean) {
            service_.log(Level::warning, "an inspector " + describe_end(status));
        }
        return;
    }
    for (const auto& each : residents_) {
        if (each->pid != pid) {
            continue;
        }
        each->pid = 0;
        each->control->close();
        if (phase_ != Phase::running) {
            return;
        }
        const auto delay = each->policy.next_delay(Clock::now() - each->started);
        service_.log(Level::warning, "the " + name_of(each->role) + " " + describe_end(status) + "; starting it again" +
                                         (delay.count() > 0 ? " in " + std::to_string(delay.count()) + " ms" : ""));
        if (delay.count() == 0) {
            launch_resident(*each);
        } else {
            schedule(*each, delay);
        }
    }
}

asio::awaitable<void> Supervisor::reload() {
    service_.reloading();
    auto loaded = config::load_file(config_path_);
    for (const auto& mistake : loaded.mistakes) {
        service_.log(Level::error, "not reloaded: " + config::to_string(mistake));
    }
    Descriptor fresh = open_config();
    const auto& gateway = resident(Role::gateway);
    if (loaded.config && fresh) {
        // Sockets, state and key stay as they were: those need a restart.
        config_.gateway.limits = loaded.config->gateway.limits;
        config_.inspector = loaded.config->inspector;
        if (gateway.pid > 0) {
            const auto control = gateway.control;
            auto handing = control->send_bytes(std::string(1, boundary::kHandsConfiguration), std::move(fresh));
            static_cast<void>((co_await std::move(handing)).has_value());  // a dead gateway reads it at its start
        }
        service_.log(Level::notice, "configuration reloaded");
    }
    service_.ready();
}

// Drain: first no new connections, while those that are open finish with everything behind them still there;
// then the courier, which needs the vault to record what came of its last delivery; the vault last.
void Supervisor::begin_drain() {
    service_.stopping();
    service_.log(Level::notice, "stopping: letting open requests finish");
    premises_.listeners.clear();  // the queue in the kernel is the gateway's alone from here
    premises_.metrics.reset();
    for (const auto& each : residents_) {
        each->restart.cancel();
    }
    drain_next(Phase::draining_gateway);
}

void Supervisor::drain_next(Phase phase) {
    phase_ = phase;
    const auto whole = std::chrono::milliseconds(config_.supervisor.drain_seconds);
    auto patience = whole / 4;
    switch (phase) {
        case Phase::running: return;
        case Phase::draining_gateway: patience = whole / 2; break;
        case Phase::draining_courier:
        case Phase::draining_vault: break;
        case Phase::killing: kill_all(); break;
    }
    if (phase != Phase::killing) {
        const Role role = phase == Phase::draining_gateway   ? Role::gateway
                          : phase == Phase::draining_courier ? Role::courier
                                                             : Role::vault;
        if (resident(role).pid > 0) {
            ::kill(resident(role).pid, SIGTERM);
        }
    }
    patience_.expires_after(patience);
    patience_.async_wait([this](const boost::system::error_code& cancelled) {
        if (!cancelled && phase_ != Phase::killing) {
            service_.log(Level::warning, "stopping: not everything finished in time");
            drain_next(static_cast<Phase>(static_cast<int>(phase_) + 1));
        }
    });
    advance_drain();
}

bool Supervisor::drained() const {
    return inspectors_.empty() && std::ranges::all_of(residents_, [](const auto& each) { return each->pid == 0; });
}

// Goes on to the next phase as soon as this one's process is gone. Inspectors end when the vault does.
void Supervisor::advance_drain() {
    if (drained()) {
        pids_.remove();
        service_.log(Level::notice, "stopped");
        io_.stop();  // nothing is under way that could be lost
        return;
    }
    if (phase_ == Phase::draining_gateway && resident(Role::gateway).pid == 0) {
        drain_next(Phase::draining_courier);
    } else if (phase_ == Phase::draining_courier && resident(Role::courier).pid == 0) {
        drain_next(Phase::draining_vault);
    }
}

void Supervisor::kill_all() {
    for (const auto& each : residents_) {
        if (each->pid > 0) {
            ::kill(each->pid, SIGKILL);
        }
    }
    for (const pid_t pid : inspectors_) {
        ::kill(pid, SIGKILL);
    }
}

void Supervisor::publish() {
    std::vector<std::pair<std::string, pid_t>> processes;
    std::string line;
    for (const auto& each : residents_) {
        if (each->pid > 0) {
            processes.emplace_back(name_of(each->role), each->pid);
        }
        line += name_of(each->role) + (each->pid > 0 ? " running, " : " down, ");
    }
    for (const pid_t pid : inspectors_) {
        processes.emplace_back("inspector", pid);
    }
    line += std::to_string(inspectors_.size()) + " inspectors";
    service_.status(line);
    if (const auto written = pids_.write(processes); !written) {
        service_.log(Level::error, "cannot write the pids file: " + written.error().message());
    }
}

}  // namespace xinfu::supervisor
