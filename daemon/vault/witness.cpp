#include "daemon/vault/witness.hpp"

#include <algorithm>
#include <chrono>
#include <optional>

#include <boost/endian/conversion.hpp>

#include "crypto/error.hpp"
#include "crypto/merkle.hpp"
#include "daemon/config/config.hpp"
#include "daemon/vault/counted_leaves.hpp"
#include "daemon/vault/keys.hpp"
#include "storage/error.hpp"
#include "storage/witness.hpp"

namespace xinfu::vault {
namespace {

constexpr std::size_t kKeyIdBytes = 4;

struct Outcome {
    std::optional<Witness::Refused> refused;
    std::string line;
};

asio::awaitable<void> answer_refused(ExchangePointer exchange, Witness::Refused refused) {
    boundary::GatewayReply reply;
    auto& said = *reply.mutable_checkpoint_refused();
    said.set_status(refused.status);
    said.set_size(refused.size);
    *said.mutable_problem() = std::move(refused.problem);
    auto answering = exchange->reply(std::move(reply), boundary::Descriptor{});
    static_cast<void>((co_await std::move(answering)).has_value());
}

std::optional<crypto::Digest> digest_from(const std::string& bytes) {
    crypto::Digest digest{};
    if (bytes.size() != digest.size()) {
        return std::nullopt;
    }
    std::ranges::copy(as_bytes(bytes), digest.begin());
    return digest;
}

}  // namespace

Witness::Witness(Context& context) : context_(context) {}

Result<void> Witness::start() {
    auto signer = crypto::WitnessSigner::from_seed(context_.node + "/witness", context_.keys.witness_seed());
    if (!signer) {
        return signer.error();
    }
    signer_.emplace(std::move(*signer));
    for (const auto& log : context_.config.witnessed) {
        auto key = crypto::NoteVerifier::parse(log.log_key);
        if (!key || key->is_witness()) {
            return key ? make_error_code(crypto::Errc::key_wrong_algorithm) : key.error();
        }
        logs_.push_back(std::move(*key));
    }
    return {};
}

// With its leaf: somebody enrolled asked for what is not theirs to have.
asio::awaitable<void> Witness::refuse(ExchangePointer exchange, Refused refused) {
    auto recording = record_refusal(context_, exchange->caller(), "cosign", refused.problem.code(), {});
    if (const auto recorded = co_await std::move(recording); !recorded) {
        auto answering = answer_error(exchange, recorded.error());
        co_return co_await std::move(answering);
    }
    auto answering = answer_refused(exchange, std::move(refused));
    co_await std::move(answering);
}

asio::awaitable<void> Witness::add_checkpoint(ExchangePointer exchange) {
    const auto& asked = exchange->request().add_checkpoint();
    const auto log = std::ranges::find(logs_, asked.origin(), &crypto::NoteVerifier::name);
    if (log == logs_.end()) {
        auto refusing = refuse(exchange, {404, problem("XF-7031", {asked.origin()})});
        co_return co_await std::move(refusing);
    }
    crypto::Checkpoint checkpoint;
    checkpoint.origin = asked.origin();
    checkpoint.size = asked.size();
    std::vector<crypto::Digest> proof;
    bool formed = false;
    if (const auto root = digest_from(asked.root())) {
        checkpoint.root = *root;
        formed = std::ranges::all_of(asked.proof(), [&proof](const std::string& bytes) {
            const auto hash = digest_from(bytes);
            proof.push_back(hash.value_or(crypto::Digest{}));
            return hash.has_value();
        });
    }
    if (!formed || asked.old_size() > asked.size()) {
        auto refusing = answer_refused(exchange, {400, problem("XF-7033", {formed ? "old size" : "hash"})});
        co_return co_await std::move(refusing);
    }
    const std::string text = crypto::encode_checkpoint(checkpoint);
    std::string own_line;
    for (const auto& line : asked.lines()) {
        const ByteView bytes = as_bytes(line.signature());
        if (line.name() == log->name() && bytes.size() > kKeyIdBytes &&
            boost::endian::load_big_u32(bytes.data()) == log->key_id() &&
            log->verify(text, bytes.subspan(kKeyIdBytes))) {
            own_line = crypto::encode_signature_line(log->name(), log->key_id(), bytes.subspan(kKeyIdBytes));
        }
    }
    if (own_line.empty()) {
        auto refusing = refuse(exchange, {403, problem("XF-7032", {asked.origin()})});
        co_return co_await std::move(refusing);
    }

    // What was co-signed before is looked up where nobody else can come between.
    const auto outcome = std::make_shared<Outcome>();
    std::function<Result<void>(storage::Batch&)> apply =
        [this, outcome, checkpoint, proof, text, own_line, old_size = asked.old_size(),
         leaf = leaf_of(exchange->caller(), "cosign")](storage::Batch& batch) mutable -> Result<void> {
        *outcome = {};
        auto& transaction = batch.transaction();
        const auto known = storage::find_witnessed_log(transaction, checkpoint.origin);
        if (!known) {
            return known.error();
        }
        const std::uint64_t size = *known ? (*known)->size() : 0;
        if (old_size != size) {
            outcome->refused = Refused{409, problem("XF-7034", {std::to_string(size)}), size};
            return {};
        }
        const auto old_root = *known ? digest_from((*known)->root()) : crypto::Digest{};
        if (!old_root) {
            return storage::Errc::corrupt;
        }
        // From nothing there is nothing to prove, and between equal sizes only that the roots are equal.
        const bool continues =
            size == 0 ? proof.empty()
                      : crypto::verify_consistency(size, *old_root, checkpoint.size, checkpoint.root, proof);
        if (!continues) {
            outcome->refused = Refused{422, problem("XF-7035", {checkpoint.origin}), 0};
            leaf.result = "refused";
            leaf.code = "XF-7035";
        } else {
            leaf.result = "done";
        }
        leaf.object = {"checkpoint", checkpoint.origin + "/" + std::to_string(checkpoint.size),
                       crypto::sha256(as_bytes(text)), std::nullopt};
        const auto index = context_.leaves.append(batch, leaf);
        if (!continues) {
            return {};
        }
        storage::rows::WitnessedLog row;
        row.set_size(checkpoint.size);
        row.set_root(std::string(as_text(checkpoint.root)));
        row.set_checkpoint(text + "\n" + own_line);
        row.set_time_ms(batch.time().time_since_epoch().count());
        row.set_leaf(index);
        if (const auto put = storage::put_witnessed_log(transaction, checkpoint.origin, row); !put) {
            return put.error();
        }
        const auto now = std::chrono::duration_cast<std::chrono::seconds>(batch.time().time_since_epoch()).count();
        outcome->line = signer_->cosign(text, static_cast<std::uint64_t>(now));
        return {};
    };
    auto executing = execute(context_, std::move(apply), 1024, true);
    const auto done = co_await std::move(executing);
    if (!done) {
        auto answering = answer_error(exchange, done.error());
        co_return co_await std::move(answering);
    }
    if (outcome->refused) {
        auto refusing = answer_refused(exchange, std::move(*outcome->refused));
        co_return co_await std::move(refusing);
    }
    auto answering = answer_text(exchange, outcome->line);
    static_cast<void>((co_await std::move(answering)).has_value());
}

}  // namespace xinfu::vault
