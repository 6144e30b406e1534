#include "policies/approvals.hpp"

#include <algorithm>

namespace xinfu::policies {

bool same_party(const Party& a, const Party& b) {
    return a.account == b.account || (!a.person.empty() && a.person == b.person);
}

std::string_view why_not_decide(const RequestFacts& request, const Party& party, bool approve, Instant now) {
    if (!request.open) {
        return "XF-2014";
    }
    // A request from the future was made before the clock was set back: nothing that is old may live again by that.
    if (now >= request.expires || now < request.created) {
        return "XF-2015";
    }
    if (!approve) {
        return {};
    }
    if (same_party(request.applicant, party)) {
        return "XF-2012";
    }
    if (std::ranges::any_of(request.approved_by, [&](const Party& other) { return same_party(other, party); })) {
        return "XF-2013";
    }
    return {};
}

std::size_t approvals_missing(const RequestFacts& request, const ApprovalRule& rule) {
    std::vector<Party> counted;
    for (const Party& party : request.approved_by) {
        const auto same = [&](const Party& other) { return same_party(other, party); };
        if (!same(request.applicant) && std::ranges::none_of(counted, same)) {
            counted.push_back(party);
        }
    }
    return counted.size() >= rule.approvers ? 0 : rule.approvers - counted.size();
}

}  // namespace xinfu::policies
