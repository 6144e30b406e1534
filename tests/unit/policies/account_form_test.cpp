// ACC-02, ROL-01, ROL-02, PTH-01: what a registration form must say before anybody may approve of it.
#include "policies/account_form.hpp"

#include <gtest/gtest.h>

#include "tests/unit/policies/packs.hpp"

namespace xinfu::policies {
namespace {

constexpr std::int32_t kToday = 20780;
const std::vector<std::string> kCatalogs{"administrative-penalty", "administrative-licence"};

AccountForm person() {
    AccountForm form;
    form.kind = "person";
    form.unit = "112199000000000198";
    form.unit_name = "示例单位";
    form.name = "示例";
    form.post = "科员";
    form.phone = "0";
    form.roles = {"viewer"};
    form.valid_until = kToday + 300;
    return form;
}

std::string why(const AccountForm& form) {
    const auto defect = check_account_form(form, test::access(), kCatalogs, kToday);
    if (!defect) {
        return {};
    }
    return std::string(defect->code) + (defect->arguments.empty() ? "" : " " + defect->arguments.front());
}

TEST(AccountForm, IsCompleteOrNamesWhatIsMissing) {
    EXPECT_EQ(why(person()), "");
    const auto with = [](auto change) {
        auto form = person();
        change(form);
        return why(form);
    };
    EXPECT_EQ(with([](auto& form) { form.kind = "guest"; }), "XF-2018 kind");
    EXPECT_EQ(with([](auto& form) { form.unit = "112199000000000199"; }), "XF-2018 unit");
    EXPECT_EQ(with([](auto& form) { form.name.clear(); }), "XF-2018 name");
    EXPECT_EQ(with([](auto& form) { form.name = "a\x1b[2J"; }), "XF-2018 name") << "it is shown in terminals";
    EXPECT_EQ(with([](auto& form) { form.post.clear(); }), "XF-2018 post");
    EXPECT_EQ(with([](auto& form) { form.phone = std::string(201, '1'); }), "XF-2018 phone");
    EXPECT_EQ(with([](auto& form) { form.roles.clear(); }), "XF-2018 roles");
    EXPECT_EQ(with([](auto& form) { form.roles = {"viewer", "viewer"}; }), "XF-2018 roles");
    EXPECT_EQ(with([](auto& form) { form.roles = {"submitter"}; }), "XF-2018 roles") << "a machine's";
    EXPECT_EQ(with([](auto& form) { form.roles = {"auditor", "viewer"}; }), "XF-2010 auditor");
    EXPECT_EQ(with([](auto& form) { form.catalogs = {"unknown"}; }), "XF-2018 catalogs");
    EXPECT_EQ(with([](auto& form) { form.units = {form.unit}; }), "XF-2018 units") << "a platform's";
    EXPECT_EQ(with([](auto& form) { form.sources = {"localhost"}; }), "XF-2018 sources");
    EXPECT_EQ(with([](auto& form) { form.valid_until.reset(); }), "XF-2018 valid_until");
    EXPECT_EQ(with([](auto& form) { form.valid_until = kToday - 1; }), "XF-2018 valid_until");
    EXPECT_EQ(with([](auto& form) { form.valid_until = kToday; }), "");
    EXPECT_EQ(with([](auto& form) { form.valid_until = kToday + kAccountDaysMax + 1; }), "XF-2018 valid_until");
}

TEST(AccountForm, OfMachinesAndPlatforms) {
    auto machine = person();
    machine.kind = "machine";
    machine.roles = {"submitter"};
    machine.post.clear();
    machine.phone.clear();
    machine.valid_until.reset();
    EXPECT_EQ(why(machine), "");
    auto platform = machine;
    platform.kind = "platform";
    platform.roles = {"platform"};
    EXPECT_EQ(why(platform), "XF-2018 units") << "it speaks for somebody";
    platform.units = {machine.unit};
    EXPECT_EQ(why(platform), "");
    platform.units.push_back(machine.unit);
    EXPECT_EQ(why(platform), "XF-2018 units");
}

// Every pair that the shipped pack excludes, in one form, is refused whichever comes first.
TEST(AccountForm, NeverGivesRolesThatExcludeEachOther) {
    for (const auto& set : test::access().exclusions) {
        for (const auto& one : set) {
            for (const auto& other : set) {
                auto form = person();
                form.roles = {one, other};
                EXPECT_NE(why(form), "") << one << other;
            }
        }
    }
}

TEST(Sources, AreAddressesAndNetworks) {
    const std::vector<std::string> networks{"192.0.2.7", "198.51.100.0/24", "2001:db8::/33"};
    for (const auto* inside : {"192.0.2.7", "198.51.100.0", "198.51.100.255", "2001:db8:7fff::1", "::ffff:192.0.2.7"}) {
        EXPECT_TRUE(lies_in(inside, networks)) << inside;
    }
    for (const auto* outside : {"192.0.2.6", "198.51.101.0", "2001:db8:8000::1", "", "nonsense", "198.51.100.0/24"}) {
        EXPECT_FALSE(lies_in(outside, networks)) << outside;
    }
    EXPECT_TRUE(lies_in("203.0.113.1", {})) << "none: any";
    EXPECT_TRUE(lies_in("203.0.113.1", {"0.0.0.0/0"}));
    EXPECT_FALSE(lies_in("2001:db8::1", {"0.0.0.0/0"})) << "of IPv4 only";
    EXPECT_TRUE(lies_in("203.0.113.1", {"::/0"}));
    for (const auto* wrong : {"", "1.2.3", "1.2.3.4/33", "1.2.3.4/", "1.2.3.4/-1", "1.2.3.4/8x", "::/129", "host"}) {
        EXPECT_FALSE(is_address_or_network(wrong)) << wrong;
    }
}

}  // namespace
}  // namespace xinfu::policies
