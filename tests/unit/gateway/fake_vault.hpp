// A vault that decides by names instead of rules, and the real xinfu-gateway as a child between it and curl: the
// descriptors, packets, walls and TLS are those of a node.
#pragma once

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "daemon/boundary/blocking_channel.hpp"
#include "daemon/boundary/endpoints.hpp"
#include "daemon/boundary/gateway.pb.h"
#include "tests/unit/tls/pki.hpp"

namespace xinfu::test {

using boundary::GatewayReply;
using boundary::GatewayRequest;
using boundary::HandshakeReply;
using boundary::HandshakeRequest;

// What the vault was told, for tests to look at.
struct Seen {
    std::vector<GatewayRequest> requests;
    std::map<std::string, std::string> bodies;  // by submission name
};

class FakeVault {
public:
    static constexpr std::size_t kOriginalBytes = 3'000'000;

    FakeVault(boundary::Connection requests, boundary::Connection handshakes)
        : requests_(std::move(requests)), handshakes_(std::move(handshakes)) {
        welcome(requests_, boundary::GatewayWelcome::REQUESTS);
        welcome(handshakes_, boundary::GatewayWelcome::HANDSHAKES);
        threads_.emplace_back([this] { serve_requests(); });
        threads_.emplace_back([this] { serve_handshakes(); });
    }
    ~FakeVault() {
        requests_.interrupt();
        handshakes_.interrupt();
        while (!threads_.empty()) {
            threads_.back().join();
            threads_.pop_back();
        }
        for (auto& upload : uploads_) {
            upload.join();
        }
        requests_.close();
        handshakes_.close();
    }
    Seen seen() {
        const std::scoped_lock lock(lock_);
        return seen_;
    }
    // Waits until something of this kind was asked; the last of them.
    GatewayRequest wait_for(GatewayRequest::BodyCase kind) {
        for (int tries = 0; tries < 400; ++tries) {
            const auto all = seen().requests;
            for (auto at = all.rbegin(); at != all.rend(); ++at) {
                if (at->body_case() == kind) {
                    return *at;
                }
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
        return {};
    }

private:
    static void welcome(boundary::BlockingChannel& channel, boundary::GatewayWelcome::Purpose purpose) {
        boundary::GatewayWelcome welcome;
        welcome.set_purpose(purpose);
        for (const auto& certificate : Pki::get().certificates("server.pem")) {
            welcome.add_certificate_chain(std::string(as_text(certificate)));
        }
        for (const auto& anchor : Pki::get().certificates("ca.pem")) {
            welcome.add_trust_anchors(std::string(as_text(anchor)));
        }
        welcome.set_node("city");
        welcome.set_tls12(true);
        (void)channel.send(welcome).has_value();
    }

    void serve_handshakes() {
        const auto sign = Pki::get().signer("server.key", true);
        const std::string stranger(as_text(Pki::get().certificates("stranger.pem").front()));
        const std::string other(as_text(Pki::get().certificates("rsa.pem").front()));
        while (auto envelope = handshakes_.receive<HandshakeRequest>()) {
            HandshakeReply reply;
            reply.set_id(envelope->message.id());
            if (envelope->message.has_sign()) {
                const auto& what = envelope->message.sign();
                tls::HandshakeToSign parts;
                if (what.has_tls13()) {
                    parts = tls::Tls13Transcript{to_bytes(what.tls13().transcript_digest())};
                } else {
                    tls::Tls12KeyExchange exchange{};
                    std::ranges::copy(to_bytes(what.tls12().client_random()), exchange.client_random.begin());
                    std::ranges::copy(to_bytes(what.tls12().server_random()), exchange.server_random.begin());
                    exchange.ecdhe_parameters = to_bytes(what.tls12().ecdhe_parameters());
                    parts = exchange;
                }
                reply.set_signature(std::string(as_text(sign(parts).value())));
            } else if (envelope->message.prove().certificate() == stranger) {
                reply.mutable_proven()->mutable_standing()->set_code("XF-1001");
            } else {
                reply.mutable_proven()->set_handle("0123456789abcdef");
                reply.mutable_proven()->set_principal(envelope->message.prove().certificate() == other ? "m-0002"
                                                                                                       : "m-0001");
            }
            (void)handshakes_.send(reply).has_value();
        }
    }

    void send(GatewayReply reply, std::uint64_t id, bool more = false, int descriptor = -1) {
        const std::scoped_lock lock(sending_);
        reply.set_id(id);
        reply.set_more(more);
        (void)requests_.send(reply, descriptor).has_value();
    }
    void problem(std::string code, std::uint64_t id) {
        GatewayReply reply;
        reply.mutable_problem()->set_code(std::move(code));
        send(std::move(reply), id);
    }
    static GatewayReply created(const std::string& name) {
        GatewayReply reply;
        reply.mutable_outcome()->set_kind(boundary::SubmissionOutcome::CREATED);
        reply.mutable_outcome()->set_id("id-1");
        reply.mutable_outcome()->set_receipt("receipt of " + name + "\n");
        return reply;
    }
    void refuse(std::uint64_t id) {
        GatewayReply reply;
        reply.mutable_outcome()->set_kind(boundary::SubmissionOutcome::REFUSED);
        reply.mutable_outcome()->set_id("id-2");
        reply.mutable_outcome()->mutable_problem()->set_code("XF-5002");
        reply.mutable_outcome()->set_receipt("receipt of the refusal\n");
        reply.mutable_outcome()->set_defects_total(1500);
        send(std::move(reply), id, true);
        send_defects(id, {});
    }
    void send_defects(std::uint64_t id, const std::string& catalog) {
        for (int part = 0; part < 3; ++part) {
            GatewayReply reply;
            auto& list = *reply.mutable_defects();
            if (part == 0) {
                list.set_catalog(catalog);
            }
            for (int n = 0; n < 500; ++n) {
                auto& defect = *list.add_defects();
                defect.set_line(static_cast<std::uint64_t>(part * 500 + n + 2));
                defect.set_field("CF_XDR_MC");
                defect.set_code("XF-4001");
                defect.set_severity(n % 5 == 4 ? boundary::SEVERITY_WARNING : boundary::SEVERITY_ERROR);
            }
            send(std::move(reply), id, part != 2);
        }
    }

    // Takes a body until its end was said and its bytes are here.
    void take_body(boundary::Descriptor stream, std::uint64_t id, std::string name) {
        std::string body;
        std::array<char, 65536> piece;
        for (;;) {
            const auto count = ::read(stream.get(), piece.data(), piece.size());
            if (count <= 0) {
                break;
            }
            body.append(piece.data(), static_cast<std::size_t>(count));
            if (name == "early" && body.size() > 100'000) {
                return refuse(id);  // and closes the stream
            }
            if (name == "slow-vault") {
                std::this_thread::sleep_for(std::chrono::milliseconds(20));
            }
        }
        std::unique_lock lock(lock_);
        finish_said_.wait_for(lock, std::chrono::seconds(5), [&] { return finished_.contains(id); });
        const bool aborted = finished_[id].aborted() || finished_[id].length() != body.size();
        if (!aborted) {
            seen_.bodies[name] = std::move(body);
        }
        lock.unlock();
        if (!aborted) {
            send(created(name), id);
        }
    }

    void open(const GatewayRequest& request) {
        const auto& asked = request.open_submission();
        if (asked.catalog() == "busy") {
            return problem("XF-6001", request.id());
        }
        if (asked.catalog() == "unknown") {
            return problem("XF-2003", request.id());
        }
        if (asked.has_body()) {
            {
                const std::scoped_lock lock(lock_);
                seen_.bodies[asked.name()] = asked.body();
            }
            return asked.name() == "defective" ? refuse(request.id()) : send(created(asked.name()), request.id());
        }
        auto pair = boundary::make_stream_pair().value();
        GatewayReply reply;
        reply.mutable_opened();
        send(std::move(reply), request.id(), true, pair.second.get());
        pair.second.reset();
        uploads_.emplace_back([this, stream = std::move(pair.first), id = request.id(), name = asked.name()]() mutable {
            take_body(std::move(stream), id, std::move(name));
        });
    }

    void serve_requests() {
        while (auto envelope = requests_.receive<GatewayRequest>()) {
            const GatewayRequest& request = envelope->message;
            {
                const std::scoped_lock lock(lock_);
                seen_.requests.push_back(request);
                if (request.has_finish_submission()) {
                    finished_[request.finish_submission().submission()] = request.finish_submission();
                    finish_said_.notify_all();
                }
            }
            answer(request);
        }
    }
    void answer(const GatewayRequest& request) {
        GatewayReply reply;
        switch (request.body_case()) {
            case GatewayRequest::kOpenSubmission: return open(request);
            case GatewayRequest::kGetSubmission:
                if (request.get_submission().id() == "none") {
                    return problem("XF-2005", request.id());
                }
                reply.mutable_submission()->set_id(request.get_submission().id());
                reply.mutable_submission()->set_state("accepted");
                reply.mutable_submission()->add_acknowledgements()->set_level("province");
                break;
            case GatewayRequest::kGetReceipt:
                reply.mutable_text()->set_part("first ");
                send(reply, request.id(), true);
                reply.mutable_text()->set_part("second\n");
                break;
            case GatewayRequest::kGetDefects: return send_defects(request.id(), "c");
            case GatewayRequest::kGetOriginal: {
                auto pair = boundary::make_stream_pair().value();
                reply.mutable_original()->set_length(kOriginalBytes);
                send(std::move(reply), request.id(), false, pair.second.get());
                pair.second.reset();
                uploads_.emplace_back([stream = std::move(pair.first)] {
                    const std::string bytes(kOriginalBytes, 'o');
                    for (std::size_t at = 0; at < bytes.size();) {
                        const auto count = ::send(stream.get(), bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
                        if (count <= 0) {
                            return;
                        }
                        at += static_cast<std::size_t>(count);
                    }
                });
                return;
            }
            case GatewayRequest::kListCatalogs: reply.mutable_catalog_names()->add_catalogs()->set_name("c"); break;
            case GatewayRequest::kGetCatalog: {
                reply.mutable_catalog()->set_name("c");
                auto& field = *reply.mutable_catalog()->add_fields();
                field.set_code("CF_XDR_MC");
                field.set_title_zh("行政相对人名称");
                field.set_required("always");
                send(reply, request.id(), true);
                reply.mutable_catalog()->mutable_fields(0)->set_code("CF_WSH");
                reply.mutable_catalog()->mutable_fields(0)->set_title_zh("行政处罚决定书文号");
                reply.mutable_catalog()->mutable_fields(0)->set_required("optional");
                break;
            }
            case GatewayRequest::kQueryRecords:
                reply.mutable_records()->set_count(2);
                reply.mutable_records()->set_receipt("evidence\n");
                send(reply, request.id(), true);
                reply.mutable_text()->set_part(R"({"CF_WSH":"一号"})");
                send(reply, request.id(), true);
                reply.mutable_text()->set_part(R"({"CF_WSH":"二号"})");
                break;
            case GatewayRequest::kReadTile:
            case GatewayRequest::kReadEntries: reply.mutable_text()->set_part("tile"); break;
            case GatewayRequest::kOpenSession:
                if (request.open_session().password() != "right") {
                    return problem("XF-1007", request.id());
                }
                reply.mutable_session()->set_token("token-1");
                break;
            case GatewayRequest::kCloseSession: reply.mutable_done(); break;
            case GatewayRequest::kGetStatus: reply.mutable_status()->set_node("city"); break;
            case GatewayRequest::kGetMetrics: {
                auto& sample = *reply.mutable_metrics()->add_samples();
                sample.set_name("xinfu_log_size");
                sample.set_value(17);
                reply.mutable_metrics()->set_ready(true);
                break;
            }
            default: return;
        }
        send(std::move(reply), request.id());
    }

    boundary::BlockingChannel requests_;
    boundary::BlockingChannel handshakes_;
    std::mutex sending_;
    std::mutex lock_;
    std::condition_variable finish_said_;
    std::map<std::uint64_t, boundary::FinishSubmission> finished_;
    Seen seen_;
    std::vector<std::thread> threads_;
    std::vector<std::thread> uploads_;
};

// Stock commands, with what they printed.
struct Ran {
    int code = -1;
    std::string output;
};
inline Ran run_command(const std::string& command) {
    Ran ran;
    std::FILE* pipe = ::popen(command.c_str(), "r");
    std::array<char, 65536> buffer;
    while (const std::size_t count = std::fread(buffer.data(), 1, buffer.size(), pipe)) {
        ran.output.append(buffer.data(), count);
    }
    const int status = ::pclose(pipe);
    ran.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return ran;
}

// The real program, started as the supervisor starts it.
class GatewayProcess {
public:
    explicit GatewayProcess(const std::string& limits = "") {
        auto control = boundary::make_packet_pair().value();
        control_ = std::move(control.first);
        auto listener = listen(port_);
        auto metrics = listen(metrics_port_);
        const std::string path = Pki::get().path("xinfu.yaml");
        std::ofstream(path) << "node: city\ngateway:\n  limits:\n    head_bytes: 8192\n" << limits;
        boundary::Descriptor config(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
        const std::array<int, 4> inherited{control.second.get(), config.get(), listener.get(), metrics.get()};
        posix_spawn_file_actions_t actions;
        ::posix_spawn_file_actions_init(&actions);
        std::vector<std::string> words{XINFU_GATEWAY};
        const std::array<std::string, 4> options{"--control-fd", "--config-fd", "--listen-fd", "--metrics-fd"};
        for (std::size_t n = 0; n < inherited.size(); ++n) {
            const int number = 100 + static_cast<int>(n);
            ::posix_spawn_file_actions_adddup2(&actions, inherited[n], number);
            words.push_back(options[n]);
            words.push_back(std::to_string(number));
        }
        words.push_back("--peer-uid");
        words.push_back(std::to_string(::getuid()));
        std::vector<char*> arguments;
        for (auto& word : words) {
            arguments.push_back(word.data());
        }
        arguments.push_back(nullptr);
        if (::posix_spawn(&pid_, XINFU_GATEWAY, &actions, nullptr, arguments.data(), ::environ) != 0) {
            throw std::runtime_error("posix_spawn");
        }
        ::posix_spawn_file_actions_destroy(&actions);
    }
    ~GatewayProcess() {
        if (pid_ > 0) {
            ::kill(pid_, SIGKILL);
            wait();
        }
    }
    std::unique_ptr<FakeVault> connect_vault() {
        auto requests = dial();
        auto handshakes = dial();
        return std::make_unique<FakeVault>(std::move(requests), std::move(handshakes));
    }
    int wait() {
        int status = 0;
        ::waitpid(std::exchange(pid_, -1), &status, 0);
        return status;
    }
    pid_t pid() const { return pid_; }
    std::string url(const std::string& path) const { return "https://localhost:" + std::to_string(port_) + path; }
    std::string metrics_url(const std::string& path) const {
        return "http://127.0.0.1:" + std::to_string(metrics_port_) + path;
    }
    std::uint16_t port() const { return port_; }

    std::string curl_command(const std::string& arguments, const std::string& who = "dept") const {
        const Pki& pki = Pki::get();
        std::string command = "curl -sS --max-time 20 --cacert " + pki.path("ca.pem");
        if (!who.empty()) {
            command += " --cert " + pki.path(who + ".pem") + " --key " + pki.path(who + ".key");
        }
        return command + " " + arguments;
    }
    Ran curl(const std::string& arguments, const std::string& who = "dept") const {
        return run_command(curl_command(arguments, who) + " 2>&1");
    }
    // Raw bytes through openssl, for requests that curl would not send.
    Ran raw(const std::string& shell_that_prints, const std::string& who = "dept") const {
        const Pki& pki = Pki::get();
        return run_command("( " + shell_that_prints +
                           " ) | timeout 20 openssl s_client -quiet -ign_eof -connect localhost:" +
                           std::to_string(port_) + " -CAfile " + pki.path("ca.pem") + " -cert " +
                           pki.path(who + ".pem") + " -key " + pki.path(who + ".key") + " 2>/dev/null");
    }

private:
    boundary::Connection dial() {
        auto pair = boundary::make_packet_pair().value();
        (void)boundary::send_packet(control_.get(), "c", pair.second.get(), 0).has_value();
        boundary::Connection connection;
        connection.descriptor = std::move(pair.first);
        return connection;
    }
    static boundary::Descriptor listen(std::uint16_t& port) {
        boundary::Descriptor listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t length = sizeof address;
        if (::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), length) != 0 ||
            ::listen(listener.get(), 64) != 0 ||
            ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0) {
            throw std::runtime_error("listen");
        }
        port = ntohs(address.sin_port);
        return listener;
    }

    boundary::Descriptor control_;
    std::uint16_t port_ = 0;
    std::uint16_t metrics_port_ = 0;
    pid_t pid_ = -1;
};

}  // namespace xinfu::test
