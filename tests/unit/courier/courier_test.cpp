// The courier between a vault and an upper level: what is carried arrives whole and by the node it comes from, and
// whatever goes wrong is told in one line.
#include <gtest/gtest.h>

#include "crypto/digest.hpp"
#include "daemon/courier/vault_link.hpp"
#include "tests/unit/courier/world.hpp"

namespace xinfu::courier {
namespace {

using namespace std::chrono_literals;
using test::Authority;
using test::FakeUpper;
using test::FakeVault;

const Authority& authority() {
    static const Authority instance;
    return instance;
}

std::string filled(std::size_t size) {
    std::string text(size, '\0');
    std::uint32_t state = 1;
    for (auto& octet : text) {
        state = state * 1664525u + 1013904223u;
        octet = static_cast<char>(state >> 24);
    }
    return text;
}

UpperLimits fast() {
    UpperLimits limits;
    limits.connect = 2s;
    limits.handshake = 2s;
    limits.attempt_min = 10ms;
    limits.attempt_max = 80ms;
    limits.conversation = {2s, 2s, 100ms};
    return limits;
}

struct World {
    explicit World(UpperLimits limits = fast()) : link(io.get_executor(), pool.get_executor(), service, limits) {}
    ~World() {
        link.interrupt();
        pool.join();
    }
    void start(const std::string& url = {}) {
        vault.connect(link, authority().ca.certificate(), authority().node, authority().node_key,
                      {{"province", url.empty() ? upper.url() : url}});
    }
    // Runs until the condition holds; false: it did not in time.
    template <class Condition>
    bool run(Condition condition, std::chrono::milliseconds limit = 10s) {
        const auto until = std::chrono::steady_clock::now() + limit;
        while (!condition() && std::chrono::steady_clock::now() < until) {
            io.restart();
            io.run_for(5ms);
        }
        return condition();
    }
    bool run_until_results(std::size_t count) {
        return run([&] { return vault.results.size() >= count; });
    }

    asio::io_context io;
    asio::thread_pool pool{2};
    boundary::Service service{"courier_test"};
    FakeUpper upper{io, authority()};
    FakeVault vault{io};
    VaultLink link;
};

TEST(Courier, PutsAParcelAsTheNode) {
    World world;
    world.start();
    world.vault.put("/v1/submissions/administrative-penalty/city.province.17", "parcel");
    ASSERT_TRUE(world.run_until_results(1));
    ASSERT_EQ(world.upper.received.size(), 1u);
    const auto& received = world.upper.received[0];
    EXPECT_EQ(received.method, "PUT");
    EXPECT_EQ(received.target, "/v1/submissions/administrative-penalty/city.province.17");
    EXPECT_EQ(received.digest, crypto::sha256(as_bytes("parcel")));
    EXPECT_EQ(received.client_certificate, authority().node.der());
    EXPECT_TRUE(received.tls13);
    const auto& result = world.vault.results[0];
    EXPECT_EQ(result.task(), 1u);
    EXPECT_EQ(result.http_status(), 201u);
    EXPECT_EQ(result.body(), "receipt\n");
    EXPECT_EQ(result.location(), "/v1/submissions/7");
    EXPECT_EQ(result.retry_after_seconds(), 9u);
    EXPECT_EQ(result.failure(), "");
}

TEST(Courier, StreamsALargeParcel) {
    World world;
    world.start();
    const auto body = filled(20 << 20);
    world.vault.put_stream("/v1/submissions/c/city.province.1", body);
    ASSERT_TRUE(world.run_until_results(1));
    EXPECT_EQ(world.vault.results[0].http_status(), 201u) << world.vault.results[0].failure();
    ASSERT_EQ(world.upper.received.size(), 1u);
    EXPECT_EQ(world.upper.received[0].length, body.size());
    EXPECT_EQ(world.upper.received[0].digest, crypto::sha256(as_bytes(body)));
}

TEST(Courier, KeepsItsConnection) {
    World world;
    world.start();
    for (int n = 0; n < 5; ++n) {
        world.vault.get("/v1/submissions/" + std::to_string(n));
    }
    ASSERT_TRUE(world.run_until_results(5));
    EXPECT_EQ(world.upper.connections, 1);
    for (int n = 0; n < 5; ++n) {
        EXPECT_EQ(world.upper.received[static_cast<std::size_t>(n)].target, "/v1/submissions/" + std::to_string(n));
    }
    EXPECT_EQ(world.vault.states, std::vector<std::string>{"delivering"});
}

std::string parcel(int number) {
    return "/v1/submissions/c/city.province." + std::to_string(number);
}
std::vector<std::string> targets(const FakeUpper& upper) {
    std::vector<std::string> all;
    for (const auto& one : upper.received) {
        all.push_back(one.target);
    }
    return all;
}
std::vector<std::string> parcels(int first, int last) {
    std::vector<std::string> all;
    for (int n = first; n <= last; ++n) {
        all.push_back(parcel(n));
    }
    return all;
}

void put_parcels(World& world, int last) {
    for (int n = 1; n <= last; ++n) {
        world.vault.put(parcel(n), "1");
    }
}
// Each once, in the order of their numbers, with an answer that the vault was told.
void expect_parcels_arrive(World& world, int last) {
    EXPECT_TRUE(world.run_until_results(static_cast<std::size_t>(last)));
    EXPECT_EQ(targets(world.upper), parcels(1, last));
    for (const auto& result : world.vault.results) {
        EXPECT_EQ(result.http_status(), 201u) << result.failure();
    }
}

TEST(Courier, SendsOnWhileAnswersAreOnTheirWay) {
    World world;
    world.upper.script.gather = 40;  // it says nothing before it has so many
    world.start();
    world.vault.put(parcel(1), "1");
    ASSERT_TRUE(world.run_until_results(1));
    for (int n = 2; n <= 41; ++n) {
        n % 5 == 0 ? world.vault.put_stream(parcel(n), filled(100000)) : world.vault.put(parcel(n), "1");
    }
    expect_parcels_arrive(world, 41);
    EXPECT_EQ(world.upper.connections, 1);
}

TEST(Courier, AConnectionThatAnsweredNothingYetCarriesOneRequest) {
    World world;
    world.upper.script.silent = true;
    world.start();
    put_parcels(world, 5);
    world.run([] { return false; }, 300ms);
    EXPECT_EQ(world.vault.questions, 1);
}

TEST(Courier, WhatComesAgainComesAloneAtFirst) {
    World world;
    world.start();
    put_parcels(world, 1);
    expect_parcels_arrive(world, 1);
    world.upper.script.gather = 9;
    for (int n = 2; n <= 5; ++n) {
        world.vault.put(parcel(n), "1");
    }
    ASSERT_TRUE(world.run([&] { return world.upper.asked == 5; }));
    world.upper.script.silent = true;
    world.upper.open.back()->next_layer().close();
    world.run([] { return false; }, 300ms);
    EXPECT_EQ(world.upper.connections, 2);
    EXPECT_EQ(world.upper.asked, 6) << "one that is not answered yet";
}

TEST(Courier, HasNoMoreUnderWayThanItsBound) {
    auto limits = fast();
    limits.under_way_max = 7;
    World world(limits);
    world.start();
    put_parcels(world, 1);
    expect_parcels_arrive(world, 1);
    world.upper.script.silent = true;
    put_parcels(world, 20);
    world.run([] { return false; }, 300ms);
    EXPECT_EQ(world.upper.asked, 8);
    EXPECT_EQ(world.vault.questions, 8);
}

TEST(Courier, WhatALostConnectionLeftUnansweredComesInOrderOverTheNext) {
    World world;
    world.upper.script.close_behind = 7;
    world.start();
    put_parcels(world, 50);
    expect_parcels_arrive(world, 50);
    EXPECT_EQ(world.upper.connections, 8);
}

TEST(Courier, NothingOvertakesAParcelThatIsToComeAgain) {
    World world;
    world.upper.script.refuses = parcel(4);
    world.vault.takes_no_503 = true;
    world.start();
    put_parcels(world, 5);
    ASSERT_TRUE(world.run_until_results(5));
    world.upper.script.refuses.clear();
    world.vault.put(parcel(6), "1");  // given out before the vault has taken notice
    world.run([] { return false; }, 100ms);
    const auto results = world.vault.results;
    EXPECT_EQ(results[3].http_status(), 503u);
    EXPECT_FALSE(results[3].given_back());
    for (std::size_t at = 4; at < results.size(); ++at) {
        EXPECT_TRUE(results[at].given_back()) << at;
        EXPECT_EQ(results[at].http_status(), 0u) << at;
    }
    EXPECT_EQ(targets(world.upper), parcels(1, 3));
}

TEST(Courier, ABodyThatCannotBeBroughtAgainIsGivenBackWithAllBehindIt) {
    World world;
    world.start();
    world.vault.put(parcel(1), "1");
    ASSERT_TRUE(world.run_until_results(1));
    world.upper.script.gather = 9;
    world.vault.put(parcel(2), "1");
    world.vault.put_stream(parcel(3), filled(100000));
    world.vault.put(parcel(4), "1");
    ASSERT_TRUE(world.run([&] { return world.upper.received.size() == 4; }));
    world.upper.script.gather = 1;
    world.upper.open.back()->next_layer().close();
    ASSERT_TRUE(world.run_until_results(4));
    EXPECT_EQ(targets(world.upper), (std::vector{parcel(1), parcel(2), parcel(3), parcel(4), parcel(2)}));
    for (const auto& result : world.vault.results) {
        EXPECT_EQ(result.http_status(), result.task() < 3 ? 201u : 0u) << result.task();
        EXPECT_EQ(result.given_back(), result.task() == 4) << result.task();
    }
    world.run([] { return false; }, 50ms);
    EXPECT_EQ(world.upper.broken, 0) << "nothing was sent without its body";
}

TEST(Courier, NoticesThatTheUpperLevelLetGo) {
    World world;
    world.start();
    world.vault.put("/a", "1");
    ASSERT_TRUE(world.run_until_results(1));
    world.upper.open.back()->next_layer().close();
    world.vault.put_stream("/b", filled(100000));
    ASSERT_TRUE(world.run_until_results(2));
    EXPECT_EQ(world.vault.results[1].http_status(), 201u) << world.vault.results[1].failure();
    EXPECT_EQ(world.upper.connections, 2);
}

TEST(Courier, ConnectsAnewWhereTheUpperLevelEndsEachConnection) {
    World world;
    world.upper.script.close_after = true;
    world.start();
    for (int n = 0; n < 3; ++n) {
        world.vault.put("/a", "1");
    }
    ASSERT_TRUE(world.run_until_results(3));
    for (const auto& result : world.vault.results) {
        EXPECT_EQ(result.http_status(), 201u) << result.failure();
    }
    EXPECT_EQ(world.upper.received.size(), 3u);
}

TEST(Courier, HearsARefusalBeforeTheBodyIsSent) {
    World world;
    world.upper.script.answer_before_body = true;
    world.upper.script.status = 413;
    world.upper.script.body = "{}";
    world.start();
    world.vault.put_stream("/a", filled(50 << 20));
    ASSERT_TRUE(world.run_until_results(1));
    EXPECT_EQ(world.vault.results[0].http_status(), 413u) << world.vault.results[0].failure();
    EXPECT_LT(world.vault.written, 8u << 20);
}

TEST(Courier, KeepsTheBeginningOfALongAnswer) {
    World world;
    world.upper.script.body = filled(200 * 1024);
    world.start();
    world.vault.get("/a");
    ASSERT_TRUE(world.run_until_results(1));
    EXPECT_EQ(world.vault.results[0].body(), world.upper.script.body.substr(0, kAnswerKeptBytesMax));
    world.upper.script.body = filled(2 << 20);
    world.vault.get("/b");
    ASSERT_TRUE(world.run_until_results(2));
    EXPECT_EQ(world.vault.results[1].http_status(), 201u) << world.vault.results[1].failure();
    EXPECT_EQ(world.vault.results[1].body().size(), kAnswerKeptBytesMax);
    world.vault.get("/c");
    ASSERT_TRUE(world.run_until_results(3));
    EXPECT_EQ(world.upper.connections, 2);  // the one with so long an answer was not used again
}

TEST(Courier, ABrokenAnswerIsNone) {
    World world;
    world.upper.script.cut_answer = true;
    world.start();
    world.vault.put("/a", "1");
    ASSERT_TRUE(world.run_until_results(1));
    EXPECT_EQ(world.vault.results[0].http_status(), 0u);
    EXPECT_NE(world.vault.results[0].failure(), "");
    EXPECT_EQ(world.vault.results[0].body(), "");
    EXPECT_EQ(world.vault.states.back(), "retrying");
}

TEST(Courier, ABrokenAnswerIsNoneOnAConnectionThatServedBeforeAndIsToldAtOnce) {
    World world;
    world.start();
    put_parcels(world, 1);
    expect_parcels_arrive(world, 1);
    world.upper.script.cut_answer = true;
    world.vault.put(parcel(2), "1");
    ASSERT_TRUE(world.run_until_results(2));
    EXPECT_EQ(world.vault.results[1].http_status(), 0u);
    EXPECT_FALSE(world.vault.results[1].given_back());
    EXPECT_EQ(targets(world.upper), parcels(1, 2)) << "once: the vault decides when it comes again";
}

TEST(Courier, DoesNotWaitForEver) {
    auto limits = fast();
    limits.conversation.answer = 200ms;
    World world(limits);
    world.upper.script.silent = true;
    world.start();
    world.vault.put("/a", "1");
    ASSERT_TRUE(world.run_until_results(1));
    EXPECT_EQ(world.vault.results[0].http_status(), 0u);
    EXPECT_EQ(world.vault.results[0].failure(), "no answer");
}

TEST(Courier, NeverPassesOffHalfABody) {
    World world;
    world.start();
    world.vault.put_stream("/a", filled(300000), 1000);
    ASSERT_TRUE(world.run_until_results(1));
    EXPECT_EQ(world.vault.results[0].http_status(), 0u);
    EXPECT_NE(world.vault.results[0].failure().find("broke off"), std::string::npos)
        << world.vault.results[0].failure();
    EXPECT_TRUE(world.run([&] { return world.upper.broken == 1; }));
    EXPECT_TRUE(world.upper.received.empty());
}

TEST(Courier, SpeaksOnlyWithTheServerOfItsRoute) {
    const Authority other;
    World world;
    world.vault.connect(world.link, other.ca.certificate(), authority().node, authority().node_key,
                        {{"province", world.upper.url()}});
    world.vault.put("/a", "1");
    ASSERT_TRUE(world.run_until_results(1));
    EXPECT_EQ(world.vault.results[0].http_status(), 0u);
    EXPECT_NE(world.vault.results[0].failure().find("no TLS"), std::string::npos) << world.vault.results[0].failure();
    EXPECT_TRUE(world.upper.received.empty());
    EXPECT_EQ(world.vault.states.back(), "unreachable");
}

TEST(Courier, SpeaksOnlyWithTheHostOfItsRoute) {
    World world;
    FakeUpper elsewhere(world.io, authority(), "127.0.0.2");  // which its certificate does not name
    world.start("https://127.0.0.2:" + std::to_string(elsewhere.port()));
    world.vault.put("/a", "1");
    ASSERT_TRUE(world.run_until_results(1));
    EXPECT_EQ(world.vault.results[0].http_status(), 0u);
    EXPECT_NE(world.vault.results[0].failure().find("no TLS"), std::string::npos) << world.vault.results[0].failure();
    EXPECT_TRUE(elsewhere.received.empty());
}

TEST(Courier, SaysNothingWithoutTheVaultsSignature) {
    World world;
    world.vault.refuse_signatures = true;
    world.start();
    world.vault.put("/a", "1");
    ASSERT_TRUE(world.run_until_results(1));
    EXPECT_EQ(world.vault.results[0].http_status(), 0u);
    EXPECT_TRUE(world.upper.received.empty());
}

TEST(Courier, BoundsItsAttemptsWhateverTheVaultSays) {
    World world;
    asio::ip::tcp::acceptor nobody(world.io, {asio::ip::address_v4::loopback(), 0});
    const auto port = nobody.local_endpoint().port();
    nobody.close();
    world.start("https://localhost:" + std::to_string(port));
    for (int n = 0; n < 100; ++n) {
        world.vault.put("/a", "1");
    }
    world.run([] { return false; }, 1s);
    // 10, 20, 40, 80, 80, ... ms
    EXPECT_LT(world.vault.results.size(), 20u);
    ASSERT_GT(world.vault.results.size(), 3u);
    EXPECT_NE(world.vault.results[0].failure().find("cannot reach localhost"), std::string::npos)
        << world.vault.results[0].failure();
}

TEST(Courier, WaitsAsLongAsTheVaultSays) {
    World world;
    world.vault.wait_ms = 300;
    world.upper.script.status = 503;
    world.start();
    world.vault.put("/a", "1");
    world.vault.put("/b", "1");
    const auto begin = std::chrono::steady_clock::now();
    ASSERT_TRUE(world.run_until_results(2));
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 300ms);
}

TEST(Courier, RefusesTasksThatWouldForgeARequest) {
    World world;
    world.start();
    for (const auto* path : {"", "v1", "/a b", "/a\r\nX: y", "/\x7f"}) {
        world.vault.get(path);
    }
    ASSERT_TRUE(world.run_until_results(5));
    for (const auto& result : world.vault.results) {
        EXPECT_EQ(result.http_status(), 0u);
    }
    EXPECT_TRUE(world.upper.received.empty());
}

TEST(Courier, FinishesWhatItCarriesBeforeItLeaves) {
    World world;
    world.start();
    world.vault.put_stream("/a", filled(30 << 20));
    ASSERT_TRUE(world.run([&] { return world.upper.connections > 0; }));
    bool drained = false;
    world.link.drain([&] { drained = true; });
    EXPECT_FALSE(drained);
    ASSERT_TRUE(world.run([&] { return drained; }));
    ASSERT_EQ(world.vault.results.size(), 1u);
    EXPECT_EQ(world.vault.results[0].http_status(), 201u);
    const int questions = world.vault.questions;
    world.run([] { return false; }, 200ms);
    EXPECT_EQ(world.vault.questions, questions);
}

TEST(Courier, WorksForTheVaultThatComesNext) {
    World world;
    world.start();
    world.vault.put("/a", "1");
    ASSERT_TRUE(world.run_until_results(1));
    world.vault.leave();
    ASSERT_TRUE(world.run([&] { return world.link.status() == "waiting for the vault"; }));
    FakeVault next(world.io);
    next.connect(world.link, authority().ca.certificate(), authority().node, authority().node_key,
                 {{"province", world.upper.url()}});
    next.put("/b", "1");
    ASSERT_TRUE(world.run([&] { return !next.results.empty(); }));
    EXPECT_EQ(next.results[0].http_status(), 201u) << next.results[0].failure();
}

}  // namespace
}  // namespace xinfu::courier
