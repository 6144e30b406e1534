// PEM: the textual form of DER structures, strict about what lies between the lines that frame it.
//
// Sources: RFC 7468.
// Threads: pure functions.
// Errors:  encoding_malformed.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "crypto/bytes.hpp"
#include "crypto/error.hpp"
#include "crypto/result.hpp"

namespace xinfu::crypto {

struct PemBlock {
    std::string label;
    Bytes der;
};

// Takes the next block off `text`, passing over what stands before it. Empty: there is none; then `text` is empty too.
// Errors: encoding_malformed, a block that does not end, carries headers, or is not base64.
std::optional<Result<PemBlock>> next_pem(std::string_view& text);

std::string to_pem(std::string_view label, ByteView der);
// The first block with this label; blocks before it may have others.
Result<Bytes> from_pem(std::string_view label, std::string_view text);

}  // namespace xinfu::crypto
