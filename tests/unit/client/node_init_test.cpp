// A node made by `xinfu init` is read back with the storage library: keys, accounts, policies and the first
// leaf.
#include "storage/node_keys.hpp"

#include "crypto/seal.hpp"
#include "daemon/client/files.hpp"
#include "storage/accounts.hpp"
#include "storage/engine.hpp"
#include "storage/packs.hpp"
#include "tests/unit/client/support.hpp"

namespace xinfu::client {
namespace {

using test::xinfu;
using xinfu::test::read_file;

class Init : public testing::Test {
protected:
    void SetUp() override {
        ASSERT_EQ(xinfu({"ca", "init", "--dir", folder_ / "ca"}).exit, 0);
        issue("security", "P1");
        issue("approver", "P2");
    }
    void issue(const std::string& name, const std::string& number) {
        ASSERT_EQ(xinfu({"ca", "issue", "--dir", folder_ / "ca", "--key", folder_ / (name + ".key"), "--out",
                         folder_ / (name + ".pem"), "--cn", name, "--unit", "11219900000000107N", "--person", number})
                      .exit,
                  0);
    }
    test::Outcome init(const std::string& directory, std::vector<std::string> more = {}) {
        std::vector<std::string> arguments{"init",
                                           "--dir",
                                           folder_ / directory,
                                           "--node",
                                           "city",
                                           "--person",
                                           "security_administrator=" + (folder_ / "security.pem"),
                                           "--person",
                                           "approver=" + (folder_ / "approver.pem")};
        arguments.insert(arguments.end(), more.begin(), more.end());
        return xinfu(arguments);
    }
    test::Folder folder_;
};

TEST_F(Init, MakesANodeThatItsKeyOpens) {
    const auto outcome = init("node", {"--ca", folder_ / "ca/ca.pem", "--url-host", "127.0.0.1"});
    ASSERT_EQ(outcome.exit, 0) << outcome.err;

    const std::string key = read_file(folder_ / "node/key-wrapping-key");
    ASSERT_EQ(key.size(), 32u);
    const crypto::KeyWrapper wrapper(as_bytes(key));
    const auto store_key = storage::load_store_key(folder_ / "node/state", wrapper);
    ASSERT_TRUE(store_key);
    auto engine = storage::open_lmdb_engine(folder_ / "node/state", {.map_size_bytes = std::uint64_t{1} << 30},
                                            std::make_shared<crypto::Sealer>(store_key->view()));
    ASSERT_TRUE(engine);
    const auto snapshot = (*engine)->snapshot().value();
    const auto keys = storage::load_node_keys(*snapshot, wrapper);
    ASSERT_TRUE(keys);
    EXPECT_EQ(storage::all_accounts(*snapshot).value().size(), 2u);
    EXPECT_EQ(storage::load_unit_keys(*snapshot, wrapper).value().count("11219900000000107N"), 1u);
    EXPECT_EQ(storage::active_packs(*snapshot).value().size(), 22u);
    EXPECT_EQ(snapshot->count(storage::Table::log_entries).value(), 1u);
    const auto person = storage::find_person(*snapshot, keys->index.view(), "P1").value();
    ASSERT_TRUE(person);
    EXPECT_TRUE(person->password_hash.empty());
}

TEST_F(Init, RefusesADirectoryThatIsNotEmpty) {
    std::filesystem::create_directory(folder_ / "node");
    test::write(folder_ / "node/precious", "kept");
    EXPECT_EQ(init("node").exit, 1);
    EXPECT_EQ(read_file(folder_ / "node/precious"), "kept");
}

TEST_F(Init, EnrolsAllCertificatesOfAMachineAndNoOtherUnits) {
    const auto machine = [&](const std::string& name, const std::string& unit) {
        EXPECT_EQ(xinfu({"ca", "issue", "--dir", folder_ / "ca", "--key", folder_ / (name + ".key"), "--out",
                         folder_ / (name + ".pem"), "--cn", name, "--unit", unit})
                      .exit,
                  0);
        return read_file(folder_ / (name + ".pem"));
    };
    const std::string own = machine("tls", "112199000000000198") + machine("signing", "112199000000000198");
    write_file(folder_ / "own.pem", own);
    EXPECT_EQ(init("node", {"--machine", "submitter=" + (folder_ / "own.pem")}).exit, 0);

    for (const auto& [name, other] : {std::pair("other", machine("other", "112199000000000273")),
                                      std::pair("authority", read_file(folder_ / "ca/ca.pem"))}) {
        write_file(folder_ / "mixed.pem", own + other);
        EXPECT_EQ(init(std::string("no-node-") + name, {"--machine", "submitter=" + (folder_ / "mixed.pem")}).exit, 1)
            << name;
    }
}

TEST_F(Init, LeavesNothingBehindWhenItRefuses) {
    EXPECT_EQ(init("node", {"--suite", "gm"}).exit, 1);
    EXPECT_EQ(init("node", {"--machine", "emperor=" + (folder_ / "security.pem")}).exit, 1);
    EXPECT_EQ(init("node", {"--machine", "submitter=/nonexistent"}).exit, 2);
    EXPECT_EQ(init("node", {"--machine", "submitter"}).exit, 2);
    EXPECT_FALSE(std::filesystem::exists(folder_ / "node"));
    EXPECT_EQ(xinfu({"init", "--dir", folder_ / "node", "--node", "City!", "--person",
                     "security_administrator=" + (folder_ / "security.pem")})
                  .exit,
              2);
}

}  // namespace
}  // namespace xinfu::client
