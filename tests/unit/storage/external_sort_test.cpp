#include "storage/external_sort.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <optional>
#include <random>

#include "tests/unit/storage/fixture.hpp"

namespace xinfu::storage {
namespace {

using testing::TestDirectory;

class ScratchFileTest : public ::testing::Test {
protected:
    ScratchFileTest() { directory_fd_ = ::open(directory_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }
    ~ScratchFileTest() override { ::close(directory_fd_); }

    std::unique_ptr<ScratchFile> create() { return *ScratchFile::create(directory_fd_); }
    // A path to the file that has none.
    std::optional<std::string> by_descriptor() const {
        for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
            std::error_code ignored;
            const auto target = std::filesystem::read_symlink(entry.path(), ignored).string();
            if (target.starts_with(directory_.path()) && target.ends_with("(deleted)")) {
                return entry.path().string();
            }
        }
        return std::nullopt;
    }
    std::size_t names() const {
        std::size_t count = 0;
        for (const auto& entry : std::filesystem::recursive_directory_iterator(directory_.path())) {
            count += entry.is_regular_file();
        }
        return count;
    }

    TestDirectory directory_;
    int directory_fd_ = -1;
};

TEST_F(ScratchFileTest, GivesBackItsPiecesHasNoNameAndIsGoneAfterwards) {
    auto scratch = create();
    const std::uint64_t first = *scratch->append(as_bytes("the first piece"));
    const std::uint64_t second = *scratch->append(Bytes(100'000, 7));
    EXPECT_EQ(second - first, ScratchFile::stride(15));
    EXPECT_EQ(as_text(*scratch->read(first, 15)), "the first piece");
    EXPECT_EQ(*scratch->read(second, 100'000), Bytes(100'000, 7));
    EXPECT_EQ(names(), 0U);
    ASSERT_TRUE(by_descriptor());
    scratch.reset();
    EXPECT_FALSE(by_descriptor());
}

TEST_F(ScratchFileTest, HoldsNothingReadableAndNoticesWhatWasChangedOrMoved) {
    const auto scratch = create();
    const std::uint64_t first = *scratch->append(Bytes(64, 'a'));
    const std::uint64_t second = *scratch->append(Bytes(64, 'b'));
    const int file = ::open(by_descriptor()->c_str(), O_RDWR | O_CLOEXEC);
    ASSERT_GE(file, 0);
    std::string stored(scratch->size_bytes(), '\0');
    ASSERT_EQ(::pread(file, stored.data(), stored.size(), 0), static_cast<ssize_t>(stored.size()));
    EXPECT_EQ(stored.find("aaaa"), stored.npos);
    const auto stride = static_cast<ssize_t>(second - first);
    ASSERT_EQ(::pwrite(file, stored.data(), second - first, static_cast<off_t>(second)), stride);
    EXPECT_EQ(scratch->read(second, 64).error(), Errc::corrupt) << "another piece in its place";
    stored[70] = static_cast<char>(stored[70] ^ 1);
    ASSERT_EQ(::pwrite(file, stored.data(), second - first, 0), stride);
    EXPECT_EQ(scratch->read(first, 64).error(), Errc::corrupt) << "a flipped bit";
    ASSERT_EQ(::ftruncate(file, 10), 0);
    EXPECT_EQ(scratch->read(first, 64).error(), Errc::corrupt) << "cut short";
    ::close(file);
}

struct Numbered {
    std::array<std::uint8_t, 8> key{};
    std::uint64_t number = 0;
    auto operator<=>(const Numbered&) const = default;
};

class ExternalSortTest : public ScratchFileTest {
protected:
    // As many rows, and how many of them are held.
    void expect_sorted(std::size_t rows, std::size_t held) {
        ExternalSort<Numbered> sort([this]() { return ScratchFile::create(directory_fd_); }, held);
        std::mt19937 random(42);  // always the same rows
        std::vector<Numbered> expected;
        for (std::size_t i = 0; i < rows; ++i) {
            Numbered row;
            row.number = i;
            row.key[0] = static_cast<std::uint8_t>(random());
            row.key[7] = static_cast<std::uint8_t>(random());
            expected.push_back(row);
            sort.add(row);
            if (sort.full()) {
                ASSERT_TRUE(sort.spill());
            }
        }
        EXPECT_EQ(sort.size(), rows);
        std::ranges::sort(expected);
        ASSERT_TRUE(sort.finish());
        Numbered row;
        for (std::size_t i = 0; i < rows; ++i) {
            ASSERT_TRUE(*sort.next(row)) << "row " << i << " of " << rows;
            ASSERT_EQ(row, expected[i]) << "row " << i << " of " << rows;
        }
        EXPECT_FALSE(*sort.next(row));
    }
};

TEST_F(ExternalSortTest, GivesEveryRowOnceInOrder) {
    constexpr std::size_t kPerPiece = ExternalSort<Numbered>::kRowsPerPiece;
    for (const std::size_t rows : {0u, 1u, 99u, 100u, 101u, 350u}) {
        expect_sorted(rows, 100);
    }
    expect_sorted(5 * kPerPiece + 3, 2 * kPerPiece + 1);  // runs of several pieces
}

TEST_F(ExternalSortTest, MergesRunsBeforeThereAreTooMany) {
    const std::size_t runs = 2 * ExternalSort<Numbered>::kRunsMergedAt + 5;
    expect_sorted(runs * 20 + 7, 20);
    expect_sorted(ExternalSort<Numbered>::kRunsMergedAt * 20, 20);
}

}  // namespace
}  // namespace xinfu::storage
