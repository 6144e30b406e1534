#include "crypto/certificate_authority.hpp"

#include <algorithm>
#include <charconv>

#include <botan/hash.h>
#include <botan/ipv4_address.h>
#include <botan/ipv6_address.h>
#include <botan/pk_keys.h>
#include <botan/pkcs10.h>
#include <botan/pkix_types.h>
#include <botan/x509_key.h>

#include "crypto/der.hpp"
#include "crypto/pem.hpp"
#include "crypto/random.hpp"
#include "crypto/x509_encoding.hpp"

namespace xinfu::crypto {
namespace {

constexpr std::size_t kRequestSizeBytesMax = 64 * 1024;
constexpr std::size_t kSerialSize = 16;                  // octets; RFC 5280 section 4.1.2.2 allows 20
constexpr std::uint8_t kUsageDigitalSignature = 0x80;    // bit 0 of keyUsage
constexpr std::uint8_t kUsageKeyEncipherment = 0x20;     // bit 2
constexpr std::uint8_t kUsageKeyAgreement = 0x08;        // bit 4
constexpr std::uint8_t kUsageKeyCertSignCrlSign = 0x06;  // bits 5 and 6

void append(Bytes& out, ByteView bytes) {
    out.insert(out.end(), bytes.begin(), bytes.end());
}

// keyUsage is a BIT STRING whose trailing zero bits are left out.
Bytes key_usage(std::uint8_t bits) {
    std::uint8_t unused = 0;
    while ((bits >> unused & 1) == 0) {
        ++unused;
    }
    const std::uint8_t octets[2] = {unused, bits};
    return encode_extension("2.5.29.15", true, der_encode(kDerBitString, {octets}));
}

// RFC 7093 section 2, method 1: the leftmost 160 bits of SHA-256 over the public key's bits.
Bytes key_identifier(ByteView public_key) {
    const auto sequence = der_single(public_key, kDerSequence);
    DerReader reader(sequence ? sequence->contents : ByteView{});
    reader.next(kDerSequence);
    const auto bits = reader.next(kDerBitString);
    const auto digest = sha256(bits && !bits->contents.empty() ? bits->contents.subspan(1) : public_key);
    return {digest.begin(), digest.begin() + 20};
}

Bytes random_serial() {
    Bytes serial(kSerialSize);
    system_random().fill(serial);
    serial[0] = static_cast<std::uint8_t>((serial[0] & 0x7f) | 0x40);  // positive, and always as long
    return serial;
}

Result<Certificate> sign_certificate(const SigningKey& key, ByteView issuer, ByteView subject, ByteView public_key,
                                     UtcSeconds not_before, UtcSeconds not_after, ByteView extensions) {
    const auto version = der_encode(der_context(0), {der_integer(2)});
    const auto serial = der_encode(kDerInteger, {random_serial()});
    const auto validity = der_encode(kDerSequence, {der_encode_time(not_before), der_encode_time(not_after)});
    const auto body =
        der_encode(kDerSequence, {version, serial, encode_signature_algorithm(key.kind()), issuer, validity, subject,
                                  public_key, der_encode(der_context(3), {der_encode(kDerSequence, {extensions})})});
    const auto der = encode_signed(key, body);
    if (!der) {
        return der.error();
    }
    return Certificate::parse(*der);
}

Bytes subject_key_identifier(ByteView public_key) {
    return encode_extension("2.5.29.14", false, der_encode(kDerOctetString, {key_identifier(public_key)}));
}

Bytes authority_key_identifier(ByteView identifier) {
    return encode_extension("2.5.29.35", false,
                            der_encode(kDerSequence, {der_encode(der_context(0, false), {identifier})}));
}

template <class Number>
bool read_number(std::string_view text, Number& number) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc() && end == text.data() + text.size();
}

std::string_view take_field(std::string_view& line) {
    const auto end = std::min(line.find('\t'), line.size());
    const auto field = line.substr(0, end);
    line.remove_prefix(std::min(end + 1, line.size()));
    return field;
}

constexpr std::string_view kIndexHead = "xinfu-authority-index 1 ";

}  // namespace

Result<CertificateRequest> parse_request(ByteView document) try {
    if (document.empty() || document.size() > kRequestSizeBytesMax) {
        return Errc::request_malformed;
    }
    Bytes der(document.begin(), document.end());
    if (der.front() != kDerSequence) {
        auto decoded = from_pem("CERTIFICATE REQUEST", as_text(document));
        if (!decoded) {
            decoded = from_pem("NEW CERTIFICATE REQUEST", as_text(document));
        }
        if (!decoded) {
            return Errc::request_malformed;
        }
        der = std::move(*decoded);
    }
    if (!is_der(der)) {
        return Errc::request_malformed;
    }
    const Botan::PKCS10_Request request(der);
    const auto key = request.subject_public_key();
    if (!request.check_signature(*key)) {
        return Errc::request_malformed;
    }
    CertificateRequest result;
    result.public_key = key->subject_public_key();
    for (const auto& [oid, value] : request.subject_dn().dn_info()) {
        const auto text = oid.to_string();
        auto* field = text == "2.5.4.6"    ? &result.subject.country
                      : text == "2.5.4.10" ? &result.subject.organization
                      : text == "2.5.4.3"  ? &result.subject.common_name
                      : text == "2.5.4.97" ? &result.subject.organization_identifier
                      : text == "2.5.4.5"  ? &result.subject.serial_number
                                           : nullptr;
        if (field != nullptr) {
            *field = value.value();
        }
    }
    const auto& names = request.subject_alt_name();
    result.hosts.assign(names.dns().begin(), names.dns().end());
    for (const std::uint32_t address : names.ipv4_address()) {
        result.hosts.push_back(Botan::IPv4Address(address).to_string());
    }
    for (const auto& address : names.ipv6_address()) {
        result.hosts.push_back(address.to_string());
    }
    return result;
} catch (const std::exception&) {
    return Errc::request_malformed;
}

Result<CertificateAuthority> CertificateAuthority::create(const DistinguishedName& subject, UtcSeconds not_before,
                                                          UtcSeconds not_after) {
    auto key = SigningKey::generate_p256();
    const auto name = encode_name(subject);
    const auto public_key = key.public_key();
    static constexpr std::uint8_t kTrue[1] = {0xff};
    // cA, and a path length of 0: it issues end-entity certificates, never further authorities.
    Bytes extensions = encode_extension("2.5.29.19", true,
                                        der_encode(kDerSequence, {der_encode(kDerBoolean, {kTrue}), der_integer(0)}));
    append(extensions, key_usage(kUsageKeyCertSignCrlSign));
    append(extensions, subject_key_identifier(public_key));
    auto certificate = sign_certificate(key, name, name, public_key, not_before, not_after, extensions);
    if (!certificate) {
        return certificate.error();
    }
    return CertificateAuthority(std::move(key), std::move(*certificate));
}

Result<CertificateAuthority> CertificateAuthority::load(const SigningKey& key, const Certificate& certificate) {
    if (!certificate.is_authority() || certificate.public_key() != key.public_key()) {
        return Errc::certificate_wrong_usage;
    }
    return CertificateAuthority(key, certificate);
}

Result<Certificate> CertificateAuthority::issue(const DistinguishedName& subject, ByteView public_key,
                                                const IssueOptions& options) const try {
    const auto key = Botan::X509::load_key(public_key);  // refuses what is no public key
    const auto client = der_oid("1.3.6.1.5.5.7.3.2");
    const auto server = der_oid("1.3.6.1.5.5.7.3.1");
    const auto usages =
        options.hosts.empty() ? der_encode(kDerSequence, {client}) : der_encode(kDerSequence, {client, server});
    Bytes extensions = encode_extension("2.5.29.19", true, der_encode(kDerSequence, {}));  // no authority
    if (options.encryption) {
        append(extensions, key_usage(key->algo_name() == "RSA" ? kUsageKeyEncipherment : kUsageKeyAgreement));
    } else {
        append(extensions, key_usage(kUsageDigitalSignature));
        append(extensions, encode_extension("2.5.29.37", false, usages));
    }
    append(extensions, subject_key_identifier(public_key));
    if (!certificate_.subject_key_identifier().empty()) {
        append(extensions, authority_key_identifier(certificate_.subject_key_identifier()));
    }
    if (!options.hosts.empty()) {
        append(extensions, encode_alternative_names(options.hosts));
    }
    return sign_certificate(key_, certificate_.subject_name(), encode_name(subject), public_key, options.not_before,
                            options.not_after, extensions);
} catch (const std::exception&) {
    return Errc::key_malformed;
}

Result<Bytes> CertificateAuthority::revocation_list(const std::vector<Revoked>& revoked, UtcSeconds this_update,
                                                    UtcSeconds next_update, std::uint64_t number) const {
    Bytes entries;
    for (const auto& entry : revoked) {
        append(entries,
               der_encode(kDerSequence, {der_encode(kDerInteger, {entry.serial}), der_encode_time(entry.time)}));
    }
    Bytes extensions;
    if (!certificate_.subject_key_identifier().empty()) {
        append(extensions, authority_key_identifier(certificate_.subject_key_identifier()));
    }
    append(extensions, encode_extension("2.5.29.20", false, der_integer(number)));
    // An empty list of entries is left out altogether (RFC 5280 section 5.1.2.6).
    const auto list = entries.empty() ? Bytes{} : der_encode(kDerSequence, {entries});
    const auto body =
        der_encode(kDerSequence, {der_integer(1), encode_signature_algorithm(key_.kind()), certificate_.subject_name(),
                                  der_encode_time(this_update), der_encode_time(next_update), list,
                                  der_encode(der_context(0), {der_encode(kDerSequence, {extensions})})});
    return encode_signed(key_, body);
}

// One head line, then one line a certificate: serial, digest, end of validity, revocation or "-", name.
Result<IssuedIndex> IssuedIndex::parse(std::string_view text) {
    IssuedIndex index;
    bool head = true;
    while (!text.empty()) {
        const auto end = text.find('\n');
        if (end == std::string_view::npos) {
            return Errc::index_malformed;
        }
        auto line = text.substr(0, end);
        text.remove_prefix(end + 1);
        if (head) {
            if (!line.starts_with(kIndexHead) ||
                !read_number(line.substr(kIndexHead.size()), index.revocation_list_number)) {
                return Errc::index_malformed;
            }
            head = false;
            continue;
        }
        Entry entry;
        auto serial = from_hex(take_field(line));
        const auto digest = from_hex(take_field(line));
        std::int64_t not_after = 0;
        std::int64_t time = 0;
        const bool dated = read_number(take_field(line), not_after);
        const auto revoked = take_field(line);
        if (!serial || serial->empty() || !digest || digest->size() != entry.digest.size() || !dated ||
            (revoked != "-" && !read_number(revoked, time))) {
            return Errc::index_malformed;
        }
        entry.serial = std::move(*serial);
        std::ranges::copy(*digest, entry.digest.begin());
        entry.not_after = UtcSeconds(std::chrono::seconds(not_after));
        if (revoked != "-") {
            entry.revoked = UtcSeconds(std::chrono::seconds(time));
        }
        entry.subject = line;
        index.entries.push_back(std::move(entry));
    }
    if (head) {
        return Errc::index_malformed;
    }
    return index;
}

std::string IssuedIndex::format() const {
    auto text = std::string(kIndexHead) + std::to_string(revocation_list_number) + "\n";
    for (const auto& entry : entries) {
        text += to_hex(entry.serial) + "\t" + to_hex(entry.digest) + "\t" +
                std::to_string(entry.not_after.time_since_epoch().count()) + "\t" +
                (entry.revoked ? std::to_string(entry.revoked->time_since_epoch().count()) : "-") + "\t" +
                entry.subject + "\n";
    }
    return text;
}

void IssuedIndex::add(const Certificate& certificate) {
    auto name = certificate.subject().common_name;
    std::ranges::replace_if(
        name, [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
    entries.push_back(
        {certificate.serial(), certificate.digest(), certificate.not_after(), std::nullopt, std::move(name)});
}

bool IssuedIndex::revoke(ByteView serial, UtcSeconds time) {
    for (auto& entry : entries) {
        if (std::ranges::equal(entry.serial, serial)) {
            if (!entry.revoked) {
                entry.revoked = time;
            }
            return true;
        }
    }
    return false;
}

std::vector<CertificateAuthority::Revoked> IssuedIndex::revoked() const {
    std::vector<CertificateAuthority::Revoked> list;
    for (const auto& entry : entries) {
        if (entry.revoked) {
            list.push_back({entry.serial, *entry.revoked});
        }
    }
    return list;
}

}  // namespace xinfu::crypto
