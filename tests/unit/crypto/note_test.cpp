// The example note is C2SP signed-note's own; the other vectors are made by Go's sumdb packages
// (tests/vectors/tlog/make.go).
#include "crypto/note.hpp"

#include <gtest/gtest.h>

#include "crypto/error.hpp"
#include "tests/support/vectors.hpp"

namespace xinfu::crypto {
namespace {

constexpr std::string_view kExampleKey = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
constexpr std::string_view kExampleNote =
    "This is an example message.\n"
    "\n"
    "\xe2\x80\x94 example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

constexpr std::string_view kLogKey = "city.example/log+914b00a3+AepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs";
constexpr std::string_view kWitnessKey =
    "province.example/witness+cbe98e10+BP0XJDhaoMdbZPt4zWAvodmR/ev3axPFjtcC6sg16fYY";

std::string cosigned_checkpoint() {
    const std::string receipt = test::read_vector("tlog/entry-123-cosigned.tlog-proof");
    return receipt.substr(receipt.find("\n\n") + 2);
}

TEST(OpenNote, OpensTheSpecificationsExample) {
    const auto verifier = NoteVerifier::parse(kExampleKey).value();
    const auto opened = open_note(kExampleNote, {&verifier});
    ASSERT_TRUE(opened);
    EXPECT_EQ(opened->text, "This is an example message.\n");
    EXPECT_EQ(opened->verified, std::vector<std::string>{"example.com/foo"});
    EXPECT_TRUE(opened->unverified.empty());
}

TEST(OpenNote, RefusesTheExampleWithAnyByteChanged) {
    const auto verifier = NoteVerifier::parse(kExampleKey).value();
    for (std::size_t i = 0; i < kExampleNote.size(); ++i) {
        std::string changed(kExampleNote);
        changed[i] = static_cast<char>(changed[i] ^ 1);
        EXPECT_FALSE(open_note(changed, {&verifier})) << "byte " << i;
    }
}

TEST(OpenNote, RefusesTheExampleCutShort) {
    const auto verifier = NoteVerifier::parse(kExampleKey).value();
    for (std::size_t size = 0; size < kExampleNote.size(); ++size) {
        EXPECT_FALSE(open_note(kExampleNote.substr(0, size), {&verifier})) << "cut after byte " << size;
    }
}

TEST(OpenNote, TellsSignaturesItHasNoKeyFor) {
    const auto log = NoteVerifier::parse(kLogKey).value();
    const auto opened = open_note(cosigned_checkpoint(), {&log});
    ASSERT_TRUE(opened);
    EXPECT_EQ(opened->verified, std::vector<std::string>{"city.example/log"});
    ASSERT_EQ(opened->unverified.size(), 1u);
    EXPECT_NE(opened->unverified[0].find("province.example/witness"), std::string::npos);
}

TEST(OpenNote, ChecksAWitnessesTimedSignature) {
    const auto log = NoteVerifier::parse(kLogKey).value();
    const auto witness = NoteVerifier::parse(kWitnessKey).value();
    EXPECT_TRUE(witness.is_witness());
    const auto opened = open_note(cosigned_checkpoint(), {&log, &witness});
    ASSERT_TRUE(opened);
    EXPECT_EQ(opened->verified.size(), 2u);

    std::string changed = cosigned_checkpoint();
    const auto line = changed.rfind(' ');
    const auto time = line + 1 + 12;  // inside the time, which the signature covers
    changed[time] = changed[time] == 'A' ? 'B' : 'A';
    EXPECT_EQ(open_note(changed, {&log, &witness}).error(), Errc::note_unverified);
}

TEST(OpenNote, NeedsOneKnownSignature) {
    const auto example = NoteVerifier::parse(kExampleKey).value();
    EXPECT_EQ(open_note(cosigned_checkpoint(), {&example}).error(), Errc::note_unverified);
    EXPECT_EQ(open_note(kExampleNote, {}).error(), Errc::note_unverified);
}

TEST(OpenNote, BoundsTheNumberOfSignatures) {
    const auto verifier = NoteVerifier::parse(kExampleKey).value();
    const std::string line(kExampleNote.substr(kExampleNote.find("\n\n") + 2));
    std::string note(kExampleNote);
    for (std::size_t i = 1; i < kNoteSignaturesMax; ++i) {
        note += line;
    }
    EXPECT_TRUE(open_note(note, {&verifier}));
    EXPECT_EQ(open_note(note + line, {&verifier}).error(), Errc::note_malformed);
}

TEST(NoteVerifier, RefusesKeysThatAreNotWhatTheirHashSays) {
    for (std::size_t i = 0; i < kExampleKey.size(); ++i) {
        std::string changed(kExampleKey);
        changed[i] = static_cast<char>(changed[i] ^ 1);
        EXPECT_FALSE(NoteVerifier::parse(changed)) << changed;
    }
    EXPECT_EQ(NoteVerifier::parse("").error(), Errc::key_malformed);
    EXPECT_EQ(NoteVerifier::parse("a+b").error(), Errc::key_malformed);
}

TEST(NoteSigner, SignsWhatGoSigns) {
    const auto signer = NoteSigner::from_seed("city.example/log", Bytes(32, 7)).value();
    EXPECT_EQ(signer.verifier_key(), kLogKey);
    const std::string checkpoint = test::read_vector("tlog/checkpoint-100");
    EXPECT_EQ(signer.sign(checkpoint.substr(0, checkpoint.find("\n\n") + 1)), checkpoint);
}

TEST(NoteSigner, RefusesNamesThatWouldNotReadBack) {
    for (const char* name : {"", "a b", "a+b", "a\nb",
                             "a\xc2\xa0"
                             "b",
                             "a\xe3\x80\x80", "\xff", "a\xe2\x80\x89z"}) {
        EXPECT_EQ(NoteSigner::from_seed(name, Bytes(32, 7)).error(), Errc::key_malformed) << name;
    }
    EXPECT_EQ(NoteSigner::from_seed("a", Bytes(31, 7)).error(), Errc::key_malformed);
}

TEST(WitnessSigner, CosignsWhatGoCosigns) {
    const auto signer = WitnessSigner::from_seed("province.example/witness", Bytes(32, 9)).value();
    EXPECT_EQ(signer.verifier_key(), kWitnessKey);
    const std::string note = cosigned_checkpoint();
    const std::string line = signer.cosign(note.substr(0, note.find("\n\n") + 1), 1767225600);
    EXPECT_TRUE(note.ends_with(line));
}

TEST(Checkpoint, IsWrittenAsItIsRead) {
    const std::string note = test::read_vector("tlog/checkpoint-100");
    const std::string text = note.substr(0, note.find("\n\n") + 1);
    const auto checkpoint = parse_checkpoint(text).value();
    EXPECT_EQ(checkpoint.origin, "city.example/log");
    EXPECT_EQ(checkpoint.size, 100u);
    EXPECT_EQ(encode_checkpoint(checkpoint), text);
    EXPECT_TRUE(parse_checkpoint(text + "extension\n"));
}

TEST(Checkpoint, RefusesOtherForms) {
    const std::string root = to_base64(Bytes(32, 1)) + "\n";
    for (const std::string& text :
         std::vector<std::string>{std::string(), "o\n1\n", "o\n01\n" + root, "o\n-1\n" + root, "o\n1 \n" + root,
                                  "\n1\n" + root, "o\n1\n" + to_base64(Bytes(31, 1)) + "\n", "o\n1\n" + root + "\n",
                                  "o\n1\n" + root + "x", "o\n18446744073709551616\n" + root}) {
        EXPECT_EQ(parse_checkpoint(text).error(), Errc::checkpoint_malformed) << text;
    }
}

}  // namespace
}  // namespace xinfu::crypto
