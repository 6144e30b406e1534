#include "daemon/vault/unmasking.hpp"

#include <utility>

#include "crypto/canonical_json.hpp"
#include "daemon/vault/exchange.hpp"
#include "daemon/vault/records_query.hpp"

namespace xinfu::vault {

using boundary::Problem;
using storage::rows::ApprovalRequest;
using storage::rows::UnmaskChange;

std::variant<UnmaskChange, Problem> make_unmask_change(const PolicySet& policies, const boundary::UnmaskForm& asked) {
    if (policies.find_catalog(asked.catalog()) == nullptr) {
        return problem("XF-2003");
    }
    auto subject = normalised_subject(asked.subject());
    if (!subject) {
        return problem("XF-2007");
    }
    UnmaskChange change;
    change.set_catalog(asked.catalog());
    change.set_subject(std::move(*subject));
    return change;
}

std::string unmask_change_json(const UnmaskChange& change, std::string_view node) {
    crypto::JsonObject json;
    json.text("act", policies::act::unmask)
        .text("catalog", change.catalog())
        .text("node", node)
        .text("subject", change.subject());
    return json.encode();
}

Result<std::optional<Problem>> use_unmasking(storage::WriteTransaction& transaction, std::string_view id,
                                             std::string_view account, std::string_view catalog,
                                             std::string_view subject, storage::Milliseconds now) {
    using Answer = std::optional<Problem>;
    const auto request = storage::submission_id_from_text(id);
    if (!request) {
        return Answer{problem("XF-2027")};
    }
    auto row = storage::find_request(transaction, *request);
    if (!row) {
        return row.error();
    }
    const auto now_ms = now.time_since_epoch().count();
    const bool fits = *row && (*row)->state() == ApprovalRequest::EXECUTED && (*row)->has_unmask() &&
                      (*row)->applicant() == account && (*row)->unmask().catalog() == catalog &&
                      (*row)->unmask().subject() == subject && (*row)->unmask().used_ms() == 0 &&
                      now_ms >= (*row)->created_ms() && now_ms < (*row)->expires_ms();
    if (!fits) {
        return Answer{problem("XF-2027")};
    }
    (*row)->mutable_unmask()->set_used_ms(now_ms);
    if (const auto put = storage::put_request(transaction, *request, **row); !put) {
        return put.error();
    }
    return Answer{};
}

}  // namespace xinfu::vault
