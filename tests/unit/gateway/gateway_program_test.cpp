// The real xinfu-gateway, behind its walls, between stock curl and a vault of this test.
#include <gtest/gtest.h>

#include <list>

#include "tests/unit/gateway/fake_vault.hpp"

namespace xinfu::gateway {
namespace {

using boundary::GatewayRequest;
using test::GatewayProcess;
using test::Pki;
using test::run_command;

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

std::string file_of(std::size_t size, const std::string& name) {
    Pki::run("head -c " + std::to_string(size) + " /dev/urandom > " + Pki::get().path(name));
    return Pki::get().path(name);
}

std::string status_and(const std::string& format) {
    return " -o /dev/null -w '%{http_code} " + format + "' ";
}

class GatewayProgram : public testing::Test {
protected:
    GatewayProcess gateway;
    std::unique_ptr<test::FakeVault> vault = gateway.connect_vault();
};

TEST_F(GatewayProgram, StandsBehindItsWalls) {
    ASSERT_EQ(gateway.curl(status_and("") + gateway.url("/v1/status")).output, "200 ");
    std::ifstream in("/proc/" + std::to_string(gateway.pid()) + "/status");
    const std::string status{std::istreambuf_iterator<char>(in), {}};
    EXPECT_TRUE(contains(status, "NoNewPrivs:\t1"));
#ifndef XINFU_SANITIZED
    EXPECT_TRUE(contains(status, "Seccomp:\t2"));
#endif
}

TEST_F(GatewayProgram, PassesASmallFileOnWithItsQuestion) {
    const auto file = file_of(20'000, "small");
    const auto ran = gateway.curl("-i -T " + file + " " + gateway.url("/v1/submissions/c/%E7%BD%9A%20a.p7m"));
    EXPECT_TRUE(contains(ran.output, "HTTP/1.1 201 Created")) << ran.output;
    EXPECT_TRUE(contains(ran.output, "Location: /v1/submissions/id-1")) << ran.output;
    EXPECT_TRUE(contains(ran.output, "receipt of 罚 a.p7m\n")) << ran.output;
    const auto asked = vault->wait_for(GatewayRequest::kOpenSubmission);
    EXPECT_EQ(asked.handle(), "0123456789abcdef");
    EXPECT_EQ(asked.source().address(), std::string("\x7f\0\0\1", 4));
    EXPECT_EQ(asked.open_submission().length(), 20'000U);
    EXPECT_TRUE(asked.open_submission().body() == Pki::get().text("small"));
}

TEST_F(GatewayProgram, StreamsALargeFileHoweverItComes) {
    const auto file = file_of(5'000'000, "large");
    const std::string body = Pki::get().text("large");
    int n = 0;
    for (const std::string options : {"", "-H 'Expect:'", "-H 'Transfer-Encoding: chunked'", "--tls-max 1.2",
                                      "-H 'Expect: 100-continue' --limit-rate 20M"}) {
        const std::string name = "large" + std::to_string(n++);
        const auto ran =
            gateway.curl(options + status_and("") + "-T " + file + " " + gateway.url("/v1/submissions/c/" + name));
        EXPECT_EQ(ran.output, "201 ") << options;
        EXPECT_TRUE(vault->seen().bodies[name] == body) << options;
    }
    const auto slow = gateway.curl(status_and("") + "-T " + file + " " + gateway.url("/v1/submissions/c/slow-vault"));
    EXPECT_EQ(slow.output, "201 ");
    EXPECT_TRUE(vault->seen().bodies["slow-vault"] == body);
}

TEST_F(GatewayProgram, RefusesBeforeTheBody) {
    const auto file = file_of(30'000'000, "huge");
    const auto ran = gateway.curl("-i -w ' %{size_upload}' -H 'Expect: 100-continue' -T " + file + " " +
                                  gateway.url("/v1/submissions/unknown/x"));
    EXPECT_TRUE(contains(ran.output, "HTTP/1.1 404 Not Found")) << ran.output;
    EXPECT_TRUE(contains(ran.output, "application/problem+json")) << ran.output;
    EXPECT_TRUE(contains(ran.output, "\"code\":\"XF-2003\"")) << ran.output;
    EXPECT_FALSE(contains(ran.output, "100 Continue")) << ran.output;
    EXPECT_TRUE(ran.output.ends_with(" 0")) << ran.output;
}

TEST_F(GatewayProgram, AnswersAsSoonAsTheOutcomeIsThere) {
    const auto file = file_of(30'000'000, "huge");
    // At this rate the whole body would take thirty seconds.
    const auto began = std::chrono::steady_clock::now();
    const auto ran = gateway.curl("-i --limit-rate 1M -T " + file + " " + gateway.url("/v1/submissions/c/early"));
    EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(10));
    EXPECT_TRUE(contains(ran.output, "HTTP/1.1 422")) << ran.output.substr(0, 2000);
    EXPECT_TRUE(contains(ran.output, "receipt of the refusal")) << ran.output.substr(0, 2000);
}

TEST_F(GatewayProgram, ShowsDefects) {
    const auto file = file_of(100, "tiny");
    const auto ran = gateway.curl("-T " + file + " " + gateway.url("/v1/submissions/c/defective"));
    EXPECT_TRUE(contains(ran.output, "\"line\":2,\"field\":\"CF_XDR_MC\",\"code\":\"XF-4001\",\"severity\":\"error\""))
        << ran.output.substr(0, 2000);
    const auto count = [](const std::string& text, const std::string& part) {
        std::size_t found = 0;
        for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; ++at) {
            ++found;
        }
        return found;
    };
    EXPECT_EQ(count(ran.output, "\"severity\":\"error\""), 1000U);  // of 1200
    EXPECT_EQ(count(ran.output, "\"severity\":\"warning\""), 300U);
    EXPECT_TRUE(contains(ran.output, "\"defects_total\":1500"));

    const auto all = gateway.curl(gateway.url("/v1/submissions/id-2/defects"));
    EXPECT_EQ(count(all.output, "\"severity\":\"error\""), 1200U);
    EXPECT_EQ(count(all.output, "\"severity\":\"warning\""), 300U);
    EXPECT_TRUE(contains(all.output, "\"defects_total\":1200,\"warnings\":[{"));
    const auto sheet = gateway.curl("-H 'Accept: text/csv' " + gateway.url("/v1/submissions/id-2/defects"));
    EXPECT_TRUE(
        sheet.output.starts_with("\xef\xbb\xbf"
                                 "行号,字段"))
        << sheet.output.substr(0, 200);
    EXPECT_TRUE(contains(sheet.output, "\r\n2,行政相对人名称,")) << sheet.output.substr(0, 200);
    EXPECT_EQ(count(sheet.output, "\r\n"), 1501U);
}

TEST_F(GatewayProgram, AnswersReadings) {
    struct Case {
        std::string path;
        std::string expected;
    };
    for (const auto& [path, expected] : std::vector<Case>{
             {"/v1/submissions/id-1", "\"acknowledgements\":[{\"level\":\"province\""},
             {"/v1/submissions/none", "\"code\":\"XF-2005\""},
             {"/v1/submissions/id-1/receipt", "first second\n"},
             {"/v1/catalogs", "{\"catalogs\":[{\"name\":\"c\""},
             {"/v1/catalogs/c", "\"title_zh\":\"行政处罚决定书文号\""},
             {"/v1/catalogs/c/template.csv", "\xef\xbb\xbf行政相对人名称*,行政处罚决定书文号\r\n"},
             {"/v1/log/tile/entries/000.p/3", "tile"},
             {"/v1/status", "\"node\":\"city\""},
         }) {
        EXPECT_TRUE(contains(gateway.curl(gateway.url(path)).output, expected)) << path;
    }
    const auto tile = gateway.curl("-i " + gateway.url("/v1/log/tile/1/x001/002"));
    EXPECT_TRUE(contains(tile.output, "immutable")) << tile.output;
    EXPECT_EQ(vault->wait_for(GatewayRequest::kReadTile).read_tile().index(), 1002U);
    const auto partial = gateway.curl("-i " + gateway.url("/v1/log/tile/1/x001/002.p/5"));
    EXPECT_FALSE(contains(partial.output, "immutable")) << partial.output;
    EXPECT_EQ(vault->wait_for(GatewayRequest::kReadTile).read_tile().width(), 5U);
    const auto original = gateway.curl(gateway.url("/v1/submissions/id-1/original"));
    EXPECT_TRUE(original.output == std::string(test::FakeVault::kOriginalBytes, 'o')) << original.output.size();
    const auto query =
        gateway.curl("--json '{\"subject\":\"x\",\"purpose\":\"y\"}' " + gateway.url("/v1/records/c/query"));
    EXPECT_EQ(query.output,
              "{\"records\":[{\"CF_WSH\":\"一号\"},{\"CF_WSH\":\"二号\"}],\"count\":2,\"receipt\":\"evidence\\n\"}\n");
    EXPECT_TRUE(contains(gateway.curl("-d '{}' " + gateway.url("/v1/records/c/query")).output, "XF-1106"));
    EXPECT_TRUE(contains(gateway.curl("--json '{}' " + gateway.url("/v1/records/c/query")).output, "XF-1109"));
}

TEST_F(GatewayProgram, KeepsSessionsInTokensAndCookies) {
    const auto opened = gateway.curl("-i --json '{\"password\":\"right\"}' " + gateway.url("/v1/session"));
    EXPECT_TRUE(contains(opened.output, "\"token\":\"token-1\"")) << opened.output;
    EXPECT_TRUE(contains(opened.output, "Set-Cookie: __Host-xinfu=token-1; Path=/; Secure; HttpOnly; SameSite=Strict"));
    const auto wrong = gateway.curl("-i --json '{\"password\":\"wrong\"}' " + gateway.url("/v1/session"));
    EXPECT_TRUE(contains(wrong.output, "401 Unauthorized")) << wrong.output;
    EXPECT_TRUE(contains(wrong.output, "Connection: close")) << wrong.output;
    gateway.curl("-H 'Authorization: Bearer abc' " + gateway.url("/v1/status"));
    EXPECT_EQ(vault->wait_for(GatewayRequest::kGetStatus).token(), "abc");
    gateway.curl("-H 'Cookie: a=b; __Host-xinfu=def; c=d' " + gateway.url("/v1/status"));
    EXPECT_EQ(vault->wait_for(GatewayRequest::kGetStatus).token(), "def");
    // Bytes that would not even fit a message's text must not reach the vault.
    gateway.curl("-H \"Authorization: Bearer $(printf '\\377')\" " + gateway.url("/v1/status"));
    EXPECT_EQ(vault->wait_for(GatewayRequest::kGetStatus).token(), "");
    const auto closed = gateway.curl("-i -X DELETE " + gateway.url("/v1/session"));
    EXPECT_TRUE(contains(closed.output, "204 No Content")) << closed.output;
}

TEST_F(GatewayProgram, KeepsConnectionsAndTakesPipelinedRequests) {
    const auto status = gateway.url("/v1/status");
    const auto ran = gateway.curl("-o /dev/null -o /dev/null -w '%{num_connects} ' " + status + " " + status);
    EXPECT_EQ(ran.output, "1 0 ");
    const auto pipelined = gateway.raw(
        "printf 'PUT /v1/submissions/c/p HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 5\\r\\n\\r\\nhelloGET /v1/status "
        "HTTP/1.1\\r\\n"
        "Host: x\\r\\n\\r\\nGET /v1/nothing HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n'");
    const auto first = pipelined.output.find("HTTP/1.1 201 Created");
    const auto second = pipelined.output.find("HTTP/1.1 200 OK");
    const auto third = pipelined.output.find("HTTP/1.1 404 Not Found");
    EXPECT_TRUE(first < second && second < third && third != std::string::npos) << pipelined.output;
    EXPECT_EQ(vault->seen().bodies["p"], "hello");
}

TEST_F(GatewayProgram, ReadsNothingBehindAParcelThatIsToComeAgain) {
    const auto both = [this](const std::string& first, const std::string& second) {
        return gateway
            .raw("printf 'PUT /v1/submissions/busy/" + first +
                 " HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 1\\r\\n\\r\\n1PUT /v1/submissions/c/" + second +
                 " HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 1\\r\\nConnection: close\\r\\n\\r\\n2'")
            .output;
    };
    const auto parcels = both("city.province.1", "city.province.2");
    EXPECT_TRUE(contains(parcels, "HTTP/1.1 503")) << parcels;
    EXPECT_TRUE(contains(parcels, "Connection: close")) << parcels;
    EXPECT_FALSE(contains(parcels, "HTTP/1.1 201")) << parcels;
    EXPECT_FALSE(vault->seen().bodies.contains("city.province.2"));
    const auto files = both("one.p7m", "two.p7m");
    EXPECT_TRUE(contains(files, "HTTP/1.1 503") && contains(files, "HTTP/1.1 201")) << files;
}

TEST_F(GatewayProgram, AnswersWhatIsNoRequestOfTheContract) {
    struct Case {
        std::string request;
        std::string status;
        std::string code;
    };
    const std::string host = "Host: x\\r\\n";
    for (const auto& [request, status, code] : std::vector<Case>{
             {"GET /v1/nothing HTTP/1.1\\r\\n" + host, "404", "XF-1105"},
             {"POST /v1/status HTTP/1.1\\r\\n" + host, "405", "XF-1104"},
             {"PUT /v1/submissions/c/%%2F HTTP/1.1\\r\\n" + host, "400", "XF-1110"},
             {"GET /v1/status HTTP/1.0\\r\\n" + host, "505", "XF-1118"},
             {"GET /v1/status HTTP/1.1\\r\\n", "400", "XF-1111"},
             {"nonsense\\r\\n", "400", "XF-1111"},
             {"PUT /v1/submissions/c/x HTTP/1.1\\r\\nContent-Length: 5\\r\\nTransfer-Encoding: chunked\\r\\n" + host,
              "400", "XF-1111"},
             {"PUT /v1/submissions/c/x HTTP/1.1\\r\\nContent-Length: 5\\r\\nContent-Length: 6\\r\\n" + host, "400",
              "XF-1111"},
             {"PUT /v1/submissions/c/x HTTP/1.1\\r\\nContent-Length: 5\\r\\nExpect: magic\\r\\n" + host, "417",
              "XF-1115"},
             {"PUT /v1/submissions/c/x HTTP/1.1\\r\\nContent-Length: 5\\r\\nContent-Encoding: gzip\\r\\n" + host, "415",
              "XF-1116"},
             {"PUT /v1/submissions/c/x HTTP/1.1\\r\\nContent-Length: 99999999999999\\r\\n" + host, "413", "XF-1102"},
             {"GET /v1/status HTTP/1.1\\r\\nX-Large: $(head -c 9000 /dev/zero | tr '\\0' x)\\r\\n" + host, "431",
              "XF-1101"},
         }) {
        const auto ran = gateway.raw("printf \"" + request + "Connection: close\\r\\n\\r\\n\"");
        EXPECT_TRUE(ran.output.starts_with("HTTP/1.1 " + status))
            << request.substr(0, 100) << ": " << ran.output.substr(0, 300);
        EXPECT_TRUE(contains(ran.output, code)) << request.substr(0, 100) << ": " << ran.output.substr(0, 600);
    }
    EXPECT_TRUE(contains(gateway.curl("-i -X POST " + gateway.url("/v1/status")).output, "Allow: GET\r\n"));
}

TEST_F(GatewayProgram, AnswersAnUnknownCertificateAndEndsTheConnection) {
    const auto ran = gateway.curl("-i " + gateway.url("/v1/status"), "stranger");
    EXPECT_TRUE(contains(ran.output, "401 Unauthorized")) << ran.output;
    EXPECT_TRUE(contains(ran.output, "XF-1001")) << ran.output;
    EXPECT_TRUE(contains(ran.output, "Connection: close")) << ran.output;
}

TEST_F(GatewayProgram, CountsClientsWithoutCertificate) {
    EXPECT_NE(gateway.curl(gateway.url("/v1/status"), "").code, 0);
    EXPECT_NE(gateway.curl(gateway.url("/v1/status"), "").code, 0);
    const auto told = vault->wait_for(GatewayRequest::kCountRefusals);
    EXPECT_EQ(told.count_refusals().code(), "XF-1113");
    EXPECT_EQ(told.handle(), "");
}

TEST_F(GatewayProgram, TellsTheVaultOfAClientThatVanishes) {
    const auto file = file_of(30'000'000, "huge");
    gateway.curl("--max-time 1 --limit-rate 1M -T " + file + " " + gateway.url("/v1/submissions/c/vanishing"));
    const auto finish = vault->wait_for(GatewayRequest::kFinishSubmission);
    EXPECT_TRUE(finish.finish_submission().aborted());
    EXPECT_EQ(finish.handle(), "0123456789abcdef");
    EXPECT_EQ(vault->wait_for(GatewayRequest::kDisconnected).handle(), "0123456789abcdef");
    EXPECT_FALSE(vault->seen().bodies.contains("vanishing"));
}

TEST_F(GatewayProgram, AnswersUnavailableWhileTheVaultIsAwayAndGoesOnAfterwards) {
    // A connection that was proven to the vault that goes.
    std::string kept;
    std::thread client([&] {
        kept = gateway
                   .raw(
                       "printf 'GET /v1/status HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n'; sleep 1.5; "
                       "printf 'GET /v1/status HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n'")
                   .output;
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(700));
    vault.reset();
    // A new one waits for the vault's return.
    std::string later;
    std::thread patient([&] { later = gateway.curl(status_and("") + gateway.url("/v1/status")).output; });
    client.join();
    EXPECT_TRUE(contains(kept, "HTTP/1.1 200 OK")) << kept;
    EXPECT_TRUE(contains(kept, "HTTP/1.1 503 Service Unavailable")) << kept;
    EXPECT_TRUE(contains(kept, "Retry-After: ")) << kept;
    EXPECT_TRUE(contains(kept, "XF-6003")) << kept;
    vault = gateway.connect_vault();
    patient.join();
    EXPECT_EQ(later, "200 ");
}

TEST_F(GatewayProgram, FinishesWhatWasBegunOnSigterm) {
    const auto file = file_of(5'000'000, "large");
    std::string answer;
    std::thread client([&] {
        answer =
            gateway.curl(status_and("") + "--limit-rate 3M -T " + file + " " + gateway.url("/v1/submissions/c/drained"))
                .output;
    });
    vault->wait_for(GatewayRequest::kOpenSubmission);
    ::kill(gateway.pid(), SIGTERM);
    const int status = gateway.wait();
    client.join();
    EXPECT_EQ(answer, "201 ");
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

TEST_F(GatewayProgram, ServesMetricsWithoutTls) {
    gateway.curl(gateway.url("/v1/status"));
    EXPECT_EQ(run_command("curl -sS " + gateway.metrics_url("/healthz")).output, "ok\n");
    EXPECT_EQ(run_command("curl -sS " + gateway.metrics_url("/readyz")).output, "ready\n");
    const auto text = run_command("curl -sS " + gateway.metrics_url("/metrics")).output;
    EXPECT_TRUE(contains(text, "\nxinfu_log_size 17\n")) << text;
    EXPECT_TRUE(contains(text, "xinfu_gateway_requests_total{act=\"read_status\",status=\"200\"} 1\n")) << text;
    EXPECT_TRUE(contains(text, "xinfu_gateway_request_seconds_bucket{act=\"read_status\",le=\"+Inf\"} 1\n")) << text;
    vault.reset();
    for (int tries = 0; tries < 100; ++tries) {
        if (run_command("curl -sS " + gateway.metrics_url("/readyz")).output == "not ready\n") {
            break;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    EXPECT_EQ(run_command("curl -sS -o /dev/null -w '%{http_code}' " + gateway.metrics_url("/readyz")).output, "503");
    EXPECT_EQ(run_command("curl -sS " + gateway.metrics_url("/healthz")).output, "ok\n");
}

TEST(GatewayProgramLimits, EndABodyThatDoesNotComeAndAHeadThatDoesNotEnd) {
    GatewayProcess gateway("    body_bytes_per_second: 5000\n    body_window_seconds: 1\n    head_seconds: 1\n");
    auto vault = gateway.connect_vault();
    const auto body = gateway.raw(
        "printf 'PUT /v1/submissions/c/slow HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 200000\\r\\n\\r\\nx'; sleep 3");
    EXPECT_EQ(body.output, "");
    EXPECT_TRUE(vault->wait_for(GatewayRequest::kFinishSubmission).finish_submission().aborted());
    const auto began = std::chrono::steady_clock::now();
    const auto head = gateway.raw("printf 'GET /v1/status HTTP/1.1\\r\\n'; sleep 4");
    EXPECT_EQ(head.output, "");
    EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(6));
}

TEST(GatewayProgramLimits, HoldForOneAddress) {
    GatewayProcess gateway("    connections_per_source: 2\n");
    auto vault = gateway.connect_vault();
    std::vector<std::thread> holders;
    for (int n = 0; n < 2; ++n) {
        holders.emplace_back([&] { gateway.raw("sleep 3"); });
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(800));
    EXPECT_NE(gateway.curl(gateway.url("/v1/status")).code, 0);
    EXPECT_EQ(vault->wait_for(GatewayRequest::kCountRefusals).count_refusals().code(), "XF-1107");
    ::kill(gateway.pid(), SIGTERM);
    gateway.wait();
    for (auto& holder : holders) {
        holder.join();
    }
}

class Idle {
public:
    explicit Idle(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
            throw std::runtime_error("connect");
        }
    }
    bool was_ended() const {
        char octet = 0;
        return ::recv(socket_.get(), &octet, 1, MSG_DONTWAIT) >= 0 || errno != EAGAIN;
    }

private:
    boundary::Descriptor socket_;
};

// Half of the connections were enough, and nobody got in until the last of them was closed for its silence.
TEST(GatewayProgramLimits, WhoeverHoldsConnectionsAndSaysNothingMakesRoom) {
    GatewayProcess gateway("    connections: 8\n    connections_per_source: 8\n    handshake_seconds: 60\n");
    auto vault = gateway.connect_vault();
    std::vector<Idle> idle;
    for (int n = 0; n < 4; ++n) {
        idle.emplace_back(gateway.port());
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    EXPECT_EQ(gateway.curl(status_and("") + gateway.url("/v1/status")).output, "200 ");
    EXPECT_EQ(vault->wait_for(GatewayRequest::kCountRefusals).count_refusals().code(), "XF-1107");
    EXPECT_TRUE(idle[0].was_ended());
    EXPECT_FALSE(idle[3].was_ended()) << "one was enough";
}

// Known clients that hold connections: each prints what it says, and has its answer at its end.
class Holders {
public:
    explicit Holders(const GatewayProcess& gateway) : gateway_(gateway) {}
    ~Holders() { wait(); }
    // One after the other: on a busy machine a slow one could make room for the next.
    void add(const std::string& who, const std::string& shell_that_prints, std::size_t number = 1) {
        for (; number != 0; --number) {
            answers_.emplace_back();
            threads_.emplace_back([this, who, shell_that_prints, &answer = answers_.back()] {
                answer = gateway_.raw(shell_that_prints, who).output;
            });
            const std::string introduced = "xinfu_gateway_handshakes_total " + std::to_string(answers_.size()) + "\n";
            for (int tries = 0; tries < 150 && !contains(metrics(), introduced); ++tries) {
                std::this_thread::sleep_for(std::chrono::milliseconds(10));
            }
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(100));  // until it is proven, and what it says is there
    }
    // How many were answered 200, of all.
    std::size_t answered() {
        wait();
        return static_cast<std::size_t>(
            std::ranges::count_if(answers_, [](const auto& answer) { return contains(answer, "HTTP/1.1 200 OK"); }));
    }
    const std::string& answer(std::size_t number) {
        wait();
        return *std::next(answers_.begin(), static_cast<std::ptrdiff_t>(number));
    }

private:
    std::string metrics() const { return run_command("curl -sS " + gateway_.metrics_url("/metrics")).output; }
    void wait() {
        while (!threads_.empty()) {
            threads_.back().join();
            threads_.pop_back();
        }
    }

    const GatewayProcess& gateway_;
    std::list<std::string> answers_;
    std::vector<std::thread> threads_;
};

const std::string kAsksLater =
    "sleep 4; printf 'GET /v1/status HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n'";
const std::string kSaysNoMore =
    "printf 'PUT /v1/submissions/c/held HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 1000\\r\\n\\r\\n'; sleep 4";

TEST(GatewayProgramLimits, KnownClientsMakeNoRoomOfTheirHalf) {
    GatewayProcess gateway("    connections: 4\n    connections_per_source: 4\n    handshake_seconds: 60\n");
    auto vault = gateway.connect_vault();
    Holders known(gateway);
    known.add("dept", kAsksLater, 2);
    std::vector<Idle> idle;
    idle.emplace_back(gateway.port());
    idle.emplace_back(gateway.port());
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    EXPECT_EQ(gateway.curl("--interface 127.0.0.2 " + status_and("") + gateway.url("/v1/status"), "rsa").output,
              "200 ");
    EXPECT_TRUE(idle[0].was_ended());
    EXPECT_EQ(known.answered(), 2U);
}

// An enrolled department's connections, from many addresses, were all there were, and nobody else got in.
TEST(GatewayProgramLimits, ThePrincipalWithTheMostConnectionsMakesRoom) {
    GatewayProcess gateway("    connections: 4\n    connections_per_source: 4\n");
    auto vault = gateway.connect_vault();
    Holders known(gateway);
    known.add("dept", kAsksLater);
    known.add("rsa", kAsksLater, 3);
    for (const std::string from : {"127.0.0.2 ", "127.0.0.3 "}) {
        EXPECT_EQ(gateway.curl("--interface " + from + status_and("") + gateway.url("/v1/status")).output, "200 ");
    }
    EXPECT_EQ(known.answered(), 3U) << "one was enough for both, who came one after the other";
    EXPECT_TRUE(contains(known.answer(0), "HTTP/1.1 200 OK")) << "the oldest, but another's only one";
    EXPECT_FALSE(contains(known.answer(1), "HTTP/1.1 200 OK")) << "the one that waited for longest";
}

TEST(GatewayProgramLimits, WhoeverHasTheMostMakesRoomInTheMiddleOfRequestsToo) {
    GatewayProcess gateway("    connections: 4\n    connections_per_source: 4\n");
    auto vault = gateway.connect_vault();
    Holders known(gateway);
    known.add("rsa", kSaysNoMore, 4);
    EXPECT_EQ(gateway.curl("--interface 127.0.0.2 " + status_and("") + gateway.url("/v1/status")).output, "200 ");
    ::kill(gateway.pid(), SIGKILL);  // they would stay until their time is over
}

TEST(GatewayProgramLimits, NobodysOnlyConnectionMakesRoomInTheMiddleOfARequest) {
    GatewayProcess gateway("    connections: 2\n    connections_per_source: 2\n");
    auto vault = gateway.connect_vault();
    Holders known(gateway);
    known.add("rsa", kSaysNoMore);
    known.add("dept", kSaysNoMore);
    EXPECT_NE(gateway.curl("--interface 127.0.0.2 " + gateway.url("/v1/status")).code, 0);
    ::kill(gateway.pid(), SIGKILL);  // they would stay until their time is over
}

}  // namespace
}  // namespace xinfu::gateway
