// The log in tests/vectors/tlog/log is made by Go's sumdb packages, and so are the names of its files; the list
// is checked with sha256sum.
#include <filesystem>

#include "daemon/client/log_export.hpp"
#include "tests/unit/client/support.hpp"

namespace xinfu::client {
namespace {

namespace fs = std::filesystem;
using test::kLogKey;
using test::xinfu;
using xinfu::test::read_file;
using xinfu::test::vector_path;

int verify(const std::string& directory) {
    return xinfu({"log", "verify", "--dir", directory, "--log-key", kLogKey}).exit;
}

class LogExport : public testing::Test {
protected:
    ExportResult export_to(const std::string& directory) {
        DirectorySource source(vector_path("tlog/log"));
        return export_log(source, directory, [](std::uint64_t, std::uint64_t) {});
    }
    test::Folder folder_;
    std::string out_ = folder_ / "export";
};

TEST_F(LogExport, CopiesEveryPartOfTheLogAndListsIt) {
    const auto result = export_to(out_);
    EXPECT_EQ(result.origin, "city.example/log");
    EXPECT_EQ(result.size, 300u);
    EXPECT_EQ(result.files, 6u);
    for (const auto& entry : fs::recursive_directory_iterator(vector_path("tlog/log"))) {
        if (entry.is_regular_file()) {
            const auto path = fs::relative(entry.path(), vector_path("tlog/log")).string();
            EXPECT_EQ(read_file(out_ + "/" + path), read_file(entry.path().string())) << path;
        }
    }
    EXPECT_EQ(verify(out_), 0);
    EXPECT_EQ(std::system(("cd " + out_ + " && sha256sum --quiet --strict --check SHA256SUMS").c_str()), 0);
}

TEST_F(LogExport, IsRefusedWhenAFileIsMissingChangedOrNotListed) {
    export_to(out_);
    for (const auto& entry : fs::recursive_directory_iterator(out_)) {
        if (!entry.is_regular_file()) {
            continue;
        }
        const std::string path = entry.path().string();
        const std::string whole = read_file(path);
        if (entry.path().filename() != kExportList) {
            fs::remove(path);
            EXPECT_EQ(verify(out_), 4) << path << " missing";
        }
        for (std::size_t i = 0; i < whole.size(); i += 1 + whole.size() / 40) {
            std::string changed = whole;
            changed[i] = static_cast<char>(changed[i] ^ 0x01);
            test::write(path, changed);
            ASSERT_EQ(verify(out_), 4) << path << " byte " << i;
        }
        test::write(path, whole);
        ASSERT_EQ(verify(out_), 0);
    }
    for (const char* name : {"note", "tile/entries/999", "tile/3"}) {
        const std::string extra = name;
        test::write(out_ + "/" + extra, "");
        EXPECT_EQ(verify(out_), 4) << extra;
        fs::remove(out_ + "/" + extra);
    }
    fs::create_symlink("checkpoint", out_ + "/link");
    EXPECT_EQ(verify(out_), 4) << "a symbolic link";
}

TEST_F(LogExport, DoesNotWriteIntoADirectoryThatHasSomething) {
    fs::create_directory(out_);
    test::write(out_ + "/mine", "kept");
    EXPECT_ANY_THROW(export_to(out_));
    EXPECT_EQ(read_file(out_ + "/mine"), "kept");
}

TEST_F(LogExport, WithoutItsListIsStillALogDirectory) {
    EXPECT_FALSE(check_export(vector_path("tlog/log")));
}

}  // namespace
}  // namespace xinfu::client
