// Approvals: may this person decide on this request, and is it decided? Total functions of what is stored; who may
// decide at all is a grant (access.hpp), and how an approval is given its ApprovalRule.
//
// Threads: pure functions.
#pragma once

#include <chrono>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policies/access.hpp"

namespace xinfu::policies {

using Instant = std::chrono::sys_time<std::chrono::milliseconds>;

// Whoever asks or decides. A natural person is the same in all accounts; machines have no person and are themselves.
struct Party {
    std::string account;
    std::string person;
    bool operator==(const Party&) const = default;
};
bool same_party(const Party& a, const Party& b);

struct RequestFacts {
    bool open = true;  // neither executed nor rejected
    Party applicant;
    std::vector<Party> approved_by;  // so far
    Instant created;
    Instant expires;
};

// Why this party may not decide now: a code of codes.hpp; empty: it may. An approval is refused to the applicant and to
// whoever approved already; rejecting one's own request is withdrawing it, which everybody may.
std::string_view why_not_decide(const RequestFacts& request, const Party& party, bool approve, Instant now);

// How many approvals are still missing before the act happens. A party counts once, the applicant never.
std::size_t approvals_missing(const RequestFacts& request, const ApprovalRule& rule);

}  // namespace xinfu::policies
