// DER: a bounded reader of strict encodings and the few encodings that are written here.
//
// Sources: X.690 sections 8, 10 and 11: single-octet tags, definite minimal lengths.
// Threads: pure functions; a DerReader belongs to one thread at a time.
// Trust:   the input is hostile; nothing is copied and nothing recurses deeper than kDerDepthMax.
// Errors:  an empty optional for whatever is not in the one canonical form.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "crypto/bytes.hpp"
#include "crypto/utc.hpp"

namespace xinfu::crypto {

inline constexpr std::uint8_t kDerBoolean = 0x01;
inline constexpr std::uint8_t kDerInteger = 0x02;
inline constexpr std::uint8_t kDerBitString = 0x03;
inline constexpr std::uint8_t kDerOctetString = 0x04;
inline constexpr std::uint8_t kDerNull = 0x05;
inline constexpr std::uint8_t kDerOid = 0x06;
inline constexpr std::uint8_t kDerUtcTime = 0x17;
inline constexpr std::uint8_t kDerGeneralizedTime = 0x18;
inline constexpr std::uint8_t kDerSequence = 0x30;
inline constexpr std::uint8_t kDerSet = 0x31;
constexpr std::uint8_t der_context(unsigned number, bool constructed = true) {
    return static_cast<std::uint8_t>(0x80u | (constructed ? 0x20u : 0u) | number);
}

inline constexpr int kDerDepthMax = 24;

struct DerElement {
    std::uint8_t tag = 0;
    ByteView contents;
    ByteView whole;  // with tag and length
};

// The elements of a constructed value, one after the other. Views live as long as the bytes read.
class DerReader {
public:
    explicit DerReader(ByteView bytes) : rest_(bytes) {}
    bool empty() const { return rest_.empty(); }
    bool at(std::uint8_t tag) const { return !rest_.empty() && rest_.front() == tag; }
    std::optional<DerElement> next();
    std::optional<DerElement> next(std::uint8_t tag);  // empty when another tag, or nothing, follows

private:
    ByteView rest_;
};

// The one element that `bytes` is, nothing after it.
std::optional<DerElement> der_single(ByteView bytes, std::uint8_t tag);
// Whether `bytes` is one element whose lengths are definite and minimal all the way down.
bool is_der(ByteView bytes);

std::optional<std::string> oid_to_text(ByteView contents);      // dotted
std::optional<UtcSeconds> der_time(const DerElement& element);  // UTCTime or GeneralizedTime as RFC 5280 has them
// A non-negative INTEGER below 2^63 in minimal form.
std::optional<std::uint64_t> der_number(const DerElement& element);

// AlgorithmIdentifier. Parameters: DER, empty when absent.
struct AlgorithmIdentifier {
    std::string oid;
    ByteView parameters;
    bool parameters_absent_or_null() const;
};
std::optional<AlgorithmIdentifier> parse_algorithm(ByteView contents);  // of the SEQUENCE

// Writing.
Bytes der_header(std::uint8_t tag, std::uint64_t length);
Bytes der_encode(std::uint8_t tag, std::initializer_list<ByteView> parts);
Bytes der_oid(std::string_view dotted);  // precondition: a valid OID
Bytes der_integer(std::uint64_t value);
Bytes der_encode_time(UtcSeconds time);  // UTCTime until 2049, then GeneralizedTime (RFC 5280 section 4.1.2.5)

}  // namespace xinfu::crypto
