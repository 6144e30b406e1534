#include "storage/object_store.hpp"

#include <vector>

#include "tests/unit/storage/fixture.hpp"

namespace xinfu::storage {
namespace {

using testing::read_file;
using testing::TestDirectory;
using testing::write_file;

ObjectId make_id(std::uint8_t first) {
    ObjectId id{};
    id[0] = first;
    id[15] = 7;
    return id;
}
std::string file_of(const ObjectId& id) {
    const std::string name = to_hex(id);
    return "objects/" + name.substr(0, 2) + "/" + name;
}
Bytes content(std::size_t size) {
    Bytes bytes(size);
    for (std::size_t i = 0; i < size; ++i) {
        bytes[i] = static_cast<std::uint8_t>(i * 31 + i / 251);
    }
    return bytes;
}

class ObjectStoreTest : public ::testing::Test {
protected:
    void store(const ObjectId& id, const Bytes& bytes, std::size_t step = 10'000) {
        const auto writer = *store_->create(id, key_);
        for (std::size_t at = 0; at < bytes.size(); at += step) {
            ASSERT_TRUE(writer->write(ByteView(bytes).subspan(at, std::min(step, bytes.size() - at))));
        }
        ASSERT_TRUE(writer->finish());
        EXPECT_EQ(writer->size_bytes(), bytes.size());
    }
    Result<Bytes> load(const ObjectId& id) {
        auto reader = store_->open(id, key_);
        if (!reader) {
            return reader.error();
        }
        Bytes bytes;
        for (;;) {
            const auto part = (*reader)->next();
            if (!part) {
                return part.error();
            }
            if (part->empty()) {
                EXPECT_EQ((*reader)->size_bytes(), bytes.size());
                return bytes;
            }
            bytes.insert(bytes.end(), part->begin(), part->end());
        }
    }
    TestDirectory directory_;
    std::unique_ptr<ObjectStore> store_ = *open_object_store(directory_.path("objects"));
    Bytes key_ = Bytes(32, 3);
};

TEST_F(ObjectStoreTest, GivesBackWhatWasStored) {
    std::uint8_t name = 0;
    for (const std::size_t size : {0u, 1u, 65'535u, 65'536u, 65'537u, 131'072u, 1'000'000u}) {
        const ObjectId id = make_id(++name);
        const Bytes bytes = content(size);
        store(id, bytes);
        const auto loaded = load(id);
        ASSERT_TRUE(loaded) << size;
        EXPECT_EQ(*loaded, bytes) << size;
    }
}

TEST_F(ObjectStoreTest, LeavesTheReserveOfTheDiskToOthers) {
    const auto store = *open_object_store(directory_.path("objects"), {.reserve_bytes = ~std::uint64_t{0}});
    const auto writer = *store->create(make_id(1), key_);
    Result<void> written;
    for (int i = 0; i < 100 && written; ++i) {  // it is gathered first
        written = writer->write(content(10'000));
    }
    EXPECT_EQ(written.error(), Errc::store_full);
    EXPECT_EQ(writer->finish().error(), Errc::misused);
    EXPECT_EQ((*store->create_scratch())->append(content(10)).error(), Errc::store_full);
}

TEST_F(ObjectStoreTest, NoticesEveryAlteration) {
    const ObjectId id = make_id(1);
    store(id, content(200'000));
    const std::string path = directory_.path(file_of(id));
    const std::string whole = read_file(path);
    for (const std::size_t at : {std::size_t{0}, std::size_t{70'000}, whole.size() - 1}) {
        std::string altered = whole;
        altered[at] = static_cast<char>(altered[at] ^ 1);
        write_file(path, altered);
        EXPECT_EQ(load(id).error(), Errc::corrupt) << at;
    }
    for (const std::size_t kept :
         {std::size_t{0}, std::size_t{5}, std::size_t{65'552}, std::size_t{131'104}, whole.size() - 1}) {
        write_file(path, std::string_view(whole).substr(0, kept));
        EXPECT_EQ(load(id).error(), Errc::corrupt) << "kept " << kept;
    }
    write_file(path, whole + "x");
    EXPECT_EQ(load(id).error(), Errc::corrupt);
    // Two chunks exchanged.
    write_file(path, whole.substr(65'552, 65'552) + whole.substr(0, 65'552) + whole.substr(131'104));
    EXPECT_EQ(load(id).error(), Errc::corrupt);
}

TEST_F(ObjectStoreTest, AnObjectUnderAnotherNameOrKeyDoesNotOpen) {
    store(make_id(1), content(1000));
    store(make_id(2), content(1000));
    write_file(directory_.path(file_of(make_id(2))), read_file(directory_.path(file_of(make_id(1)))));
    EXPECT_EQ(load(make_id(2)).error(), Errc::corrupt);
    key_ = Bytes(32, 4);
    EXPECT_EQ(load(make_id(1)).error(), Errc::corrupt);
}

TEST_F(ObjectStoreTest, TheContentIsNotReadableInTheFile) {
    store(make_id(1), to_bytes("a name that must stay inside"));
    EXPECT_EQ(read_file(directory_.path(file_of(make_id(1)))).find("must stay"), std::string::npos);
}

TEST_F(ObjectStoreTest, AnUnfinishedObjectIsNotThere) {
    const ObjectId id = make_id(1);
    {
        const auto writer = *store_->create(id, key_);
        ASSERT_TRUE(writer->write(content(500'000)));
        EXPECT_EQ(load(id).error(), Errc::not_found);
        EXPECT_EQ(store_->create(id, key_).error(), Errc::exists);
    }
    EXPECT_EQ(load(id).error(), Errc::not_found);
    EXPECT_EQ(*store_->remove_unfinished(), 0u);  // the writer cleaned up
    write_file(directory_.path(file_of(id) + ".part"), "left by a process that was killed");
    EXPECT_EQ(*store_->remove_unfinished(), 1u);
    store(id, content(10));
    EXPECT_EQ(store_->create(id, key_).error(), Errc::exists);
}

TEST_F(ObjectStoreTest, ListsAndErases) {
    for (const unsigned name : {1u, 2u, 200u}) {
        store(make_id(static_cast<std::uint8_t>(name)), content(100));
    }
    std::vector<int> seen;
    ASSERT_TRUE(store_->visit([&](const ObjectId& id, std::uint64_t size) {
        EXPECT_EQ(size, 116u);
        seen.push_back(id[0]);
        return true;
    }));
    EXPECT_EQ(seen, (std::vector<int>{1, 2, 200}));
    EXPECT_TRUE(store_->erase(make_id(2)));
    EXPECT_EQ(store_->erase(make_id(2)).error(), Errc::not_found);
    EXPECT_EQ(load(make_id(2)).error(), Errc::not_found);
    int left = 0;
    ASSERT_TRUE(store_->visit([&](const ObjectId& id, std::uint64_t) {
        ++left;
        EXPECT_TRUE(store_->erase(id));
        return true;
    }));
    EXPECT_EQ(left, 2);
}

}  // namespace
}  // namespace xinfu::storage
