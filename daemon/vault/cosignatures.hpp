// Cosignatures: what witnesses say of this node's log. The level above is asked to co-sign the newest checkpoint, at
// most every few seconds and only when the log has grown; what it signed is kept beside the log and goes into receipts.
// It is evidence for leaves that are there already, so it has no leaf of its own, or the log would never be quiet.
//
// A node that was put back to an older state cannot know it; its witness does. After a start nothing is taken or shown
// before the witness has seen that the log goes on from what it co-signed, or kStartWaitMax is over.
//
// Format:  C2SP tlog-witness (add-checkpoint), tlog-cosignature; docs/formats/log.md, Witnesses.
// Threads: the vault's `io`.
// Trust:   signatures are verified with the pinned key. That the witness has more of this log than there is here, or
//          others, is the bare word of whoever brings it: witness, courier and inspector can stop the node so. A
//          verified signature lets it go on.
// Errors:  storage::Errc.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "crypto/note.hpp"
#include "daemon/boundary/common.pb.h"
#include "daemon/boundary/courier.pb.h"
#include "daemon/vault/context.hpp"
#include "storage/log_rows.pb.h"

namespace xinfu::vault {

class Cosignatures {
public:
    using SteadyTime = std::chrono::steady_clock::time_point;
    static constexpr std::chrono::milliseconds kAskedEvery{2000};
    static constexpr std::chrono::milliseconds kAskedEveryAtStart{500};
    static constexpr std::chrono::seconds kAfterFailure{15};
    static constexpr std::chrono::seconds kAfterRefusal{60};
    static constexpr std::chrono::seconds kAfterRolledBack{600};
    // How long parcels are held for an answer: from the first that told nothing on, and at the longest.
    static constexpr std::chrono::seconds kHoldMax{5};
    static constexpr std::chrono::seconds kHoldWithoutAnyMax{60};
    // How long a start waits for the witness; then it goes on, and the answer counts when it comes.
    static constexpr std::chrono::seconds kStartWaitMax{5};

    explicit Cosignatures(Context& context);

    // Reads the pinned keys and what was co-signed before. Before the first leaf of this run: what the witness is asked
    // about first is what the last run left. Errors: crypto::Errc::key_malformed; of the store.
    Result<void> start();
    // The courier can be asked from now on: the start's wait begins.
    void begin() { began_ = std::chrono::steady_clock::now(); }

    // What to ask this route's witness now; empty: nothing.
    std::optional<boundary::Post> next(const std::string& route);
    // When there may be something to ask; max: not before the last question was answered, or no witness.
    SteadyTime due(const std::string& route) const;

    enum class Link { sound, at_fault };  // at fault: there was no answer
    // What came of it. Kept durably on return.
    asio::awaitable<Result<Link>> take(std::string route, boundary::TaskResult result);
    // The question came to nothing.
    void give_up(const std::string& route);

    // A witness has other history of this log; told once. `serving`: answers went out since the start, and more are
    // under way.
    std::function<void(const boundary::Problem& why, bool serving)> on_rolled_back = [](const auto&, bool) {};

    // Nothing else goes over this route yet: what is here may not be what went over it before.
    bool holds(const std::string& route) const { return std::chrono::steady_clock::now() < held_until(route); }
    SteadyTime held_until(const std::string& route) const;
    // Why nothing may be taken or shown now; empty: nothing stands against it.
    std::optional<boundary::Problem> objection() const;
    // Of those that do not co-sign, for whoever looks after the node.
    std::optional<boundary::Problem> warning() const;
    // How much of the log witnesses co-signed last, leaves; empty: nobody is asked, or nobody did.
    std::optional<std::uint64_t> cosigned_size() const;

private:
    struct Asked {
        std::uint64_t size = 0;
        std::string text;  // the checkpoint's
        std::string note;
    };
    struct Witness {
        crypto::NoteVerifier key;
        std::uint64_t cosigned = 0;  // leaves, as is known here
        std::optional<Asked> under_way{};
        SteadyTime due{};
        bool answered = false;                // since the start
        std::optional<SteadyTime> reached{};  // when the first answer came that told nothing
        bool corrected = false;               // by a 409: asked again at once, once
        std::optional<boundary::Problem> last_problem{};
    };

    static void refuse(Witness& witness, std::string why);
    asio::awaitable<Result<void>> found_ahead(Witness& witness, std::uint64_t size);
    asio::awaitable<Result<void>> keep(Witness& witness, storage::rows::Cosignature row);

    Context& context_;
    std::map<std::string, Witness> witnesses_;  // by route
    storage::Committed at_start_{};
    std::optional<SteadyTime> began_;
    std::optional<boundary::Problem> rolled_back_;
};

}  // namespace xinfu::vault
