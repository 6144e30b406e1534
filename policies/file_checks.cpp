#include "policies/file_checks.hpp"

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>

namespace xinfu::policies {
namespace {

constexpr std::size_t kValuesFirst = 1024;
constexpr unsigned kLineBits = 40;
constexpr std::uint64_t kLineMax = (std::uint64_t{1} << kLineBits) - 1;

// MurmurHash3's 64-bit finaliser.
std::uint64_t mix(std::uint64_t state) {
    state = (state ^ state >> 33) * 0xFF51AFD7ED558CCD;
    state = (state ^ state >> 33) * 0xC4CEB9FE1A85EC53;
    return state ^ state >> 33;
}

std::uint64_t digest_of(std::string_view text) {
    std::uint64_t state = text.size();
    while (!text.empty()) {
        std::uint64_t word = 0;
        const auto size = std::min(text.size(), sizeof word);
        std::memcpy(&word, text.data(), size);
        state = mix(state ^ word);
        text.remove_prefix(size);
    }
    return state;
}

// May contain a blank or a full-width form. A loop the compiler turns into vector code.
bool may_fold(std::string_view text) {
    bool may = false;
    for (const char c : text) {
        const auto octet = static_cast<unsigned char>(c);
        may |= (octet == ' ') | (octet == '\t') | (octet == 0xE3) | (octet == 0xEF);
    }
    return may;
}

// Blanks and full-width forms of ASCII make no other name: 示例（甲） and 示例(甲) are one.
std::string folded(std::string_view text) {
    std::string out;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const auto octet = [text](std::size_t place) {
            return place < text.size() ? static_cast<unsigned char>(text[place]) : 0;
        };
        const auto first = octet(at);
        const auto second = octet(at + 1);
        const auto third = octet(at + 2);
        if (first == ' ' || first == '\t') {
            continue;
        }
        if (first == 0xE3 && second == 0x80 && third == 0x80) {  // U+3000
            at += 2;
        } else if (first == 0xEF && second == 0xBC && third >= 0x81) {  // U+FF01 to U+FF3F
            out += static_cast<char>(third - 0x60);
            at += 2;
        } else if (first == 0xEF && second == 0xBD && third >= 0x80 && third <= 0x9E) {  // U+FF40 to U+FF5E
            out += static_cast<char>(third - 0x20);
            at += 2;
        } else {
            out += text[at];
        }
    }
    return out;
}

}  // namespace

void FileChecks::grow() {
    std::vector<Remembered> smaller(std::max(kValuesFirst, 2 * table_.size()));
    smaller.swap(table_);
    // The sets of the smaller table fall into two each, so none of them overflows; from the back, to keep the order.
    for (std::size_t at = smaller.size(); at-- > 0;) {
        if (smaller[at].key != 0) {
            auto* set = set_of(smaller[at].key);
            std::move_backward(set, set + kSetSize - 1, set + kSetSize);
            *set = smaller[at];
        }
    }
}

std::uint64_t FileChecks::exchange(std::uint64_t key, std::uint64_t value, std::uint64_t line) {
    if (table_.empty()) {
        grow();
    }
    const Remembered latest{key, value << kLineBits | std::min(line, kLineMax)};
    const auto place = [&](Remembered* set) {
        return std::find_if(set, set + kSetSize, [key](const Remembered& entry) { return entry.key == key; });
    };
    auto* set = set_of(key);
    auto* found = place(set);
    std::uint64_t other_line = 0;
    if (found != set + kSetSize) {
        other_line =
            found->value_line >> kLineBits == latest.value_line >> kLineBits ? 0 : found->value_line & kLineMax;
    } else {
        while (set[kSetSize - 1].key != 0 && table_.size() < kValuesMax) {
            grow();
            set = set_of(key);
        }
        found = set + kSetSize - 1;  // empty, or what was not met for longest
    }
    std::move_backward(set, found, found + 1);
    *set = latest;
    return other_line;
}

std::uint64_t FileChecks::digest(const CheckedRecord& checked, std::size_t field) {
    const auto known = std::ranges::find(digests_, field, &std::pair<std::size_t, std::uint64_t>::first);
    if (known != digests_.end()) {
        return known->second;
    }
    const auto text = checked.values[field];
    return digests_.emplace_back(field, may_fold(text) ? digest_of(folded(text)) : digest_of(text)).second;
}

void FileChecks::compare(const Catalog& catalog, std::uint64_t line, CheckedRecord& checked) {
    digests_.clear();
    for (std::size_t i = 0; i < catalog.checks.size(); ++i) {
        const auto& check = catalog.checks[i];
        if (check.kind != Check::Kind::determined_by) {
            continue;
        }
        const auto usable = [&](std::size_t field) {
            return !checked.values[field].empty() && checked.wrong[field] == 0;
        };
        if (!usable(check.other) || (check.within != kNoField && !usable(check.within))) {
            continue;
        }
        for (const auto field : check.fields) {
            if (!usable(field)) {
                continue;
            }
            auto key = mix(digest(checked, check.other) ^ (i << 32 | field));
            if (check.within != kNoField) {
                key = mix(key ^ digest(checked, check.within));
            }
            const auto other_line = exchange(std::max<std::uint64_t>(key, 1), digest(checked, field), line);
            if (other_line == 0) {
                continue;
            }
            Finding finding;
            finding.field = field;
            finding.code = check.code;
            finding.severity = check.severity;
            finding.arguments = {std::to_string(other_line)};
            finding.raw = checked.values[field];
            checked.findings.push_back(std::move(finding));
            (check.severity == Severity::error ? checked.defective : checked.warned) = true;
        }
    }
}

}  // namespace xinfu::policies
