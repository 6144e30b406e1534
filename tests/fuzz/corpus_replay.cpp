// Replays a corpus through a fuzz target, so that every build runs it. The folder is XINFU_CORPUS.
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <gtest/gtest.h>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

TEST(Corpus, IsTakenWithoutHarm) {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(XINFU_CORPUS)) {
        std::ifstream file(entry.path(), std::ios::binary);
        const std::vector<char> text{std::istreambuf_iterator<char>(file), {}};
        const std::vector<std::uint8_t> input(text.begin(), text.end());
        SCOPED_TRACE(entry.path().filename().string());
        LLVMFuzzerTestOneInput(input.data(), input.size());
        // And mutilated: cut short at, and with an octet changed at, a few dozen places.
        const std::size_t step = std::max<std::size_t>(1, input.size() / 64);
        for (std::size_t at = 0; at < input.size(); at += step) {
            LLVMFuzzerTestOneInput(input.data(), at);
            auto changed = input;
            changed[at] ^= 0xff;
            LLVMFuzzerTestOneInput(changed.data(), changed.size());
        }
        ++count;
    }
    EXPECT_GT(count, 0u);
}

}  // namespace
