// AcceptSubmission: a file handed in, from its name to its receipt.
//
// 1. Name, catalog, capacity: a refusal here costs no body.
// 2. The body flows into sealed storage, into the vault's digests and to an inspector of this principal. Records of a
//    big file are staged, invisible.
// 3. Signature and unit, on a worker thread.
// 4. The commit (commit_submission.hpp). Durable from here: if we die before, the same PUT begins anew and what was
//    staged is swept; if we die after, the same PUT gets the same receipt.
// 5. The answer, with the receipt.
//
// Threads: the vault's `io`.
// Trust:   see inspection.hpp. Who hands in comes from the exchange; whose file it is from a verified signature.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>

#include "daemon/vault/exchange.hpp"
#include "daemon/vault/keys.hpp"
#include "daemon/vault/revocation.hpp"
#include "storage/submissions.hpp"

namespace xinfu::vault {

class Intake {
public:
    // Files that one account may hand in at the same time.
    static constexpr std::size_t kPerAccountMax = 32;

    Intake(Context& context, const Revocations& revocations, const NodeCertificates& certificates)
        : context_(context), revocations_(revocations), certificates_(certificates) {}

    // Answers OpenSubmission. The caller is entitled to submit, to check, or, for a platform, to relay.
    asio::awaitable<void> accept(ExchangePointer exchange);

    // Called on `io` after a commit that made parcels, and after a staged file came to nothing.
    std::function<void()> on_parcels = [] {};
    std::function<void()> on_leftovers = [] {};

    // Whether rows and objects of this id belong to a file on its way: nothing to sweep.
    bool is_under_way(const storage::SubmissionId& id) const { return under_way_.contains(id); }
    std::size_t under_way() const { return under_way_.size(); }

private:
    class Submission;
    friend class Submission;

    Context& context_;
    const Revocations& revocations_;
    const NodeCertificates& certificates_;
    std::set<storage::SubmissionId> under_way_;
    std::map<std::string, std::size_t, std::less<>> per_account_;
};

}  // namespace xinfu::vault
