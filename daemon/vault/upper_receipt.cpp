#include "daemon/vault/upper_receipt.hpp"

#include <algorithm>

#include "crypto/canonical_json.hpp"
#include "crypto/error.hpp"
#include "crypto/tlog_proof.hpp"
#include "daemon/vault/exchange.hpp"

namespace xinfu::vault {
namespace {

constexpr std::size_t kIdSizeBytes = 32;  // hexadecimal digits

bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

// The member `object` of a leaf, as LeafWriter encodes it, up to the id.
std::string object_head(const ExpectedReceipt& expected) {
    std::string head = "\"object\":{\"content\":\"" + to_hex(as_bytes(expected.origin.digest())) + "\",";
    if (expected.body) {
        head += "\"digest\":\"" + to_hex(*expected.body) + "\",\"id\":\"";
    }
    return head;
}

}  // namespace

std::variant<UpperReceipt, boundary::Problem> verify_upper_receipt(const boundary::ReceiptRead& receipt,
                                                                   const crypto::NoteVerifier& log,
                                                                   const ExpectedReceipt& expected) {
    crypto::TlogProof proof;
    proof.extra = to_bytes(receipt.leaf());
    proof.index = receipt.index();
    proof.checkpoint = receipt.checkpoint();
    for (const auto& hash : receipt.proof()) {
        crypto::Digest digest{};
        if (hash.size() != digest.size() || proof.hashes.size() == crypto::kProofHashesMax) {
            return problem("XF-7016", {"proof"});
        }
        std::ranges::copy(as_bytes(hash), digest.begin());
        proof.hashes.push_back(digest);
    }
    const auto verified = crypto::verify_tlog_proof(proof, {&log});
    if (!verified) {
        const bool about_the_key =
            verified.error() == crypto::Errc::note_unverified || verified.error() == crypto::Errc::origin_mismatch;
        return about_the_key ? problem("XF-7015") : problem("XF-7016", {verified.error().message()});
    }
    // The leaf is signed for, so its JSON is that log's own: one object, members in order, strings escaped. A
    // quotation mark inside a string is escaped, so these patterns are found nowhere but where they are members.
    const std::string_view leaf = receipt.leaf();
    crypto::JsonObject origin;
    origin.text("node", expected.origin.node())
        .number("index", static_cast<std::int64_t>(expected.origin.index()))
        .text("digest", to_hex(as_bytes(expected.origin.digest())));
    const std::string head = object_head(expected);
    const auto object = leaf.find(head);
    if (!contains(leaf, "\"action\":\"submit\"") || !contains(leaf, "\"result\":\"accepted\"") ||
        !contains(leaf, "\"origin\":" + origin.encode()) || object == std::string_view::npos) {
        return problem("XF-7014");
    }
    UpperReceipt upper;
    if (expected.body) {
        const auto id = leaf.substr(object + head.size());
        if (id.size() <= kIdSizeBytes || id[kIdSizeBytes] != '"' || !from_hex(id.substr(0, kIdSizeBytes))) {
            return problem("XF-7014");
        }
        upper.submission = std::string(id.substr(0, kIdSizeBytes));
    }
    return upper;
}

}  // namespace xinfu::vault
