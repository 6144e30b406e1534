// Passwords: Argon2id, kept as PHC strings.
//
// Format:  $argon2id$v=19$m=19456,t=2,p=1$<salt>$<digest>, base64 without padding.
// Sources: RFC 9106. m = 19 MiB, t = 2, p = 1: OWASP's password storage minimum for Argon2id.
// Threads: free functions; each call uses 19 MiB while it runs.
// Trust:   a stored string is bounded before any work is done for it.
#pragma once

#include <string>
#include <string_view>

#include "crypto/random.hpp"
#include "crypto/result.hpp"

namespace xinfu::crypto {

std::string hash_password(std::string_view password, RandomSource& random = system_random());

// Whether it is the password; in time that does not depend on how much of it is right.
// Errc::password_malformed: not such a string, or costs above m = 256 MiB, t = 10, p = 1.
Result<bool> verify_password(std::string_view password, std::string_view phc);

}  // namespace xinfu::crypto
