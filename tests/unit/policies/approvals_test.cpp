// APR-01, ROL-02: who may decide on a request, and when it is decided.
#include "policies/approvals.hpp"

#include <random>

#include <gtest/gtest.h>

namespace xinfu::policies {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

const Instant kCreated{std::chrono::sys_days{std::chrono::year{2026} / 11 / 23}};

RequestFacts request() {
    RequestFacts facts;
    facts.applicant = {"p-0001", "person-a"};
    facts.created = kCreated;
    facts.expires = kCreated + hours(24);
    return facts;
}

ApprovalRule rule(std::uint32_t approvers) {
    ApprovalRule rule;
    rule.act = "account";
    rule.approvers = approvers;
    rule.valid = hours(24);
    return rule;
}

TEST(Approvals, AreNeverTheApplicantsWhateverTheAccount) {
    const Instant now = kCreated + hours(1);
    EXPECT_EQ(why_not_decide(request(), {"p-0001", "person-a"}, true, now), "XF-2012");
    EXPECT_EQ(why_not_decide(request(), {"p-0009", "person-a"}, true, now), "XF-2012") << "a second account";
    EXPECT_EQ(why_not_decide(request(), {"p-0001", ""}, true, now), "XF-2012");
    EXPECT_EQ(why_not_decide(request(), {"p-0002", "person-b"}, true, now), "");
    EXPECT_EQ(why_not_decide(request(), {"p-0001", "person-a"}, false, now), "") << "withdrawing is theirs";
}

TEST(Approvals, CountOnceForEachPerson) {
    auto facts = request();
    facts.approved_by = {{"p-0002", "person-b"}};
    const Instant now = kCreated + hours(1);
    EXPECT_EQ(why_not_decide(facts, {"p-0002", "person-b"}, true, now), "XF-2013");
    EXPECT_EQ(why_not_decide(facts, {"p-0007", "person-b"}, true, now), "XF-2013");
    EXPECT_EQ(approvals_missing(facts, rule(1)), 0U);
    EXPECT_EQ(approvals_missing(facts, rule(2)), 1U);
    facts.approved_by.push_back({"p-0007", "person-b"});
    facts.approved_by.push_back({"p-0009", "person-a"});
    EXPECT_EQ(approvals_missing(facts, rule(2)), 1U) << "the same person, and the applicant";
    facts.approved_by.push_back({"p-0003", "person-c"});
    EXPECT_EQ(approvals_missing(facts, rule(2)), 0U);
}

TEST(Approvals, EndWithTheRequestAndDoNotReviveWithTheClock) {
    const Party other{"p-0002", "person-b"};
    auto facts = request();
    EXPECT_EQ(why_not_decide(facts, other, true, kCreated), "");
    EXPECT_EQ(why_not_decide(facts, other, true, facts.expires - milliseconds(1)), "");
    EXPECT_EQ(why_not_decide(facts, other, true, facts.expires), "XF-2015");
    EXPECT_EQ(why_not_decide(facts, other, true, kCreated - milliseconds(1)), "XF-2015") << "the clock was set back";
    facts.open = false;
    EXPECT_EQ(why_not_decide(facts, other, true, kCreated), "XF-2014");
    EXPECT_EQ(why_not_decide(facts, other, false, kCreated), "XF-2014");
}

// Whatever the order and the accounts: it is decided exactly when so many different persons, none of them the
// applicant, were let through.
TEST(Approvals, AreDecidedByDifferentPersonsOnly) {
    std::mt19937 random{20261123};
    for (int round = 0; round < 500; ++round) {
        auto facts = request();
        const auto wanted = rule(1 + random() % 4);
        std::vector<std::string> let_through;
        for (int step = 0; step < 12; ++step) {
            const std::string person(1, static_cast<char>('a' + random() % 5));
            const Party party{"p-" + std::to_string(random() % 9 + 10), "person-" + person};
            const bool may = why_not_decide(facts, party, true, kCreated).empty();
            const auto account_known = [&] {
                for (const auto& other : facts.approved_by) {
                    if (other.account == party.account) {
                        return true;
                    }
                }
                return false;
            }();
            const bool fresh = std::ranges::find(let_through, person) == let_through.end() && !account_known;
            ASSERT_EQ(may, person != "a" && fresh) << round;
            if (may) {
                facts.approved_by.push_back(party);
                let_through.push_back(person);
            }
        }
        ASSERT_EQ(approvals_missing(facts, wanted) == 0, let_through.size() >= wanted.approvers) << round;
    }
}

TEST(Approvals, AreReadFromThePack) {
    const std::string head = "pack: access/1\nversion: \"1\"\nroles: []\nexclusions: []\napprovals:\n";
    const auto good = load_access(head + "  - {act: account, strength: session, approvers: 2, valid_hours: 48}\n");
    ASSERT_TRUE(good.value) << describe(good.mistakes);
    const auto* found = good.value->approval_of("account");
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(found->strength, Strength::session);
    EXPECT_EQ(found->approvers, 2U);
    EXPECT_EQ(found->valid, hours(48));
    EXPECT_EQ(good.value->approval_of("policy"), nullptr) << "no rule: it cannot be requested";
    for (const std::string wrong : {"  - {act: emperor, strength: session, approvers: 1, valid_hours: 1}\n",
                                    "  - {act: account, strength: weak, approvers: 1, valid_hours: 1}\n",
                                    "  - {act: account, strength: session, approvers: 0, valid_hours: 1}\n",
                                    "  - {act: account, strength: session, approvers: 1, valid_hours: 0}\n",
                                    "  - {act: account, strength: session, approvers: 1}\n",
                                    "  - {act: account, strength: session, approvers: 1, valid_hours: 1}\n"
                                    "  - {act: account, strength: signature, approvers: 1, valid_hours: 1}\n"}) {
        EXPECT_FALSE(load_access(head + wrong).value) << wrong;
    }
}

}  // namespace
}  // namespace xinfu::policies
