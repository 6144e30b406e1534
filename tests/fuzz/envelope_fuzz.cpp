// Whatever the input: the cipher text's spans ascend and lie inside it; nonce and tag have their one length; the same
// is told whether fed whole or in pieces; and what body_kind() calls something else is no envelope to the reader.
#include <algorithm>
#include <cstdlib>

#include "crypto/digest.hpp"
#include "crypto/envelope_reader.hpp"

namespace {

using namespace xinfu::crypto;
using xinfu::ByteView;

void require(bool condition) {
    if (!condition) {
        std::abort();
    }
}

struct Told {
    boost::system::error_code error;
    EnvelopeRecipient recipient;
    xinfu::Bytes nonce;
    xinfu::Bytes tag;
    Digest cipher{};
    bool operator==(const Told&) const = default;
};

Told read(ByteView input, std::size_t chunk) {
    EnvelopeReader reader;
    Sha256 digest;
    std::uint64_t end = 0;
    std::uint64_t total = 0;
    const auto sink = [&](std::uint64_t offset, ByteView piece) -> xinfu::Result<void> {
        require(!piece.empty() && offset >= end && offset + piece.size() <= input.size());
        require(piece.data() == input.data() + offset);
        require(reader.nonce().size() == kEnvelopeNonceSizeBytes);
        end = offset + piece.size();
        total += piece.size();
        digest.update(piece);
        return {};
    };
    Told told;
    for (std::size_t at = 0; at < input.size(); at += chunk) {
        if (!reader.feed(at, input.subspan(at, std::min(chunk, input.size() - at)), sink)) {
            break;
        }
    }
    if (const auto finished = reader.finish(); !finished) {
        told.error = finished.error();
        return told;
    }
    require(reader.cipher_size() == total && reader.size() == input.size());
    told.recipient = reader.recipient();
    told.nonce = reader.nonce();
    told.tag = reader.tag();
    told.cipher = digest.finish();
    const auto& recipient = told.recipient;
    require(told.tag.size() == kEnvelopeTagSizeBytes && !recipient.encrypted_key.empty());
    require(recipient.issuer.empty() != recipient.subject_key_identifier.empty());
    require(recipient.agreement == (recipient.originator_point.size() == 65));
    return told;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView input(data, size);
    const auto whole = read(input, std::max<std::size_t>(size, 1));
    require(whole == read(input, 1));
    require(whole == read(input, 13));
    const auto kind = body_kind(input.first(std::min(size, kBodyKindSizeBytes)));
    require(kind != BodyKind::undecided || size < kBodyKindSizeBytes);
    if (!whole.error) {
        require(kind == BodyKind::envelope);
    }
    return 0;
}
