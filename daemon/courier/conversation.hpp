// Conversation: one request and its answer on an open TLS connection. The answer is read from the beginning, beside
// the sending, since an upper level may refuse long before it has the whole body.
//
// Sources: RFC 9110 sections 10.1.1 (Expect) and 15.2 (interim answers), RFC 9112 section 9.5 (early answers).
// Threads: one strand.
// Trust:   the answer is hostile in form: sizes and times are bounded. What it says is for the vault to believe.
// Errors:  none thrown; an answer without a status says in one line why there is none.
#pragma once

#include <chrono>
#include <cstdint>
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
    bool put = false;             // else GET
    std::string path;             // printable ASCII, beginning with a slash
    std::uint64_t length = 0;     // of the body, bytes; PUT only
    std::string body;             // the whole body, or
    boundary::Descriptor stream;  // a readable stream that brings it

    bool is_repeatable() const { return !stream; }
};

struct UpperAnswer {
    unsigned status = 0;   // 0: no answer
    std::string failure;   // then why, one line
    bool reached = false;  // a connection to the upper level came about
    std::string body;      // its first kAnswerKeptBytesMax
    std::string location;
    std::uint32_t retry_after_seconds = 0;
};

struct ConversationLimits {
    std::chrono::milliseconds progress{60000};  // nothing sent, and no body brought, for so long
    std::chrono::milliseconds answer{60000};    // from the end of the body to the end of the answer
    std::chrono::milliseconds go_ahead{1000};   // how long to wait for 100 before sending a body all the same
};

struct ConversationResult {
    UpperAnswer answer;
    bool reusable = false;     // the connection may carry another conversation
    bool octets_came = false;  // the upper level said something
};

// `authority` goes into the Host header. When it returns nothing of it is under way any more; unless `reusable` the
// socket is closed.
asio::awaitable<ConversationResult> converse(tls::Stream& stream, std::string authority, UpperRequest request,
                                             ConversationLimits limits);

}  // namespace xinfu::courier
