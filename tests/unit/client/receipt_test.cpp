// Receipts made by Go's sumdb packages (tests/vectors/tlog/make.go), and one of our own about a file.
#include "crypto/canonical_json.hpp"
#include "crypto/note.hpp"
#include "crypto/tlog_proof.hpp"
#include "tests/unit/client/support.hpp"

namespace xinfu::client {
namespace {

using test::kLogKey;
using test::kWitnessKey;
using test::xinfu;
using xinfu::test::read_vector;
using xinfu::test::vector_path;

test::Outcome verify(const std::string& path, std::vector<std::string> more = {}) {
    std::vector<std::string> arguments{"receipt", "verify", path, "--log-key", kLogKey};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return xinfu(arguments);
}

// A receipt of a log with one entry, signed with the vectors' log seed.
std::string receipt_with_leaf(const std::string& leaf) {
    const auto signer = crypto::NoteSigner::from_seed("city.example/log", Bytes(32, 7)).value();
    crypto::TlogProof proof;
    proof.extra = to_bytes(leaf);
    proof.checkpoint = signer.sign(crypto::encode_checkpoint({"city.example/log", 1, crypto::leaf_hash(proof.extra)}));
    return crypto::encode_tlog_proof(proof);
}

std::string leaf_about(const std::string& body, const std::string& content) {
    crypto::JsonObject object;
    object.text("type", "submission")
        .text("digest", to_hex(crypto::sha256(as_bytes(body))))
        .text("content", to_hex(crypto::sha256(as_bytes(content))));
    crypto::JsonObject leaf;
    leaf.number("v", 1).text("action", "submit").text("result", "accepted").object("object", object);
    return leaf.encode();
}

TEST(ReceiptVerify, AcceptsAnotherImplementationsReceipt) {
    const auto outcome = verify(vector_path("tlog/entry-123.tlog-proof"), {"--json"});
    EXPECT_EQ(outcome.exit, 0) << outcome.err;
    EXPECT_NE(outcome.out.find("\"index\":123"), std::string::npos) << outcome.out;
}

TEST(ReceiptVerify, ExitsWithFourForAnyByteChanged) {
    const test::Folder folder;
    const std::string receipt = read_vector("tlog/entry-123.tlog-proof");
    for (std::size_t i = 0; i < receipt.size(); ++i) {
        std::string changed = receipt;
        changed[i] = static_cast<char>(changed[i] ^ 0x04);
        test::write(folder / "receipt", changed);
        ASSERT_EQ(verify(folder / "receipt").exit, 4) << "byte " << i;
    }
}

TEST(ReceiptVerify, ExitsWithFourForAnyTruncation) {
    const test::Folder folder;
    const std::string receipt = read_vector("tlog/entry-123.tlog-proof");
    for (std::size_t size = 0; size < receipt.size(); size += 3) {
        test::write(folder / "receipt", receipt.substr(0, size));
        ASSERT_EQ(verify(folder / "receipt").exit, 4) << "cut after byte " << size;
    }
}

TEST(ReceiptVerify, KeepsTheExitCodesApart) {
    const std::string receipt = vector_path("tlog/entry-123.tlog-proof");
    EXPECT_EQ(verify("/nonexistent").exit, 2);
    EXPECT_EQ(verify(receipt, {"--file", "/nonexistent"}).exit, 2);
    EXPECT_EQ(xinfu({"receipt", "verify", receipt, "--log-key", "nonsense"}).exit, 2);
    const auto another = crypto::NoteSigner::from_seed("city.example/log", Bytes(32, 8)).value().verifier_key();
    EXPECT_EQ(xinfu({"receipt", "verify", receipt, "--log-key", another}).exit, 4);
}

TEST(ReceiptVerify, CountsWitnesses) {
    const std::string plain = vector_path("tlog/entry-123.tlog-proof");
    const std::string cosigned = vector_path("tlog/entry-123-cosigned.tlog-proof");
    EXPECT_EQ(verify(cosigned, {"--witness-key", kWitnessKey, "--strict"}).exit, 0);
    EXPECT_EQ(verify(plain, {"--witness-key", kWitnessKey}).exit, 4);
    EXPECT_EQ(verify(plain, {"--witness-key", kWitnessKey, "--quorum", "0"}).exit, 0);
    EXPECT_EQ(verify(plain, {"--quorum", "1"}).exit, 2);
    EXPECT_EQ(verify(cosigned).exit, 0);
    EXPECT_NE(verify(cosigned).out.find("unverified"), std::string::npos);
    EXPECT_EQ(verify(cosigned, {"--strict"}).exit, 4);
}

TEST(ReceiptVerify, TakesTheBodyOrItsContentAndNothingElse) {
    const test::Folder folder;
    test::write(folder / "receipt", receipt_with_leaf(leaf_about("the signed body", "the content")));
    test::write(folder / "body", "the signed body");
    test::write(folder / "content", "the content");
    test::write(folder / "other", "another content");
    EXPECT_EQ(verify(folder / "receipt", {"--file", folder / "body"}).exit, 0);
    EXPECT_EQ(verify(folder / "receipt", {"--file", folder / "content"}).exit, 0);
    EXPECT_EQ(verify(folder / "receipt", {"--file", folder / "other"}).exit, 4);
}

TEST(ReceiptVerify, RefusesVersionsItDoesNotKnow) {
    const test::Folder folder;
    for (const std::string leaf : {R"({"v":2,"action":"submit"})", R"({"action":"submit"})", "not json", "[]"}) {
        test::write(folder / "receipt", receipt_with_leaf(leaf));
        EXPECT_EQ(verify(folder / "receipt").exit, 4) << leaf;
    }
    std::string receipt = read_vector("tlog/entry-123.tlog-proof");
    receipt.replace(receipt.find("@v1"), 3, "@v2");
    test::write(folder / "receipt", receipt);
    const auto outcome = verify(folder / "receipt");
    EXPECT_EQ(outcome.exit, 4);
    EXPECT_NE(outcome.err.find("XF-8002"), std::string::npos) << outcome.err;
}

}  // namespace
}  // namespace xinfu::client
