// Conversation: requests on an open TLS connection, one behind the other, and their answers in the same order. The next
// request is sent while earlier ones wait for their answers, so that a far level is kept as busy as a near one; only
// the first waits alone, since a connection that has answered nothing yet may not be what it seems.
//
// Answers are read from the beginning, beside the sending, since an upper level may refuse long before it has a whole
// body. A parcel that is to come again ends the conversation: what was sent behind it must not overtake it.
//
// Sources: RFC 9112 sections 9.3.2 (pipelining) and 9.5 (early answers), RFC 9110 sections 10.1.1 (Expect) and 15.2.
// Threads: one strand.
// Trust:   an answer is hostile in form: sizes and times are bounded. What it says is for the vault to believe.
// Errors:  none thrown; how it ended is told.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include <boost/asio/awaitable.hpp>

#include "daemon/boundary/descriptor.hpp"
#include "daemon/tls/stream.hpp"

namespace xinfu::courier {

namespace asio = boost::asio;

// What the vault is given of an answer's body; beyond kAnswerSizeBytesMax the connection is closed instead of reading
// on.
inline constexpr std::size_t kAnswerKeptBytesMax = 56 * 1024;
inline constexpr std::size_t kAnswerSizeBytesMax = 1024 * 1024;
inline constexpr std::uint32_t kAnswerHeadBytesMax = 16 * 1024;

struct UpperRequest {
    bool put = false;
    bool post = false;            // neither: GET
    std::string path;             // printable ASCII, beginning with a slash
    std::uint64_t length = 0;     // of the body, bytes; PUT and POST only
    std::string body;             // the whole body, or
    boundary::Descriptor stream;  // a readable stream that brings it
    bool streamed = false;        // there is or was such a stream: it can be sent once
};

struct UpperAnswer {
    unsigned status = 0;      // 0: no answer
    std::string failure;      // then why, one line
    bool reached = false;     // a connection to the upper level came about
    bool given_back = false;  // what became of it is not known, because of one before it
    std::string body;         // its first kAnswerKeptBytesMax
    std::string location;
    std::uint32_t retry_after_seconds = 0;
};

// Trouble with the link or the upper level, whatever the request: the vault will have it sent again, before any behind
// it.
bool comes_again(unsigned status);

// A request and whom to tell of its answer.
struct Errand {
    UpperRequest request;
    std::function<void(UpperAnswer)> told;
};
using Errands = std::deque<Errand>;

struct ConversationLimits {
    std::chrono::milliseconds progress{60000};  // nothing sent, and no body brought, for so long
    std::chrono::milliseconds answer{60000};    // for the foremost request that was sent whole
    std::chrono::milliseconds go_ahead{1000};   // how long to wait for 100 before sending a body all the same
    std::chrono::milliseconds idle{50000};      // without a request; then it is over
};

class Conversation {
public:
    // `authority` goes into the Host header. `errands` outlive run(): the foremost is the next to be answered, and who
    // adds one calls notify().
    Conversation(std::unique_ptr<tls::Stream> stream, std::string authority, Errands& errands,
                 ConversationLimits limits);
    Conversation(const Conversation&) = delete;
    ~Conversation();

    struct End {
        std::size_t begun = 0;     // of the errands left: so many were sent, at least in part
        bool answered = false;     // an answer had come on this connection
        bool octets_came = false;  // the beginning of an answer for the foremost
        bool held = false;         // the last answer was that its parcel is to come again
        std::string why;           // why the foremost got no answer
    };
    // Until the connection ends, stays idle for too long, or finish() was called and there are no errands. Answered
    // ones were taken out and told of; the others are left. When it returns, nothing of it is under way any more.
    asio::awaitable<End> run();

    void notify();
    void finish();
    // Ends at once.
    void abort();
    // Has answered something, and may still be asked.
    bool is_warm() const;

private:
    struct State;
    static asio::awaitable<void> read(std::shared_ptr<State> state);
    static asio::awaitable<void> watch(std::shared_ptr<State> state);
    static asio::awaitable<std::string> send(std::shared_ptr<State> state);

    std::shared_ptr<State> state_;
};

}  // namespace xinfu::courier
