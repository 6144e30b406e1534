#include "daemon/client/enrolment.hpp"

#include <gtest/gtest.h>

#include "crypto/certificate_authority.hpp"
#include "daemon/client/authority.hpp"
#include "daemon/client/text.hpp"

namespace xinfu::client {
namespace {

using storage::AccountKind;

constexpr const char* kUnit = "11219900000000107N";
constexpr const char* kOtherUnit = "112199000000000198";

const policies::AccessPolicy& policy() {
    static const policies::AccessPolicy access = [] {
        policies::AccessPolicy made;
        for (const auto& [name, kind] : {std::pair{"security_administrator", "person"},
                                         {"system_administrator", "person"},
                                         {"approver", "person"},
                                         {"submitter", "machine"},
                                         {"platform", "platform"}}) {
            policies::Role role;
            role.name = name;
            role.kind = kind;
            made.roles.push_back(role);
        }
        made.exclusions = {{"security_administrator", "system_administrator"}};
        return made;
    }();
    return access;
}

class Enrol : public testing::Test {
protected:
    crypto::Certificate certificate(const std::string& name, const std::string& unit, const std::string& number = {},
                                    std::chrono::days until = std::chrono::days(30)) {
        crypto::DistinguishedName subject;
        subject.common_name = name;
        subject.organization_identifier = unit;
        subject.serial_number = number;
        const auto key = crypto::SigningKey::generate_p256();
        return authority_
            .issue(subject, key.public_key(),
                   {.not_before = now_ - std::chrono::days(60), .not_after = now_ + until, .hosts = {}})
            .value();
    }
    Enrolment person(const std::string& role, const std::string& number, const std::string& unit = kUnit) {
        return {AccountKind::person, role, {certificate("person " + number, unit, number)}, {}};
    }
    std::vector<Enrolment> two() { return {person("security_administrator", "1"), person("approver", "2")}; }
    bool refused(const std::vector<Enrolment>& enrolments) {
        try {
            (void)enrol(enrolments, policy(), {authority_.certificate()}, now_);
            return false;
        } catch (const Stop& stop) {
            return stop.exit == Exit::refused;
        }
    }
    std::vector<Enrolment> two_and(Enrolment more) {
        auto enrolments = two();
        enrolments.push_back(std::move(more));
        return enrolments;
    }

    const crypto::UtcSeconds now_ = now_seconds();
    const crypto::CertificateAuthority authority_ = [this] {
        crypto::DistinguishedName subject;
        subject.common_name = "authority";
        return crypto::CertificateAuthority::create(subject, now_ - std::chrono::days(100),
                                                    now_ + std::chrono::days(100))
            .value();
    }();
};

TEST_F(Enrol, TakesTwoPersonsAndTheirMachines) {
    const auto enrolled = enrol(two_and({AccountKind::machine, "submitter", {certificate("m", kOtherUnit)}, {}}),
                                policy(), {authority_.certificate()}, now_);
    ASSERT_EQ(enrolled.accounts.size(), 3u);
    EXPECT_EQ(enrolled.accounts[0].id, "p-0001");
    EXPECT_EQ(enrolled.accounts[2].id, "m-0001");
    EXPECT_EQ(enrolled.accounts[2].unit, kOtherUnit);
    EXPECT_EQ(enrolled.persons.size(), 2u);
    EXPECT_EQ(enrolled.units, (std::vector<std::string>{kOtherUnit, kUnit}));
}

TEST_F(Enrol, NeedsTwoDifferentNaturalPersons) {
    EXPECT_TRUE(refused({}));
    EXPECT_TRUE(refused({person("security_administrator", "1")}));
    EXPECT_TRUE(refused({person("approver", "1"), person("approver", "2")}));
    EXPECT_TRUE(refused({person("security_administrator", "1"), person("approver", "1")}));
    EXPECT_FALSE(refused(two()));
}

TEST_F(Enrol, RefusesUnitCodesThatAreNone) {
    for (const char* unit : {"", "11219900000000107M", "1121990000000010", "112199000000001O7N"}) {
        EXPECT_TRUE(refused(two_and({AccountKind::machine, "submitter", {certificate("m", unit)}, {}}))) << unit;
        EXPECT_TRUE(refused(two_and({AccountKind::platform, "platform", {certificate("n", kUnit)}, {unit}}))) << unit;
        EXPECT_TRUE(refused(two_and(person("approver", "3", unit)))) << unit;
    }
}

TEST_F(Enrol, RefusesRolesOfAnotherKindAndUnknownOnes) {
    EXPECT_TRUE(refused(two_and({AccountKind::machine, "approver", {certificate("m", kUnit)}, {}})));
    EXPECT_TRUE(refused(two_and(person("submitter", "3"))));
    EXPECT_TRUE(refused(two_and(person("emperor", "3"))));
}

TEST_F(Enrol, RefusesRolesThatExcludeEachOtherInOnePerson) {
    EXPECT_TRUE(refused(two_and(person("system_administrator", "1"))));
    EXPECT_FALSE(refused(two_and(person("system_administrator", "3"))));
}

TEST_F(Enrol, GivesOnePersonOneAccount) {
    const auto enrolled = enrol(two_and(person("approver", "1")), policy(), {}, now_);
    ASSERT_EQ(enrolled.accounts.size(), 2u);
    EXPECT_EQ(enrolled.accounts[0].roles, (std::vector<std::string>{"security_administrator", "approver"}));
    EXPECT_EQ(enrolled.accounts[0].certificates.size(), 2u);
    EXPECT_TRUE(refused(two_and(person("approver", "1", kOtherUnit))));
}

TEST_F(Enrol, RefusesCertificatesThatAreSharedExpiredOrOfAnotherAuthority) {
    auto shared = two();
    shared.push_back({AccountKind::machine, "submitter", {shared[0].certificates.front()}, {}});
    EXPECT_TRUE(refused(shared));
    EXPECT_TRUE(refused(
        two_and({AccountKind::machine, "submitter", {certificate("m", kUnit, "", std::chrono::days(-1))}, {}})));
    crypto::DistinguishedName subject;
    subject.common_name = "stranger";
    const auto stranger = crypto::CertificateAuthority::create(subject, now_, now_ + std::chrono::days(1)).value();
    EXPECT_THROW((void)enrol(two(), policy(), {stranger.certificate()}, now_), Stop);
}

TEST_F(Enrol, RefusesAPersonWithoutNumber) {
    EXPECT_TRUE(refused(two_and({AccountKind::person, "approver", {certificate("nobody", kUnit)}, {}})));
}

}  // namespace
}  // namespace xinfu::client
