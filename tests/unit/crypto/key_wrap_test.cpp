#include "crypto/key_wrap.hpp"

#include <gtest/gtest.h>

#include "crypto/error.hpp"

namespace xinfu::crypto {
namespace {

TEST(KeyWrapper, UnwrapsWhatItWrapped) {
    const Bytes wrapped = KeyWrapper(Bytes(32, 1)).wrap("log", Bytes(32, 2));
    const auto key = KeyWrapper(Bytes(32, 1)).unwrap("log", wrapped);
    ASSERT_TRUE(key);
    EXPECT_EQ(Bytes(key->view().begin(), key->view().end()), Bytes(32, 2));
}

TEST(KeyWrapper, RefusesAnotherNameKeyOrByte) {
    const KeyWrapper wrapper(Bytes(32, 1));
    const Bytes wrapped = wrapper.wrap("log", Bytes(32, 2));
    EXPECT_EQ(wrapper.unwrap("tls", wrapped).error(), Errc::key_not_unwrapped);
    EXPECT_EQ(wrapper.unwrap("", wrapped).error(), Errc::key_not_unwrapped);
    EXPECT_EQ(KeyWrapper(Bytes(32, 3)).unwrap("log", wrapped).error(), Errc::key_not_unwrapped);
    for (std::size_t i = 0; i < wrapped.size(); ++i) {
        Bytes changed = wrapped;
        changed[i] ^= 1;
        EXPECT_EQ(wrapper.unwrap("log", changed).error(), Errc::key_not_unwrapped) << "byte " << i;
    }
}

}  // namespace
}  // namespace xinfu::crypto
