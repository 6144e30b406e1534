// Context: what every use case of the vault works with. Made once by main.cpp; use cases take it by reference and
// keep no other global.
//
// Threads: use cases run as coroutines on `io`, which one thread serves, so that state of the vault needs no locks.
//          Slow pure work (password digests, signatures) goes to `workers` through run_on_worker(); all writing goes
//          to the ledger's thread through execute().
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "crypto/random.hpp"
#include "crypto/result.hpp"
#include "daemon/boundary/packet.hpp"
#include "daemon/vault/principal.hpp"
#include "storage/leaf.hpp"
#include "storage/ledger.hpp"

namespace xinfu::config {
struct Config;
}
namespace xinfu::storage {
class ObjectStore;
}

namespace xinfu::vault {

namespace asio = boost::asio;

class ActivePolicies;
class CountedLeaves;
class Inspectors;
class Keys;
class Metrics;

struct Context {
    asio::io_context& io;
    asio::thread_pool& workers;
    const config::Config& config;
    const std::string& node;  // this node's name
    storage::Ledger& ledger;
    const storage::ObjectStore& objects;
    const storage::LeafWriter& leaves;
    const storage::Clock& clock;
    crypto::RandomSource& random;
    const Keys& keys;
    ActivePolicies& policies;
    Inspectors& inspectors;
    Metrics& metrics;
    CountedLeaves& counted_leaves;
    // A connection to a fresh inspector. Errors: as boundary::Dialer::dial.
    std::function<asio::awaitable<Result<boundary::Connection>>()> dial_inspector;
};

// Who asks, from where, and what allowed it: what a leaf says of an act.
struct Caller {
    Principal principal;
    std::string source;  // address as text, without a port
    std::string role;    // the role that allowed the act; empty before that is known
};

// A leaf about an act of this caller; result, object and the rest are the use case's.
storage::Leaf leaf_of(const Caller& caller, std::string action);

// Runs one operation of the ledger and resumes on `io` when it is durable, or when it was refused. When the ledger
// failed the error is commit_failed: the whole process is about to stop, and no answer is honest.
// `essential` operations may use the disk's reserve: readings, refusals, what frees space.
// Name every argument first: a lambda must not stand inside a co_await expression (docs/CONTRIBUTING.md).
asio::awaitable<Result<storage::Committed>> execute(Context& context,
                                                    std::function<Result<void>(storage::Batch&)> apply,
                                                    std::size_t size_bytes = 0, bool essential = false);

struct Recorded {
    std::uint64_t index = 0;
    Bytes entry;  // the leaf's bytes: a receipt's `extra`
    storage::Committed committed;
};
// Appends one leaf; durable when it resumes. For readings, which change nothing else. Errors: as execute.
asio::awaitable<Result<Recorded>> record(Context& context, storage::Leaf leaf, storage::LeafNotes notes);

// Runs `work` on a worker thread and resumes on `io` with its answer. `work` must own what it uses and not throw.
template <class T>
asio::awaitable<T> run_on_worker(Context& context, std::function<T()> work) {
    auto answer = std::make_shared<std::optional<T>>();
    auto initiate = [&context, answer, work = std::move(work)](auto handler) mutable {
        auto waiting = std::make_shared<decltype(handler)>(std::move(handler));
        auto task = [&context, answer, waiting, work = std::move(work)]() mutable {
            answer->emplace(work());
            work = nullptr;  // what it captured dies on the thread that used it
            auto resume = [waiting]() { std::move (*waiting)(); };
            asio::post(context.io, std::move(resume));
        };
        asio::post(context.workers, std::move(task));
    };
    auto wait = asio::async_initiate<const asio::use_awaitable_t<>&, void()>(std::move(initiate), asio::use_awaitable);
    co_await std::move(wait);
    co_return std::move(**answer);
}

}  // namespace xinfu::vault
