#include "daemon/vault/paths.hpp"

#include <functional>
#include <memory>
#include <utility>

#include "daemon/vault/answers.hpp"
#include "daemon/vault/paths_change.hpp"
#include "daemon/vault/paths_text.hpp"
#include "daemon/vault/receipt.hpp"

namespace xinfu::vault {
namespace {

using boundary::Problem;
using storage::rows::ApprovedPaths;

void compare(std::vector<std::string>& out, const PathLines& approved, const PathLines& found, const std::string& more,
             const std::string& less) {
    for (const auto& line : found) {
        if (!approved.contains(line)) {
            out.push_back(more + ": " + line);
        }
    }
    for (const auto& line : approved) {
        if (!found.contains(line)) {
            out.push_back(less + ": " + line);
        }
    }
}

}  // namespace

Result<config::Paths> Paths::approved() const {
    const auto snapshot = context_.ledger.engine().snapshot();
    if (!snapshot) {
        return snapshot.error();
    }
    const auto row = storage::find_approved_paths(**snapshot);
    if (!row) {
        return row.error();
    }
    return *row ? from_row((*row)->paths()) : declared_;
}

asio::awaitable<Result<void>> Paths::start() {
    {
        const auto snapshot = context_.ledger.engine().snapshot();
        if (!snapshot) {
            co_return snapshot.error();
        }
        const auto check = storage::find_paths_check(**snapshot);
        if (!check) {
            co_return check.error();
        }
        if (*check) {
            checked_ = storage::Milliseconds(std::chrono::milliseconds((*check)->time_ms()));
        }
        const auto row = storage::find_approved_paths(**snapshot);
        if (!row) {
            co_return row.error();
        }
        if (*row) {
            // Until there is a look the time of the approval stands for it: a gateway that never runs is noticed.
            checked_ = checked_.value_or(storage::Milliseconds(std::chrono::milliseconds((*row)->time_ms())));
            co_return Result<void>{};
        }
    }
    checked_ = context_.clock.now();
    std::function<Result<void>(storage::Batch&)> apply = [this](storage::Batch& batch) -> Result<void> {
        ApprovedPaths row;
        *row.mutable_paths() = to_row(declared_);
        row.set_time_ms(batch.time().time_since_epoch().count());
        storage::Leaf leaf;
        leaf.action = "adopt_paths";
        leaf.result = "done";
        leaf.object = {"paths", context_.node, digest_of(declared_), std::nullopt};
        context_.leaves.append(batch, leaf);
        return storage::put_approved_paths(batch.transaction(), row);
    };
    auto running = execute(context_, std::move(apply), 0, true);
    const auto done = co_await std::move(running);
    co_return done ? Result<void>{} : Result<void>{done.error()};
}

void Paths::heard(const boundary::ReportListeners& report) {
    stale_ = stale_ || !open_ || open_->SerializeAsString() != report.SerializeAsString();
    open_ = report;
}

Result<std::vector<std::string>> Paths::differences() const {
    const auto wanted = approved();
    if (!wanted) {
        return wanted.error();
    }
    std::vector<std::string> out;
    compare(out, lines_of(*wanted), lines_of(declared_), "configured, not approved", "approved, not configured");
    PathLines routes;
    PathLines in_effect;
    add_routes(routes, *wanted);
    add_routes(in_effect, config::paths_of(context_.config));
    compare(out, routes, in_effect, "in effect until the next start", "in effect from the next start on");
    if (open_) {
        PathLines listeners;
        PathLines open;
        add_listeners(listeners, wanted->listen, wanted->metrics);
        for (const auto& endpoint : open_->https()) {
            open.insert("listen " + endpoint);
        }
        for (const auto& endpoint : open_->metrics()) {
            open.insert("metrics " + endpoint);
        }
        compare(out, listeners, open, "open, not approved", "approved, not open");
    }
    return out;
}

bool Paths::check_is_due() const {
    const auto now = context_.clock.now();
    // Neither trouble nor an owned gateway that reports something else each second makes more than one a minute.
    const bool rested = !tried_ || now - *tried_ >= kRest || now < *tried_;
    return open_ && rested && (stale_ || !checked_ || now - *checked_ >= kEvery);
}

asio::awaitable<Result<void>> Paths::check() {
    const auto now = context_.clock.now();
    tried_ = now;
    stale_ = false;  // what changes from here on is for the next look
    const auto found = differences();
    const auto wanted = approved();
    if (!found || !wanted) {
        stale_ = true;
        co_return found ? wanted.error() : found.error();
    }
    crypto::JsonObject json;
    json.object("approved", json_of(*wanted))
        .object("configured", json_of(declared_))
        .texts("differences", *found)
        .text("node", context_.node)
        .texts("open", open_ ? std::vector<std::string>(open_->https().begin(), open_->https().end())
                             : std::vector<std::string>())
        .texts("open_metrics", open_ ? std::vector<std::string>(open_->metrics().begin(), open_->metrics().end())
                                     : std::vector<std::string>())
        .text("time", storage::format_time(now));
    auto row = std::make_shared<storage::rows::PathsCheck>();
    row->set_record(json.encode());
    row->set_time_ms(now.time_since_epoch().count());
    storage::Leaf leaf;
    leaf.action = "check_paths";
    leaf.result = found->empty() ? "done" : "refused";
    leaf.code = found->empty() ? "" : "XF-2029";
    leaf.object = {"paths", context_.node, crypto::sha256(as_bytes(row->record())), std::nullopt};
    std::function<Result<void>(storage::Batch&)> apply = [this, row, leaf](storage::Batch& batch) -> Result<void> {
        row->set_leaf(context_.leaves.append(batch, leaf));
        return storage::put_paths_check(batch.transaction(), *row);
    };
    auto running = execute(context_, std::move(apply), 0, true);
    const auto done = co_await std::move(running);
    if (!done) {
        stale_ = true;
        co_return done.error();
    }
    checked_ = now;
    differences_ = found->size();
    co_return Result<void>{};
}

std::optional<Problem> Paths::alarm() const {
    if (differences_ > 0) {
        return problem("XF-2029", {std::to_string(differences_)});
    }
    if (checked_ && context_.clock.now() - *checked_ >= kOverdue) {
        return problem("XF-2030");
    }
    return std::nullopt;
}

asio::awaitable<void> Paths::show(ExchangePointer exchange) {
    const auto wanted = approved();
    const auto found = differences();
    const auto snapshot = context_.ledger.engine().snapshot();
    if (!wanted || !found || !snapshot) {
        auto answering = answer_error(exchange, !wanted ? wanted.error() : !found ? found.error() : snapshot.error());
        co_await std::move(answering);
        co_return;
    }
    const auto check = storage::find_paths_check(**snapshot);
    if (!check) {
        auto answering = answer_error(exchange, check.error());
        co_await std::move(answering);
        co_return;
    }
    crypto::JsonObject json;
    json.object("approved", json_of(*wanted)).object("configured", json_of(declared_)).texts("differences", *found);
    if (*check) {
        auto receipt = newest_receipt(context_.ledger, (*check)->leaf());
        if (!receipt) {
            auto answering = answer_error(exchange, receipt.error());
            co_await std::move(answering);
            co_return;
        }
        // As text, not as an object: the leaf's digest is over these very bytes.
        crypto::JsonObject last;
        last.number("leaf", static_cast<std::int64_t>((*check)->leaf()))
            .text("receipt", *receipt)
            .text("record", (*check)->record())
            .text("time", storage::format_time(storage::Milliseconds(std::chrono::milliseconds((*check)->time_ms()))));
        json.object("check", last);
    }
    auto answering = answer_text(exchange, json.encode());
    static_cast<void>((co_await std::move(answering)).has_value());
}

}  // namespace xinfu::vault
