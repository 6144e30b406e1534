// Keys that are replaced: ENC-01.
#include "storage/node_keys.hpp"

#include <gtest/gtest.h>

#include "tests/unit/storage/fixture.hpp"

namespace xinfu::storage::testing {
namespace {

class NodeKeysTest : public ::testing::Test {
protected:
    NodeKeysTest() {
        auto transaction = *engine_->begin();
        EXPECT_TRUE(create_node_keys(*transaction, wrapper_, crypto::system_random()));
        EXPECT_TRUE(transaction->commit());
    }
    NodeKeys load() { return *load_node_keys(**engine_->snapshot(), wrapper_); }
    // The pair's public keys.
    template <class Make>
    std::vector<Bytes> change(Make make) {
        auto transaction = *engine_->begin();
        const auto keys = make(*transaction, wrapper_);
        EXPECT_TRUE(keys && transaction->commit());
        return publics(*keys);
    }
    static std::vector<Bytes> publics(const std::vector<crypto::SigningKey>& keys) {
        std::vector<Bytes> all;
        for (const auto& key : keys) {
            all.push_back(key.public_key());
        }
        return all;
    }

    TestDirectory directory_;
    std::unique_ptr<Engine> engine_ = make_engine(directory_.path());
    const crypto::KeyWrapper wrapper_{Bytes(32, 5)};
};

TEST_F(NodeKeysTest, OfEnvelopesTwoPairsAreKept) {
    {
        auto transaction = *engine_->begin();
        EXPECT_EQ(renew_envelope_keys(*transaction, wrapper_).error(), Errc::not_found) << "there is nothing to renew";
    }
    EXPECT_TRUE(load().envelopes.empty());
    const auto first = change(create_envelope_keys);
    EXPECT_EQ(publics(load().envelopes), first);
    EXPECT_TRUE(load().former_envelopes.empty());
    const auto second = change(renew_envelope_keys);
    EXPECT_NE(second, first);
    EXPECT_EQ(publics(load().envelopes), second);
    EXPECT_EQ(publics(load().former_envelopes), first);
    const auto third = change(renew_envelope_keys);
    EXPECT_EQ(publics(load().envelopes), third);
    EXPECT_EQ(publics(load().former_envelopes), second) << "and the first pair is gone";
}

}  // namespace
}  // namespace xinfu::storage::testing
