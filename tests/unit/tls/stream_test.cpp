// Stream over loopback: against itself, against the stock openssl commands and against curl.
#include "daemon/tls/stream.hpp"

#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <future>
#include <random>
#include <thread>

#include <gtest/gtest.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

#include "tests/unit/tls/pki.hpp"

namespace xinfu::tls {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using boost::system::error_code;
using test::Pki;
using namespace asio::experimental::awaitable_operators;

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);

static_assert(beast::is_async_stream<Stream>::value);

struct Loop {
    asio::io_context io;
    asio::thread_pool workers{2};
    tcp::acceptor acceptor{io, tcp::endpoint(asio::ip::address_v4::loopback(), 0)};

    std::uint16_t port() const { return acceptor.local_endpoint().port(); }
    std::string url() const { return "https://localhost:" + std::to_string(port()) + "/"; }

    asio::awaitable<Stream> accept() {
        auto socket = co_await acceptor.async_accept(asio::use_awaitable);
        co_return Stream(beast::tcp_stream(std::move(socket)),
                         Engine::server(Pki::get().server(), Pki::get().signer("server.key", true)));
    }
    asio::awaitable<Stream> connect(std::shared_ptr<const ClientContext> context, std::uint16_t port) {
        beast::tcp_stream socket(io);
        co_await socket.async_connect(tcp::endpoint(asio::ip::address_v4::loopback(), port), asio::use_awaitable);
        co_return Stream(std::move(socket), Engine::client(std::move(context), "localhost", port).value());
    }
    // Runs until all of them are through; what they throw is thrown here.
    void run(std::vector<asio::awaitable<void>> parts) {
        std::vector<std::future<void>> done;
        for (auto& part : parts) {
            done.push_back(asio::co_spawn(io, std::move(part), asio::use_future));
        }
        io.run();
        for (auto& future : done) {
            future.get();
        }
    }
    template <class... Parts>
    void run_all(Parts... parts) {
        std::vector<asio::awaitable<void>> all;
        (all.push_back(std::move(parts)), ...);
        run(std::move(all));
    }
};

Bytes filled(std::size_t size, unsigned seed) {
    Bytes bytes(size);
    std::minstd_rand random(seed);
    std::ranges::generate(bytes, [&] { return static_cast<std::uint8_t>(random() >> 7); });
    return bytes;
}

asio::awaitable<void> write_all(Stream& stream, const Bytes& bytes) {
    auto write = asio::async_write(stream, asio::buffer(bytes), kAsTuple);
    const auto [error, count] = co_await std::move(write);
    EXPECT_FALSE(error) << error.message();
    EXPECT_EQ(count, bytes.size());
}
asio::awaitable<void> read_all(Stream& stream, const Bytes& expected) {
    Bytes bytes(expected.size());
    auto read = asio::async_read(stream, asio::buffer(bytes), kAsTuple);
    const auto [error, count] = co_await std::move(read);
    EXPECT_FALSE(error) << error.message();
    EXPECT_EQ(count, bytes.size());
    EXPECT_TRUE(bytes == expected);
}

TEST(Stream, CarriesBothDirectionsAtOnce) {
    for (const bool tls13 : {true, false}) {
        Loop loop;
        const Bytes there = filled(3'000'001, 1);
        const Bytes back = filled(2'000'003, 2);
        auto server = [&]() -> asio::awaitable<void> {
            Stream stream = co_await loop.accept();
            const auto error = co_await stream.handshake(loop.workers.get_executor());
            EXPECT_FALSE(error) << error.message();
            auto both = read_all(stream, there) && write_all(stream, back);
            co_await std::move(both);
            co_await stream.shutdown();
        };
        auto client = [&]() -> asio::awaitable<void> {
            Stream stream = co_await loop.connect(Pki::get().client("dept", tls13), loop.port());
            const auto error = co_await stream.handshake(loop.workers.get_executor());
            EXPECT_FALSE(error) << error.message();
            EXPECT_EQ(stream.engine().tls13(), tls13);
            auto both = write_all(stream, there) && read_all(stream, back);
            co_await std::move(both);
            std::array<char, 8> rest;
            auto read = stream.async_read_some(asio::buffer(rest), kAsTuple);
            const auto [end, count] = co_await std::move(read);
            EXPECT_EQ(end, asio::error::eof);  // the server's close_notify
            EXPECT_EQ(count, 0U);
            co_await stream.shutdown();
        };
        loop.run_all(server(), client());
    }
}

TEST(Stream, AnswersTruncatedWhenThePeerJustVanishes) {
    Loop loop;
    auto server = [&]() -> asio::awaitable<void> {
        Stream stream = co_await loop.accept();
        const auto error = co_await stream.handshake(loop.workers.get_executor());
        EXPECT_FALSE(error) << error.message();
        std::array<char, 100> buffer;
        auto read = asio::async_read(stream, asio::buffer(buffer), kAsTuple);
        const auto [end, count] = co_await std::move(read);
        EXPECT_EQ(end, Errc::stream_truncated);
        EXPECT_EQ(count, 5U);
        EXPECT_EQ(stream.engine().failure(), Errc::stream_truncated);
    };
    auto client = [&]() -> asio::awaitable<void> {
        Stream stream = co_await loop.connect(Pki::get().client("dept"), loop.port());
        co_await stream.handshake(loop.workers.get_executor());
        co_await write_all(stream, to_bytes("12345"));
        stream.next_layer().socket().shutdown(tcp::socket::shutdown_send);
        std::array<char, 1> buffer;
        auto read = stream.async_read_some(asio::buffer(buffer), kAsTuple);
        co_await std::move(read);
    };
    loop.run_all(server(), client());
}

TEST(Stream, GivesUpOnAPeerThatNeverFinishesItsHandshake) {
    Loop loop;
    auto server = [&]() -> asio::awaitable<void> {
        Stream stream = co_await loop.accept();
        const auto error = co_await stream.handshake(loop.workers.get_executor(), std::chrono::milliseconds(100));
        EXPECT_EQ(error, beast::error::timeout);
    };
    auto client = [&]() -> asio::awaitable<void> {
        tcp::socket socket(loop.io);
        co_await socket.async_connect(loop.acceptor.local_endpoint(), asio::use_awaitable);
        std::array<char, 1> buffer;
        auto read = socket.async_read_some(asio::buffer(buffer), kAsTuple);
        const auto [error, count] = co_await std::move(read);
        EXPECT_TRUE(error);
    };
    loop.run_all(server(), client());
}

// A child process with what it printed.
struct Ran {
    int code;
    std::string output;
};
Ran run_command(const std::string& command) {
    std::FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
    std::string output;
    std::array<char, 4096> buffer;
    while (const std::size_t count = std::fread(buffer.data(), 1, buffer.size(), pipe)) {
        output.append(buffer.data(), count);
    }
    const int status = ::pclose(pipe);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, output};
}

// Answers each PUT with the size of its body, `connections` times.
struct WebServer {
    explicit WebServer(int connections) {
        asio::co_spawn(loop.io, serve(connections), asio::detached);
        thread = std::thread([this] { loop.io.run(); });
    }
    asio::awaitable<void> serve(int connections) {
        for (int n = 0; n < connections; ++n) {
            Stream stream = co_await loop.accept();
            last_error = co_await stream.handshake(loop.workers.get_executor());
            if (last_error) {
                continue;
            }
            last_suite = stream.engine().suite();
            beast::flat_buffer buffer;
            buffer.reserve(64 * 1024);
            http::request_parser<http::string_body> parser;
            parser.body_limit(64 << 20);
            auto head = http::async_read_header(stream, buffer, parser, kAsTuple);
            const auto [head_error, head_count] = co_await std::move(head);
            if (head_error) {
                last_error = head_error;
                continue;
            }
            if (parser.get()[http::field::expect] == "100-continue") {
                http::response<http::empty_body> go_on(http::status::continue_, 11);
                auto write = http::async_write(stream, go_on, kAsTuple);
                co_await std::move(write);
            }
            auto read = http::async_read(stream, buffer, parser, kAsTuple);
            const auto [read_error, read_count] = co_await std::move(read);
            EXPECT_FALSE(read_error) << read_error.message();
            http::response<http::string_body> response(http::status::ok, 11);
            response.body() = std::to_string(parser.get().body().size()) + "\n";
            response.keep_alive(false);
            response.prepare_payload();
            auto write = http::async_write(stream, response, kAsTuple);
            const auto [write_error, write_count] = co_await std::move(write);
            EXPECT_FALSE(write_error) << write_error.message();
            co_await stream.shutdown();
        }
    }
    void join() {
        if (thread.joinable()) {
            thread.join();
        }
    }
    ~WebServer() {
        loop.io.stop();
        join();
    }
    Loop loop;
    std::thread thread;
    error_code last_error;
    std::string last_suite;
};

std::string curl(const std::string& who) {
    const Pki& pki = Pki::get();
    std::string command = "curl -sS --max-time 5 --cacert " + pki.path("ca.pem");
    if (!who.empty()) {
        command += " --cert " + pki.path(who + ".pem") + " --key " + pki.path(who + ".key");
    }
    return command + " ";
}

TEST(Stream, ServesCurl) {
    const Pki& pki = Pki::get();
    Pki::run("head -c 5000000 /dev/urandom > " + pki.path("body"));
    for (const std::string version : {"--tlsv1.3", "--tls-max 1.2"}) {
        for (const std::string extra : {"-H 'Expect:'", "-H 'Transfer-Encoding: chunked'", "--curves X25519:P-256",
                                        "--curves P-256", "--curves P-384:P-256"}) {
            WebServer server(1);
            const auto ran =
                run_command(curl("dept") + version + " " + extra + " -T " + pki.path("body") + " " + server.loop.url());
            server.join();
            EXPECT_EQ(ran.output, "5000000\n") << version << " " << extra << " " << server.last_error.message();
        }
    }
}

TEST(Stream, RefusesWhatThePolicyDoesNotAllow) {
    const Pki& pki = Pki::get();
    Pki::run("echo hello > " + pki.path("small"));
    const std::string put = " -T " + pki.path("small") + " ";
    struct Case {
        std::string who;
        std::string options;
        bool accepted;
    };
    for (const auto& [who, options, accepted] : std::vector<Case>{
             {"dept", "--tls-max 1.2 --ciphers ECDHE-ECDSA-AES256-GCM-SHA384", true},
             {"dept", "--tls-max 1.2 --ciphers ECDHE-ECDSA-AES128-GCM-SHA256", true},
             {"dept", "--tls-max 1.2 --ciphers ECDHE-ECDSA-CHACHA20-POLY1305", false},
             {"dept", "--tls-max 1.2 --ciphers ECDHE-ECDSA-AES256-SHA384", false},
             {"dept", "--tls-max 1.2 --ciphers AES256-GCM-SHA384", false},
             {"dept", "--tls-max 1.1 --tlsv1.0 --ciphers DEFAULT@SECLEVEL=0", false},
             {"dept", "--tlsv1.3 --tls13-ciphers TLS_AES_128_GCM_SHA256", true},
             {"dept", "--tlsv1.3 --tls13-ciphers TLS_CHACHA20_POLY1305_SHA256", false},
             {"dept", "--tlsv1.3 --curves P-521", false},
             {"", "--tlsv1.3", false},
             {"", "--tls-max 1.2", false},
             {"stranger", "--tlsv1.3", true},
             {"rsa", "--tls-max 1.2", true},
         }) {
        WebServer server(1);
        const auto ran = run_command(curl(who) + options + put + server.loop.url());
        server.join();
        EXPECT_EQ(ran.code == 0, accepted) << who << " " << options << ": " << ran.output;
        EXPECT_EQ(!server.last_error, accepted) << who << " " << options << ": " << server.last_error.message();
        if (who.empty()) {
            EXPECT_EQ(server.last_error, Errc::no_client_certificate) << options;
        }
    }
}

TEST(Stream, GivesOpensslNoSessionToResume) {
    const Pki& pki = Pki::get();
    for (const std::string version : {"-tls1_3", "-tls1_2"}) {
        WebServer server(1);
        const auto ran = run_command(
            "printf 'GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n' | timeout 10 openssl s_client -ign_eof " + version +
            " -connect localhost:" + std::to_string(server.loop.port()) + " -CAfile " + pki.path("ca.pem") + " -cert " +
            pki.path("dept.pem") + " -key " + pki.path("dept.key") + " -verify_return_error");
        server.join();
        EXPECT_EQ(ran.code, 0) << ran.output;
        EXPECT_NE(ran.output.find("Verify return code: 0 (ok)"), std::string::npos) << ran.output;
        EXPECT_NE(ran.output.find("HTTP/1.1 200 OK"), std::string::npos) << ran.output;
        EXPECT_EQ(ran.output.find("TLS session ticket:"), std::string::npos) << version;
        EXPECT_EQ(ran.output.find("Post-Handshake New Session Ticket"), std::string::npos) << version;
        // Names of the anchors are offered, so that clients with several certificates pick the right one.
        EXPECT_NE(ran.output.find("Acceptable client certificate CA names\nCN = ca"), std::string::npos) << version;
        EXPECT_NE(ran.output.find("Secure Renegotiation"), std::string::npos);
    }
}

TEST(Stream, IsAClientOfOpenssl) {
    const Pki& pki = Pki::get();
    for (const std::string options : {"-tls1_3", "-tls1_2", "-tls1_3 -groups P-384", "-tls1_3 -num_tickets 4"}) {
        Loop loop;
        const auto port = static_cast<std::uint16_t>(loop.port() + 1);
        std::FILE* server =
            ::popen(("timeout 10 openssl s_server -quiet -naccept 1 -WWW -Verify 3 -verify_return_error " + options +
                     " -accept 127.0.0.1:" + std::to_string(port) + " -CAfile " + pki.path("ca.pem") + " -cert " +
                     pki.path("server.pem") + " -key " + pki.path("server.key") + " >/dev/null 2>&1")
                        .c_str(),
                    "r");
        std::string answer;
        auto client = [&]() -> asio::awaitable<void> {
            for (int tries = 0;; ++tries) {
                std::this_thread::sleep_for(std::chrono::milliseconds(50));
                try {
                    Stream stream = co_await loop.connect(pki.client("dept"), port);
                    const auto error = co_await stream.handshake(loop.workers.get_executor());
                    EXPECT_FALSE(error) << options << ": " << error.message();
                    co_await write_all(stream, to_bytes("GET /no-such-file HTTP/1.0\r\n\r\n"));
                    std::array<char, 4096> buffer;
                    auto read = asio::async_read(stream, asio::buffer(buffer), kAsTuple);
                    const auto [end, count] = co_await std::move(read);
                    answer.assign(buffer.data(), count);
                    break;
                } catch (const boost::system::system_error&) {
                    if (tries == 60) {
                        throw;
                    }
                }
            }
        };
        loop.run_all(client());
        ::pclose(server);
        EXPECT_NE(answer.find("200 ok"), std::string::npos) << options << ": " << answer;
    }
}

}  // namespace
}  // namespace xinfu::tls
