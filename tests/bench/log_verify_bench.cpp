// How many entries a second `xinfu log verify` reads on one core, from memory: hashing, tiles, root, times.
#include <unordered_map>

#include <benchmark/benchmark.h>

#include "crypto/merkle.hpp"
#include "crypto/note.hpp"
#include "daemon/client/log_audit.hpp"

namespace xinfu::client {
namespace {

constexpr std::uint64_t kEntries = 1u << 18;

// As the daemon writes them: a submission's leaf, about 700 octets.
std::string entry(std::uint64_t index) {
    const std::string digest(64, static_cast<char>('0' + index % 10));
    const std::string number = std::to_string(index);
    return R"({"action":"submit","catalog":"administrative-penalty","counts":{"defective":0,"duplicate":0,"records":1,)"
           R"("stored":1,"warned":0},"name":")" +
           digest + R"(","node":"city","object":{"content":")" + digest + R"(","digest":")" + digest + R"(","id":")" +
           number + R"(","type":"submission"},"principal":"m-0001","result":"accepted","role":)" +
           R"("submitter","salt":"AAAAAAAAAAAAAAAAAAAAAA==","source":"192.0.2.7","time":"2026-11-22T00:00:00.000Z)" +
           R"(","unit":"11219900MB0000001A","v":1})";
}

class Memory final : public LogSource {
public:
    Memory() {
        std::vector<crypto::Digest> level;
        for (std::uint64_t first = 0; first < kEntries; first += crypto::kTileWidth) {
            std::string bundle;
            for (std::uint64_t i = first; i < first + crypto::kTileWidth; ++i) {
                const std::string text = entry(i);
                octets_ += text.size();
                bundle += {static_cast<char>(text.size() >> 8), static_cast<char>(text.size() & 0xff)};
                bundle += text;
                level.push_back(crypto::leaf_hash(as_bytes(text)));
            }
            parts_[crypto::tile_path({.entries = true, .index = first / crypto::kTileWidth})] = std::move(bundle);
        }
        const auto root = crypto::merkle_root(level);
        for (unsigned height = 0; !level.empty(); ++height) {
            std::vector<crypto::Digest> above;
            for (std::uint64_t tile = 0; tile * crypto::kTileWidth < level.size(); ++tile) {
                const auto width = std::min<std::size_t>(crypto::kTileWidth, level.size() - tile * crypto::kTileWidth);
                const auto hashes = std::span(level).subspan(tile * crypto::kTileWidth, width);
                std::string content;
                for (const auto& hash : hashes) {
                    content.append(hash.begin(), hash.end());
                }
                parts_[crypto::tile_path({.level = height, .index = tile, .width = static_cast<unsigned>(width)})] =
                    content;
                if (width == crypto::kTileWidth) {
                    above.push_back(crypto::merkle_root(hashes));
                }
            }
            level = std::move(above);
        }
        parts_["checkpoint"] = signer_.sign(crypto::encode_checkpoint({"bench/log", kEntries, root}));
    }
    std::optional<std::string> read(const std::string& path) override {
        const auto part = parts_.find(path);
        return part == parts_.end() ? std::nullopt : std::optional(part->second);
    }
    std::string key() const { return signer_.verifier_key(); }
    std::uint64_t octets() const { return octets_; }

private:
    crypto::NoteSigner signer_ = *crypto::NoteSigner::from_seed("bench/log", Bytes(32, 2));
    std::unordered_map<std::string, std::string> parts_;
    std::uint64_t octets_ = 0;
};

void verify(benchmark::State& state) {
    static Memory log;
    EvidenceOptions options;
    options.log_key = log.key();
    const TrustedKeys keys(options);
    for (auto step : state) {
        benchmark::DoNotOptimize(audit_log(log, keys, std::nullopt, [](std::uint64_t, std::uint64_t) {}));
    }
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kEntries));
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(log.octets()));
}
BENCHMARK(verify)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace xinfu::client

BENCHMARK_MAIN();
