// Manifest: what a parcel says of the original it carries, in canonical JSON.
//
// Format:  docs/FORMATS.md
// Trust:   hostile; signed by the sending node, which is the vault's to verify.
#pragma once

#include <string>
#include <string_view>

#include "daemon/boundary/inspector.pb.h"

namespace xinfu::inspector {

// One line of canonical JSON (RFC 8785) with exactly the members of ParcelManifest, ending in LF. Answers
// what is wrong with it, in a word or two; empty when it is right.
std::string read_manifest(std::string_view text, boundary::ParcelManifest& manifest);

}  // namespace xinfu::inspector
