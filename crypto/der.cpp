#include "crypto/der.hpp"

#include <algorithm>
#include <cassert>
#include <cstdio>

namespace xinfu::crypto {

std::optional<DerElement> DerReader::next() {
    if (rest_.size() < 2 || (rest_[0] & 0x1f) == 0x1f) {
        return std::nullopt;
    }
    std::uint64_t length = rest_[1];
    std::size_t header = 2;
    if (length >= 0x80) {
        const std::size_t octets = length & 0x7f;
        if (octets == 0 || octets > 8 || rest_.size() < 2 + octets || rest_[2] == 0) {
            return std::nullopt;
        }
        length = 0;
        for (std::size_t i = 0; i < octets; ++i) {
            length = length << 8 | rest_[2 + i];
        }
        if (length < 0x80) {
            return std::nullopt;
        }
        header += octets;
    }
    if (length > rest_.size() - header) {
        return std::nullopt;
    }
    const auto whole = rest_.first(header + static_cast<std::size_t>(length));
    const DerElement element{rest_[0], whole.subspan(header), whole};
    rest_ = rest_.subspan(whole.size());
    return element;
}

std::optional<DerElement> DerReader::next(std::uint8_t tag) {
    if (!at(tag)) {
        return std::nullopt;
    }
    return next();
}

std::optional<DerElement> der_single(ByteView bytes, std::uint8_t tag) {
    DerReader reader(bytes);
    const auto element = reader.next(tag);
    if (!element || !reader.empty()) {
        return std::nullopt;
    }
    return element;
}

namespace {

bool contents_are_der(const DerElement& element, int depth) {
    if ((element.tag & 0x20) == 0) {
        return true;
    }
    if (depth >= kDerDepthMax) {
        return false;
    }
    DerReader reader(element.contents);
    while (!reader.empty()) {
        const auto child = reader.next();
        if (!child || !contents_are_der(*child, depth + 1)) {
            return false;
        }
    }
    return true;
}

bool is_digits(ByteView text) {
    return std::ranges::all_of(text, [](std::uint8_t c) { return c >= '0' && c <= '9'; });
}

int two_digits(ByteView text, std::size_t at) {
    return (text[at] - '0') * 10 + (text[at + 1] - '0');
}

}  // namespace

bool is_der(ByteView bytes) {
    DerReader reader(bytes);
    const auto element = reader.next();
    return element && reader.empty() && contents_are_der(*element, 0);
}

std::optional<std::string> oid_to_text(ByteView contents) {
    if (contents.empty() || contents.size() > 64 || (contents.back() & 0x80) != 0) {
        return std::nullopt;
    }
    std::string text;
    std::uint64_t arc = 0;
    bool arc_begins = true;
    for (const auto octet : contents) {
        if ((arc_begins && octet == 0x80) || arc >> 56 != 0) {
            return std::nullopt;  // padded, or beyond any arc in use
        }
        arc = arc << 7 | (octet & 0x7f);
        arc_begins = (octet & 0x80) == 0;
        if (!arc_begins) {
            continue;
        }
        if (text.empty()) {
            const std::uint64_t first = std::min<std::uint64_t>(arc / 40, 2);
            text = std::to_string(first) + "." + std::to_string(arc - first * 40);
        } else {
            text += "." + std::to_string(arc);
        }
        arc = 0;
    }
    return text;
}

std::optional<UtcSeconds> der_time(const DerElement& element) {
    const auto text = element.contents;
    int year = 0;
    std::size_t at = 0;
    if (element.tag == kDerUtcTime && text.size() == 13 && is_digits(text.first(12)) && text[12] == 'Z') {
        year = two_digits(text, 0);
        year += year < 50 ? 2000 : 1900;
        at = 2;
    } else if (element.tag == kDerGeneralizedTime && text.size() == 15 && is_digits(text.first(14)) &&
               text[14] == 'Z') {
        year = two_digits(text, 0) * 100 + two_digits(text, 2);
        at = 4;
    } else {
        return std::nullopt;
    }
    const auto month = static_cast<unsigned>(two_digits(text, at));
    const auto day = static_cast<unsigned>(two_digits(text, at + 2));
    const int hour = two_digits(text, at + 4);
    const int minute = two_digits(text, at + 6);
    const int second = two_digits(text, at + 8);
    const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month), std::chrono::day(day)};
    if (!date.ok() || hour > 23 || minute > 59 || second > 59) {
        return std::nullopt;
    }
    return std::chrono::sys_days(date) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
           std::chrono::seconds(second);
}

std::optional<std::uint64_t> der_number(const DerElement& element) {
    const auto octets = element.contents;
    if (element.tag != kDerInteger || octets.empty() || octets.size() > 8 || (octets[0] & 0x80) != 0 ||
        (octets.size() > 1 && octets[0] == 0 && (octets[1] & 0x80) == 0)) {
        return std::nullopt;
    }
    std::uint64_t value = 0;
    for (const auto octet : octets) {
        value = value << 8 | octet;
    }
    return value;
}

bool AlgorithmIdentifier::parameters_absent_or_null() const {
    return parameters.empty() || (parameters.size() == 2 && parameters[0] == kDerNull && parameters[1] == 0);
}

std::optional<AlgorithmIdentifier> parse_algorithm(ByteView contents) {
    DerReader reader(contents);
    const auto oid = reader.next(kDerOid);
    if (!oid) {
        return std::nullopt;
    }
    auto text = oid_to_text(oid->contents);
    if (!text) {
        return std::nullopt;
    }
    AlgorithmIdentifier algorithm{std::move(*text), {}};
    if (!reader.empty()) {
        const auto parameters = reader.next();
        if (!parameters || !reader.empty() || !is_der(parameters->whole)) {
            return std::nullopt;
        }
        algorithm.parameters = parameters->whole;
    }
    return algorithm;
}

Bytes der_header(std::uint8_t tag, std::uint64_t length) {
    Bytes out{tag};
    if (length < 0x80) {
        out.push_back(static_cast<std::uint8_t>(length));
        return out;
    }
    int octets = 8;
    while (length >> (8 * (octets - 1)) == 0) {
        --octets;
    }
    out.push_back(static_cast<std::uint8_t>(0x80 | octets));
    for (int i = octets - 1; i >= 0; --i) {
        out.push_back(static_cast<std::uint8_t>(length >> (8 * i)));
    }
    return out;
}

Bytes der_encode(std::uint8_t tag, std::initializer_list<ByteView> parts) {
    std::size_t length = 0;
    for (const auto part : parts) {
        length += part.size();
    }
    auto out = der_header(tag, length);
    out.reserve(out.size() + length);
    for (const auto part : parts) {
        out.insert(out.end(), part.begin(), part.end());
    }
    return out;
}

Bytes der_oid(std::string_view dotted) {
    Bytes contents;
    std::uint64_t first = 0;
    std::size_t count = 0;
    while (!dotted.empty()) {
        std::uint64_t arc = 0;
        const auto end = std::min(dotted.find('.'), dotted.size());
        for (const char digit : dotted.substr(0, end)) {
            assert(digit >= '0' && digit <= '9');
            arc = arc * 10 + static_cast<std::uint64_t>(digit - '0');
        }
        dotted.remove_prefix(std::min(end + 1, dotted.size()));
        if (++count == 1) {
            first = arc;
            continue;
        }
        if (count == 2) {
            arc += first * 40;
        }
        int groups = 1;
        while (groups < 10 && arc >> (7 * groups) != 0) {
            ++groups;
        }
        for (int i = groups - 1; i >= 0; --i) {
            contents.push_back(static_cast<std::uint8_t>((arc >> (7 * i) & 0x7f) | (i > 0 ? 0x80 : 0)));
        }
    }
    assert(count >= 2);
    return der_encode(kDerOid, {contents});
}

Bytes der_integer(std::uint64_t value) {
    Bytes octets;
    for (int i = 7; i >= 0; --i) {
        const auto octet = static_cast<std::uint8_t>(value >> (8 * i));
        if (octets.empty() && octet == 0 && i > 0) {
            continue;
        }
        if (octets.empty() && (octet & 0x80) != 0) {
            octets.push_back(0);
        }
        octets.push_back(octet);
    }
    return der_encode(kDerInteger, {octets});
}

Bytes der_encode_time(UtcSeconds time) {
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss clock(time - day);
    const int year = static_cast<int>(date.year());
    char text[32];
    const bool utc_time = year >= 1950 && year < 2050;
    const int size =
        std::snprintf(text, sizeof text, utc_time ? "%02d%02u%02u%02d%02d%02dZ" : "%04d%02u%02u%02d%02d%02dZ",
                      utc_time ? year % 100 : year, static_cast<unsigned>(date.month()),
                      static_cast<unsigned>(date.day()), static_cast<int>(clock.hours().count()),
                      static_cast<int>(clock.minutes().count()), static_cast<int>(clock.seconds().count()));
    assert(size == (utc_time ? 13 : 15));
    return der_encode(utc_time ? kDerUtcTime : kDerGeneralizedTime,
                      {as_bytes(std::string_view(text, static_cast<std::size_t>(size)))});
}

}  // namespace xinfu::crypto
