#include "daemon/vault/handshake_service.hpp"

#include <algorithm>
#include <mutex>
#include <set>
#include <unordered_map>
#include <utility>

#include <boost/asio/ip/address.hpp>

#include "crypto/handshake.hpp"
#include "daemon/boundary/error.hpp"
#include "daemon/vault/exchange.hpp"
#include "daemon/vault/identity.hpp"
#include "daemon/vault/keys.hpp"
#include "storage/accounts.hpp"
#include "storage/error.hpp"
#include "storage/handshake_proofs.hpp"

namespace xinfu::vault {
namespace {

using boundary::HandshakeReply;
using boundary::HandshakeRequest;
using boundary::ProveClient;

// One connection of a peer. Answers may come from the ledger's thread after serve() has returned.
struct Link {
    std::shared_ptr<boundary::BlockingChannel> channel;
    std::mutex sending;
    bool closed = false;

    void answer(const HandshakeReply& reply) {
        const std::scoped_lock turn(sending);
        if (closed) {
            return;
        }
        // A peer that does not read its answers would hold up the ledger: it has room for hundreds of them.
        if (!channel->send(reply, -1, std::chrono::milliseconds{0})) {
            channel->interrupt();
        }
    }
    void close() {
        const std::scoped_lock turn(sending);
        closed = true;
        channel->close();
    }
};

// A proof is known by what it proves: equal bytes under any spelling of the request are the same proof.
crypto::Digest proof_digest(const ProveClient& prove) {
    crypto::Sha256 digest;
    const std::string_view parts[] = {prove.certificate(), prove.signed_bytes()};
    for (const auto part : parts) {
        digest.update(crypto::sha256(as_bytes(part)));
    }
    return digest.finish();
}

}  // namespace

std::string source_text(const boundary::SourceAddress& source) {
    const auto bytes = as_bytes(source.address());
    if (bytes.size() == 4) {
        boost::asio::ip::address_v4::bytes_type address{};
        std::ranges::copy(bytes, address.begin());
        return boost::asio::ip::address_v4(address).to_string();
    }
    if (bytes.size() == 16) {
        boost::asio::ip::address_v6::bytes_type address{};
        std::ranges::copy(bytes, address.begin());
        return boost::asio::ip::address_v6(address).to_string();
    }
    return {};
}

struct HandshakeService::State : std::enable_shared_from_this<State> {
    State(HandshakePeer asker, Context& vault, Handles& open, const Revocations& lists,
          std::function<void(Refusal)> on_refusal)
        : peer(asker), context(vault), handles(open), revocations(lists), refused(std::move(on_refusal)) {}

    const HandshakePeer peer;
    Context& context;
    Handles& handles;
    const Revocations& revocations;
    const std::function<void(Refusal)> refused;

    // Of the connection being served; its thread alone.
    std::unordered_map<std::uint64_t, storage::Milliseconds> signed_at;

    // Proofs on their way into the store, so that two at once are not both taken.
    std::mutex taking;
    std::set<crypto::Digest> being_taken;

    bool sign(const HandshakeRequest& request, HandshakeReply& reply);
    bool prove(const HandshakeRequest& request, std::uint64_t link, const std::shared_ptr<Link>& to);
    void take(std::uint64_t id, const crypto::Digest& proof, LiveConnectionPointer connection, Standing standing,
              const std::shared_ptr<Link>& to);
    void refuse(std::uint64_t id, const ProveClient& prove, std::string account, boundary::Problem why, bool standing,
                Link& to);
};

HandshakeService::HandshakeService(HandshakePeer peer, Context& context, Handles& handles,
                                   const Revocations& revocations, std::function<void(Refusal)> refused)
    : state_(std::make_shared<State>(peer, context, handles, revocations, std::move(refused))) {}
HandshakeService::~HandshakeService() = default;

// False: the peer may not ask this now.
bool HandshakeService::State::sign(const HandshakeRequest& request, HandshakeReply& reply) {
    const auto& asked = request.sign();
    const auto now = context.clock.now();
    if (signed_at.size() >= kUnprovenMax) {
        std::erase_if(signed_at, [now](const auto& entry) { return now - entry.second > kProofDelayMax; });
    }
    if (signed_at.size() >= kUnprovenMax || !signed_at.emplace(asked.connection(), now).second) {
        return false;
    }
    Result<Bytes> signature = crypto::Errc::handshake_malformed;
    if (asked.has_tls13()) {
        const auto side = peer == HandshakePeer::gateway ? crypto::TlsSide::server : crypto::TlsSide::client;
        signature = crypto::sign_tls13(context.keys.tls(), side, as_bytes(asked.tls13().transcript_digest()));
    } else if (asked.has_tls12() && peer == HandshakePeer::gateway) {
        signature =
            crypto::sign_tls12(context.keys.tls(), as_bytes(asked.tls12().client_random()),
                               as_bytes(asked.tls12().server_random()), as_bytes(asked.tls12().ecdhe_parameters()));
    }
    if (!signature) {
        if (signature.error() == crypto::Errc::handshake_malformed) {
            return false;
        }
        *reply.mutable_problem() = problem("XF-9001");
        return true;
    }
    reply.set_signature(signature->data(), signature->size());
    return true;
}

void HandshakeService::State::refuse(std::uint64_t id, const ProveClient& prove, std::string account,
                                     boundary::Problem why, bool standing, Link& to) {
    refused(Refusal{why.code(), account, to_hex(crypto::sha256(as_bytes(prove.certificate()))),
                    source_text(prove.source())});
    HandshakeReply reply;
    reply.set_id(id);
    if (standing) {
        reply.mutable_proven()->set_principal(std::move(account));
        *reply.mutable_proven()->mutable_standing() = std::move(why);
    } else {
        *reply.mutable_problem() = std::move(why);
    }
    to.answer(reply);
}

// False: the peer may not ask this now.
bool HandshakeService::State::prove(const HandshakeRequest& request, std::uint64_t link,
                                    const std::shared_ptr<Link>& to) {
    const auto& asked = request.prove();
    const auto found = signed_at.find(asked.connection());
    if (found == signed_at.end()) {
        return false;
    }
    const auto now = context.clock.now();
    const bool late = now - found->second > kProofDelayMax || now < found->second;
    signed_at.erase(found);  // each connection proves once
    if (late) {
        refuse(request.id(), asked, {}, problem("XF-1005"), false, *to);
        return true;
    }

    const auto snapshot = context.ledger.engine().snapshot();
    if (!snapshot) {
        refuse(request.id(), asked, {}, problem_of(snapshot.error()), false, *to);
        return true;
    }
    const auto enrolled = storage::find_certificate(**snapshot, crypto::sha256(as_bytes(asked.certificate())));
    if (!enrolled) {
        refuse(request.id(), asked, {}, problem_of(enrolled.error()), false, *to);
        return true;
    }
    if (!*enrolled) {
        refuse(request.id(), asked, {}, problem("XF-1001"), true, *to);
        return true;
    }
    const auto certificate = crypto::Certificate::parse((*enrolled)->der);
    if (!certificate) {
        refuse(request.id(), asked, {}, problem("XF-9001"), false, *to);
        return true;
    }
    const crypto::ClientProof proof{asked.tls13(), as_bytes(asked.signed_bytes()), asked.padding(), asked.der_encoded(),
                                    as_bytes(asked.signature())};
    if (!crypto::verify_client_proof(*certificate, proof)) {
        refuse(request.id(), asked, {}, problem("XF-1005"), false, *to);
        return true;
    }
    auto standing = standing_of(**snapshot, *certificate, (*enrolled)->account, revocations, now);
    if (!standing) {
        refuse(request.id(), asked, (*enrolled)->account, problem_of(standing.error()), false, *to);
        return true;
    }
    auto connection = std::make_shared<LiveConnection>(
        LiveConnection{link, (*enrolled)->account, *certificate, source_text(asked.source()), {}});
    take(request.id(), proof_digest(asked), std::move(connection), std::move(*standing), to);
    return true;
}

void HandshakeService::State::take(std::uint64_t id, const crypto::Digest& proof, LiveConnectionPointer connection,
                                   Standing standing, const std::shared_ptr<Link>& to) {
    const auto self = shared_from_this();
    const auto settle = [self, id, proof, connection, standing = std::move(standing), to](bool fresh,
                                                                                          boundary::Problem fault) {
        {
            const std::scoped_lock held(self->taking);
            self->being_taken.erase(proof);
        }
        HandshakeReply reply;
        reply.set_id(id);
        Handle handle{};
        self->context.random.fill(handle);
        const bool known = fresh && self->handles.add(handle, connection);
        const auto* trouble = std::get_if<boundary::Problem>(&standing);
        if (!known || trouble != nullptr) {
            const boundary::Problem& why = !known ? fault : *trouble;
            self->refused(
                Refusal{why.code(), connection->account, to_hex(connection->certificate.digest()), connection->source});
        }
        if (known) {
            reply.mutable_proven()->set_handle(handle.data(), handle.size());
            reply.mutable_proven()->set_principal(connection->account);
            if (trouble != nullptr) {
                *reply.mutable_proven()->mutable_standing() = *trouble;
            }
        } else {
            *reply.mutable_problem() = std::move(fault);
        }
        to->answer(reply);
    };
    {
        const std::scoped_lock held(taking);
        if (!being_taken.insert(proof).second) {
            // The other one keeps its entry: this one only answers.
            refused(
                Refusal{"XF-1005", connection->account, to_hex(connection->certificate.digest()), connection->source});
            HandshakeReply reply;
            reply.set_id(id);
            *reply.mutable_problem() = problem("XF-1005");
            to->answer(reply);
            return;
        }
    }
    storage::Operation operation;
    operation.size_bytes = 128;
    operation.essential = true;
    operation.apply = [proof, connection](storage::Batch& batch) -> Result<void> {
        const auto taken = storage::take_handshake_proof(batch.transaction(), connection->certificate.not_after(),
                                                         proof, batch.time().time_since_epoch());
        if (!taken) {
            return taken.error();
        }
        return *taken ? Result<void>{} : storage::Errc::exists;
    };
    operation.done = [settle](Result<storage::Committed> committed) {
        if (committed) {
            settle(true, problem("XF-6001", {}, 1));
        } else {
            settle(false,
                   committed.error() == storage::Errc::exists ? problem("XF-1005") : problem_of(committed.error()));
        }
    };
    if (const auto submitted = context.ledger.submit(std::move(operation)); !submitted) {
        settle(false, problem_of(submitted.error()));
    }
}

boost::system::error_code HandshakeService::serve(std::shared_ptr<boundary::BlockingChannel> channel,
                                                  std::uint64_t link) {
    auto to = std::make_shared<Link>();
    to->channel = channel;
    state_->signed_at.clear();
    for (std::uint64_t last_id = 0;;) {
        auto envelope = channel->receive<HandshakeRequest>();
        if (!envelope) {
            to->close();
            return envelope.error();
        }
        const HandshakeRequest& request = envelope->message;
        bool permitted = request.id() > last_id;
        last_id = request.id();
        if (permitted && request.has_sign()) {
            HandshakeReply reply;
            reply.set_id(request.id());
            permitted = state_->sign(request, reply);
            if (permitted) {
                to->answer(reply);
            }
        } else if (permitted && request.has_prove() && state_->peer == HandshakePeer::gateway) {
            permitted = state_->prove(request, link, to);
        } else {
            permitted = false;
        }
        if (!permitted) {
            to->close();
            return boundary::Errc::unexpected;
        }
    }
}

}  // namespace xinfu::vault
