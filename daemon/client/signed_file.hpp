// SignedFile: the body that is handed in. A file that is CMS already is sent as it is; any other is signed
// once and kept as FILE.p7m, so that what is sent again after a break is the same body.
//
// Errors:  Stop: Exit::usage for files and keys that cannot be read, Exit::refused for a key that cannot sign
// here.
#pragma once

#include <optional>
#include <string>

#include "crypto/certificate.hpp"
#include "crypto/digest.hpp"
#include "daemon/client/node_api.hpp"

namespace xinfu::client {

struct SignedFile {
    std::string path;       // of the body
    crypto::Digest digest;  // of the body
    bool made_now = false;  // signed just now, not found from before
};

// `out` is where a signed body goes, FILE.p7m; one that is there already and was made of this content with
// this key is used again.
SignedFile signed_file(const std::string& path, const NodeOptions& options, const std::string& out);

// A CMS SignedData with this content, signed with the key of `options`: what openssl cms -sign -nodetach makes.
Bytes signed_bytes(ByteView content, const NodeOptions& options);

// Whether the file is CMS: its outermost element, DER or BER, or PEM.
bool is_cms(const std::string& path);

// SHA-256 of the signed content, when `path` is a CMS that this certificate's holder signed; empty otherwise.
std::optional<crypto::Digest> content_signed_by(const std::string& path, const crypto::Certificate& certificate);

}  // namespace xinfu::client
