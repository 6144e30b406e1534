// Feeds: recipients read a catalog's record versions from the position on that they have, and wait for more. Each page
// has its leaf before it leaves: who got which positions, and the digest of its bytes. Empty pages of a
// minute are counted (counted_leaves.hpp), and waiting leaves none: it tells nothing but that there is nothing.
//
// Format:  docs/formats/feeds.md.
// Threads: the vault's `io`; pages are made on workers. FeedBell is internally locked.
// Errors:  problems; storage errors as problem_of().
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include <boost/asio/steady_timer.hpp>

#include "daemon/vault/exchange.hpp"
#include "storage/feeds.hpp"

namespace xinfu::vault {

inline constexpr std::uint64_t kFeedPositionMax = (std::uint64_t{1} << 53) - 1;  // what every JSON reader can hold
inline constexpr std::uint32_t kFeedWaitSecondsMax = 30;
inline constexpr std::size_t kFeedWaitingMax = 64;  // of one account; its further ones are told to come later

// Rings after a batch of the ledger, on its thread, for whoever has connected.
class FeedBell {
public:
    void connect(std::function<void()> heard) {
        const std::scoped_lock lock(lock_);
        heard_ = std::move(heard);
    }
    void ring() {
        const std::scoped_lock lock(lock_);
        if (heard_) {
            heard_();
        }
    }

private:
    std::mutex lock_;
    std::function<void()> heard_;
};

class Feeds {
public:
    explicit Feeds(Context& context) : context_(context) {}

    asio::awaitable<void> read(ExchangePointer exchange);
    // Ends with the connection, too.
    asio::awaitable<void> watch(ExchangePointer exchange);
    // Positions may have been added: wakes those who wait for them.
    void look();

    std::size_t waiting() const { return waiting_.size(); }

private:
    struct Waiting {
        ExchangePointer exchange;
        std::string catalog;
        std::uint64_t after = 0;
        bool arrived = false;
    };
    std::size_t waiting_of(const std::string& account) const;

    Context& context_;
    std::shared_ptr<storage::FeedPlaces> places_ = std::make_shared<storage::FeedPlaces>();
    std::list<Waiting> waiting_;
};

}  // namespace xinfu::vault
