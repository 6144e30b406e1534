// The log in tests/vectors/tlog/log is made by Go's sumdb packages: 300 entries, two bundles, two levels of
// tiles.
#include <filesystem>

#include "crypto/merkle.hpp"
#include "crypto/note.hpp"
#include "tests/unit/client/support.hpp"

namespace xinfu::client {
namespace {

namespace fs = std::filesystem;
using test::kLogKey;
using test::xinfu;
using xinfu::test::read_file;
using xinfu::test::vector_path;

test::Outcome verify(const std::string& directory, std::vector<std::string> more = {}) {
    std::vector<std::string> arguments{"log", "verify", "--dir", directory, "--log-key", kLogKey};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return xinfu(arguments);
}

class LogVerify : public testing::Test {
protected:
    LogVerify() { fs::copy(vector_path("tlog/log"), log_, fs::copy_options::recursive); }
    std::vector<std::string> files() const {
        std::vector<std::string> paths;
        for (const auto& entry : fs::recursive_directory_iterator(log_)) {
            if (entry.is_regular_file()) {
                paths.push_back(entry.path().string());
            }
        }
        return paths;
    }
    test::Folder folder_;
    std::string log_ = folder_ / "log";
};

TEST_F(LogVerify, AcceptsAnotherImplementationsLog) {
    const auto outcome = verify(log_, {"--json"});
    EXPECT_EQ(outcome.exit, 0) << outcome.err;
    EXPECT_NE(outcome.out.find("\"size\":300"), std::string::npos) << outcome.out;
    EXPECT_NE(outcome.out.find("\"last_time\":\"2026-01-01T00:00:00.299Z\""), std::string::npos) << outcome.out;
}

TEST_F(LogVerify, NoticesEveryDamagedMissingOrCutFile) {
    ASSERT_EQ(files().size(), 6u);
    for (const std::string& path : files()) {
        const std::string whole = read_file(path);
        for (std::size_t i = 0; i < whole.size(); i += 1 + whole.size() / 40) {
            std::string changed = whole;
            changed[i] = static_cast<char>(changed[i] ^ 0x10);
            test::write(path, changed);
            ASSERT_EQ(verify(log_).exit, 4) << path << " byte " << i;
        }
        test::write(path, whole.substr(0, whole.size() - 1));
        EXPECT_EQ(verify(log_).exit, 4) << path << " cut";
        test::write(path, whole + std::string(1, '\0'));
        EXPECT_EQ(verify(log_).exit, 4) << path << " longer";
        fs::remove(path);
        EXPECT_EQ(verify(log_).exit, 4) << path << " missing";
        test::write(path, whole);
    }
    EXPECT_EQ(verify(log_).exit, 0);
}

TEST_F(LogVerify, NoticesEntriesInAnotherOrder) {
    const std::string path = log_ + "/tile/entries/000";
    const std::string bundle = read_file(path);
    const std::size_t size = 2 + static_cast<unsigned char>(bundle[1]);
    test::write(path, bundle.substr(size, size) + bundle.substr(0, size) + bundle.substr(2 * size));
    EXPECT_EQ(verify(log_).exit, 4);
}

TEST_F(LogVerify, GoesOnFromAnEarlierCheckpoint) {
    const auto outcome = verify(log_, {"--from", vector_path("tlog/checkpoint-100"), "--json"});
    EXPECT_EQ(outcome.exit, 0) << outcome.err;
    EXPECT_NE(outcome.out.find("\"first\":100"), std::string::npos) << outcome.out;
    EXPECT_EQ(verify(log_, {"--from", log_ + "/checkpoint"}).exit, 0);
}

TEST_F(LogVerify, NoticesAHistoryThatWasRewritten) {
    // Another log under the same key: signed, and still not the one that was seen before.
    const auto signer = crypto::NoteSigner::from_seed("city.example/log", Bytes(32, 7)).value();
    const crypto::Digest root = crypto::leaf_hash(as_bytes("another history"));
    for (const std::uint64_t size : {1u, 100u, 256u, 299u, 300u}) {
        test::write(folder_ / "old", signer.sign(crypto::encode_checkpoint({"city.example/log", size, root})));
        const auto outcome = verify(log_, {"--from", folder_ / "old"});
        EXPECT_EQ(outcome.exit, 4) << size;
        EXPECT_NE(outcome.err.find("XF-8009"), std::string::npos) << outcome.err;
    }
    test::write(folder_ / "old", signer.sign(crypto::encode_checkpoint({"city.example/log", 301, root})));
    const auto outcome = verify(log_, {"--from", folder_ / "old"});
    EXPECT_EQ(outcome.exit, 4);
    EXPECT_NE(outcome.err.find("XF-8013"), std::string::npos) << outcome.err;
}

// A wrong length of the first entry once was blamed on the entry where the lengths no longer added up.
TEST_F(LogVerify, NamesTheFirstBadEntry) {
    const std::string path = log_ + "/tile/entries/000";
    const std::string bundle = read_file(path);
    std::size_t at = 0;
    for (int entry = 0; entry < 3; ++entry) {
        for (const std::size_t octet : {std::size_t{0}, std::size_t{1}, std::size_t{9}}) {
            std::string changed = bundle;
            changed[at + octet] = static_cast<char>(changed[at + octet] ^ 0x01);
            test::write(path, changed);
            const auto outcome = verify(log_);
            EXPECT_EQ(outcome.exit, 4);
            EXPECT_NE(outcome.err.find("ntry " + std::to_string(entry) + " "), std::string::npos)
                << entry << " octet " << octet << ": " << outcome.err;
        }
        at += 2 + static_cast<unsigned char>(bundle[at + 1]);
    }
}

// Signs these entries, at most 255, as a log of their own.
void write_log(const std::string& directory, const std::vector<std::string>& entries) {
    std::string bundle;
    std::string tile;
    std::vector<crypto::Digest> hashes;
    for (const std::string& entry : entries) {
        bundle += {static_cast<char>(entry.size() >> 8), static_cast<char>(entry.size() & 0xff)};
        bundle += entry;
        hashes.push_back(crypto::leaf_hash(as_bytes(entry)));
        tile.append(hashes.back().begin(), hashes.back().end());
    }
    const std::string part = "000.p/" + std::to_string(entries.size());
    for (const auto& [path, content] :
         {std::pair("/tile/0/" + part, tile), std::pair("/tile/entries/" + part, bundle)}) {
        fs::create_directories(fs::path(directory + path).parent_path());
        test::write(directory + path, content);
    }
    const auto signer = crypto::NoteSigner::from_seed("city.example/log", Bytes(32, 7)).value();
    test::write(
        directory + "/checkpoint",
        signer.sign(crypto::encode_checkpoint({"city.example/log", entries.size(), crypto::merkle_root(hashes)})));
}

TEST_F(LogVerify, NoticesTimeThatRunsBackwards) {
    const std::string noon = R"({"node":"city","time":"2026-11-02T12:00:00.000Z","v":1})";
    write_log(folder_ / "signed", {noon, noon, R"({"node":"city","time":"2026-11-02T11:59:59.999Z","v":1})"});
    const auto outcome = verify(folder_ / "signed");
    EXPECT_EQ(outcome.exit, 4);
    EXPECT_NE(outcome.err.find("XF-8012"), std::string::npos) << outcome.err;
    EXPECT_NE(outcome.err.find("entry 2"), std::string::npos) << outcome.err;
}

TEST_F(LogVerify, ReadsTheTimeOfTheLeafAndNoOther) {
    const std::string last = R"({"time":"2026-11-02T12:00:00.000Z"})";
    write_log(
        folder_ / "signed",
        {R"({"time":"2026-11-02T11:00:00.000Z","v":1})", R"({"object":{"time":"2099-01-01T00:00:00.000Z"},"v":1})",
         R"({"reason":"\"time\":\"2099-01-01T00:00:00.000Z\"","v":1})",
         R"({"reason":"\\","time":"2026-11-02T11:30:00.000Z"})", R"(["time","2099"])", "no JSON: \"time", "", last});
    const auto outcome = verify(folder_ / "signed", {"--json"});
    EXPECT_EQ(outcome.exit, 0) << outcome.err;
    EXPECT_NE(outcome.out.find("\"first_time\":\"2026-11-02T11:00:00.000Z\""), std::string::npos) << outcome.out;
    EXPECT_NE(outcome.out.find("\"last_time\":\"2026-11-02T12:00:00.000Z\""), std::string::npos) << outcome.out;
    // Had any of them been taken for 2099, the last would run backwards; had the escaped end been missed, 11:30 would
    // too.
    write_log(folder_ / "signed", {last, R"({"reason":"\\","time":"2026-11-02T11:30:00.000Z"})"});
    EXPECT_EQ(verify(folder_ / "signed").exit, 4);
}

TEST_F(LogVerify, KeepsTheExitCodesApart) {
    EXPECT_EQ(verify("/nonexistent").exit, 2);
    EXPECT_EQ(verify(log_, {"--from", "/nonexistent"}).exit, 2);
    EXPECT_EQ(verify(log_, {"--witness-key", test::kWitnessKey}).exit, 4);
}

}  // namespace
}  // namespace xinfu::client
