#include "daemon/gateway/open_connections.hpp"

#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>

namespace xinfu::gateway {
namespace {

constexpr std::size_t kTriesMax = 64;

}  // namespace

void OpenConnections::add(Pointer connection) {
    const std::uint64_t id = connection->id();
    unknown_.emplace(id, connection);
    all_.emplace(id, std::move(connection));
}

void OpenConnections::introduced(const Pointer& connection) {
    if (connection->is_known() && unknown_.erase(connection->id()) != 0) {
        known_[connection->principal()].emplace(connection->id(), connection);
    }
}

void OpenConnections::remove(const Pointer& connection) {
    all_.erase(connection->id());
    unknown_.erase(connection->id());
    if (const auto holder = known_.find(connection->principal()); holder != known_.end()) {
        holder->second.erase(connection->id());
        if (holder->second.empty()) {
            known_.erase(holder);
        }
    }
}

OpenConnections::Pointer OpenConnections::find(std::string_view handle) const {
    for (const auto& [id, connection] : all_) {
        if (connection->is_known() && connection->handle() == handle) {
            return connection;
        }
    }
    return nullptr;
}

void OpenConnections::drain() {
    for (const auto& [id, connection] : all_) {
        connection->drain();
    }
}

OpenConnections::Pointer OpenConnections::take_one_for_a_newcomer(std::size_t places) {
    if (auto taken = take_unknown()) {
        return taken;
    }
    return unknown_have_theirs(places) ? nullptr : take_from_greatest_holder();
}

OpenConnections::Pointer OpenConnections::take_unknown() {
    for (std::size_t tries = std::min(unknown_.size(), kTriesMax); tries != 0; --tries) {
        auto next = unknown_.upper_bound(last_tried_);  // round and round: those in front may be waiting for us
        if (next == unknown_.end()) {
            next = unknown_.begin();
        }
        last_tried_ = next->first;
        if (next->second->may_be_given_up()) {
            return std::move(unknown_.extract(next).mapped());
        }
    }
    return nullptr;
}

OpenConnections::Pointer OpenConnections::take_from_greatest_holder() {
    const auto holder = std::ranges::max_element(known_, {}, [](const auto& entry) { return entry.second.size(); });
    if (holder == known_.end()) {
        return nullptr;
    }
    ById& held = holder->second;
    const bool only_one = held.size() == 1;
    auto best = held.end();
    std::tuple<bool, Connection::Clock::time_point> best_rank;
    for (auto at = held.begin(); at != held.end(); ++at) {
        const auto since = at->second->waits_since();
        if (!since || (only_one && !at->second->is_idle())) {
            continue;
        }
        const std::tuple rank(!at->second->is_idle(), *since);
        if (best == held.end() || rank < best_rank) {
            best = at;
            best_rank = rank;
        }
    }
    if (best == held.end()) {
        return nullptr;
    }
    auto taken = std::move(held.extract(best).mapped());
    if (held.empty()) {
        known_.erase(holder);
    }
    return taken;
}

}  // namespace xinfu::gateway
