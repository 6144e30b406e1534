#include "daemon/client/receipt.hpp"

#include <algorithm>

#include <CLI/CLI.hpp>

#include "crypto/error.hpp"
#include "daemon/client/text.hpp"

namespace xinfu::client {
namespace {

crypto::NoteVerifier parse_key(const std::string& key) {
    auto verifier = crypto::NoteVerifier::parse(key);
    if (!verifier) {
        throw stop_with_code(Exit::usage, "XF-8016", {key});
    }
    return std::move(*verifier);
}

}  // namespace

void add_evidence_options(CLI::App& verb, EvidenceOptions& options) {
    verb.add_option("--log-key", options.log_key, "the log's verifier key, name+hash+base64")->required();
    verb.add_option("--witness-key", options.witness_keys, "a witness's verifier key; may be repeated");
    verb.add_option("--quorum", options.quorum, "how many of the witnesses must have signed (default: all given)")
        ->check(CLI::NonNegativeNumber);
    verb.add_flag("--strict", options.strict, "refuse signature lines that no given key covers");
}

TrustedKeys::TrustedKeys(const EvidenceOptions& options)
    : quorum_(options.quorum < 0 ? options.witness_keys.size() : static_cast<std::size_t>(options.quorum)),
      strict_(options.strict) {
    keys_.push_back(parse_key(options.log_key));
    for (const std::string& key : options.witness_keys) {
        keys_.push_back(parse_key(key));
        const auto same = [&](const crypto::NoteVerifier& other) {
            return other.key_id() == keys_.back().key_id() && other.name() == keys_.back().name();
        };
        if (std::any_of(keys_.begin(), keys_.end() - 1, same)) {
            throw Stop{Exit::usage, {"the same key is given twice: " + key, "同一密钥重复给出：" + key}, {}};
        }
    }
    if (quorum_ > options.witness_keys.size()) {
        throw Stop{
            Exit::usage, {"--quorum asks for more witnesses than keys are given", "--quorum 超过所给见证密钥数量"}, {}};
    }
}

TrustedKeys::Opened TrustedKeys::open(const std::string& note, Quorum quorum) const {
    std::vector<const crypto::NoteVerifier*> verifiers;
    for (const crypto::NoteVerifier& key : keys_) {
        verifiers.push_back(&key);
    }
    auto opened = crypto::open_note(note, verifiers);
    if (!opened || std::ranges::find(opened->verified_by, &log()) == opened->verified_by.end()) {
        throw stop_with_code(Exit::evidence, "XF-8003");
    }
    auto checkpoint = crypto::parse_checkpoint(opened->text);
    if (!checkpoint) {
        throw stop_with_code(Exit::evidence, "XF-8001", {checkpoint.error().message()});
    }
    if (checkpoint->origin != log().name()) {
        throw stop_with_code(Exit::evidence, "XF-8014", {checkpoint->origin, log().name()});
    }
    const std::size_t witnesses = opened->verified_by.size() - 1;
    if (quorum == Quorum::asked && witnesses < quorum_) {
        throw stop_with_code(Exit::evidence, "XF-8006", {std::to_string(witnesses), std::to_string(quorum_)});
    }
    if (strict_ && !opened->unverified.empty()) {
        throw stop_with_code(Exit::evidence, "XF-8007", {opened->unverified.front()});
    }
    return {std::move(*checkpoint), std::move(*opened)};
}

json::object parse_leaf(ByteView entry) {
    boost::system::error_code error;
    json::value parsed = json::parse(as_text(entry), error);
    if (error || !parsed.is_object()) {
        throw stop_with_code(Exit::evidence, "XF-8012", {"not a JSON object"});
    }
    json::object leaf = std::move(parsed.get_object());
    if (number_of(leaf, "v") != 1) {
        const json::value* version = leaf.if_contains("v");
        throw stop_with_code(Exit::evidence, "XF-8002", {version == nullptr ? "?" : json::serialize(*version)});
    }
    return leaf;
}

Receipt verify_receipt(const std::string& text, const TrustedKeys& keys) {
    auto proof = crypto::parse_tlog_proof(text);
    if (!proof) {
        if (text.starts_with("c2sp.org/tlog-proof@") && !text.starts_with("c2sp.org/tlog-proof@v1\n")) {
            throw stop_with_code(Exit::evidence, "XF-8002",
                                 {text.substr(0, std::min<std::size_t>(text.find('\n'), 64))});
        }
        throw stop_with_code(Exit::evidence, "XF-8001", {proof.error().message()});
    }
    auto opened = keys.open(proof->checkpoint);
    if (!crypto::verify_inclusion(crypto::leaf_hash(proof->extra), proof->index, opened.checkpoint.size, proof->hashes,
                                  opened.checkpoint.root)) {
        throw stop_with_code(Exit::evidence, "XF-8004");
    }
    // Only now is the leaf what the log says; before, it was anybody's text.
    json::object leaf = parse_leaf(proof->extra);
    return {std::move(*proof), std::move(leaf), std::move(opened.checkpoint), std::move(opened.note)};
}

void check_subject_matter(const json::object& leaf, const crypto::Digest& digest) {
    const json::object& object = object_of(leaf, "object");
    const std::string text = to_hex(digest);
    if (text_of(object, "digest") != text && text_of(object, "content") != text) {
        throw stop_with_code(Exit::evidence, "XF-8005");
    }
}

}  // namespace xinfu::client
