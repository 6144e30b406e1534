// SubmissionIntake: one file on its way through the vault; accept_submission.hpp says how it goes.
//
// accept_submission.cpp has its life from the first word to the answer, conclude_file.cpp what makes of a verdict a
// candidate for the commit, conclude_parcel.cpp the same for what comes from a lower node.
//
// Threads: the vault's `io`.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/vault/accept_submission.hpp"
#include "daemon/vault/commit_submission.hpp"
#include "daemon/vault/inspection.hpp"
#include "daemon/vault/signer_check.hpp"
#include "daemon/vault/submission_under_way.hpp"

namespace xinfu::vault {

inline constexpr std::size_t kSubmissionNameSizeBytesMax = 200;

// 1 to 200 bytes of UTF-8 without '/' and without control characters; U+0080 to U+009F are C2 80 to C2 9F.
bool is_submission_name(std::string_view name);

// One file. Lives in accept()'s frame.
class Intake::Submission {
public:
    Submission(Intake& intake, ExchangePointer exchange)
        : intake_(intake), context_(intake.context_), exchange_(std::move(exchange)) {}

    asio::awaitable<void> run();

private:
    std::optional<boundary::Problem> admit();
    std::optional<boundary::Problem> too_much_waits() const;
    Result<bool> name_is_taken() const;
    asio::awaitable<void> answer_refused(boundary::Problem what);
    asio::awaitable<void> work();
    asio::awaitable<std::optional<boundary::Problem>> inspect(SubmissionUnderWay& under_way);
    asio::awaitable<std::optional<boundary::Problem>> conclude(SubmissionUnderWay& under_way);
    asio::awaitable<std::optional<boundary::Problem>> conclude_file(SubmissionUnderWay& under_way);
    asio::awaitable<std::optional<boundary::Problem>> conclude_parcel(SubmissionUnderWay& under_way);
    Result<void> make_envelopes();
    asio::awaitable<Result<SignerVerdict>> check_signer(unsigned layer, std::optional<Bytes> digest,
                                                        std::string carried_unit, crypto::UtcSeconds time);
    asio::awaitable<std::optional<boundary::Problem>> commit(SubmissionUnderWay& under_way);
    asio::awaitable<Result<void>> settle_clashes();
    asio::awaitable<void> answer();
    asio::awaitable<std::optional<boundary::Problem>> disorder();

    Intake& intake_;
    Context& context_;
    ExchangePointer exchange_;
    std::shared_ptr<Candidate> candidate_ = std::make_shared<Candidate>();
    std::shared_ptr<Decision> decision_ = std::make_shared<Decision>();
    bool stores_ = true;
    bool opened_ = false;
    std::shared_ptr<Inspection> inspection_;
};

}  // namespace xinfu::vault
