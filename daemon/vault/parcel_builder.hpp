// ParcelBuilder: what is put around a department's original so that the next level can check it on its own: a
// manifest, and the node's signature over both.
//
// Format:  docs/FORMATS.md, "Parcel": CMS SignedData in DER whose content is `original || manifest`; the manifest is
//          one line of canonical JSON, at most 16 KiB; the whole in AuthEnvelopedData for the upper node. The original
//          itself is never copied here.
// Threads: pure functions.
// Errors:  crypto::Errc of the writer.
#pragma once

#include <cstdint>
#include <string>

#include "crypto/certificate.hpp"
#include "crypto/digest.hpp"
#include "crypto/envelope_key.hpp"
#include "crypto/result.hpp"
#include "crypto/signing_key.hpp"
#include "daemon/boundary/inspector.pb.h"
#include "storage/submission_rows.pb.h"

namespace xinfu::vault {

std::string encode_manifest(const boundary::ParcelManifest& manifest);

// `envelope_keys`: made for the upper node, and for this parcel alone; null: the parcel is for nobody, in the clear.
// `left_out`: the department's certificate, DER, where the original does not embed it; empty: it does. The next level
// has not enrolled it. `original`: the digest's state over the original. Everything random or dependent on time is in
// the answer, which has the state WAITING.
Result<storage::rows::Parcel> build_parcel(const crypto::SigningKey& key, const crypto::Certificate& certificate,
                                           const crypto::EnvelopeKeys* envelope_keys, ByteView left_out,
                                           const boundary::ParcelManifest& manifest, crypto::Sha256 original,
                                           std::uint64_t original_length, std::int64_t time_ms);

}  // namespace xinfu::vault
