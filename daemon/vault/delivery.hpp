// Delivery: parcels on their way up, and what the levels above say of them. The courier asks for work and reports;
// what counts as delivered is decided here, by receipts that verify.
//
// Every parcel is in the store from the commit that made it. What is in memory is only a window over it: which are
// being sent, which wait for another try, which are asked after. A restart forgets the window and nothing else.
//
// What ends a try: 200 and 201 with a receipt for exactly this parcel by the pinned log deliver it; 409 and 422
// refuse it, which consumes its number; everything else is tried again, after a wait that doubles, with jitter.
// Trouble with the link holds all parcels of the route; trouble with one parcel holds that one. What the courier had
// in hand behind a failed parcel it gives back, so that parcels arrive in their order.
//
// Many are in hand at one time, or a far level would be idle most of the time: the next one is on its way before the
// answer to the first is back.
//
// Threads: the vault's `io`.
// Trust:   the courier can delay and can lie about what was answered; receipts cannot be made up. Answers are read
//          by an inspector.
// Errors:  storage::Errc.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/steady_timer.hpp>

#include "crypto/note.hpp"
#include "daemon/boundary/courier.pb.h"
#include "daemon/boundary/descriptor.hpp"
#include "daemon/boundary/gateway.pb.h"
#include "daemon/boundary/inspector.pb.h"
#include "daemon/config/config.hpp"
#include "daemon/vault/context.hpp"
#include "daemon/vault/cosignatures.hpp"
#include "storage/parcels.hpp"

namespace xinfu::vault {

class Delivery {
public:
    // Parcels of one route at one time, while the link is sound, and what they take in memory; one always goes.
    static constexpr std::size_t kSendingMax = 128;
    static constexpr std::size_t kSendingBytesMax = 4u << 20;
    static constexpr std::size_t kPostponedMax = 256;  // parcels of one route that wait for another try
    static constexpr std::size_t kAskedAfterMax = 64;  // delivered parcels of one route that are asked after
    static constexpr std::chrono::seconds kLongPoll{25};

    Delivery(Context& context, Cosignatures& cosignatures);
    ~Delivery();
    Delivery(const Delivery&) = delete;
    Delivery& operator=(const Delivery&) = delete;

    // Reads the pinned keys of the configuration. Errors: crypto::Errc::key_malformed.
    Result<void> start();

    struct Work {
        boundary::Task task;
        boundary::Descriptor body;  // with a Put that carries none
    };
    // The next thing to do on a route; an empty optional when there was none for kLongPoll, or for a route that is
    // not configured.
    asio::awaitable<std::optional<Work>> next(std::string route);

    // What came of it. Durable on return; answers how long to wait before asking for this route again.
    asio::awaitable<Result<std::chrono::milliseconds>> report(boundary::TaskResult result);

    // The courier's connection ended: these tasks came to nothing.
    void abandon(const std::vector<std::uint64_t>& tasks);

    // New parcels were committed.
    void wake();
    void stop();

    std::vector<boundary::LinkView> links() const;
    bool has_route(std::string_view name) const { return routes_.contains(name); }

private:
    using SteadyTime = std::chrono::steady_clock::time_point;
    struct Retry {
        SteadyTime due{};
        std::uint32_t attempts = 0;
    };
    struct Route {
        explicit Route(const config::Route& configured, asio::io_context& io) : config(configured), changed(io) {}
        const config::Route& config;
        std::optional<crypto::NoteVerifier> log;
        std::vector<std::pair<const config::Onward*, crypto::NoteVerifier>> onward;
        asio::steady_timer changed;      // cancelled when there may be something to do
        std::uint64_t next_unseen = 0;   // parcels before it were looked at; 0: begin at first_open
        std::uint64_t next_unasked = 0;  // likewise for those delivered and not settled
        std::map<std::uint64_t, Retry> postponed;
        std::map<std::uint64_t, Retry> asked_after;
        std::size_t sending = 0;
        std::size_t sending_bytes = 0;  // in memory for those
        std::size_t asking = 0;
        std::uint32_t failures = 0;  // of the link, one after the other
        SteadyTime link_due{};
        bool unanswered = false;  // the last failure was no answer at all
        bool asked_last = false;  // so that neither kind of work starves the other
        std::optional<boundary::Problem> last_problem;
        bool asking_failed = false;  // it came of asking after a parcel, and ends with the next answer
    };
    struct Sent {
        Route* route = nullptr;
        std::uint64_t sequence = 0;
        bool question = false;                                  // a Get
        bool cosigning = false;                                 // a Post; no parcel's
        std::size_t bytes = 0;                                  // in memory, here and with the courier
        std::shared_ptr<std::optional<crypto::Digest>> body{};  // set once the whole body was handed over
    };

    Result<std::optional<Work>> find_work(Route& route);
    Result<std::optional<Work>> find_parcel(Route& route);
    Result<std::optional<Work>> find_question(Route& route);
    Result<Work> make_put(Route& route, std::uint64_t sequence, const storage::rows::Parcel& parcel,
                          const storage::ReadTransaction& transaction);
    SteadyTime next_due(const Route& route) const;

    asio::awaitable<Result<void>> take_cosignature(Route& route, boundary::TaskResult result);
    asio::awaitable<Result<void>> take_answer(Route& route, const Sent& sent, const boundary::TaskResult& result);
    asio::awaitable<Result<void>> take_state(Route& route, const Sent& sent, const boundary::TaskResult& result);
    asio::awaitable<Result<void>> mark_delivered(Route& route, std::uint64_t sequence, std::string receipt,
                                                 std::string upper_id);
    asio::awaitable<Result<void>> mark_refused(Route& route, std::uint64_t sequence, boundary::Problem why);
    asio::awaitable<Result<boundary::InspectorReply>> ask_inspector(const Route& route,
                                                                    std::vector<boundary::InspectorRequest> parts);
    void link_failed(Route& route, std::uint64_t sequence, boundary::Problem why, std::uint32_t retry_after_seconds);
    void take_out(const Sent& sent);
    void postpone(std::map<std::uint64_t, Retry>& where, std::uint64_t sequence, std::uint32_t attempts);
    std::chrono::milliseconds wait_after(std::uint32_t attempts);

    Context& context_;
    Cosignatures& cosignatures_;
    std::map<std::string, std::unique_ptr<Route>, std::less<>> routes_;
    std::map<std::uint64_t, Sent> sent_;
    std::uint64_t last_task_ = 0;
    bool stopped_ = false;
};

}  // namespace xinfu::vault
