// A vault without its processes: the real store in a folder of its own, real certificates, a clock that the test
// moves, and a gateway and inspectors played by the test.
#pragma once

#include <gtest/gtest.h>

#include <stdlib.h>

#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>

#include "crypto/certificate_authority.hpp"
#include "crypto/seal.hpp"
#include "daemon/boundary/blocking_channel.hpp"
#include "daemon/config/config.hpp"
#include "daemon/vault/active_policies.hpp"
#include "daemon/vault/counted_leaves.hpp"
#include "daemon/vault/gateway_endpoint.hpp"
#include "daemon/vault/handshake_service.hpp"
#include "daemon/vault/inspector_pool.hpp"
#include "daemon/vault/keys.hpp"
#include "daemon/vault/log_indexer.hpp"
#include "daemon/vault/metrics.hpp"
#include "storage/accounts.hpp"
#include "storage/error.hpp"
#include "storage/object_store.hpp"

namespace xinfu::vault::test {

// Made-up codes in division 219900 with right check characters.
inline constexpr std::string_view kUnit = "11219900MB0A000184";
inline constexpr std::string_view kOtherUnit = "11219900MB0A00026Y";

class HandClock final : public storage::Clock {
public:
    storage::Milliseconds now() const override {
        const std::scoped_lock held(lock_);
        return now_;
    }
    void advance(std::chrono::milliseconds time) {
        const std::scoped_lock held(lock_);
        now_ += time;
    }

private:
    mutable std::mutex lock_;
    storage::Milliseconds now_ = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
};

template <class T>
T must(Result<T> result) {
    if (!result) {
        throw std::runtime_error(result.error().message());
    }
    return std::move(*result);
}
inline void must(Result<void> result) {
    if (!result) {
        throw std::runtime_error(result.error().message());
    }
}

// Somebody with a key and a certificate.
struct Holder {
    crypto::SigningKey key;
    crypto::Certificate certificate;
};

class VaultTest : public ::testing::Test {
protected:
    VaultTest() {
        char folder[] = "/tmp/xinfu-vault-XXXXXX";
        folder_ = ::mkdtemp(folder);
        config_.node = "city";
        storage::EngineOptions options;
        options.map_size_bytes = std::uint64_t{256} << 20;
        options.create = true;
        const auto store_key = crypto::system_random().secret(32);
        auto engine =
            must(storage::open_lmdb_engine(folder_, options, std::make_shared<const crypto::Sealer>(store_key.view())));
        auto transaction = must(engine->begin());
        auto node_keys = must(storage::create_node_keys(*transaction, wrapper_, crypto::system_random()));
        storage::UnitKeys units;
        for (const auto unit : {kUnit, kOtherUnit}) {
            units.emplace(unit, must(storage::create_unit_key(*transaction, wrapper_, unit, crypto::system_random())));
        }
        must(transaction->commit());
        transaction.reset();
        auto signer = std::make_shared<const crypto::NoteSigner>(
            must(crypto::NoteSigner::from_seed("city/log", node_keys.log_seed.view())));
        log_key_ = signer->verifier_key();
        keys_ = std::make_unique<Keys>(std::move(node_keys), units);
        storage::Ledger::Options ledger_options;
        ledger_options.origin = "city/log";
        ledger_options.disk_reserve_bytes = 0;
        ledger_ = must(storage::open_ledger(std::move(engine), ledger_options, signer, clock_));
        objects_ = must(storage::open_object_store(folder_ + "/objects"));
        leaves_ =
            std::make_unique<storage::LeafWriter>(config_.node, Bytes(keys_->index().begin(), keys_->index().end()));
        const std::function<asio::awaitable<Result<boundary::Connection>>()> dial =
            [this]() -> asio::awaitable<Result<boundary::Connection>> { co_return dial_inspector(); };
        inspectors_ = std::make_unique<Inspectors>(io_, dial, InspectorLimits{});
        context_ = std::make_unique<Context>(Context{io_, workers_, config_, config_.node, *ledger_, *objects_,
                                                     *leaves_, *clock_, crypto::system_random(), *keys_, policies_,
                                                     *inspectors_, metrics_, counted_, dial});
        policies_.replace(default_policies());
        loop_ = std::thread([this] { io_.run(); });
    }

    ~VaultTest() override {
        for (auto& answer : inspector_threads_) {
            answer.join();
        }
        guard_.reset();
        io_.stop();
        loop_.join();
        workers_.join();
        inspectors_.reset();
        ledger_.reset();
        std::filesystem::remove_all(folder_);
    }

    // ---- the world outside ----

    static crypto::UtcSeconds seconds(std::chrono::seconds from_now) {
        return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()) + from_now;
    }

    Holder issue(crypto::DistinguishedName subject, std::chrono::seconds lifetime = std::chrono::hours(24)) {
        auto key = crypto::SigningKey::generate_p256();
        crypto::IssueOptions options;
        options.not_before = seconds(std::chrono::hours(-48));
        options.not_after = seconds(lifetime);
        auto certificate = must(authority_.issue(subject, key.public_key(), options));
        return Holder{std::move(key), std::move(certificate)};
    }
    Holder unit_certificate(std::string_view unit, std::chrono::seconds lifetime = std::chrono::hours(24)) {
        crypto::DistinguishedName subject;
        subject.common_name = "sender";
        subject.organization_identifier = std::string(unit);
        return issue(subject, lifetime);
    }
    Holder person_certificate(std::string number) {
        crypto::DistinguishedName subject;
        subject.common_name = "somebody";
        subject.serial_number = std::move(number);
        return issue(subject);
    }

    crypto::EnvelopeKey envelope_key(std::string node) {
        crypto::DistinguishedName subject;
        subject.common_name = std::move(node);
        crypto::IssueOptions options;
        options.not_before = seconds(std::chrono::hours(-1));
        options.not_after = seconds(std::chrono::hours(24));
        options.encryption = true;
        const auto key = crypto::SigningKey::generate_p256();
        return must(crypto::EnvelopeKey::create(key, must(authority_.issue(subject, key.public_key(), options))));
    }
    // Makes this node one that opens envelopes; without it no certificate was issued for any. Returns for whom.
    crypto::Certificate open_envelopes() {
        std::vector<crypto::EnvelopeKey> envelopes;
        envelopes.push_back(envelope_key(config_.node));
        const auto certificate = envelopes.front().certificate();
        const auto snapshot = must(ledger_->engine().snapshot());
        const auto units = must(storage::load_unit_keys(*snapshot, wrapper_));
        *keys_ = Keys(must(storage::load_node_keys(*snapshot, wrapper_)), units, std::move(envelopes));
        return certificate;
    }

    void enrol(storage::Account account, const Holder& holder) {
        account.certificates.push_back(holder.certificate.digest());
        change([&](storage::WriteTransaction& transaction) {
            must(storage::put_certificate(transaction, {account.id, holder.certificate.der(), 0}));
            must(storage::put_account(transaction, account));
            if (account.kind == storage::AccountKind::person) {
                storage::Person person;
                person.number = account.person;
                person.account = account.id;
                must(storage::put_person(transaction, keys_->index(), person));
            }
        });
    }
    Holder enrol_machine(std::string id, std::string_view unit, std::vector<std::string> roles) {
        Holder holder = unit_certificate(unit);
        enrol(machine(std::move(id), unit, std::move(roles)), holder);
        return holder;
    }
    static storage::Account machine(std::string id, std::string_view unit, std::vector<std::string> roles) {
        storage::Account account;
        account.id = std::move(id);
        account.unit = std::string(unit);
        account.roles = std::move(roles);
        return account;
    }
    Holder enrol_person(std::string id, std::string number, std::vector<std::string> roles) {
        Holder holder = person_certificate(number);
        storage::Account account = machine(std::move(id), kUnit, std::move(roles));
        account.kind = storage::AccountKind::person;
        account.person = std::move(number);
        enrol(account, holder);
        return holder;
    }

    // Changes the store through the ledger, and waits until it is durable.
    void change(const std::function<void(storage::WriteTransaction&)>& what) {
        std::promise<boost::system::error_code> done;
        storage::Operation operation;
        operation.apply = [&what](storage::Batch& batch) {
            what(batch.transaction());
            return Result<void>{};
        };
        operation.done = [&done](Result<storage::Committed> committed) {
            done.set_value(committed ? boost::system::error_code{} : committed.error());
        };
        must(ledger_->submit(std::move(operation)));
        ASSERT_FALSE(done.get_future().get());
    }

    // Runs a coroutine on the vault's loop and waits for it.
    void on_loop(std::function<asio::awaitable<void>()> work) {
        std::promise<void> done;
        asio::co_spawn(io_, std::move(work), [&done](std::exception_ptr broken) {
            if (broken) {
                done.set_exception(broken);
            } else {
                done.set_value();
            }
        });
        done.get_future().get();
    }

    std::vector<std::string> entries() {
        std::vector<std::string> all;
        for (std::uint64_t index = 0; index < ledger_->head().tree_size; ++index) {
            all.emplace_back(as_text(must(ledger_->tree().entry(index))));
        }
        return all;
    }
    // How many leaves contain all of these texts.
    int leaves_with(std::initializer_list<std::string_view> texts) {
        int count = 0;
        for (const auto& entry : entries()) {
            count += std::all_of(texts.begin(), texts.end(),
                                 [&](std::string_view text) { return entry.find(text) != std::string::npos; });
        }
        return count;
    }
    // Leaves that nobody waits for are there in a moment.
    bool soon(const std::function<bool()>& is_so) {
        for (int i = 0; i < 500; ++i) {
            if (is_so()) {
                return true;
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
        return false;
    }

    // ---- inspectors ----

    // What the next inspector answers: given its socket, on a thread of its own.
    std::function<void(boundary::BlockingChannel&)> inspector_script_;

    Result<boundary::Connection> dial_inspector() {
        if (!inspector_script_) {
            return boundary::Errc::not_running;
        }
        auto pair = must(boundary::make_packet_pair());
        boundary::PeerRules rules;
        rules.may_pass_descriptors = true;  // the vault passes bodies
        auto theirs = std::make_shared<boundary::BlockingChannel>(boundary::Connection{std::move(pair.second), rules});
        inspector_threads_.emplace_back([script = inspector_script_, theirs] { script(*theirs); });
        return boundary::Connection{std::move(pair.first), {}};
    }

    // ---- policies ----

    static std::shared_ptr<PolicySet> default_policies() {
        auto set = std::make_shared<PolicySet>();
        const auto role = [&](std::string name, std::string kind, std::vector<std::string_view> verbs,
                              policies::Scope scope) -> policies::Role& {
            policies::Role made;
            made.name = std::move(name);
            made.kind = std::move(kind);
            for (const auto verb : verbs) {
                made.grants.push_back({std::string(verb), "*", scope});
            }
            set->access.roles.push_back(std::move(made));
            return set->access.roles.back();
        };
        role("submitter", "machine",
             {"submit", "check", "read_submission", "read_receipt", "read_defects", "read_original"},
             policies::Scope::own_unit);
        set->access.roles.back().grants.push_back({"read_checkpoint", "*", policies::Scope::all});
        set->access.roles.back().grants.push_back({"read_catalogs", "*", policies::Scope::all});
        role("log_reader", "machine", {"read_checkpoint", "read_entries", "read_status"}, policies::Scope::all);
        role("viewer", "person", {"query", "read_catalogs"}, policies::Scope::all);
        role("auditor", "person", {"read_entries", "read_checkpoint"}, policies::Scope::all);
        role("system_administrator", "person", {"read_status"}, policies::Scope::all);
        set->access.approvals.push_back({"submit", policies::Strength::session, 1, std::chrono::hours(1)});
        set->access.exclusions.push_back({"auditor", "system_administrator"});
        boundary::CatalogDescription catalog;
        catalog.set_name("administrative-penalty");
        set->catalogs.emplace(catalog.name(), catalog);
        return set;
    }

    std::string folder_;
    std::shared_ptr<HandClock> clock_ = std::make_shared<HandClock>();
    crypto::KeyWrapper wrapper_{Bytes(32, 7)};
    config::Config config_;
    std::string log_key_;
    std::unique_ptr<Keys> keys_;
    std::unique_ptr<storage::Ledger> ledger_;
    std::unique_ptr<storage::ObjectStore> objects_;
    std::unique_ptr<storage::LeafWriter> leaves_;
    asio::io_context io_{1};
    asio::executor_work_guard<asio::io_context::executor_type> guard_{io_.get_executor()};
    asio::thread_pool workers_{1};
    ActivePolicies policies_;
    CountedLeaves counted_;
    Metrics metrics_;
    std::unique_ptr<Inspectors> inspectors_;
    std::unique_ptr<Context> context_;
    Handles handles_;
    Revocations revocations_;
    Sessions sessions_;
    std::vector<std::thread> inspector_threads_;
    std::thread loop_;
    crypto::CertificateAuthority authority_ = must(crypto::CertificateAuthority::create(
        [] {
            crypto::DistinguishedName name;
            name.common_name = "Test Authority";
            return name;
        }(),
        seconds(std::chrono::hours(-72)), seconds(std::chrono::hours(72))));
};

// The handshake connection, played from the gateway's side.
class HandshakePeerDouble {
public:
    HandshakePeerDouble(HandshakePeer peer, Context& context, Handles& handles, const Revocations& revocations,
                        std::uint64_t link = 1)
        : service_(peer, context, handles, revocations, [&context](HandshakeService::Refusal refusal) {
              record_refused_connection(context, refusal.account, refusal.code, refusal.claimed, refusal.source, 1);
          }) {
        auto pair = must(boundary::make_packet_pair());
        ours_ = std::make_unique<boundary::BlockingChannel>(boundary::Connection{std::move(pair.first), {}});
        theirs_ = std::make_shared<boundary::BlockingChannel>(boundary::Connection{std::move(pair.second), {}});
        thread_ = std::thread([this, link] { ended_ = service_.serve(theirs_, link); });
    }
    ~HandshakePeerDouble() { end(); }

    boost::system::error_code end() {
        ours_->close();
        if (thread_.joinable()) {
            thread_.join();
        }
        return ended_;
    }

    // False: the vault ended the connection instead of answering.
    bool ask(boundary::HandshakeRequest request, boundary::HandshakeReply& reply) {
        request.set_id(++id_);
        if (!ours_->send(request)) {
            return false;
        }
        auto answer = ours_->receive<boundary::HandshakeReply>(std::chrono::seconds(10));
        if (!answer) {
            return false;
        }
        reply = answer->message;
        return true;
    }

    static boundary::HandshakeRequest sign_request(std::uint64_t connection) {
        boundary::HandshakeRequest request;
        request.mutable_sign()->set_connection(connection);
        request.mutable_sign()->mutable_tls13()->set_transcript_digest(std::string(32, 'd'));
        return request;
    }
    // What a client that holds the key would make the gateway forward.
    static boundary::HandshakeRequest prove_request(std::uint64_t connection, const Holder& holder,
                                                    std::string transcript = {}) {
        if (transcript.empty()) {
            transcript = std::string(32, static_cast<char>('A' + connection));
        }
        std::string octets(64, ' ');
        octets += "TLS 1.3, client CertificateVerify";
        octets += '\0';
        octets += transcript;
        const Bytes signature = must(holder.key.sign(as_bytes(octets)));
        boundary::HandshakeRequest request;
        auto* prove = request.mutable_prove();
        prove->set_connection(connection);
        prove->set_certificate(holder.certificate.der().data(), holder.certificate.der().size());
        prove->set_tls13(true);
        prove->set_signed_bytes(octets);
        prove->set_padding("SHA-256");
        prove->set_der_encoded(true);
        prove->set_signature(signature.data(), signature.size());
        prove->mutable_source()->set_address(std::string("\xC0\x00\x02\x07", 4));
        return request;
    }

    // Signs and proves; the answer to the proof.
    boundary::HandshakeReply prove(std::uint64_t connection, const Holder& holder, std::string transcript = {}) {
        boundary::HandshakeReply reply;
        EXPECT_TRUE(ask(sign_request(connection), reply));
        auto proof = prove_request(connection, holder, std::move(transcript));
        if (!address.empty()) {
            proof.mutable_prove()->mutable_source()->set_address(address);
        }
        EXPECT_TRUE(ask(std::move(proof), reply));
        return reply;
    }

    std::string address;  // where clients come from, in network order; empty: 192.0.2.7

private:
    HandshakeService service_;
    std::unique_ptr<boundary::BlockingChannel> ours_;
    std::shared_ptr<boundary::BlockingChannel> theirs_;
    std::uint64_t id_ = 0;
    boost::system::error_code ended_;
    std::thread thread_;
};

// The request connection, played from the gateway's side.
class GatewayDouble {
public:
    GatewayDouble(Context& context, Handles& handles, const Revocations& revocations, Sessions& sessions,
                  std::uint64_t link = 1)
        : io_(context.io),
          budgets_{{context.config.vault.readings_per_account_hour, std::chrono::hours(1)},
                   {context.config.vault.acts_per_account_minute, std::chrono::minutes(1)}},
          uploads_(context, [this](ExchangePointer exchange) { return services_.accept_submission(exchange); }),
          approved_files_(context, certificates_),
          requests_(context, sessions, revocations, anchors_, approved_files_, [](const storage::UnitKeys&) {}),
          paths_(context, config::paths_of(context.config)),
          witness_(context),
          log_indexer_(context, context.keys.index()),
          accounts_(context, handles, sessions, revocations, ended_connections_),
          feeds_(context),
          services_{context,
                    handles,
                    revocations,
                    sessions,
                    budgets_,
                    [this](ExchangePointer exchange) -> asio::awaitable<void> {
                        ++submissions;
                        boundary::GatewayReply reply;
                        reply.mutable_outcome()->set_id(exchange->caller().role);
                        auto answering = exchange->reply(std::move(reply), boundary::Descriptor{});
                        static_cast<void>((co_await std::move(answering)).has_value());
                    },
                    uploads_,
                    requests_,
                    accounts_,
                    ended_connections_,
                    paths_,
                    feeds_,
                    witness_,
                    [] { return std::optional<boundary::Problem>{}; },
                    log_indexer_,
                    [] { return boundary::StatusView{}; },
                    [] { return true; },
                    [] { return false; }} {
        auto pair = must(boundary::make_packet_pair());
        ours_ = std::make_unique<boundary::BlockingChannel>(boundary::Connection{std::move(pair.first), {}});
        auto channel = std::make_shared<boundary::PacketChannel>(context.io.get_executor(),
                                                                 boundary::Connection{std::move(pair.second), {}});
        endpoint_ = std::make_shared<GatewayEndpoint>(services_, channel, link);
        auto serve = [endpoint = endpoint_]() { return endpoint->serve(); };
        asio::co_spawn(context.io, std::move(serve),
                       [this](std::exception_ptr, boost::system::error_code why) { ended_.set_value(why); });
    }
    ~GatewayDouble() {
        ours_->close();
        if (result_.valid()) {
            result_.wait();
        }
        while (waiting() > 0) {  // those who waited are on their way out of what goes with this
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
    }

    bool send(boundary::GatewayRequest request) {
        if (request.id() == 0) {
            request.set_id(++id_);
        }
        return ours_->send(request).has_value();
    }
    // An empty reply without body: the connection ended.
    boundary::GatewayReply receive() {
        auto reply = ours_->receive<boundary::GatewayReply>(std::chrono::seconds(20));
        return reply ? reply->message : boundary::GatewayReply{};
    }
    boundary::GatewayReply ask(boundary::GatewayRequest request) {
        return send(std::move(request)) ? receive() : boundary::GatewayReply{};
    }
    boost::system::error_code why_ended() { return result_.get(); }

    // As after a commit.
    void look_at_feeds() {
        asio::post(io_, [this] { feeds_.look(); });
    }
    std::size_t waiting() {
        return asio::post(io_, asio::use_future([this] { return feeds_.waiting(); })).get();
    }

    int submissions = 0;

private:
    asio::io_context& io_;

    Budgets budgets_;
    Uploads uploads_;
    std::vector<crypto::Certificate> anchors_;
    NodeCertificates certificates_;
    ApprovedFiles approved_files_;
    Requests requests_;
    EndedConnections ended_connections_;
    Paths paths_;
    Witness witness_;
    LogIndexer log_indexer_;
    AccountsService accounts_;
    Feeds feeds_;
    GatewayServices services_;
    std::unique_ptr<boundary::BlockingChannel> ours_;
    std::shared_ptr<GatewayEndpoint> endpoint_;
    std::promise<boost::system::error_code> ended_;
    std::future<boost::system::error_code> result_ = ended_.get_future();
    std::uint64_t id_ = 0;
};

}  // namespace xinfu::vault::test
