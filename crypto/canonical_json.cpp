#include "crypto/canonical_json.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>

#include <boost/endian/conversion.hpp>

namespace xinfu::crypto {
namespace {

constexpr std::int64_t kIntegerMax = (std::int64_t{1} << 53) - 1;  // RFC 7493 section 2.2: exact in every reader

constexpr std::array<bool, 256> kEscaped = [] {
    std::array<bool, 256> escaped{};
    for (unsigned c = 0; c < 0x20; ++c) {
        escaped[c] = true;
    }
    escaped['"'] = true;
    escaped['\\'] = true;
    return escaped;
}();

// Whether any of eight bytes is a control character, a quotation mark or a backslash.
bool any_escaped(std::uint64_t word) {
    constexpr std::uint64_t kOnes = 0x0101010101010101;
    constexpr std::uint64_t kHighs = 0x8080808080808080;
    const auto has_zero = [](std::uint64_t w) { return (w - kOnes) & ~w & kHighs; };
    const std::uint64_t below_space = (word - kOnes * 0x20) & ~word & kHighs;
    return (below_space | has_zero(word ^ kOnes * '"') | has_zero(word ^ kOnes * '\\')) != 0;
}

// The first position from `from` on whose byte is written escaped; the size when there is none.
std::size_t find_escaped(std::string_view text, std::size_t from) {
    std::size_t i = from;
    for (; i + 8 <= text.size(); i += 8) {
        std::uint64_t word;
        std::memcpy(&word, text.data() + i, 8);
        if (any_escaped(word)) {
            break;
        }
    }
    while (i < text.size() && !kEscaped[static_cast<unsigned char>(text[i])]) {
        ++i;
    }
    return i;
}

void append_escape(std::string& out, char c) {
    static constexpr std::string_view kDigits = "0123456789abcdef";
    out.push_back('\\');
    switch (c) {
        case '\b': out.push_back('b'); return;
        case '\t': out.push_back('t'); return;
        case '\n': out.push_back('n'); return;
        case '\f': out.push_back('f'); return;
        case '\r': out.push_back('r'); return;
        case '"':
        case '\\': out.push_back(c); return;
        default: break;
    }
    const auto value = static_cast<unsigned char>(c);
    out += "u00";
    out.push_back(kDigits[value >> 4]);
    out.push_back(kDigits[value & 15]);
}

}  // namespace

bool is_utf8(std::string_view text) {
    const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    std::size_t i = 0;
    while (i < text.size()) {
        if (i + 8 <= text.size()) {
            std::uint64_t word;
            std::memcpy(&word, text.data() + i, 8);
            if ((word & 0x8080808080808080) == 0) {
                i += 8;
                continue;
            }
        }
        // Chinese text: one three-octet form behind the other, looked at whole.
        while (text.size() - i >= 4) {
            const auto four = boost::endian::load_little_u32(reinterpret_cast<const unsigned char*>(text.data() + i));
            if ((four & 0x00c0c0f0) != 0x008080e0) {
                break;
            }
            // E0 goes on with A0 or more; ED with less than A0, or it would be a surrogate (RFC 3629 section 4).
            const std::uint32_t low = four & 0x0000200f;
            if (low == 0 || low == 0x0000200d) {
                return false;
            }
            i += 3;
        }
        const unsigned char lead = at(i);
        if (lead < 0x80) {
            ++i;
            continue;
        }
        // RFC 3629 section 4: the second byte's range depends on the first.
        std::size_t length = 0;
        unsigned char low = 0x80;
        unsigned char high = 0xbf;
        if (lead >= 0xc2 && lead <= 0xdf) {
            length = 2;
        } else if (lead >= 0xe0 && lead <= 0xef) {
            length = 3;
            low = lead == 0xe0 ? 0xa0 : low;
            high = lead == 0xed ? 0x9f : high;
        } else if (lead >= 0xf0 && lead <= 0xf4) {
            length = 4;
            low = lead == 0xf0 ? 0x90 : low;
            high = lead == 0xf4 ? 0x8f : high;
        } else {
            return false;
        }
        if (text.size() - i < length || at(i + 1) < low || at(i + 1) > high) {
            return false;
        }
        for (std::size_t k = 2; k < length; ++k) {
            if ((at(i + k) & 0xc0) != 0x80) {
                return false;
            }
        }
        i += length;
    }
    return true;
}

void append_json_string(std::string& out, std::string_view text) {
    out.push_back('"');
    std::size_t done = 0;
    for (;;) {
        const std::size_t next = find_escaped(text, done);
        out.append(text, done, next - done);
        if (next == text.size()) {
            break;
        }
        append_escape(out, text[next]);
        done = next + 1;
    }
    out.push_back('"');
}

bool canonical_less(std::string_view a, std::string_view b) {
    // UTF-16 order is code point order, except that U+E000..U+FFFF come after everything beyond U+FFFF, whose
    // surrogates are D800..DFFF. In UTF-8 those begin with EE or EF, and what lies beyond with F0..F4.
    const auto [x, y] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
    if (x == a.end() || y == b.end()) {
        return x == a.end() && y != b.end();
    }
    const auto rank = [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte == 0xee || byte == 0xef ? byte + 0x10 : byte >= 0xf0 ? byte - 2 : +byte;
    };
    return rank(*x) < rank(*y);
}

JsonObject& JsonObject::raw(std::string_view key, std::string json) {
    members_.emplace_back(std::string(key), std::move(json));
    return *this;
}

JsonObject& JsonObject::text(std::string_view key, std::string_view value) {
    std::string json;
    append_json_string(json, value);
    return raw(key, std::move(json));
}

JsonObject& JsonObject::text_if(std::string_view key, std::string_view value) {
    return value.empty() ? *this : text(key, value);
}

JsonObject& JsonObject::number(std::string_view key, std::int64_t value) {
    assert(value >= -kIntegerMax && value <= kIntegerMax);
    return raw(key, std::to_string(value));
}

JsonObject& JsonObject::boolean(std::string_view key, bool value) {
    return raw(key, value ? "true" : "false");
}

JsonObject& JsonObject::object(std::string_view key, const JsonObject& value) {
    return raw(key, value.encode());
}

JsonObject& JsonObject::texts(std::string_view key, const std::vector<std::string>& values) {
    std::string json = "[";
    for (const std::string& value : values) {
        if (json.size() > 1) {
            json.push_back(',');
        }
        append_json_string(json, value);
    }
    json.push_back(']');
    return raw(key, std::move(json));
}

std::string JsonObject::encode() const {
    std::vector<const std::pair<std::string, std::string>*> ordered;
    ordered.reserve(members_.size());
    for (const auto& member : members_) {
        ordered.push_back(&member);
    }
    std::ranges::sort(ordered, [](const auto* a, const auto* b) { return canonical_less(a->first, b->first); });
    std::string out = "{";
    for (std::size_t i = 0; i < ordered.size(); ++i) {
        assert(i == 0 || ordered[i - 1]->first != ordered[i]->first);
        if (i != 0) {
            out.push_back(',');
        }
        append_json_string(out, ordered[i]->first);
        out.push_back(':');
        out += ordered[i]->second;
    }
    out.push_back('}');
    return out;
}

void append_canonical_record(std::string& out, std::span<const TextField> fields) {
    thread_local std::vector<const TextField*> ordered;
    ordered.clear();
    std::size_t size = 2;
    for (const TextField& field : fields) {
        if (!field.second.empty()) {
            ordered.push_back(&field);
            size += field.first.size() + field.second.size() + 6;
        }
    }
    const auto less = [](const TextField* a, const TextField* b) { return canonical_less(a->first, b->first); };
    if (!std::ranges::is_sorted(ordered, less)) {
        std::ranges::sort(ordered, less);
    }
    const std::size_t start = out.size();
    // resize() to exactly what is needed would grow a long `out` a little at a time.
    if (out.capacity() - start < size) {
        out.reserve(std::max(start + size, out.capacity() * 2));
    }
    // Nearly every record needs no escape: then its size is known, and the pieces are laid side by side.
    const bool plain = std::ranges::all_of(ordered, [](const TextField* field) {
        return find_escaped(field->first, 0) == field->first.size() &&
               find_escaped(field->second, 0) == field->second.size();
    });
    if (plain && !ordered.empty()) {
        out.resize(start + size - 1);  // one comma less than fields
        char* at = out.data() + start;
        const auto lay = [&at](std::string_view piece) {
            std::memcpy(at, piece.data(), piece.size());
            at += piece.size();
        };
        for (std::size_t i = 0; i < ordered.size(); ++i) {
            assert(i == 0 || ordered[i - 1]->first != ordered[i]->first);
            lay(i == 0 ? "{\"" : ",\"");
            lay(ordered[i]->first);
            lay("\":\"");
            lay(ordered[i]->second);
            lay("\"");
        }
        lay("}");
        assert(at == out.data() + out.size());
        return;
    }
    out.push_back('{');
    for (std::size_t i = 0; i < ordered.size(); ++i) {
        assert(i == 0 || ordered[i - 1]->first != ordered[i]->first);
        if (i != 0) {
            out.push_back(',');
        }
        append_json_string(out, ordered[i]->first);
        out.push_back(':');
        append_json_string(out, ordered[i]->second);
    }
    out.push_back('}');
}

}  // namespace xinfu::crypto
