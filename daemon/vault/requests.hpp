// Requests: acts that need a second person. A request holds the exact change and its digest; an approval fits that
// digest and that request, comes from somebody else, and counts once. With the last one that is missing the change is
// made in the same transaction, after everything was checked again against what is committed by then.
//
// Threads: the vault's `io`.
// Trust:   what a request asks is an authenticated person's; a signature is verified here, over bytes made here.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "crypto/certificate.hpp"
#include "daemon/vault/account_change.hpp"
#include "daemon/vault/approved_file.hpp"
#include "daemon/vault/context.hpp"
#include "daemon/vault/exchange.hpp"
#include "daemon/vault/keys.hpp"
#include "daemon/vault/policy_change.hpp"
#include "daemon/vault/revocation.hpp"
#include "daemon/vault/sessions.hpp"
#include "storage/requests.hpp"

namespace xinfu::vault {

class Requests {
public:
    static constexpr std::size_t kOpenMax = 100;  // of one applicant
    static constexpr std::size_t kListedMax = 200;
    static constexpr std::size_t kWalkedMax = 5000;  // the newest, of which those that may be seen are listed

    // All outlive it. `anchors`: whom the node believes about certificates. `on_units`: what takes keys that were made
    // for new units, once they are committed.
    Requests(Context& context, Sessions& sessions, const Revocations& revocations,
             const std::vector<crypto::Certificate>& anchors, ApprovedFiles& files,
             std::function<void(const storage::UnitKeys& keys)> on_units)
        : context_(context),
          sessions_(sessions),
          revocations_(revocations),
          anchors_(anchors),
          files_(files),
          on_units_(std::move(on_units)) {}

    std::function<void()> on_paths = [] {};  // others were approved

    asio::awaitable<void> open(ExchangePointer exchange);
    asio::awaitable<void> list(ExchangePointer exchange);
    asio::awaitable<void> get(ExchangePointer exchange);
    asio::awaitable<void> get_statement(ExchangePointer exchange);
    asio::awaitable<void> decide(ExchangePointer exchange);

private:
    struct Found {
        storage::RequestId id{};
        storage::rows::ApprovalRequest row;
    };
    struct Deciding;
    using Problems = std::optional<boundary::Problem>;

    Result<std::variant<Found, boundary::Problem>> find(const Caller& caller, const std::string& id) const;
    Result<bool> is_visible(const Caller& caller, const storage::rows::ApprovalRequest& row) const;
    ChangeRules rules(const PolicySet& policies) const;
    // Fills the row's change, or says why there is none.
    asio::awaitable<Result<Problems>> make_change(const boundary::OpenRequest& asked,
                                                  std::shared_ptr<const PolicySet> policies,
                                                  storage::rows::ApprovalRequest& row);
    // The packs that a change of policies comes to, as an inspector reads them. A problem: they have mistakes.
    asio::awaitable<Result<Problems>> load_result(const storage::rows::PolicyChange& change,
                                                  std::shared_ptr<const PolicySet>& loaded);
    // What comes of the last approval. The effect's leaf is the caller's to write.
    Result<Problems> make_it_so(storage::Batch& batch, Deciding& deciding) const;
    static bool is_privy(const Caller& caller, const PolicySet& policies, const storage::rows::ApprovalRequest& row);
    Result<boundary::RequestView> view(const Caller& caller, const storage::ReadTransaction& transaction,
                                       const PolicySet& policies, const storage::RequestId& id,
                                       const storage::rows::ApprovalRequest& row, bool whole) const;
    Result<std::vector<storage::rows::RequestDecision>> standing_approvals(
        const storage::ReadTransaction& transaction, const PolicySet& policies,
        const storage::rows::ApprovalRequest& row) const;
    Problems check_decision(const Caller& caller, const PolicySet& policies, const Found& found,
                            const boundary::DecideRequest& said, std::string& role) const;
    asio::awaitable<Result<Problems>> check_signature(const Caller& caller, Bytes cms, std::string statement,
                                                      storage::rows::RequestDecision& decision);
    // What the last approval takes that a commit has no time for.
    asio::awaitable<Result<Problems>> prepare(const Found& found, std::shared_ptr<Deciding> deciding);
    Result<void> apply(storage::Batch& batch, Deciding& deciding) const;
    // Writes what was decided. Leaves: of the decision, then of its effect.
    Result<void> settle(storage::Batch& batch, Deciding& deciding) const;
    void after_commit(const Deciding& deciding);
    asio::awaitable<void> answer_done(ExchangePointer exchange, std::shared_ptr<const PolicySet> policies, Found one,
                                      Recorded recorded);

    Context& context_;
    Sessions& sessions_;
    const Revocations& revocations_;
    const std::vector<crypto::Certificate>& anchors_;
    ApprovedFiles& files_;
    std::function<void(const storage::UnitKeys&)> on_units_;
};

}  // namespace xinfu::vault
