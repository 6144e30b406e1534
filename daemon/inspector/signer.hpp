// What is to be told of a CMS and its one signer: why it cannot be read, or what it says of itself. Nothing is verified
// here.
//
// Threads: pure functions.
// Trust:   the CMS is hostile; what is told is bounded.
#pragma once

#include <cstdint>
#include <string_view>

#include "crypto/cms_reader.hpp"
#include "daemon/boundary/inspector.pb.h"
#include "daemon/inspector/refusal.hpp"

namespace xinfu::inspector {

// `at`: where in the body the reader stopped; `first_octets` of it tell what it may be instead of a signed file.
Refusal explain_cms(const boost::system::error_code& why, const crypto::CmsReader& reader, std::uint64_t at,
                    std::string_view first_octets);

// Fills all but what depends on layers. Certificates that the signer does not need are left out where the message
// would be too large; false: it would be so without them.
bool describe_signer(const crypto::CmsSigner& signer, boundary::SignerFound& found);

}  // namespace xinfu::inspector
