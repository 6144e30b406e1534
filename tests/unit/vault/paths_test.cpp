// What is compared with what was approved, and when: PTH-02, APR-04.
#include "daemon/vault/paths.hpp"

#include "tests/unit/vault/fixture.hpp"

namespace xinfu::vault::test {
namespace {

class PathsTest : public VaultTest {
protected:
    config::Paths declared() const {
        config::Paths paths;
        paths.listen = {"127.0.0.1:8443", "[0:0::1]:8443"};
        paths.metrics = "127.0.0.1:9464";
        return paths;
    }
    static boundary::ReportListeners report(const std::vector<std::string>& https) {
        boundary::ReportListeners said;
        for (const auto& endpoint : https) {
            said.add_https(endpoint);
        }
        said.add_metrics("127.0.0.1:9464");
        return said;
    }
    void start(Paths& paths) {
        on_loop([&paths]() -> asio::awaitable<void> {
            auto starting = paths.start();
            const auto started = co_await std::move(starting);
            EXPECT_TRUE(started.has_value());
        });
    }
    void check(Paths& paths) {
        on_loop([&paths]() -> asio::awaitable<void> {
            auto checking = paths.check();
            const auto checked = co_await std::move(checking);
            EXPECT_TRUE(checked.has_value());
        });
    }
};

TEST_F(PathsTest, LooksOnceTheGatewayHasSpokenDailyAndWhenSomethingChanges) {
    Paths paths(*context_, declared());
    start(paths);
    EXPECT_FALSE(paths.check_is_due()) << "nobody knows what is open";
    paths.heard(report({"127.0.0.1:8443", "[::1]:8443"}));
    EXPECT_TRUE(paths.check_is_due());
    check(paths);
    EXPECT_EQ(leaves_with({"\"action\":\"adopt_paths\""}), 1);
    EXPECT_EQ(leaves_with({"\"action\":\"check_paths\"", "\"result\":\"done\""}), 1);
    EXPECT_FALSE(paths.check_is_due());
    EXPECT_FALSE(paths.alarm());

    clock_->advance(Paths::kEvery - std::chrono::milliseconds{1});
    EXPECT_FALSE(paths.check_is_due());
    clock_->advance(std::chrono::milliseconds{1});
    EXPECT_TRUE(paths.check_is_due());
    check(paths);

    paths.heard(report({"127.0.0.1:8443", "[::1]:8443", "127.0.0.1:99"}));
    EXPECT_FALSE(paths.check_is_due()) << "an owned gateway makes one look a minute";
    clock_->advance(Paths::kRest);
    EXPECT_TRUE(paths.check_is_due());
    check(paths);
    ASSERT_TRUE(paths.alarm());
    EXPECT_EQ(paths.alarm()->code(), "XF-2029");
    EXPECT_EQ(must(paths.differences()), std::vector<std::string>{"open, not approved: listen 127.0.0.1:99"});
    paths.heard(report({"127.0.0.1:8443"}));
    check(paths);
    EXPECT_EQ(must(paths.differences()), std::vector<std::string>{"approved, not open: listen [::1]:8443"});
}

TEST_F(PathsTest, SaysWhenNobodyHasLookedForTwoDays) {
    Paths paths(*context_, declared());
    start(paths);
    paths.heard(report({"127.0.0.1:8443", "[::1]:8443"}));
    check(paths);
    clock_->advance(Paths::kOverdue - std::chrono::milliseconds{1});
    EXPECT_FALSE(paths.alarm());
    clock_->advance(std::chrono::milliseconds{1});
    ASSERT_TRUE(paths.alarm());
    EXPECT_EQ(paths.alarm()->code(), "XF-2030");
    Paths after_a_restart(*context_, declared());
    start(after_a_restart);
    ASSERT_TRUE(after_a_restart.alarm()) << "when somebody looked last is kept";
    EXPECT_EQ(leaves_with({"\"action\":\"adopt_paths\""}), 1) << "once";
}

}  // namespace
}  // namespace xinfu::vault::test
