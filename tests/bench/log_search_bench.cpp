// How long the first page of a search takes in a log of so many leaves, while files are handed in:
//   TMPDIR=/var/lib build/release/bin/log_search_bench LEAVES
// Answers one JSON object. Leaves are like a city's: six in ten submissions and what follows them, three queries, one
// of everything else. A writer commits batches of them as fast as it can meanwhile, and each segment is indexed once it
// is whole.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <random>
#include <string>
#include <thread>

#include "crypto/seal.hpp"
#include "storage/engine.hpp"
#include "storage/leaf.hpp"
#include "storage/ledger.hpp"
#include "storage/log_index.hpp"
#include "storage/log_rows.hpp"

namespace xinfu::storage {
namespace {

constexpr std::uint64_t kSegment = LogIndex::kSegmentLeaves;
constexpr int kRepeats = 300;

class BenchClock final : public Clock {
public:
    Milliseconds now() const override {
        return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
    }
};

std::string numbered(std::string_view prefix, std::uint64_t number) {
    return std::string(prefix) + std::to_string(number);
}

// The leaf of this number, always the same.
std::pair<Leaf, LeafNotes> leaf_of(std::uint64_t number) {
    std::mt19937_64 random(number);
    Leaf leaf;
    LeafNotes notes;
    const auto kind = random() % 10;
    const auto person = random() % 500;
    leaf.principal = numbered("m-", 1000 + person);
    leaf.unit = numbered("112199000000", 100000 + person / 5);
    leaf.source = numbered("192.0.2.", person % 200);
    leaf.catalog = numbered("catalog-", random() % 20);
    leaf.result = "done";
    if (kind < 6) {
        constexpr std::string_view kActions[] = {"submit", "read_submission", "read_receipt", "deliver"};
        leaf.action = kActions[random() % 4];
        leaf.role = "submitter";
        leaf.result = random() % 20 == 0 ? "refused" : "accepted";
        leaf.code = leaf.result == "refused" ? numbered("XF-", 4000 + random() % 60) : "";
        const auto id = crypto::sha256(index_key(number / 4));
        leaf.object = {"submission", to_hex(ByteView(id).first(16)), id, crypto::sha256(id)};
        leaf.counts.emplace();
        notes.name = numbered("file-", number) + ".p7m";
    } else if (kind < 9) {
        leaf.action = "query";
        leaf.role = "viewer";
        notes.subject = numbered("91219900MA", 10000000 + random() % 200000);
        notes.purpose = "an application of the company";
    } else {
        leaf.action = numbered("act_", random() % 40);
        leaf.role = "auditor";
        leaf.object.type = "request";
        leaf.object.id = to_hex(ByteView(crypto::sha256(index_key(random() % 100000))).first(16));
    }
    return {std::move(leaf), std::move(notes)};
}

void must(bool good) {
    if (!good) {
        std::fputs("log_search_bench: failed\n", stderr);
        std::exit(1);
    }
}

class Bench {
public:
    explicit Bench(std::uint64_t leaves) : leaves_(leaves) {
        std::string name = (std::filesystem::temp_directory_path() / "xinfu-bench-XXXXXX").string();
        must(::mkdtemp(name.data()) != nullptr);
        directory_ = name;
        auto engine = open_lmdb_engine(directory_, {.create = true}, std::make_shared<crypto::Sealer>(Bytes(32, 1)));
        must(engine.has_value());
        auto signer = std::make_shared<crypto::NoteSigner>(*crypto::NoteSigner::from_seed("bench/log", Bytes(32, 2)));
        Ledger::Options options;
        options.origin = "bench/log";
        auto ledger = open_ledger(std::move(*engine), options, signer, std::make_shared<BenchClock>());
        must(ledger.has_value());
        ledger_ = std::move(*ledger);
    }
    Bench(const Bench&) = delete;
    Bench& operator=(const Bench&) = delete;
    ~Bench() {
        ledger_.reset();
        std::filesystem::remove_all(directory_);
    }

    void run() {
        using Seconds = std::chrono::duration<double>;
        const auto began = std::chrono::steady_clock::now();
        while (written_ < leaves_) {
            append(std::min<std::uint64_t>(20'000, leaves_ - written_));
        }
        const auto filled = std::chrono::steady_clock::now();
        const std::uint64_t before = ledger_->engine().statistics().used_bytes;
        index_whole();
        const auto indexed = std::chrono::steady_clock::now();
        const std::uint64_t after = ledger_->engine().statistics().used_bytes;
        std::printf("{\"leaves\":%llu,\"fill_per_second\":%.0f,\"index_per_second\":%.0f,\"index_bytes_per_leaf\":%.1f",
                    static_cast<unsigned long long>(leaves_),
                    static_cast<double>(leaves_) / Seconds(filled - began).count(),
                    static_cast<double>(segments_ * kSegment) / Seconds(indexed - filled).count(),
                    static_cast<double>(after - before) / static_cast<double>(segments_ * kSegment));
        std::atomic<bool> stop = false;
        const std::uint64_t start = written_;
        const auto ingest_began = std::chrono::steady_clock::now();
        std::thread ingest([&] {
            while (!stop) {
                append(32);
                if ((segments_ + 1) * kSegment <= written_) {
                    index_whole();
                }
            }
        });
        measure();
        stop = true;
        ingest.join();
        const Seconds took = std::chrono::steady_clock::now() - ingest_began;
        std::printf(",\"ingest_per_second\":%.0f}\n", static_cast<double>(written_ - start) / took.count());
    }

private:
    void apply(std::function<Result<void>(Batch&)> what) {
        std::promise<bool> done;
        must(ledger_
                 ->submit({.apply = std::move(what),
                           .done = [&done](Result<Committed> result) { done.set_value(result.has_value()); },
                           .size_bytes = 1 << 20})
                 .has_value());
        must(done.get_future().get());
    }
    void append(std::uint64_t count) {
        apply([this, count](Batch& batch) -> Result<void> {
            for (std::uint64_t i = 0; i < count; ++i) {
                const auto [leaf, notes] = leaf_of(written_ + i);
                writer_.append(batch, leaf, notes);
            }
            return {};
        });
        written_ += count;
    }
    void index_whole() {
        for (; (segments_ + 1) * kSegment <= written_; ++segments_) {
            const auto rows = index_.make_rows(**ledger_->engine().snapshot(), segments_);
            must(rows.has_value());
            apply([this, &rows](Batch& batch) { return LogIndex::put(batch.transaction(), segments_, *rows); });
        }
    }
    void measure_one(const char* name, const std::function<LogQuery(std::mt19937_64&)>& make) {
        std::mt19937_64 random(1);
        std::vector<double> times;
        std::size_t found = 0;
        for (int i = 0; i < kRepeats; ++i) {
            LogQuery query = make(random);
            query.limit = 200;
            const auto began = std::chrono::steady_clock::now();
            const auto page = index_.search(**ledger_->engine().snapshot(), query);
            const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - began;
            must(page.has_value());
            times.push_back(took.count());
            found += page->found.size();
        }
        std::ranges::sort(times);
        std::printf(",\"%s\":{\"p50_ms\":%.2f,\"p99_ms\":%.2f,\"found\":%.1f}", name, times[times.size() / 2],
                    times[times.size() * 99 / 100], static_cast<double>(found) / kRepeats);
        std::fflush(stdout);
    }
    void measure() {
        const std::uint64_t leaves = leaves_;
        measure_one("nothing found", [](std::mt19937_64& random) {
            LogQuery query;
            query.terms.push_back({LogField::object, numbered("none", random())});
            return query;
        });
        measure_one("one file", [leaves](std::mt19937_64& random) {
            LogQuery query;
            const auto id = crypto::sha256(index_key(random() % leaves / 4));
            query.terms.push_back({LogField::object, to_hex(ByteView(id).first(16))});
            return query;
        });
        measure_one("one subject", [](std::mt19937_64& random) {
            LogQuery query;
            query.terms.push_back({LogField::subject, numbered("91219900MA", 10000000 + random() % 200000)});
            return query;
        });
        measure_one("one account's refusals", [](std::mt19937_64& random) {
            LogQuery query;
            query.terms.push_back({LogField::actor, numbered("m-", 1000 + random() % 500)});
            query.terms.push_back({LogField::result, numbered("XF-", 4000 + random() % 60)});
            return query;
        });
        measure_one("an action", [](std::mt19937_64& random) {
            LogQuery query;
            query.terms.push_back({LogField::action, numbered("act_", random() % 40)});
            return query;
        });
        measure_one("two terms never together", [](std::mt19937_64& random) {
            LogQuery query;
            query.terms.push_back({LogField::actor, numbered("m-", 1000 + random() % 500)});
            query.terms.push_back({LogField::unit, "112199000000100999"});
            return query;
        });
        measure_one("the newest", [](std::mt19937_64&) { return LogQuery{}; });
    }

    std::uint64_t leaves_;
    std::string directory_;
    std::unique_ptr<Ledger> ledger_;
    LeafWriter writer_{"bench", Bytes(32, 3)};
    LogIndex index_{Bytes(32, 3)};
    std::uint64_t written_ = 0;
    std::uint64_t segments_ = 0;
};

}  // namespace
}  // namespace xinfu::storage

int main(int argc, char** argv) {
    const long leaves = argc == 2 ? std::atol(argv[1]) : 0;
    if (leaves < 1) {
        std::fputs("usage: log_search_bench LEAVES\n", stderr);
        return 2;
    }
    xinfu::storage::Bench(static_cast<std::uint64_t>(leaves)).run();
    return 0;
}
