#include "daemon/vault/backlog.hpp"

#include "daemon/config/config.hpp"
#include "daemon/vault/exchange.hpp"
#include "storage/parcels.hpp"

namespace xinfu::vault {
namespace {

constexpr std::uint64_t kLargePercent = 70;
constexpr std::uint64_t kSmallAgainPercent = 50;
constexpr std::uint32_t kRetryAfterSeconds = 30;

}  // namespace

BacklogState judge_backlog(std::uint64_t waiting, std::uint64_t limit) {
    return waiting >= limit                         ? BacklogState::full
           : waiting * 100 >= limit * kLargePercent ? BacklogState::large
                                                    : BacklogState::small;
}

std::optional<boundary::Problem> backlog_warning(const boundary::LinkView& link) {
    switch (judge_backlog(link.backlog(), link.backlog_limit())) {
        case BacklogState::small: return std::nullopt;
        case BacklogState::large:
            return problem("XF-7020",
                           {link.route(), std::to_string(link.backlog()), std::to_string(link.backlog_limit())});
        case BacklogState::full: break;
    }
    return problem("XF-6011", {link.route(), std::to_string(link.backlog_limit())}, kRetryAfterSeconds);
}

Result<std::optional<boundary::Problem>> backlog_refusal(const Context& context,
                                                         const storage::ReadTransaction& transaction) {
    const std::uint64_t limit = context.config.vault.backlog_limit_parcels;
    for (const auto& route : context.config.routes) {
        const auto state = storage::find_route(transaction, route.name);
        if (!state) {
            return state.error();
        }
        if (judge_backlog(storage::waiting_parcels(*state), limit) == BacklogState::full) {
            return std::optional(problem("XF-6011", {route.name, std::to_string(limit)}, kRetryAfterSeconds));
        }
    }
    return std::optional<boundary::Problem>{};
}

void BacklogWatch::look(const std::vector<boundary::LinkView>& links) {
    for (const auto& link : links) {
        BacklogState& told = told_[link.route()];
        const auto state = judge_backlog(link.backlog(), link.backlog_limit());
        const std::string count = std::to_string(link.backlog());
        const std::string limit = std::to_string(link.backlog_limit());
        if (state > told) {
            told = state;
            if (state == BacklogState::full) {
                tell_(boundary::Level::error,
                      "route " + link.route() + ": " + count +
                          " parcels wait for the level above, as many as may: no further files are taken",
                      "XF-6011");
            } else {
                tell_(boundary::Level::warning,
                      "route " + link.route() + ": " + count + " parcels wait for the level above; at " + limit +
                          " no further files are taken",
                      "XF-7020");
            }
        } else if (told != BacklogState::small && link.backlog() * 100 < link.backlog_limit() * kSmallAgainPercent) {
            told = BacklogState::small;
            tell_(boundary::Level::notice,
                  "route " + link.route() + ": " + count + " parcels still wait for the level above", {});
        }
    }
}

}  // namespace xinfu::vault
