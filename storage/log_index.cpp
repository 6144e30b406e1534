#include "storage/log_index.hpp"

#include <algorithm>
#include <bitset>
#include <cassert>
#include <unordered_map>
#include <utility>

#include <boost/endian/conversion.hpp>

#include "crypto/canonical_json.hpp"
#include "crypto/digest.hpp"
#include "storage/error.hpp"
#include "storage/leaf_text.hpp"
#include "storage/log_rows.hpp"

namespace xinfu::storage {
namespace {

// A row: version, then its terms ascending: 7 octets of digest (the first of 8 is in the row's key), number of
// leaves (u16 BE), and their places in the segment: u16 BE each, or, for more than 256, one bit each.
constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kDigestSize = 7;
constexpr std::size_t kHeadSize = kDigestSize + 2;
constexpr std::size_t kListedMax = 256;
constexpr std::size_t kBitmapSize = LogIndex::kSegmentLeaves / 8;

using Places = std::bitset<LogIndex::kSegmentLeaves>;
using TermDigest = std::uint64_t;

std::string_view name_of(LogField field) {
    switch (field) {
        case LogField::subject: return "subject";
        case LogField::actor: return "actor";
        case LogField::unit: return "unit";
        case LogField::role: return "role";
        case LogField::action: return "action";
        case LogField::result: return "result";
        case LogField::catalog: return "catalog";
        case LogField::object: return "object";
        case LogField::approval: return "approval";
    }
    return {};
}

// The digest of a field and its value; those met before are kept.
class TermDigests {
public:
    explicit TermDigests(ByteView key) : key_(key) {}

    TermDigest of(LogField field, std::string_view value) {
        std::string message = "log-term";
        message.push_back('\0');
        message += name_of(field);
        message.push_back('\0');
        message += value;
        const auto [found, added] = known_.try_emplace(std::move(message), 0);
        if (added) {
            found->second = boost::endian::load_big_u64(key_.of(as_bytes(found->first)).data());
        }
        return found->second;
    }

private:
    crypto::HmacSha256 key_;
    std::unordered_map<std::string, TermDigest> known_;
};

using RowKey = std::array<std::uint8_t, 9>;  // first octet of the terms' digests, segment (u64 BE)
RowKey row_key(std::size_t bucket, std::uint64_t segment) {
    RowKey key;
    key[0] = static_cast<std::uint8_t>(bucket);
    boost::endian::store_big_u64(key.data() + 1, segment);
    return key;
}

constexpr std::size_t bucket_of(TermDigest digest) {
    return static_cast<std::size_t>(digest >> 56);
}
constexpr TermDigest kInBucket = (TermDigest{1} << 56) - 1;

TermDigest load_digest(const std::uint8_t* at) {
    return (TermDigest{boost::endian::load_big_u24(at)} << 32) | boost::endian::load_big_u32(at + 3);
}

void append_number(Bytes& row, std::uint64_t number, std::size_t octets) {
    for (std::size_t i = octets; i > 0; --i) {
        row.push_back(static_cast<std::uint8_t>(number >> (8 * (i - 1))));
    }
}

// Calls `take(field, value)` for each term that a leaf has.
template <class Take>
void visit_terms(const LeafText& leaf, const LeafNotes& notes, const Take& take) {
    constexpr std::pair<LogField, std::string_view> kMembers[] = {
        {LogField::actor, "principal"},       {LogField::unit, "unit"},         {LogField::role, "role"},
        {LogField::action, "action"},         {LogField::result, "result"},     {LogField::result, "code"},
        {LogField::catalog, "catalog"},       {LogField::object, "object.id"},  {LogField::object, "object.digest"},
        {LogField::object, "object.content"}, {LogField::approval, "approval"},
    };
    for (const auto& [field, member] : kMembers) {
        if (const auto value = leaf[member]; !value.empty()) {
            take(field, value);
        }
    }
    if (leaf["object.type"] == "request" && !leaf["object.id"].empty()) {
        take(LogField::approval, leaf["object.id"]);
    }
    if (!notes.subject.empty()) {
        take(LogField::subject, std::string_view(notes.subject));
    }
}

bool has_terms(const LeafText& leaf, const LeafNotes& notes, const std::vector<LogTerm>& terms) {
    return std::ranges::all_of(terms, [&](const LogTerm& term) {
        bool found = false;
        visit_terms(leaf, notes, [&](LogField field, std::string_view value) {
            found = found || (field == term.field && value == term.value);
        });
        return found;
    });
}

enum class RowState { usable, unusable };
enum class Proposal { made, unknown };

// Keeps of `places` those that have the term. Unusable: not a whole row of this version.
RowState keep_places(ByteView row, TermDigest wanted, Places& places) {
    wanted &= kInBucket;
    if (row.empty() || row.front() != kVersion) {
        return RowState::unusable;
    }
    std::size_t at = 1;
    while (at < row.size()) {
        if (row.size() - at < kHeadSize) {
            return RowState::unusable;
        }
        const TermDigest digest = load_digest(row.data() + at);
        const std::size_t count = boost::endian::load_big_u16(row.data() + at + kDigestSize);
        at += kHeadSize;
        const std::size_t size = count > kListedMax ? kBitmapSize : count * 2;
        if (row.size() - at < size || count > LogIndex::kSegmentLeaves) {
            return RowState::unusable;
        }
        if (digest > wanted) {
            break;
        }
        if (digest == wanted) {
            Places having;
            for (std::size_t i = 0; i < size; ++i) {
                if (count > kListedMax) {
                    for (std::size_t bit = 0; bit < 8; ++bit) {
                        having[i * 8 + bit] = (row[at + i] >> bit & 1u) != 0;
                    }
                } else if (i % 2 == 0) {
                    const std::size_t place = boost::endian::load_big_u16(row.data() + at + i);
                    if (place >= LogIndex::kSegmentLeaves) {
                        return RowState::unusable;
                    }
                    having.set(place);
                }
            }
            places &= having;
            return RowState::usable;
        }
        at += size;
    }
    places.reset();
    return RowState::usable;
}

Result<Bytes> entry_at(const ReadTransaction& transaction, std::uint64_t index) {
    auto entry = transaction.get(Table::log_entries, index_key(index));
    if (!entry) {
        return entry.error();
    }
    if (!*entry) {
        return Errc::corrupt;  // leaves have no gaps
    }
    return std::move(**entry);
}

// The first leaf, of `size`, whose time is not before `time` (or, with `after`, is after it): leaf time never
// decreases.
Result<std::uint64_t> first_at(const ReadTransaction& transaction, std::uint64_t size, Milliseconds time, bool after) {
    const std::string wanted = format_time(time);  // of one width, so that its order is that of time
    std::uint64_t low = 0;
    std::uint64_t high = size;
    while (low < high) {
        const std::uint64_t middle = low + (high - low) / 2;
        const auto entry = entry_at(transaction, middle);
        if (!entry) {
            return entry.error();
        }
        const auto leaf = LeafText::read(*entry);
        if (!leaf) {
            return Errc::corrupt;
        }
        const bool before = after ? (*leaf)["time"] <= wanted : (*leaf)["time"] < wanted;
        (before ? low : high) = before ? middle + 1 : middle;
    }
    return low;
}

// One search, from the newest leaf backwards.
class Walk {
public:
    Walk(const ReadTransaction& transaction, ByteView key, const LogQuery& query, const LogIndex::Bounds& bounds)
        : transaction_(transaction), query_(query), bounds_(bounds) {
        TermDigests digests(key);
        for (const LogTerm& term : query.terms) {
            digests_.push_back(digests.of(term.field, term.value));
            // A subject is not in the leaf's own bytes, but that there was one is.
            auto& needle = needles_.emplace_back(term.field == LogField::subject ? "\"subject\":" : "");
            if (needle.empty()) {
                crypto::append_json_string(needle, term.value);
            }
        }
    }

    Result<LogPage> run() {
        const auto size = log_size(transaction_);
        if (!size) {
            return size.error();
        }
        std::uint64_t low = 0;
        std::uint64_t end = std::min(*size, query_.before);
        if (query_.from) {
            const auto first = first_at(transaction_, *size, *query_.from, false);
            if (!first) {
                return first.error();
            }
            low = *first;
        }
        if (query_.until) {
            const auto last = first_at(transaction_, *size, *query_.until, true);
            if (!last) {
                return last.error();
            }
            end = std::min(end, *last);
        }
        while (end > low && !full_) {
            const std::uint64_t segment = (end - 1) / LogIndex::kSegmentLeaves;
            const std::uint64_t first = segment * LogIndex::kSegmentLeaves;
            const std::uint64_t begin = std::max(low, first);
            if (segments_ >= bounds_.segments || leaves_ >= bounds_.leaves) {
                page_.next = end;
                return std::move(page_);
            }
            Places places;
            places.set();
            const bool whole = first + LogIndex::kSegmentLeaves <= *size;
            const auto proposed =
                whole && !query_.terms.empty() ? propose(segment, places) : Result<Proposal>(Proposal::unknown);
            if (!proposed) {
                return proposed.error();
            }
            const auto read =
                *proposed == Proposal::made ? read_proposed(first, begin, end, places) : read_all(begin, end);
            if (!read) {
                return read.error();
            }
            if (!full_) {
                end = begin;
            }
        }
        if (full_ && page_.found.back().index > low) {
            page_.next = page_.found.back().index;
        }
        return std::move(page_);
    }

private:
    // Unknown: the index has nothing, or nothing whole, of this segment.
    Result<Proposal> propose(std::uint64_t segment, Places& places) {
        for (const TermDigest digest : digests_) {
            const auto row = transaction_.get(Table::log_index, row_key(bucket_of(digest), segment));
            if (!row && row.error() != Errc::corrupt) {
                return row.error();
            }
            if (!row || !*row || keep_places(**row, digest, places) == RowState::unusable) {
                page_.unindexed.push_back(segment);
                return Proposal::unknown;
            }
            if (places.none()) {
                break;
            }
        }
        ++segments_;
        return Proposal::made;
    }

    Result<void> read_proposed(std::uint64_t first, std::uint64_t begin, std::uint64_t end, const Places& places) {
        for (std::uint64_t index = end; index > begin && !full_ && places.any(); --index) {
            if (!places[static_cast<std::size_t>(index - 1 - first)]) {
                continue;
            }
            auto entry = entry_at(transaction_, index - 1);
            if (!entry) {
                return entry.error();
            }
            if (const auto taken = look_at(index - 1, *entry); !taken) {
                return taken;
            }
        }
        return {};
    }

    Result<void> read_all(std::uint64_t begin, std::uint64_t end) {
        std::uint64_t index = end;
        Result<void> looked;
        const auto visited = transaction_.visit(
            Table::log_entries, {}, index_key(end - 1),
            [&](ByteView key, ByteView entry) {
                ++leaves_;
                if (parse_index_key(key) + 1 != index) {
                    looked = Errc::corrupt;
                    return false;
                }
                --index;
                looked = look_at(index, entry);
                return looked && !full_ && index > begin;
            },
            true);
        if (!visited) {
            return visited;
        }
        if (looked && !full_ && index != begin) {
            return Errc::corrupt;
        }
        return looked;
    }

    Result<void> look_at(std::uint64_t index, ByteView entry) {
        const std::string_view text = as_text(entry);
        for (const std::string& needle : needles_) {
            if (text.find(needle) == std::string_view::npos) {
                return {};
            }
        }
        const auto leaf = LeafText::read(entry);
        if (!leaf) {
            return Errc::corrupt;
        }
        auto notes = read_leaf_notes(transaction_, index);
        if (!notes) {
            return notes.error();
        }
        if (!has_terms(*leaf, *notes, query_.terms)) {
            return {};
        }
        bytes_ += entry.size() + notes->name.size() + notes->purpose.size() + notes->detail.size();
        page_.found.push_back({index, Bytes(entry.begin(), entry.end()), std::move(*notes)});
        full_ = page_.found.size() >= query_.limit || bytes_ >= bounds_.bytes;
        return {};
    }

    const ReadTransaction& transaction_;
    const LogQuery& query_;
    const LogIndex::Bounds& bounds_;
    std::vector<TermDigest> digests_;
    std::vector<std::string> needles_;
    LogPage page_;
    std::uint64_t segments_ = 0;
    std::uint64_t leaves_ = 0;
    std::uint64_t bytes_ = 0;
    bool full_ = false;
};

}  // namespace

Result<std::uint64_t> log_size(const ReadTransaction& transaction) {
    const auto row = transaction.get(Table::meta, as_bytes(kLogStateKey));
    if (!row) {
        return row.error();
    }
    if (!*row) {
        return std::uint64_t{0};
    }
    const auto state = parse_log_state(**row);
    return state ? Result<std::uint64_t>(state->size) : Result<std::uint64_t>(Errc::corrupt);
}

Result<LogIndex::Rows> LogIndex::make_rows(const ReadTransaction& transaction, std::uint64_t segment) const {
    TermDigests digests(key_);
    std::array<std::vector<std::pair<TermDigest, std::uint16_t>>, kBuckets> terms;
    const std::uint64_t first = segment * kSegmentLeaves;
    std::uint64_t next = first;
    Result<void> looked;
    const auto visited = transaction.visit(Table::log_entries, {}, index_key(first), [&](ByteView key, ByteView entry) {
        const auto leaf = LeafText::read(entry);
        if (!leaf || parse_index_key(key) != next) {
            looked = Errc::corrupt;
            return false;
        }
        LeafNotes notes;
        if (!(*leaf)["subject"].empty()) {
            auto read = read_leaf_notes(transaction, next);
            if (!read) {
                looked = read.error();
                return false;
            }
            notes = std::move(*read);
        }
        const auto place = static_cast<std::uint16_t>(next - first);
        visit_terms(*leaf, notes, [&](LogField field, std::string_view value) {
            const TermDigest digest = digests.of(field, value);
            terms[bucket_of(digest)].emplace_back(digest & kInBucket, place);
        });
        return ++next < first + kSegmentLeaves;
    });
    if (!visited) {
        return visited.error();
    }
    if (!looked) {
        return looked.error();
    }
    if (next != first + kSegmentLeaves) {
        return Errc::corrupt;
    }
    Rows rows;
    for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) {
        auto& own = terms[bucket];
        std::ranges::sort(own);
        own.erase(std::unique(own.begin(), own.end()), own.end());  // an id and a digest may be the same text
        Bytes& row = rows[bucket];
        row.push_back(kVersion);
        for (auto from = own.begin(); from != own.end();) {
            const TermDigest digest = from->first;
            const auto to = std::find_if(from, own.end(), [digest](const auto& one) { return one.first != digest; });
            const auto count = static_cast<std::size_t>(to - from);
            append_number(row, digest, kDigestSize);
            append_number(row, count, 2);
            if (count > kListedMax) {
                const std::size_t at = row.size();
                row.resize(at + kBitmapSize);
                std::for_each(from, to, [&row, at](const auto& one) {
                    row[at + one.second / 8] |= static_cast<std::uint8_t>(1u << (one.second % 8));
                });
            } else {
                std::for_each(from, to, [&row](const auto& one) { append_number(row, one.second, 2); });
            }
            from = to;
        }
    }
    return rows;
}

Result<void> LogIndex::put(WriteTransaction& transaction, std::uint64_t segment, const Rows& rows) {
    for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) {
        assert(!rows[bucket].empty());
        if (const auto put = transaction.put(Table::log_index, row_key(bucket, segment), rows[bucket]); !put) {
            return put;
        }
    }
    return {};
}

Result<std::vector<std::uint64_t>> LogIndex::missing(const ReadTransaction& transaction) {
    const auto size = log_size(transaction);
    if (!size) {
        return size.error();
    }
    const std::uint64_t whole = *size / kSegmentLeaves;
    std::vector<std::uint64_t> missing;
    for (std::uint64_t segment = 0; segment < whole; ++segment) {
        const auto row = transaction.get(Table::log_index, row_key(0, segment));
        if (!row && row.error() != Errc::corrupt) {
            return row.error();
        }
        if (!row || !*row || (*row)->empty() || (*row)->front() != kVersion) {
            missing.push_back(segment);
        }
    }
    return missing;
}

Result<LogPage> LogIndex::search(const ReadTransaction& transaction, const LogQuery& query,
                                 const Bounds& bounds) const {
    assert(query.limit > 0);
    return Walk(transaction, key_, query, bounds).run();
}

}  // namespace xinfu::storage
