#include "crypto/x509_encoding.hpp"

#include <arpa/inet.h>

#include <array>

#include <algorithm>
#include <string_view>

#include "crypto/der.hpp"

namespace xinfu::crypto {
namespace {

constexpr std::uint8_t kUtf8String = 0x0c;
constexpr std::uint8_t kPrintableString = 0x13;

bool is_printable(std::string_view text) {
    return std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::string_view(" '()+,-./:=?").find(c) != std::string_view::npos;
    });
}

void append_attribute(Bytes& out, std::string_view oid, std::string_view value, bool printable) {
    if (value.empty()) {
        return;
    }
    const auto string =
        der_encode(printable && is_printable(value) ? kPrintableString : kUtf8String, {as_bytes(value)});
    const auto pair = der_encode(kDerSequence, {der_oid(oid), string});
    const auto step = der_encode(kDerSet, {pair});
    out.insert(out.end(), step.begin(), step.end());
}

}  // namespace

Bytes encode_name(const DistinguishedName& name) {
    Bytes steps;
    append_attribute(steps, "2.5.4.6", name.country, true);
    append_attribute(steps, "2.5.4.10", name.organization, false);
    append_attribute(steps, "2.5.4.97", name.organization_identifier, false);
    append_attribute(steps, "2.5.4.5", name.serial_number, true);
    append_attribute(steps, "2.5.4.3", name.common_name, false);
    return der_encode(kDerSequence, {steps});
}

Bytes encode_signature_algorithm(KeyKind kind) {
    switch (kind) {
        case KeyKind::p256: return der_encode(kDerSequence, {der_oid("1.2.840.10045.4.3.2")});
        case KeyKind::p384: return der_encode(kDerSequence, {der_oid("1.2.840.10045.4.3.3")});
        case KeyKind::ed25519: return der_encode(kDerSequence, {der_oid("1.3.101.112")});
        case KeyKind::rsa: break;
    }
    return der_encode(kDerSequence, {der_oid("1.2.840.113549.1.1.11"), der_encode(kDerNull, {})});
}

Result<Bytes> encode_signed(const SigningKey& key, ByteView body) {
    const auto signature = key.sign(body);
    if (!signature) {
        return signature.error();
    }
    static constexpr std::uint8_t kUnusedBits[1] = {0};
    const auto bits = der_encode(kDerBitString, {kUnusedBits, *signature});
    return der_encode(kDerSequence, {body, encode_signature_algorithm(key.kind()), bits});
}

Bytes encode_extension(std::string_view oid, bool critical, ByteView value) {
    const auto string = der_encode(kDerOctetString, {value});
    if (!critical) {
        return der_encode(kDerSequence, {der_oid(oid), string});
    }
    static constexpr std::uint8_t kTrue[1] = {0xff};
    return der_encode(kDerSequence, {der_oid(oid), der_encode(kDerBoolean, {kTrue}), string});
}

Bytes encode_alternative_names(const std::vector<std::string>& hosts) {
    Bytes names;
    const auto add = [&names](const Bytes& name) { names.insert(names.end(), name.begin(), name.end()); };
    for (const auto& host : hosts) {
        std::array<std::uint8_t, 4> v4{};
        std::array<std::uint8_t, 16> v6{};
        if (::inet_pton(AF_INET, host.c_str(), v4.data()) == 1) {
            add(der_encode(der_context(7, false), {v4}));
        } else if (::inet_pton(AF_INET6, host.c_str(), v6.data()) == 1) {
            add(der_encode(der_context(7, false), {v6}));
        } else {
            add(der_encode(der_context(2, false), {as_bytes(host)}));
        }
    }
    return encode_extension("2.5.29.17", false, der_encode(kDerSequence, {names}));
}

}  // namespace xinfu::crypto
