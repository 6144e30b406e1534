// The receipts come from Go's sumdb packages (tests/vectors/tlog/make.go).
#include "crypto/tlog_proof.hpp"

#include <gtest/gtest.h>

#include "crypto/error.hpp"
#include "tests/support/vectors.hpp"

namespace xinfu::crypto {
namespace {

const NoteVerifier kLog =
    NoteVerifier::parse("city.example/log+914b00a3+AepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs").value();
const NoteVerifier kWitness =
    NoteVerifier::parse("province.example/witness+cbe98e10+BP0XJDhaoMdbZPt4zWAvodmR/ev3axPFjtcC6sg16fYY").value();

std::string receipt() {
    return test::read_vector("tlog/entry-123.tlog-proof");
}

TEST(TlogProof, VerifiesGosReceipt) {
    const auto proof = parse_tlog_proof(receipt());
    ASSERT_TRUE(proof);
    EXPECT_EQ(proof->index, 123u);
    EXPECT_EQ(encode_tlog_proof(*proof), receipt());
    const auto verified = verify_tlog_proof(*proof, {&kLog});
    ASSERT_TRUE(verified);
    EXPECT_EQ(verified->checkpoint.size, 300u);
}

TEST(TlogProof, SeesTheWitness) {
    const auto proof = parse_tlog_proof(test::read_vector("tlog/entry-123-cosigned.tlog-proof")).value();
    EXPECT_EQ(verify_tlog_proof(proof, {&kLog, &kWitness}).value().note.verified.size(), 2u);
    EXPECT_EQ(verify_tlog_proof(proof, {&kLog}).value().note.unverified.size(), 1u);
    // A witness's word is not the log's.
    EXPECT_EQ(verify_tlog_proof(proof, {&kWitness}).error(), Errc::origin_mismatch);
}

TEST(TlogProof, RefusesTheReceiptWithAnyBitOfAnyByteChanged) {
    const std::string original = receipt();
    for (std::size_t i = 0; i < original.size(); ++i) {
        for (const int mask : {0x01, 0x20, 0x80}) {
            std::string changed = original;
            changed[i] = static_cast<char>(changed[i] ^ mask);
            const auto proof = parse_tlog_proof(changed);
            EXPECT_FALSE(proof && verify_tlog_proof(*proof, {&kLog})) << "byte " << i << " mask " << mask;
        }
    }
}

TEST(TlogProof, RefusesTheReceiptCutShortOrLengthened) {
    const std::string original = receipt();
    for (std::size_t size = 0; size < original.size(); ++size) {
        const auto proof = parse_tlog_proof(original.substr(0, size));
        EXPECT_FALSE(proof && verify_tlog_proof(*proof, {&kLog})) << "cut after byte " << size;
    }
    for (const char* more : {"x", "\n", " ", "\n\n"}) {
        const auto proof = parse_tlog_proof(original + more);
        EXPECT_FALSE(proof && verify_tlog_proof(*proof, {&kLog})) << more;
    }
}

TEST(TlogProof, RefusesOtherFormsAndSizes) {
    const std::string hash = to_base64(Bytes(32, 1)) + "\n";
    const std::string first = "c2sp.org/tlog-proof@v1\n";
    std::string too_many;
    for (std::size_t i = 0; i <= kProofHashesMax; ++i) {
        too_many += hash;
    }
    EXPECT_TRUE(parse_tlog_proof(first + "index 0\n\nnote"));
    for (const std::string& text : std::vector<std::string>{
             first, "c2sp.org/tlog-proof@v2\nindex 0\n\nnote", first + "index 00\n\nnote", first + "index -1\n\nnote",
             first + "index +1\n\nnote", first + "index \n\nnote", first + "index 18446744073709551616\n\nnote",
             first + "extra \nindex 0\n\nnote", first + "extra x\nindex 0\n\nnote",
             first + "index 0\nextra eA==\n\nnote", first + "index 0\n" + hash + "note", first + "index 0\n\n",
             first + "index 0\r\n\nnote", first + "index 0\n" + to_base64(Bytes(31, 1)) + "\n\nnote",
             first + "index 0\n" + too_many + "\nnote",
             first + "extra " + to_base64(Bytes(kEntrySizeBytesMax + 1, 1)) + "\nindex 0\n\nnote",
             first + "index 0\n\n" + std::string(kProofSizeBytesMax, 'n')}) {
        EXPECT_EQ(parse_tlog_proof(text).error(), Errc::proof_malformed) << text.substr(0, 80);
    }
}

TEST(TlogProof, RefusesAnotherEntrysProof) {
    auto proof = parse_tlog_proof(receipt()).value();
    proof.index = 124;
    EXPECT_EQ(verify_tlog_proof(proof, {&kLog}).error(), Errc::proof_mismatch);
}

}  // namespace
}  // namespace xinfu::crypto
