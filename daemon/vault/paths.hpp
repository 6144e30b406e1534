// Paths: what the node holds itself to. The configuration file declares paths; those that were approved count. Routes
// are the approved ones whatever the file says, TLS 1.2 is spoken only if that was approved, and what is open and was
// not approved is told until somebody approves of it or closes it.
//
// The first start of a node adopts the file's paths; from then on they change by requests (requests.hpp) and take
// effect with the next start. PTH-01, PTH-02, PTH-05, APR-04.
//
// Threads: the vault's `io`; functions on rows anywhere.
// Errors:  storage::Errc; what is wrong with what was asked is a problem, not an error.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "daemon/boundary/gateway.pb.h"
#include "daemon/config/paths.hpp"
#include "daemon/vault/context.hpp"
#include "daemon/vault/exchange.hpp"
#include "storage/paths.hpp"

namespace xinfu::vault {

class Paths {
public:
    static constexpr std::chrono::hours kEvery{24};
    static constexpr std::chrono::minutes kRest{1};    // between two looks
    static constexpr std::chrono::hours kOverdue{48};  // since the last look: XF-2030

    // `declared`: the file's. `context` outlives it; its configuration's paths are those in effect.
    Paths(Context& context, config::Paths declared) : context_(context), declared_(std::move(declared)) {}

    // Once, before anything is dialled: adopts the declared paths when none were ever approved, and says so in the log.
    asio::awaitable<Result<void>> start();
    // What the gateway says it listens on.
    void heard(const boundary::ReportListeners& report);
    // Compares, and keeps the outcome with its leaf.
    asio::awaitable<Result<void>> check();
    // The first when the gateway has said what it listens on, then daily, and when something has changed.
    bool check_is_due() const;
    void changed() { stale_ = true; }  // others were approved
    // What differs now: one line each.
    Result<std::vector<std::string>> differences() const;
    // For the status: XF-2029 with how many differences, XF-2030.
    std::optional<boundary::Problem> alarm() const;
    // Answers GetPaths.
    asio::awaitable<void> show(ExchangePointer exchange);

private:
    Result<config::Paths> approved() const;

    Context& context_;
    config::Paths declared_;
    std::optional<boundary::ReportListeners> open_;
    bool stale_ = true;  // something has changed since the last look
    std::optional<storage::Milliseconds> checked_;
    std::optional<storage::Milliseconds> tried_;
    std::size_t differences_ = 0;  // found by the last look
};

}  // namespace xinfu::vault
