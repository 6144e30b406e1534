#include "crypto/password.hpp"

#include <charconv>
#include <optional>

#include <botan/exceptn.h>
#include <botan/pwdhash.h>

#include "crypto/digest.hpp"
#include "crypto/error.hpp"

namespace xinfu::crypto {
namespace {

constexpr std::uint32_t kMemoryKib = 19 * 1024;
constexpr std::uint32_t kIterations = 2;
constexpr std::uint32_t kParallelism = 1;
constexpr std::uint32_t kMemoryKibMax = 256 * 1024;  // what a stored string may make us spend
constexpr std::uint32_t kIterationsMax = 10;
constexpr std::size_t kSaltBytes = 16;
constexpr std::size_t kSaltBytesMax = 64;
constexpr std::size_t kDigestBytes = 32;
constexpr std::string_view kPrefix = "$argon2id$v=19$";  // 0x13, RFC 9106 section 3.1

std::string unpadded_base64(ByteView bytes) {
    std::string text = to_base64(bytes);
    while (!text.empty() && text.back() == '=') {
        text.pop_back();
    }
    return text;
}

std::optional<Bytes> from_unpadded_base64(std::string_view text) {
    if (text.ends_with('=')) {
        return std::nullopt;
    }
    std::string padded(text);
    padded.append((4 - padded.size() % 4) % 4, '=');
    return from_base64(padded);
}

// Takes "<name>=<number>" and the separator behind it off the front.
bool take_number(std::string_view& text, std::string_view name, char separator, std::uint32_t& value) {
    if (!text.starts_with(name)) {
        return false;
    }
    text.remove_prefix(name.size());
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end == text.data() + text.size() || *end != separator) {
        return false;
    }
    text.remove_prefix(static_cast<std::size_t>(end - text.data()) + 1);
    return true;
}

Secret argon2id(std::string_view password, ByteView salt, std::uint32_t memory_kib, std::uint32_t iterations,
                std::uint32_t parallelism, std::size_t size) {
    const auto hash =
        Botan::PasswordHashFamily::create_or_throw("Argon2id")->from_params(memory_kib, iterations, parallelism);
    Secret digest(size);
    hash->derive_key(digest.writable().data(), digest.size(), password.data(), password.size(), salt.data(),
                     salt.size());
    return digest;
}

}  // namespace

std::string hash_password(std::string_view password, RandomSource& random) {
    const auto salt = random.array<kSaltBytes>();
    const Secret digest = argon2id(password, salt, kMemoryKib, kIterations, kParallelism, kDigestBytes);
    std::string phc(kPrefix);
    phc.append("m=").append(std::to_string(kMemoryKib));
    phc.append(",t=").append(std::to_string(kIterations));
    phc.append(",p=").append(std::to_string(kParallelism));
    phc.append("$").append(unpadded_base64(salt));
    phc.append("$").append(unpadded_base64(digest.view()));
    return phc;
}

Result<bool> verify_password(std::string_view password, std::string_view phc) try {
    if (!phc.starts_with(kPrefix)) {
        return Errc::password_malformed;
    }
    phc.remove_prefix(kPrefix.size());
    std::uint32_t memory_kib = 0;
    std::uint32_t iterations = 0;
    std::uint32_t parallelism = 0;
    if (!take_number(phc, "m=", ',', memory_kib) || !take_number(phc, "t=", ',', iterations) ||
        !take_number(phc, "p=", '$', parallelism)) {
        return Errc::password_malformed;
    }
    const auto dollar = phc.find('$');
    if (dollar == std::string_view::npos) {
        return Errc::password_malformed;
    }
    const auto salt = from_unpadded_base64(phc.substr(0, dollar));
    const auto stored = from_unpadded_base64(phc.substr(dollar + 1));
    if (!salt || !stored || salt->size() < 8 || salt->size() > kSaltBytesMax || stored->size() != kDigestBytes ||
        memory_kib < 8 || memory_kib > kMemoryKibMax || iterations < 1 || iterations > kIterationsMax ||
        parallelism != 1) {
        return Errc::password_malformed;
    }
    const Secret digest = argon2id(password, *salt, memory_kib, iterations, parallelism, stored->size());
    return equal_constant_time(digest.view(), *stored);
} catch (const Botan::Exception&) {
    return Errc::password_malformed;
}

}  // namespace xinfu::crypto
