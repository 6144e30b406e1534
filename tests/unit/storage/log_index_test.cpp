#include "storage/log_index.hpp"

#include <algorithm>
#include <random>
#include <set>

#include "crypto/random.hpp"
#include "storage/log_rows.hpp"
#include "tests/unit/storage/fixture.hpp"

namespace xinfu::storage {
namespace {

using testing::ToldClock;

constexpr std::uint64_t kSegment = LogIndex::kSegmentLeaves;

struct Written {
    Leaf leaf;
    LeafNotes notes;
    Milliseconds time;
};

const Bytes kKey(32, 'k');

std::string word(std::string_view prefix, std::uint64_t number) {
    return std::string(prefix) + std::to_string(number);
}

// A log of two whole segments and a rest, and what is in it. Made once: no test changes its leaves.
class World {
public:
    World() : clock(std::make_shared<ToldClock>()), ledger(testing::make_ledger(directory.path(), clock)) {
        std::mt19937_64 random(7);
        while (written.size() < 2 * kSegment + 1000) {
            clock->time += 250;
            const auto size = std::min<std::size_t>(500, 2 * kSegment + 1000 - written.size());
            for (std::size_t i = 0; i < size; ++i) {
                written.push_back(make(random));
            }
            append(size);
        }
    }

    Written make(std::mt19937_64& random) {
        Written one;
        const auto some = [&random](std::uint64_t below) { return random() % below; };
        const std::uint64_t number = written.size();
        one.leaf.action = word("act", some(5) == 0 ? some(40) : some(3));
        one.leaf.result = some(4) == 0 ? "refused" : "done";
        one.leaf.code = one.leaf.result == "refused" ? word("XF-", 1000 + some(30)) : "";
        one.leaf.principal = word("p", some(200));
        one.leaf.unit = word("unit", some(10));
        one.leaf.role = word("role", some(3));
        one.leaf.catalog = some(2) == 0 ? "" : word("catalog", some(4));
        if (some(3) != 0) {
            one.leaf.object.type = some(5) == 0 ? "request" : "submission";
            one.leaf.object.id = word("id", some(3000));
            one.leaf.object.digest = crypto::sha256(index_key(number));
            one.leaf.object.content = crypto::sha256(index_key(some(2000)));
        }
        if (some(6) == 0) {
            one.leaf.approval = word("id", some(3000));
        }
        if (some(4) == 0) {
            one.notes.subject = word("subject", some(300));
            one.notes.purpose = "why \"" + one.leaf.principal + "\"";
        }
        one.leaf.reason = word("act", some(40));  // a value that stands in a field nobody asked for
        one.time = Milliseconds(std::chrono::milliseconds(clock->time.load()));
        return one;
    }

    // The last `count` of what is written, in one batch.
    void append(std::size_t count) {
        const auto done = testing::run(*ledger, [this, count](Batch& batch) -> Result<void> {
            for (std::size_t i = written.size() - count; i < written.size(); ++i) {
                EXPECT_EQ(writer.append(batch, written[i].leaf, written[i].notes), i);
            }
            return {};
        });
        ASSERT_TRUE(done) << done.error().message();
    }

    void index_segment(std::uint64_t segment) {
        const auto snapshot = ledger->engine().snapshot();
        auto rows = index.make_rows(**snapshot, segment);
        ASSERT_TRUE(rows) << rows.error().message();
        const auto put =
            testing::run(*ledger, [&](Batch& batch) { return LogIndex::put(batch.transaction(), segment, *rows); });
        ASSERT_TRUE(put) << put.error().message();
    }
    void index_all() {
        index_segment(0);
        index_segment(1);
    }
    void change_row(std::size_t bucket, std::uint64_t segment, const std::optional<Bytes>& value) {
        Bytes key(1, static_cast<std::uint8_t>(bucket));
        const auto number = index_key(segment);
        key.insert(key.end(), number.begin(), number.end());
        const auto put = testing::run(*ledger, [&](Batch& batch) {
            return value ? batch.transaction().put(Table::log_index, key, *value)
                         : batch.transaction().erase(Table::log_index, key);
        });
        ASSERT_TRUE(put);
    }

    LogPage page(const LogQuery& query, const LogIndex::Bounds& bounds = {}) {
        const auto snapshot = ledger->engine().snapshot();
        auto found = index.search(**snapshot, query, bounds);
        EXPECT_TRUE(found) << found.error().message();
        return found ? std::move(*found) : LogPage{};
    }
    std::vector<std::uint64_t> all(LogQuery query, const LogIndex::Bounds& bounds = {}) {
        std::vector<std::uint64_t> indices;
        for (int pages = 0; pages < 100'000; ++pages) {
            const auto one = page(query, bounds);
            for (const auto& found : one.found) {
                indices.push_back(found.index);
            }
            if (!one.next) {
                return indices;
            }
            EXPECT_LT(*one.next, query.before) << "a page that does not advance";
            query.before = *one.next;
        }
        ADD_FAILURE() << "pages without end";
        return indices;
    }

    // Word for word what the fields mean, by looking at everything.
    std::vector<std::uint64_t> expected(const LogQuery& query) const {
        std::vector<std::uint64_t> indices;
        for (std::uint64_t i = std::min<std::uint64_t>(written.size(), query.before); i > 0; --i) {
            const Written& one = written[i - 1];
            const bool fits = std::ranges::all_of(query.terms, [&one](const LogTerm& term) {
                const Leaf& leaf = one.leaf;
                const std::string& value = term.value;
                switch (term.field) {
                    case LogField::subject: return one.notes.subject == value;
                    case LogField::actor: return leaf.principal == value;
                    case LogField::unit: return leaf.unit == value;
                    case LogField::role: return leaf.role == value;
                    case LogField::action: return leaf.action == value;
                    case LogField::result: return leaf.result == value || leaf.code == value;
                    case LogField::catalog: return leaf.catalog == value;
                    case LogField::object:
                        return leaf.object.id == value ||
                               (leaf.object.digest && to_hex(*leaf.object.digest) == value) ||
                               (leaf.object.content && to_hex(*leaf.object.content) == value);
                    case LogField::approval:
                        return leaf.approval == value || (leaf.object.type == "request" && leaf.object.id == value);
                }
                return false;
            });
            if (fits && (!query.from || one.time >= *query.from) && (!query.until || one.time <= *query.until)) {
                indices.push_back(i - 1);
            }
        }
        return indices;
    }

    testing::TestDirectory directory;
    std::shared_ptr<ToldClock> clock;
    std::unique_ptr<Ledger> ledger;
    LeafWriter writer{"city.example", kKey};
    LogIndex index{kKey};
    std::vector<Written> written;
};

LogQuery query_for(std::vector<LogTerm> terms, std::size_t limit = 200) {
    LogQuery query;
    query.terms = std::move(terms);
    query.limit = limit;
    return query;
}

// Every field alone, and pairs of them, some of which no leaf has.
std::vector<LogQuery> queries(const World& world) {
    const Written& some = world.written[kSegment + 17];
    const Written* whole = nullptr;
    for (const Written& one : world.written) {
        if (!one.notes.subject.empty() && !one.leaf.approval.empty() && one.leaf.object.digest) {
            whole = &one;
        }
    }
    std::vector<LogQuery> all{
        query_for({}),
        query_for({{LogField::action, "act1"}}),
        query_for({{LogField::action, "act37"}}),
        query_for({{LogField::action, "no such act"}}),
        query_for({{LogField::actor, some.leaf.principal}}),
        query_for({{LogField::unit, "unit3"}, {LogField::role, "role2"}}),
        query_for({{LogField::result, "refused"}, {LogField::catalog, "catalog2"}}),
        query_for({{LogField::result, "XF-1011"}}),
        query_for({{LogField::subject, whole->notes.subject}}),
        query_for({{LogField::subject, whole->notes.subject}, {LogField::action, "act2"}}),
        query_for({{LogField::object, whole->leaf.object.id}}),
        query_for({{LogField::object, to_hex(*whole->leaf.object.digest)}}),
        query_for({{LogField::object, to_hex(*whole->leaf.object.content)}}),
        query_for({{LogField::approval, whole->leaf.approval}}),
        query_for({{LogField::actor, "p1"}, {LogField::actor, "p2"}}),
    };
    for (std::size_t i = 0, count = all.size(); i < count; ++i) {
        LogQuery bounded = all[i];
        bounded.from = world.written[3000].time;
        bounded.until = world.written[7000].time;
        all.push_back(bounded);
    }
    return all;
}

TEST(LogIndex, FindsWhatLookingAtEveryLeafFindsWhetherItIsIndexedOrNot) {
    World world;
    const auto agree = [&world](const char* when) {
        int number = 0;
        for (const LogQuery& query : queries(world)) {
            EXPECT_EQ(world.all(query), world.expected(query)) << when << ", query " << number;
            ++number;
        }
    };
    agree("nothing indexed");
    world.index_segment(1);
    agree("the newer segment indexed");
    world.index_segment(0);
    agree("both segments indexed");
    EXPECT_TRUE(LogIndex::missing(**world.ledger->engine().snapshot())->empty());
}

TEST(LogIndex, ReadsNoLeavesOfASegmentThatHasNoneOfTheTerm) {
    World world;
    world.index_all();
    // One damaged leaf in each segment: whoever reads it fails.
    for (const std::uint64_t index : {std::uint64_t{5}, kSegment + 5}) {
        ASSERT_TRUE(testing::run(*world.ledger, [&](Batch& batch) {
            return batch.transaction().put(Table::log_entries, index_key(index), as_bytes("no leaf at all"));
        }));
    }
    EXPECT_TRUE(world.all(query_for({{LogField::action, "no such act"}})).empty());
    const auto snapshot = world.ledger->engine().snapshot();
    const auto failed = world.index.search(**snapshot, query_for({}, 20'000), {.leaves = 20'000, .bytes = 1u << 30});
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error(), Errc::corrupt) << "a leaf that cannot be read is told, not passed over";
    EXPECT_FALSE(world.index.make_rows(**snapshot, 0));
}

TEST(LogIndex, PagesStayAsTheyAreWhileTheLogGrows) {
    World world;
    world.index_all();
    auto query = query_for({{LogField::unit, "unit4"}}, 50);
    const auto whole = world.expected(query);
    std::vector<std::uint64_t> indices;
    std::mt19937_64 random(11);
    for (;;) {
        const auto page = world.page(query);
        for (const auto& found : page.found) {
            indices.push_back(found.index);
        }
        if (!page.next) {
            break;
        }
        query.before = *page.next;
        for (int i = 0; i < 40; ++i) {
            world.written.push_back(world.make(random));
        }
        world.append(40);
    }
    EXPECT_EQ(indices, whole);
}

TEST(LogIndex, APageBoundsItsWorkAndSaysWhereToGoOn) {
    World world;
    world.index_all();
    const auto query = query_for({{LogField::action, "act37"}});
    for (const LogIndex::Bounds& bounds :
         {LogIndex::Bounds{.segments = 1}, LogIndex::Bounds{.leaves = 1}, LogIndex::Bounds{.bytes = 1}}) {
        EXPECT_EQ(world.all(query, bounds), world.expected(query));
    }
    const auto nothing = query_for({{LogField::action, "no such act"}});
    const auto page = world.page(nothing, {.segments = 1});
    EXPECT_TRUE(page.found.empty());
    EXPECT_EQ(page.next, kSegment) << "the rest and one segment were looked at";
}

TEST(LogIndex, ADamagedRowIsReadAroundAndNamed) {
    World world;
    world.index_all();
    const auto query = query_for({{LogField::action, "act1"}});
    const auto expected = world.expected(query);
    Bytes cut(20, 0);
    cut[0] = 1;
    const std::pair<const char*, std::optional<Bytes>> damages[] = {
        {"gone", std::nullopt}, {"empty of version", Bytes{9}}, {"cut", cut}};
    for (const auto& [name, value] : damages) {
        for (std::size_t bucket = 0; bucket < LogIndex::kBuckets; ++bucket) {
            world.change_row(bucket, 1, value);
        }
        EXPECT_EQ(world.all(query), expected) << name;
        EXPECT_EQ(world.page(query_for({{LogField::action, "no such act"}})).unindexed, std::vector<std::uint64_t>{1})
            << name;
        world.index_segment(1);
        EXPECT_TRUE(world.page(query).unindexed.empty()) << name;
    }
}

TEST(LogIndex, SaysWhichSegmentsHaveNoRows) {
    World world;
    const auto missing = [&world] { return *LogIndex::missing(**world.ledger->engine().snapshot()); };
    EXPECT_EQ(missing(), (std::vector<std::uint64_t>{0, 1}));
    world.index_segment(1);
    EXPECT_EQ(missing(), std::vector<std::uint64_t>{0});
    world.index_segment(0);
    EXPECT_TRUE(missing().empty());
    world.change_row(0, 1, Bytes{0});  // of another version
    EXPECT_EQ(missing(), std::vector<std::uint64_t>{1});
}

TEST(LogIndex, HoldsNoValueInClear) {
    World world;
    world.index_all();
    std::string stored;
    const auto snapshot = world.ledger->engine().snapshot();
    ASSERT_TRUE((*snapshot)->visit(Table::log_index, {}, {}, [&stored](ByteView key, ByteView value) {
        stored += as_text(key);
        stored += as_text(value);
        return true;
    }));
    EXPECT_GT(stored.size(), 100'000u);
    for (const std::string_view word : {"subject", "unit", "act", "role", "XF-"}) {
        for (const char digit : {'0', '1', '2'}) {
            EXPECT_EQ(stored.find(std::string(word) + digit), std::string::npos) << word;
        }
    }
}

}  // namespace
}  // namespace xinfu::storage
