// A query is audited before its answer leaves; a no-hit is evidence too; masks are by role.
#include "tests/unit/vault/fixture.hpp"

#include "crypto/tlog_proof.hpp"
#include "daemon/vault/record_text.hpp"
#include "daemon/vault/records_query.hpp"
#include "storage/records.hpp"

namespace xinfu::vault::test {
namespace {

using boundary::GatewayReply;
using boundary::GatewayRequest;

constexpr std::string_view kCatalog = "administrative-penalty";
constexpr std::int32_t kReceivedDay = 20779;  // 2026-11-22
constexpr std::string_view kCanonical =
    "{\"CF_WSH\":\"\xE7\xBD\x9A\\\"1\\\"\xE5\x8F\xB7\",\"CF_XDR_MC\":\"\xE5\xBC\xA0\xE4\xB8\x89\xE4\xB8\xB0\"}";

class RecordsQueryTest : public VaultTest {
protected:
    void SetUp() override {
        auto set = default_policies();
        auto& catalog = set->catalogs.at(std::string(kCatalog));
        auto* number = catalog.add_fields();
        number->set_code("CF_WSH");
        auto* name = catalog.add_fields();
        name->set_code("CF_XDR_MC");
        name->set_mask("1,0");
        policies::Role special;
        special.name = "special_operator";
        special.kind = "machine";
        special.grants.push_back({"query", "*", policies::Scope::all});
        set->access.roles.push_back(special);
        set->access.roles.back().grants.push_back({"request_unmasking", "*", policies::Scope::own_unit});
        special.name = "plain";
        set->access.roles.push_back(special);
        policies_.replace(set);
        handshakes_.emplace(HandshakePeer::gateway, *context_, handles_, revocations_);
        gateway_.emplace(*context_, handles_, revocations_, sessions_);
    }
    std::string connect(std::vector<std::string> roles) {
        const auto number = ++connections_;
        return handshakes_->prove(number, enrol_machine("m-" + std::to_string(number), kUnit, std::move(roles)))
            .proven()
            .handle();
    }
    // A submission with one record about `subject`.
    std::string add_record(std::string_view subject, storage::rows::Submission::State state,
                           const std::function<void(storage::rows::RecordBlock::Record&)>& change_it = nullptr) {
        const auto id =
            storage::make_submission_id(clock_->now().time_since_epoch().count(), crypto::system_random().array<10>());
        const auto key = crypto::system_random().array<32>();
        change([&](storage::WriteTransaction& transaction) {
            storage::rows::Submission row;
            row.set_state(state);
            row.set_catalog(std::string(kCatalog));
            row.set_unit(std::string(kUnit));
            const Bytes wrapped = must(keys_->wrap_data_key(kUnit, id, key));
            row.set_wrapped_key(wrapped.data(), wrapped.size());
            row.set_blocks(1);
            row.set_received_day(kReceivedDay);
            must(storage::put_submission(transaction, id, row));
            storage::rows::RecordBlock block;
            auto* record = block.add_records();
            record->set_canonical(std::string(kCanonical));
            record->set_subject(std::string(subject));
            record->set_line(2);
            if (change_it) {
                change_it(*record);
            }
            const storage::RecordSealer sealer(id, key);
            must(storage::put_record_block(transaction, id, 0, sealer.seal_block(0, block)));
            must(storage::put_subject_entry(transaction, storage::subject_key(keys_->index(), kCatalog, subject),
                                            {id, 0}));
        });
        return storage::to_text(id) + "-2";
    }
    // An approval for the account that connected last.
    std::string approve(std::string_view subject,
                        const std::function<void(storage::rows::ApprovalRequest&)>& change_it = nullptr) {
        const auto now = clock_->now().time_since_epoch().count();
        const auto id = storage::make_submission_id(now, crypto::system_random().array<10>());
        change([&](storage::WriteTransaction& transaction) {
            storage::rows::ApprovalRequest row;
            row.set_state(storage::rows::ApprovalRequest::EXECUTED);
            row.set_act("unmask");
            row.set_applicant("m-" + std::to_string(connections_));
            row.set_expires_ms(now + 1000);
            row.mutable_unmask()->set_catalog(std::string(kCatalog));
            row.mutable_unmask()->set_subject(std::string(subject));
            if (change_it) {
                change_it(row);
            }
            must(storage::put_request(transaction, id, row));
        });
        return storage::to_text(id);
    }
    GatewayReply query(const std::string& handle, std::string_view subject, const std::string& purpose,
                       const std::string& approval = {}) {
        GatewayRequest request;
        request.mutable_query_records()->set_approval(approval);
        request.set_handle(handle);
        request.mutable_query_records()->set_catalog(std::string(kCatalog));
        request.mutable_query_records()->set_subject(std::string(subject));
        request.mutable_query_records()->set_purpose(purpose);
        return gateway_->ask(request);
    }

    std::optional<HandshakePeerDouble> handshakes_;
    std::optional<GatewayDouble> gateway_;
    std::uint64_t connections_ = 0;
};

TEST_F(RecordsQueryTest, AnswersMaskedRecordsWithAReceiptOfTheQuery) {
    add_record(kOtherUnit, storage::rows::Submission::ACCEPTED);
    const GatewayReply head = query(connect({"plain"}), kOtherUnit, "loan review");
    ASSERT_EQ(head.records().count(), 1U);
    const std::string record = gateway_->receive().text().part();
    EXPECT_NE(record.find("\xE5\xBC\xA0**"), std::string::npos) << record;
    EXPECT_EQ(record.find("\xE4\xB8\x89"), std::string::npos) << record;
    EXPECT_NE(record.find("\\\"1\\\""), std::string::npos) << "other fields stay as they are";

    const auto proof = must(crypto::parse_tlog_proof(head.records().receipt()));
    const auto verifier = must(crypto::NoteVerifier::parse(log_key_));
    EXPECT_TRUE(crypto::verify_tlog_proof(proof, {&verifier}).has_value());
    const std::string leaf(as_text(proof.extra));
    EXPECT_NE(leaf.find("\"query\""), std::string::npos);
    EXPECT_EQ(leaf.find(kOtherUnit), std::string::npos) << "no subject in a leaf";
    EXPECT_EQ(leaf.find("loan"), std::string::npos) << "no purpose in a leaf";
}

TEST_F(RecordsQueryTest, ShowsUnmaskedRecordsOnceToWhomAnotherApprovedOf) {
    const auto name = add_record(kOtherUnit, storage::rows::Submission::ACCEPTED);
    const auto handle = connect({"special_operator"});
    using Row = storage::rows::ApprovalRequest;
    const std::function<void(Row&)> unfit[] = {
        [](Row& row) { row.set_state(Row::OPEN); },
        [](Row& row) { row.set_state(Row::REJECTED); },
        [](Row& row) { row.set_applicant("m-99"); },
        [](Row& row) { row.mutable_unmask()->set_catalog("another"); },
        [](Row& row) { row.mutable_unmask()->set_subject(std::string(kUnit)); },
        [](Row& row) { row.mutable_unmask()->set_used_ms(1); },
        [this](Row& row) { row.set_expires_ms(clock_->now().time_since_epoch().count()); },
        [](Row& row) { row.mutable_account(); },
    };
    for (const auto& change_it : unfit) {
        EXPECT_EQ(query(handle, kOtherUnit, "review", approve(kOtherUnit, change_it)).problem().code(), "XF-2027");
    }
    EXPECT_EQ(query(handle, kOtherUnit, "review", "rubbish").problem().code(), "XF-2027");
    const auto approval = approve(kOtherUnit);
    ASSERT_EQ(query(handle, kOtherUnit, "review", approval).records().count(), 1U);
    EXPECT_EQ(gateway_->receive().text().part(), std::string(kCanonical.substr(0, kCanonical.size() - 1)) +
                                                     ",\"XF_RECORD\":\"" + name + "\",\"XF_VERSION\":\"1\"}");
    EXPECT_EQ(query(handle, kOtherUnit, "review", approval).problem().code(), "XF-2027") << "a second time";
    EXPECT_EQ(query(connect({"plain"}), kOtherUnit, "review", approve(kOtherUnit)).problem().code(), "XF-2001");
}

TEST_F(RecordsQueryTest, SaysWhichRecordsWereReportedLateByTheDayTheFirstNodeTookThem) {
    const struct {
        std::function<void(storage::rows::RecordBlock::Record&)> change_it;
        std::string_view expected;
    } cases[] = {
        {nullptr, ""},
        {[](auto& record) { record.set_due(kReceivedDay); }, ""},
        {[](auto& record) { record.set_due(kReceivedDay - 1); }, "late"},
        {[](auto& record) {
             record.set_due(kReceivedDay + 1);
             record.set_due_earliest(kReceivedDay);
         },
         ""},
        {[](auto& record) {
             record.set_due(kReceivedDay + 1);
             record.set_due_earliest(kReceivedDay - 1);
         },
         "provisional"},
        // A correction today is no report: the first one counts.
        {[](auto& record) {
             record.set_due(kReceivedDay - 1);
             record.set_version(2);
             record.set_first_submission(std::string(16, 'f'));
             record.set_first_line(3);
             record.set_reported_day(kReceivedDay - 1);
         },
         ""},
    };
    const std::string handle = connect({"special_operator"});
    for (const auto& [change_it, expected] : cases) {
        clock_->advance(std::chrono::milliseconds{1});  // the newest comes first
        add_record(kOtherUnit, storage::rows::Submission::ACCEPTED, change_it);
        const auto count = query(handle, kOtherUnit, "review").records().count();
        const std::string newest = gateway_->receive().text().part();
        EXPECT_EQ(newest.find("XF_LATE") == std::string::npos, expected.empty()) << newest;
        if (!expected.empty()) {
            EXPECT_NE(newest.find("\"XF_LATE\":\"" + std::string(expected) + "\""), std::string::npos) << newest;
        }
        for (std::uint64_t i = 1; i < count; ++i) {
            gateway_->receive();
        }
    }
}

TEST_F(RecordsQueryTest, ShowsOnlyWhatIsAccepted) {
    add_record(kOtherUnit, storage::rows::Submission::PENDING);
    add_record(kOtherUnit, storage::rows::Submission::WITHDRAWN);
    const GatewayReply reply = query(connect({"plain"}), kOtherUnit, "review");
    ASSERT_TRUE(reply.has_records());
    EXPECT_EQ(reply.records().count(), 0U);
    EXPECT_FALSE(reply.more());
    EXPECT_FALSE(reply.records().receipt().empty()) << "a no-hit is evidence too";
}

TEST_F(RecordsQueryTest, NeedsAPurposeAndASubjectThatCanBeOne) {
    const std::string handle = connect({"plain"});
    EXPECT_EQ(query(handle, kOtherUnit, " ").problem().code(), "XF-2006");
    EXPECT_EQ(query(handle, kOtherUnit, std::string(501, 'p')).problem().code(), "XF-2006");
    EXPECT_EQ(query(handle, "11219900MB0A000185", "review").problem().code(), "XF-2007") << "a wrong check character";
    EXPECT_EQ(leaves_with({"\"query\"", "XF-2006"}), 1);
    EXPECT_EQ(leaves_with({"\"query\"", "XF-2007"}), 1);
}

TEST(MaskRecord, RefusesTextThatTheVaultDidNotWrite) {
    const MaskField same = [](std::string_view, std::string_view value, const auto&) { return std::string(value); };
    EXPECT_EQ(mask_record(kCanonical, same), kCanonical);
    EXPECT_EQ(mask_record("{\"a\":\"\\u0001\\n\"}", same), "{\"a\":\"\\u0001\\n\"}");
    for (const std::string_view wrong :
         {"", "{", "{\"a\":1}", "{\"a\":\"b\"", "{\"a\":\"b\"}x", "{\"a\":\"\\u4e00\"}"}) {
        EXPECT_EQ(mask_record(wrong, same), "") << wrong;
    }
}

}  // namespace
}  // namespace xinfu::vault::test
