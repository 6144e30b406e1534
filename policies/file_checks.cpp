#include "policies/file_checks.hpp"

#include <algorithm>
#include <string>
#include <string_view>

namespace xinfu::policies {
namespace {

constexpr std::size_t kValuesFirst = 1024;
constexpr unsigned kLineBits = 40;
constexpr std::uint64_t kLineMax = (std::uint64_t{1} << kLineBits) - 1;

// FNV-1a (RFC draft-eastlake-fnv), 64 bits, and MurmurHash3's finaliser, without which its low bits are poor.
class ShortDigest {
public:
    void add(unsigned char octet) { state_ = (state_ ^ octet) * 0x100000001B3; }
    // Blanks and full-width forms of ASCII make no other name: 示例（甲） and 示例(甲) are one.
    void add_folded(std::string_view text) {
        for (std::size_t at = 0; at < text.size(); ++at) {
            const auto octet = static_cast<unsigned char>(text[at]);
            const auto second = at + 2 < text.size() ? static_cast<unsigned char>(text[at + 1]) : 0;
            const auto third = at + 2 < text.size() ? static_cast<unsigned char>(text[at + 2]) : 0;
            if (octet == ' ' || octet == '\t') {
                continue;
            }
            if (octet == 0xE3 && second == 0x80 && third == 0x80) {  // U+3000
                at += 2;
            } else if (octet == 0xEF && second == 0xBC && third >= 0x81) {  // U+FF01 to U+FF3F
                add(static_cast<unsigned char>(third - 0x60));
                at += 2;
            } else if (octet == 0xEF && second == 0xBD && third >= 0x80 && third <= 0x9E) {  // U+FF40 to U+FF5E
                add(static_cast<unsigned char>(third - 0x20));
                at += 2;
            } else {
                add(octet);
            }
        }
        add(0);  // no text contains it
    }
    std::uint64_t finish() const {
        std::uint64_t digest = state_;
        digest = (digest ^ digest >> 33) * 0xFF51AFD7ED558CCD;
        digest = (digest ^ digest >> 33) * 0xC4CEB9FE1A85EC53;
        return digest ^ digest >> 33;
    }

private:
    std::uint64_t state_ = 0xCBF29CE484222325;
};

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

void FileChecks::compare(const Catalog& catalog, std::uint64_t line, CheckedRecord& checked) {
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
            ShortDigest key;
            key.add(static_cast<unsigned char>(i));
            key.add(static_cast<unsigned char>(i >> 8));
            key.add(static_cast<unsigned char>(field));
            key.add(static_cast<unsigned char>(field >> 8));
            key.add_folded(checked.values[check.other]);
            if (check.within != kNoField) {
                key.add_folded(checked.values[check.within]);
            }
            ShortDigest value;
            value.add_folded(checked.values[field]);
            const auto other_line = exchange(std::max<std::uint64_t>(key.finish(), 1), value.finish(), line);
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
