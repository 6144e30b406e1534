// Refusals: connections that ended before a principal was known. They are counted here and told to the vault at most
// once a second for each code, so that a flood costs a few counted leaves and no more.
//
// Threads: one strand.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/boundary/gateway.pb.h"

namespace xinfu::gateway {

class Refusals {
public:
    void count(std::string_view code, const boundary::SourceAddress& source) {
        auto& waiting = waiting_[std::string(code)];
        if (waiting.count() == 0) {
            waiting.set_code(std::string(code));
            *waiting.mutable_source() = source;
        }
        waiting.set_count(std::min(waiting.count() + 1, kCountMax));
    }
    // What is to be told now. Given back with put_back() when it could not be.
    std::vector<boundary::CountRefusals> take() {
        std::vector<boundary::CountRefusals> taken;
        for (auto& [code, waiting] : waiting_) {
            taken.push_back(std::move(waiting));
        }
        waiting_.clear();
        return taken;
    }
    void put_back(const boundary::CountRefusals& told) {
        auto& waiting = waiting_[told.code()];
        const auto later = waiting.count();
        waiting = told;
        waiting.set_count(std::min(told.count() + later, kCountMax));
    }

private:
    static constexpr std::uint64_t kCountMax = 1'000'000;  // what the vault believes in one message

    std::map<std::string, boundary::CountRefusals> waiting_;  // as many as there are codes
};

}  // namespace xinfu::gateway
