// How many durable operations, proofs and tree appends a second; run on the disk that matters, for instance
//   TMPDIR=/var/lib build/release/bin/ledger_bench
// An operation is what a small submission writes: two rows, one leaf of about 700 bytes.
#include <atomic>
#include <filesystem>
#include <thread>

#include <benchmark/benchmark.h>

#include "crypto/seal.hpp"
#include "storage/engine.hpp"
#include "storage/leaf.hpp"
#include "storage/ledger.hpp"
#include "storage/log_rows.hpp"
#include "storage/log_tree.hpp"
#include "storage/object_store.hpp"

namespace xinfu::storage {
namespace {

class SystemClock final : public Clock {
public:
    Milliseconds now() const override {
        return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
    }
};

class BenchDirectory {
public:
    BenchDirectory() : path_((std::filesystem::temp_directory_path() / "xinfu-bench-XXXXXX").string()) {
        if (::mkdtemp(path_.data()) == nullptr) {
            std::abort();
        }
    }
    BenchDirectory(const BenchDirectory&) = delete;
    BenchDirectory& operator=(const BenchDirectory&) = delete;
    ~BenchDirectory() { std::filesystem::remove_all(path_); }
    const std::string& path() const { return path_; }

private:
    std::string path_;
};

std::unique_ptr<Ledger> make_ledger(const std::string& directory) {
    auto engine = open_lmdb_engine(directory, {.create = true}, std::make_shared<crypto::Sealer>(Bytes(32, 1)));
    auto signer = std::make_shared<crypto::NoteSigner>(*crypto::NoteSigner::from_seed("bench/log", Bytes(32, 2)));
    Ledger::Options options;
    options.origin = "bench/log";
    return *open_ledger(std::move(*engine), options, signer, std::make_shared<SystemClock>());
}

Leaf bench_leaf() {
    return {.action = "submit",
            .result = "accepted",
            .principal = "m-0001",
            .unit = "11219900MB0000001A",
            .role = "submitter",
            .source = "192.0.2.7",
            .catalog = "administrative-penalty",
            .object = {.type = "submission", .id = std::string(32, 'a'), .digest = crypto::Digest{}},
            .counts = LeafCounts{}};
}

// As many operations in flight as the argument says: as from that many connections.
void durable_operations(benchmark::State& state) {
    const BenchDirectory directory;
    const auto ledger = make_ledger(directory.path());
    const LeafWriter leaves("bench", Bytes(32, 3));
    const Leaf leaf = bench_leaf();
    const LeafNotes notes{.name = "penalties-2026-01.csv"};
    const auto in_flight_max = static_cast<std::uint64_t>(state.range(0));
    std::atomic<std::uint64_t> done = 0;
    std::uint64_t submitted = 0;
    for (auto _ : state) {
        while (submitted - done.load(std::memory_order_acquire) >= in_flight_max) {
            done.wait(done.load());
            if (submitted - done.load() < in_flight_max) {
                break;
            }
        }
        const crypto::Digest name = crypto::sha256(index_key(submitted++));
        const auto taken = ledger->submit(
            {.apply = [&leaves, &leaf, &notes, name](Batch& batch) -> Result<void> {
                 leaves.append(batch, leaf, notes);
                 if (const auto put = batch.transaction().put(Table::submissions, ByteView(name).first(16), Bytes(600));
                     !put) {
                     return put;
                 }
                 return batch.transaction().put(Table::submission_names, name, ByteView(name).first(16));
             },
             .done =
                 [&done](Result<Committed> result) {
                     if (!result) {
                         std::abort();
                     }
                     done.fetch_add(1, std::memory_order_release);
                     done.notify_one();
                 },
             .size_bytes = 1500});
        if (!taken) {
            std::abort();
        }
    }
    while (done != submitted) {
        std::this_thread::yield();
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(submitted));
    state.counters["tree"] = static_cast<double>(ledger->head().tree_size);
}
BENCHMARK(durable_operations)->Arg(1)->Arg(16)->Arg(64)->Arg(256)->Arg(1024)->UseRealTime()->MinTime(2);

void tree_append(benchmark::State& state) {
    RightEdge edge;
    const crypto::Digest leaf{};
    for (auto _ : state) {
        edge.append(leaf, [](unsigned, std::uint64_t, const TileNodes&) {});
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(tree_append);

void leaf_encoding(benchmark::State& state) {
    const Leaf leaf = bench_leaf();
    const LeafNotes notes{.name = "penalties-2026-01.csv"};
    for (auto _ : state) {
        benchmark::DoNotOptimize(encode_leaf(leaf, notes, "bench", Milliseconds{}, LeafSalt{}, {}));
    }
}
BENCHMARK(leaf_encoding);

// Proofs in a tree of a million: of fresh leaves (from memory), and of leaves anywhere.
void inclusion_proof(benchmark::State& state) {
    static const BenchDirectory directory;
    static const auto ledger = [] {
        auto made = make_ledger(directory.path());
        std::atomic<bool> done = false;
        for (int part = 0; part < 10; ++part) {
            done = false;
            (void)made
                ->submit({.apply = [](Batch& batch) -> Result<void> {
                              for (int i = 0; i < 100'000; ++i) {
                                  batch.append_leaf(as_bytes("a leaf of a short text"));
                              }
                              return {};
                          },
                          .done =
                              [&done](Result<Committed>) {
                                  done = true;
                                  done.notify_one();
                              }})
                .has_value();
            done.wait(false);
        }
        return made;
    }();
    const std::uint64_t size = ledger->head().tree_size;
    const std::uint64_t step = state.range(0) == 0 ? 1 : 7919;
    std::uint64_t index = size - 1;
    for (auto _ : state) {
        benchmark::DoNotOptimize(ledger->tree().inclusion_proof(index, size));
        index = state.range(0) == 0 ? size - 1 - (index + step) % 400 : (index + step) % size;
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(inclusion_proof)->ArgName("anywhere")->Arg(0)->Arg(1);

void object_write(benchmark::State& state) {
    const BenchDirectory directory;
    const auto store = *open_object_store(directory.path() + "/objects");
    const Bytes piece(std::size_t{1} << 20, 7);
    ObjectId id{};
    for (auto _ : state) {
        const auto writer = *store->create(id, Bytes(32, 1));
        for (int i = 0; i < 256; ++i) {
            if (!writer->write(piece)) {
                std::abort();
            }
        }
        if (!writer->finish() || !store->erase(id)) {
            std::abort();
        }
    }
    state.SetBytesProcessed(state.iterations() * (256 << 20));
}
BENCHMARK(object_write)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace xinfu::storage

BENCHMARK_MAIN();
