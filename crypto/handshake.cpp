#include "crypto/handshake.hpp"

#include <algorithm>
#include <array>

#include <botan/ec_group.h>
#include <botan/ecc_key.h>
#include <botan/pk_keys.h>
#include <botan/pubkey.h>
#include <botan/tls_signature_scheme.h>
#include <botan/tls_version.h>
#include <botan/x509cert.h>

namespace xinfu::crypto {
namespace {

constexpr std::string_view kServerContext = "TLS 1.3, server CertificateVerify";
constexpr std::string_view kClientContext = "TLS 1.3, client CertificateVerify";
constexpr std::size_t kPaddingSize = 64;  // octets 0x20, RFC 8446 section 4.4.3
constexpr std::size_t kRandomSize = 32;
constexpr std::size_t kRsaBitsMin = 2048;
constexpr std::size_t kTranscriptSizeBytesMax = 256 * 1024;

bool is_transcript_digest(std::size_t size) {
    return size == 32 || size == 48;
}

Bytes tls13_octets(std::string_view context, ByteView transcript_digest) {
    Bytes octets(kPaddingSize + context.size() + 1 + transcript_digest.size());
    auto out = std::fill_n(octets.begin(), kPaddingSize, std::uint8_t{0x20});
    out = std::ranges::copy(context, out).out;
    *out++ = 0;
    std::ranges::copy(transcript_digest, out);
    return octets;
}

bool is_tls13_client(ByteView octets) {
    const auto before = tls13_octets(kClientContext, {});
    return octets.size() > before.size() && is_transcript_digest(octets.size() - before.size()) &&
           std::ranges::equal(octets.first(before.size()), before);
}

// Handshake messages from ClientHello over ServerHello to ClientKeyExchange, each whole, nothing after the last. Cannot
// be taken for anything else that a client signs: TLS 1.3's octets begin with 0x20.
bool is_tls12_transcript(ByteView octets) {
    constexpr std::uint8_t kClientHello = 1;
    constexpr std::uint8_t kServerHello = 2;
    constexpr std::uint8_t kClientKeyExchange = 16;
    if (octets.size() > kTranscriptSizeBytesMax) {
        return false;
    }
    std::size_t count = 0;
    std::uint8_t type = 0;
    while (octets.size() >= 4) {
        type = octets[0];
        const std::size_t length = std::size_t{octets[1]} << 16 | std::size_t{octets[2]} << 8 | octets[3];
        if (length > octets.size() - 4 || (count == 0 && type != kClientHello) ||
            (count == 1 && type != kServerHello)) {
            return false;
        }
        octets = octets.subspan(4 + length);
        ++count;
    }
    return octets.empty() && count > 2 && type == kClientKeyExchange;
}

// ServerECDHParams, RFC 8422 section 5.4: curve_type named_curve, the group, the point's length and octets.
bool is_ecdhe_parameters(ByteView octets) {
    struct Group {
        std::uint16_t number;
        std::size_t point_size;
        bool weierstrass;
    };
    static constexpr std::array<Group, 4> kGroups{{
        {23, 65, true},   // secp256r1
        {24, 97, true},   // secp384r1
        {25, 133, true},  // secp521r1
        {29, 32, false},  // x25519
    }};
    if (octets.size() < 5 || octets[0] != 3) {
        return false;
    }
    const auto number = static_cast<std::uint16_t>(octets[1] << 8 | octets[2]);
    return std::ranges::any_of(kGroups, [&](const Group& group) {
        return group.number == number && octets[3] == group.point_size && octets.size() == 4 + group.point_size &&
               (!group.weierstrass || octets[4] == 4);
    });
}

bool is_strong(const Botan::Public_Key& key) {
    return key.algo_name() != "RSA" || key.key_length() >= kRsaBitsMin;
}

// TLS 1.3 binds each ECDSA scheme to one curve (RFC 8446 section 4.2.3).
bool suits_curve(const Botan::Public_Key& key, Botan::TLS::Signature_Scheme::Code scheme) {
    const auto* ec = dynamic_cast<const Botan::EC_PublicKey*>(&key);
    if (ec == nullptr) {
        return true;
    }
    const auto bits = ec->domain().get_order_bits();
    return (scheme == Botan::TLS::Signature_Scheme::ECDSA_SHA256 && bits == 256) ||
           (scheme == Botan::TLS::Signature_Scheme::ECDSA_SHA384 && bits == 384) ||
           (scheme == Botan::TLS::Signature_Scheme::ECDSA_SHA512 && bits == 521);
}

}  // namespace

Result<Bytes> sign_tls13(const SigningKey& key, TlsSide side, ByteView transcript_digest) {
    if (!is_transcript_digest(transcript_digest.size())) {
        return Errc::handshake_malformed;
    }
    if (key.kind() != KeyKind::p256) {
        return Errc::key_wrong_algorithm;
    }
    return key.sign(tls13_octets(side == TlsSide::server ? kServerContext : kClientContext, transcript_digest));
}

Result<Bytes> sign_tls12(const SigningKey& key, ByteView client_random, ByteView server_random,
                         ByteView ecdhe_parameters) {
    if (client_random.size() != kRandomSize || server_random.size() != kRandomSize ||
        !is_ecdhe_parameters(ecdhe_parameters)) {
        return Errc::handshake_malformed;
    }
    if (key.kind() != KeyKind::p256) {
        return Errc::key_wrong_algorithm;
    }
    // A hostile asker chooses both randoms, yet cannot spell what TLS 1.3 signs: octet 64 is curve_type 3, no letter.
    Bytes octets(client_random.begin(), client_random.end());
    octets.insert(octets.end(), server_random.begin(), server_random.end());
    octets.insert(octets.end(), ecdhe_parameters.begin(), ecdhe_parameters.end());
    return key.sign(octets);
}

Result<void> verify_client_proof(const Certificate& certificate, const ClientProof& proof) try {
    if (proof.tls13 ? !is_tls13_client(proof.signed_bytes) : !is_tls12_transcript(proof.signed_bytes)) {
        return Errc::handshake_malformed;
    }
    const auto key = certificate.native().subject_public_key();
    const Botan::TLS::Protocol_Version version(proof.tls13 ? Botan::TLS::Version_Code::TLS_V13
                                                           : Botan::TLS::Version_Code::TLS_V12);
    const auto format = proof.der_encoded ? Botan::Signature_Format::DerSequence : Botan::Signature_Format::Standard;
    for (const auto& scheme : Botan::TLS::Signature_Scheme::all_available_schemes()) {
        const bool fits = scheme.padding_string() == proof.padding && scheme.format() == format &&
                          scheme.algorithm_name() == key->algo_name() && scheme.is_compatible_with(version) &&
                          (!proof.tls13 || suits_curve(*key, scheme.wire_code()));
        if (!fits || !is_strong(*key)) {
            continue;
        }
        Botan::PK_Verifier verifier(*key, scheme.padding_string(), format);
        if (!verifier.verify_message(proof.signed_bytes, proof.signature)) {
            return Errc::handshake_unproven;
        }
        return {};
    }
    return Errc::key_wrong_algorithm;
} catch (const std::exception&) {
    return Errc::handshake_unproven;
}

}  // namespace xinfu::crypto
