#include <cstring>

#include "tests/unit/storage/fixture.hpp"

namespace xinfu::storage {
namespace {

using testing::make_engine;
using testing::read_file;
using testing::TestDirectory;
using testing::try_engine;
using testing::write_file;

void put(Engine& engine, Table table, std::string_view key, std::string_view value) {
    auto transaction = *engine.begin();
    ASSERT_TRUE(transaction->put(table, as_bytes(key), as_bytes(value)));
    ASSERT_TRUE(transaction->commit());
}

std::string get(const Engine& engine, Table table, std::string_view key) {
    const auto value = (*engine.snapshot())->get(table, as_bytes(key));
    if (!value) {
        return "error: " + value.error().message();
    }
    return value->has_value() ? std::string(as_text(**value)) : "nothing";
}

TEST(LmdbEngine, ShowsWhatWasCommittedAndNothingElse) {
    const TestDirectory directory;
    const auto engine = make_engine(directory.path());
    put(*engine, Table::accounts, "a", "one");
    {
        auto undone = *engine->begin();
        ASSERT_TRUE(undone->put(Table::accounts, as_bytes("a"), as_bytes("two")));
        ASSERT_TRUE(undone->put(Table::accounts, as_bytes("b"), as_bytes("two")));
        EXPECT_EQ(as_text(**undone->get(Table::accounts, as_bytes("a"))), "two");
    }
    EXPECT_EQ(get(*engine, Table::accounts, "a"), "one");
    EXPECT_EQ(get(*engine, Table::accounts, "b"), "nothing");
    EXPECT_EQ(get(*engine, Table::persons, "a"), "nothing");
    auto transaction = *engine->begin();
    ASSERT_TRUE(transaction->erase(Table::accounts, as_bytes("a")));
    ASSERT_TRUE(transaction->erase(Table::accounts, as_bytes("never there")));
    ASSERT_TRUE(transaction->commit());
    EXPECT_EQ(get(*engine, Table::accounts, "a"), "nothing");
}

TEST(LmdbEngine, KeepsEmptyAndLargeValuesOverReopening) {
    const TestDirectory directory;
    const std::string large(300'000, 'x');
    {
        const auto engine = make_engine(directory.path());
        put(*engine, Table::log_index, "empty", "");
        put(*engine, Table::policies, "large", large);
    }
    const auto engine = make_engine(directory.path());
    EXPECT_EQ(get(*engine, Table::log_index, "empty"), "");
    EXPECT_EQ(get(*engine, Table::policies, "large"), large);
    EXPECT_EQ(*(*engine->snapshot())->count(Table::policies), 1u);
}

TEST(LmdbEngine, ASnapshotKeepsWhatItSaw) {
    const TestDirectory directory;
    const auto engine = make_engine(directory.path());
    put(*engine, Table::accounts, "a", "one");
    const auto before = *engine->snapshot();
    put(*engine, Table::accounts, "a", "two");
    EXPECT_EQ(as_text(**before->get(Table::accounts, as_bytes("a"))), "one");
    EXPECT_EQ(get(*engine, Table::accounts, "a"), "two");
    // A renewed slot starts from the newest state, not from where it was left.
    for (int i = 0; i < 3; ++i) {
        put(*engine, Table::accounts, "a", std::to_string(i));
        EXPECT_EQ(get(*engine, Table::accounts, "a"), std::to_string(i));
    }
}

struct VisitCase {
    const char* prefix;
    const char* from;
    bool backwards;
    const char* expected;
};

TEST(LmdbEngine, VisitsWithinThePrefixInBothDirections) {
    const TestDirectory directory;
    const auto engine = make_engine(directory.path());
    for (const char* key : {"a1", "a2", "b", "b1", "b3", "b5", "c", "\xff\xff", "\xff\xff\x01"}) {
        put(*engine, Table::feeds, key, std::string("=") + key);
    }
    const VisitCase cases[] = {
        {"b", "", false, "b b1 b3 b5 "},
        {"b", "b2", false, "b3 b5 "},
        {"b", "b3", false, "b3 b5 "},
        {"b", "b9", false, ""},
        {"b", "a", false, "b b1 b3 b5 "},
        {"b", "", true, "b5 b3 b1 b "},
        {"b", "b3", true, "b3 b1 b "},
        {"b", "b4", true, "b3 b1 b "},
        {"b", "z", true, "b5 b3 b1 b "},
        {"c", "", true, "c "},
        {"d", "", true, ""},
        {"d", "", false, ""},
        {"", "", false, "a1 a2 b b1 b3 b5 c \xff\xff \xff\xff\x01 "},
        {"", "b4", true, "b3 b1 b a2 a1 "},
        {"", "", true, "\xff\xff\x01 \xff\xff c b5 b3 b1 b a2 a1 "},
        {"\xff\xff", "", true, "\xff\xff\x01 \xff\xff "},
    };
    for (const VisitCase& one : cases) {
        std::string seen;
        const auto visited = (*engine->snapshot())
                                 ->visit(
                                     Table::feeds, as_bytes(one.prefix), as_bytes(one.from),
                                     [&](ByteView key, ByteView value) {
                                         EXPECT_EQ("=" + std::string(as_text(key)), as_text(value));
                                         seen += std::string(as_text(key)) + " ";
                                         return true;
                                     },
                                     one.backwards);
        EXPECT_TRUE(visited);
        EXPECT_EQ(seen, one.expected) << one.prefix << " from " << one.from << (one.backwards ? " backwards" : "");
    }
    int seen = 0;
    EXPECT_TRUE((*engine->snapshot())->visit(Table::feeds, {}, {}, [&](ByteView, ByteView) { return ++seen < 2; }));
    EXPECT_EQ(seen, 2);
}

TEST(LmdbEngine, RefusesASecondOpenerWhileItLives) {
    const TestDirectory directory;
    auto engine = make_engine(directory.path());
    EXPECT_EQ(try_engine(directory.path()).error(), Errc::store_in_use);
    const auto last_reader = *engine->snapshot();
    engine.reset();
    // What is still being read keeps the store.
    EXPECT_EQ(try_engine(directory.path()).error(), Errc::store_in_use);
}

TEST(LmdbEngine, DoesNotMakeAStoreUnlessAsked) {
    const TestDirectory directory;
    const EngineOptions options{.map_size_bytes = 1 << 20, .create = false};
    EXPECT_EQ(open_lmdb_engine(directory.path(), options, testing::make_sealer()).error(), Errc::not_found);
    EXPECT_EQ(open_lmdb_engine(directory.path("absent"), options, testing::make_sealer()).error(), Errc::not_found);
}

TEST(LmdbEngine, RefusesAnotherStoreKey) {
    const TestDirectory directory;
    make_engine(directory.path());
    EXPECT_EQ(try_engine(directory.path(), 8).error(), Errc::corrupt);
}

// Keys lie plain in the file, so renaming one moves its value to another place.
TEST(LmdbEngine, AValueMovedToAnotherKeyDoesNotOpen) {
    const TestDirectory directory;
    {
        const auto engine = make_engine(directory.path());
        put(*engine, Table::accounts, "account-mm", "administrator");
        put(*engine, Table::accounts, "account-zz", "viewer");
    }
    std::string file = read_file(directory.path("data.mdb"));
    int renamed = 0;
    for (std::size_t at = file.find("account-mm"); at != std::string::npos; at = file.find("account-mm", at)) {
        file.replace(at, 10, "account-mn");
        ++renamed;
    }
    ASSERT_GT(renamed, 0);
    write_file(directory.path("data.mdb"), file);
    const auto engine = make_engine(directory.path());
    EXPECT_EQ((*engine->snapshot())->get(Table::accounts, as_bytes("account-mn")).error(), Errc::corrupt);
    EXPECT_EQ(get(*engine, Table::accounts, "account-zz"), "viewer");
    const auto all = (*engine->snapshot())->visit(Table::accounts, {}, {}, [](ByteView, ByteView) { return true; });
    EXPECT_EQ(all.error(), Errc::corrupt);
}

TEST(LmdbEngine, AnAlteredValueDoesNotOpen) {
    const TestDirectory directory;
    {
        const auto engine = make_engine(directory.path());
        put(*engine, Table::accounts, "account-mm", "administrator");
    }
    const std::string whole = read_file(directory.path("data.mdb"));
    for (std::size_t offset = 10; offset < 60; offset += 7) {
        std::string file = whole;
        for (std::size_t at = file.find("account-mm"); at != std::string::npos; at = file.find("account-mm", at + 1)) {
            file[at + offset] = static_cast<char>(file[at + offset] ^ 1);
        }
        write_file(directory.path("data.mdb"), file);
        std::vector<std::string> told;
        const auto engine = *open_lmdb_engine(directory.path(),
                                              {.map_size_bytes = std::uint64_t{1} << 30,
                                               .on_damage = [&told](const std::string& what) { told.push_back(what); }},
                                              testing::make_sealer());
        EXPECT_EQ((*engine->snapshot())->get(Table::accounts, as_bytes("account-mm")).error(), Errc::corrupt) << offset;
        EXPECT_EQ(
            (*engine->snapshot())->visit(Table::accounts, {}, {}, [](ByteView, ByteView) { return true; }).error(),
            Errc::corrupt);
        EXPECT_EQ(told, std::vector(2, "accounts, key " + to_hex(as_bytes("account-mm"))));
    }
}

TEST(LmdbEngine, ValuesAreNotReadableInTheFile) {
    const TestDirectory directory;
    const auto engine = make_engine(directory.path());
    put(*engine, Table::accounts, "account-mm", "a name that must stay inside");
    EXPECT_EQ(read_file(directory.path("data.mdb")).find("must stay inside"), std::string::npos);
}

TEST(LmdbEngine, RefusesAFileThatWasCutShort) {
    const TestDirectory directory;
    {
        const auto engine = make_engine(directory.path());
        put(*engine, Table::policies, "large", std::string(200'000, 'x'));
    }
    const std::string whole = read_file(directory.path("data.mdb"));
    for (const std::size_t kept : {std::size_t{100}, std::size_t{4096}, std::size_t{8192}, whole.size() / 2,
                                   whole.size() - 4096, whole.size() - 1}) {
        write_file(directory.path("data.mdb"), std::string_view(whole).substr(0, kept));
        EXPECT_EQ(try_engine(directory.path()).error(), Errc::corrupt) << "kept " << kept;
    }
    write_file(directory.path("data.mdb"), "not a store, but long enough to be one" + std::string(20'000, ' '));
    EXPECT_EQ(try_engine(directory.path()).error(), Errc::corrupt);
}

// LMDB may have counted pages that it then gave up without ever writing them.
TEST(LmdbEngine, OpensAFileWhoseMissingPagesAreNotInUse) {
    const TestDirectory directory;
    {
        const auto engine = make_engine(directory.path());
        put(*engine, Table::policies, "large", std::string(200'000, 'x'));
    }
    std::string file = read_file(directory.path("data.mdb"));
    constexpr std::size_t kLastPageAt = 136;  // in each of the two meta pages
    for (const std::size_t meta : {std::size_t{0}, std::size_t{4096}}) {
        std::uint64_t last_page = 0;
        std::memcpy(&last_page, &file[meta + kLastPageAt], 8);
        ASSERT_LT(last_page, 200u);
        last_page = file.size() / 4096 + 4;
        std::memcpy(&file[meta + kLastPageAt], &last_page, 8);
    }
    write_file(directory.path("data.mdb"), file);
    const auto engine = make_engine(directory.path());
    EXPECT_EQ(get(*engine, Table::policies, "large"), std::string(200'000, 'x'));
    put(*engine, Table::policies, "more", std::string(200'000, 'y'));
    EXPECT_EQ(get(*engine, Table::policies, "more"), std::string(200'000, 'y'));
}

TEST(LmdbEngine, AFullStoreRefusesWhatDoesNotFitAndGoesOn) {
    const TestDirectory directory;
    const auto engine = make_engine(directory.path(), 1 << 20);
    {
        auto transaction = *engine->begin();
        ASSERT_TRUE(transaction->put(Table::accounts, as_bytes("first"), as_bytes("fits")));
        EXPECT_EQ(transaction->put(Table::policies, as_bytes("large"), Bytes(2 << 20)).error(), Errc::store_full);
        EXPECT_EQ(transaction->commit().error(), Errc::store_full);
    }
    EXPECT_EQ(get(*engine, Table::accounts, "first"), "nothing");
    put(*engine, Table::accounts, "second", "fits");
    EXPECT_EQ(get(*engine, Table::accounts, "second"), "fits");
}

TEST(LmdbEngine, RefusesKeysThatLmdbCannotHold) {
    const TestDirectory directory;
    const auto engine = make_engine(directory.path());
    auto transaction = *engine->begin();
    EXPECT_EQ(transaction->put(Table::accounts, {}, as_bytes("x")).error(), Errc::too_large);
    EXPECT_EQ(transaction->put(Table::accounts, Bytes(512), as_bytes("x")).error(), Errc::too_large);
    EXPECT_EQ(transaction->get(Table::accounts, Bytes(512)).error(), Errc::too_large);
    EXPECT_TRUE(transaction->put(Table::accounts, Bytes(511, 1), as_bytes("x")));
    EXPECT_TRUE(*transaction->contains(Table::accounts, Bytes(511, 1)));
    EXPECT_TRUE(transaction->commit());
}

TEST(LmdbEngine, CountsFreePagesAsUnused) {
    const TestDirectory directory;
    const auto engine = make_engine(directory.path());
    const std::uint64_t empty = engine->statistics().used_bytes;
    put(*engine, Table::policies, "large", std::string(1'000'000, 'x'));
    const std::uint64_t full = engine->statistics().used_bytes;
    EXPECT_GT(full, empty + 1'000'000);
    for (int i = 0; i < 2; ++i) {
        auto transaction = *engine->begin();
        ASSERT_TRUE(transaction->erase(Table::policies, as_bytes("large")));
        ASSERT_TRUE(transaction->put(Table::meta, as_bytes("other"), as_bytes("x")));
        ASSERT_TRUE(transaction->commit());
    }
    EXPECT_LT(engine->statistics().used_bytes, full - 900'000);
    EXPECT_EQ(engine->statistics().map_size_bytes, std::uint64_t{1} << 30);
    EXPECT_GT(engine->statistics().disk_free_bytes, 0u);
}

TEST(EngineVersions, ChangeWithEveryCommitThatWroteToTheTableAndWithNoOther) {
    const testing::TestDirectory directory;
    const auto engine = testing::make_engine(directory.path());
    const auto write = [&engine](Table table, bool erases, bool commits) {
        const auto transaction = *engine->begin();
        ASSERT_TRUE(erases ? transaction->erase(table, as_bytes("key")) : transaction->put(table, as_bytes("key"), {}));
        if (commits) {
            ASSERT_TRUE(transaction->commit());
        }
    };
    const std::uint64_t first = engine->version(Table::accounts);
    write(Table::accounts, false, false);
    EXPECT_EQ(engine->version(Table::accounts), first) << "undone";
    write(Table::persons, false, true);
    EXPECT_EQ(engine->version(Table::accounts), first) << "another table";
    write(Table::accounts, false, true);
    const std::uint64_t second = engine->version(Table::accounts);
    EXPECT_NE(second, first);
    write(Table::accounts, true, true);
    EXPECT_NE(engine->version(Table::accounts), second);
}

}  // namespace
}  // namespace xinfu::storage
