// What storage tests share: a directory that vanishes, time that is told, keys that are always the same.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "crypto/note.hpp"
#include "crypto/seal.hpp"
#include "storage/engine.hpp"
#include "storage/error.hpp"
#include "storage/ledger.hpp"

namespace xinfu::storage::testing {

class TestDirectory {
public:
    TestDirectory() {
        std::string name = (std::filesystem::temp_directory_path() / "xinfu-storage-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) {
            std::abort();
        }
        path_ = name;
    }
    TestDirectory(const TestDirectory&) = delete;
    TestDirectory& operator=(const TestDirectory&) = delete;
    ~TestDirectory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    std::string path(const std::string& name = {}) const { return name.empty() ? path_ : path_ + "/" + name; }

private:
    std::string path_;
};

class ToldClock final : public Clock {
public:
    Milliseconds now() const override { return Milliseconds(std::chrono::milliseconds(time.load())); }
    std::atomic<std::int64_t> time{1'769'846'400'123};  // 2026-01-31T08:00:00.123Z
};

inline const std::string kOrigin = "city.example/log";

inline std::shared_ptr<const crypto::Sealer> make_sealer(std::uint8_t key = 7) {
    return std::make_shared<crypto::Sealer>(Bytes(32, key));
}
inline std::shared_ptr<const crypto::NoteSigner> make_signer(std::uint8_t seed = 9) {
    return std::make_shared<crypto::NoteSigner>(*crypto::NoteSigner::from_seed(kOrigin, Bytes(32, seed)));
}

inline Result<std::unique_ptr<Engine>> try_engine(const std::string& directory, std::uint8_t key = 7,
                                                  std::uint64_t map_size_bytes = std::uint64_t{1} << 30) {
    return open_lmdb_engine(directory, {.map_size_bytes = map_size_bytes, .create = true}, make_sealer(key));
}
inline std::unique_ptr<Engine> make_engine(const std::string& directory,
                                           std::uint64_t map_size_bytes = std::uint64_t{1} << 30) {
    auto engine = try_engine(directory, 7, map_size_bytes);
    EXPECT_TRUE(engine.has_value()) << engine.error().message();
    return engine ? std::move(*engine) : nullptr;
}

inline Ledger::Options make_options() {
    Ledger::Options options;
    options.origin = kOrigin;
    options.disk_reserve_bytes = 0;
    return options;
}
inline Result<std::unique_ptr<Ledger>> try_ledger(const std::string& directory,
                                                  std::shared_ptr<const Clock> clock = std::make_shared<ToldClock>(),
                                                  Ledger::Options options = make_options(),
                                                  std::uint64_t map_size_bytes = std::uint64_t{1} << 30) {
    auto engine = try_engine(directory, 7, map_size_bytes);
    if (!engine) {
        return engine.error();
    }
    return open_ledger(std::move(*engine), std::move(options), make_signer(), std::move(clock));
}
inline std::unique_ptr<Ledger> make_ledger(const std::string& directory,
                                           std::shared_ptr<const Clock> clock = std::make_shared<ToldClock>(),
                                           Ledger::Options options = make_options()) {
    auto ledger = try_ledger(directory, std::move(clock), std::move(options));
    EXPECT_TRUE(ledger.has_value()) << ledger.error().message();
    return ledger ? std::move(*ledger) : nullptr;
}

using Apply = std::function<Result<void>(Batch&)>;

inline std::future<Result<Committed>> submit(Ledger& ledger, Apply apply, bool essential = false) {
    auto promise = std::make_shared<std::promise<Result<Committed>>>();
    auto future = promise->get_future();
    const auto taken = ledger.submit({.apply = std::move(apply),
                                      .done = [promise](Result<Committed> result) { promise->set_value(result); },
                                      .size_bytes = 1024,
                                      .essential = essential});
    if (!taken) {
        promise->set_value(taken.error());
    }
    return future;
}
inline Result<Committed> run(Ledger& ledger, Apply apply) {
    return submit(ledger, std::move(apply)).get();
}
inline std::string entry_text(std::uint64_t index) {
    return "entry " + std::to_string(index);
}
// One operation with `count` entries, each named by its index.
inline Result<Committed> append_entries(Ledger& ledger, std::uint64_t count) {
    return run(ledger, [count](Batch& batch) -> Result<void> {
        for (std::uint64_t i = 0; i < count; ++i) {
            batch.append_leaf(as_bytes(entry_text(batch.next_index())));
        }
        return {};
    });
}

inline std::string read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}
inline void write_file(const std::string& path, std::string_view bytes) {
    std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

}  // namespace xinfu::storage::testing
