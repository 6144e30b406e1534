// Runs coroutines of a test to their end.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <exception>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "daemon/boundary/packet_channel.hpp"

namespace xinfu::boundary::test {

inline void rethrow(const std::exception_ptr& thrown) {
    if (thrown) {
        std::rethrow_exception(thrown);
    }
}

// Fails the test when the coroutines are not done in five seconds.
template <class... Tasks>
void run(asio::io_context& io, Tasks... tasks) {
    std::size_t left = sizeof...(tasks);
    const auto done = [&](const std::exception_ptr& thrown) {
        rethrow(thrown);
        if (--left == 0) {
            io.stop();
        }
    };
    (asio::co_spawn(io, std::move(tasks), done), ...);
    io.restart();
    io.run_for(std::chrono::seconds{5});
    EXPECT_EQ(left, 0U) << "a coroutine still waits";
}

inline Connection connection(Descriptor descriptor, bool may_pass_descriptors = false) {
    Connection made;
    made.descriptor = std::move(descriptor);
    made.rules.may_pass_descriptors = may_pass_descriptors;
    return made;
}

}  // namespace xinfu::boundary::test
