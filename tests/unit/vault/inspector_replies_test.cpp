#include "daemon/vault/inspector_replies.hpp"

#include <gtest/gtest.h>

#include "daemon/boundary/error.hpp"
#include "daemon/boundary/packet.hpp"

namespace xinfu::vault {
namespace {

std::string packet(const boundary::InspectorReply& reply) {
    return *boundary::encode(reply);
}

boundary::InspectorReply records(int count, int fields, const std::string& value) {
    boundary::InspectorReply reply;
    for (int i = 0; i < count; ++i) {
        auto& record = *reply.mutable_records()->add_records();
        record.set_line(static_cast<std::uint64_t>(i) + 1);
        record.set_continued(i % 2 == 0);
        for (int k = 0; k < fields; ++k) {
            record.add_fields(static_cast<std::uint32_t>(k));
            record.add_values(value);
        }
    }
    return reply;
}

TEST(InspectorReplies, NothingOfAnEarlierPacketIsLeftInALaterOne) {
    boundary::InspectorReply verdict;
    verdict.mutable_verdict()->set_records(7);
    boundary::InspectorReply empty_batch;
    empty_batch.mutable_records();
    boundary::InspectorReply version = records(1, 0, "");
    version.mutable_records()->set_catalog_version("2");
    InspectorReplies replies;
    for (const auto& sent : {records(5, 9, std::string(500, 'v')), version, records(2, 1, "w"), verdict, empty_batch,
                             records(9, 2, "x"), verdict, records(1, 3, "y")}) {
        const auto got = replies.decode(packet(sent));
        ASSERT_TRUE(got);
        EXPECT_EQ((*got)->SerializeAsString(), sent.SerializeAsString());
        EXPECT_EQ((*got)->body_case(), sent.body_case());
    }
}

TEST(InspectorReplies, WhatIsCutShortOrTooLargeIsMalformedAndTheNextIsNot) {
    const std::string whole = packet(records(3, 4, "value"));
    InspectorReplies replies;
    for (std::size_t size = 1; size < whole.size(); ++size) {
        const auto got = replies.decode(whole.substr(0, size));
        ASSERT_FALSE(got) << size;
        EXPECT_EQ(got.error(), boundary::Errc::malformed);
    }
    EXPECT_FALSE(replies.decode(records(70, 1, std::string(1000, 'v')).SerializeAsString()));
    EXPECT_TRUE(replies.decode(whole));
}

// A field of no known number, behind the records: it must not gather from packet to packet.
TEST(InspectorReplies, KeepsNothingUnknown) {
    const std::string odd = packet(records(1, 1, "v")) +
                            "\xfa\x3f\x03"
                            "abc";
    InspectorReplies replies;
    ASSERT_TRUE(replies.decode(odd));
    const auto again = replies.decode(odd);
    ASSERT_TRUE(again);
    EXPECT_EQ((*again)->ByteSizeLong(), odd.size());
}

}  // namespace
}  // namespace xinfu::vault
