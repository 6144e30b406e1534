// Whatever the input: a request to co-sign that is taken says exactly what it was, octet by octet, and so do
// signature lines.
#include <cstdlib>
#include <string>

#include "crypto/note.hpp"
#include "daemon/gateway/acts.hpp"

namespace {

using xinfu::as_bytes;
using xinfu::ByteView;

void require(bool condition) {
    if (!condition) {
        std::abort();
    }
}

constexpr std::size_t kKeyIdBytes = 4;

std::uint32_t key_id(ByteView signature) {
    return static_cast<std::uint32_t>(signature[0]) << 24 | static_cast<std::uint32_t>(signature[1]) << 16 |
           static_cast<std::uint32_t>(signature[2]) << 8 | signature[3];
}

template <class Lines>
std::string encode(const Lines& lines) {
    std::string text;
    for (const auto& line : lines) {
        const ByteView signature = as_bytes(line.signature());
        require(signature.size() > kKeyIdBytes);
        text += xinfu::crypto::encode_signature_line(line.name(), key_id(signature), signature.subspan(kKeyIdBytes));
    }
    return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string input(reinterpret_cast<const char*>(data), size);
    if (const auto asked = xinfu::gateway::parse_add_checkpoint(input)) {
        require(asked->proof_size() <= 63 && asked->lines_size() >= 1 && asked->lines_size() <= 16);
        std::string again = "old " + std::to_string(asked->old_size()) + "\n";
        for (const auto& hash : asked->proof()) {
            again += xinfu::to_base64(as_bytes(hash)) + "\n";
        }
        xinfu::crypto::Checkpoint checkpoint{asked->origin(), asked->size(), {}};
        require(asked->root().size() == checkpoint.root.size());
        std::copy(asked->root().begin(), asked->root().end(), checkpoint.root.begin());
        again += "\n" + xinfu::crypto::encode_checkpoint(checkpoint) + "\n" + encode(asked->lines());
        require(again == input);
    }
    if (const auto lines = xinfu::crypto::parse_signature_lines(input)) {
        std::string again;
        for (const auto& line : *lines) {
            again += xinfu::crypto::encode_signature_line(line.name, line.key_id, line.signature);
        }
        require(again == input);
    }
    return 0;
}
