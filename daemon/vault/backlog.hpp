// Backlog: the parcels of a route that the level above has not taken yet, and the bound on them. A level above that is
// slow or down for days costs this node nothing but their rows, until as many wait as the configuration allows: then
// whatever would make another one is refused, to be sent again later. Readings, checks and repetitions make none.
//
// The bound is looked at twice: before any byte of a body, and at the commit, which alone makes it exact.
//
// Threads: the functions anywhere, the watch on the vault's `io`.
// Errors:  storage::Errc of the engine.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "daemon/boundary/gateway.pb.h"
#include "daemon/boundary/service.hpp"
#include "daemon/vault/context.hpp"
#include "storage/engine.hpp"

namespace xinfu::vault {

enum class BacklogState { small, large, full };  // large: from 70 % of the limit on

BacklogState judge_backlog(std::uint64_t waiting, std::uint64_t limit);

// What the status warns of; absent: nothing.
std::optional<boundary::Problem> backlog_warning(const boundary::LinkView& link);

// Why no further parcels may be made now: the first route that is full. Absent: they may.
Result<std::optional<boundary::Problem>> backlog_refusal(const Context& context,
                                                         const storage::ReadTransaction& transaction);

// Tells the journal when a backlog becomes large, when it is full, and when half of it is gone again: a backlog that
// goes up and down at a bound is told of once.
class BacklogWatch {
public:
    using Tell = std::function<void(boundary::Level level, const std::string& text, const std::string& code)>;

    explicit BacklogWatch(Tell tell) : tell_(std::move(tell)) {}

    void look(const std::vector<boundary::LinkView>& links);

private:
    Tell tell_;
    std::map<std::string, BacklogState> told_;  // by route
};

}  // namespace xinfu::vault
