// Engine: one TLS connection without any input or output of its own. Whoever owns the socket feeds what arrived and
// sends what lies in the output queue.
//
// Threads: one at a time; it may move between threads. Feeding a handshake may block in the SignHook.
// Trust:   everything fed is hostile. No byte of the peer's is handed out before the handshake is complete, which for a
//          server includes the client's proof of possession.
// Errors:  returned; after one every further call answers the same. Botan's exceptions stop inside.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include <boost/system/error_code.hpp>

#include "daemon/tls/context.hpp"
#include "daemon/tls/error.hpp"

namespace xinfu::tls {

inline constexpr std::size_t kFeedBytesMax = 16 * 1024;        // of one feed()
inline constexpr std::size_t kSendBytesMax = 64 * 1024;        // of one send(): it is encrypted at once
inline constexpr std::size_t kHandshakeBytesMax = 128 * 1024;  // received before the handshake is done
inline constexpr unsigned kHandshakeRecordsMax = 64;
inline constexpr unsigned kEmptyRecordsMax = 64;            // in a row, without a byte of content
inline constexpr std::size_t kOutputBytesMax = 256 * 1024;  // above it, feed no more until it is sent

class Engine {
public:
    // Waits for a ClientHello. `sign` is called once, during a feed().
    static std::unique_ptr<Engine> server(std::shared_ptr<const ServerContext> context, SignHook sign);
    // Has its ClientHello in the output queue at once. `host` is a name or the text of an IP address, without
    // brackets: it is what the server's certificate must name. `sign` is used when the context has a certificate
    // and no key. Errors: signing_failed when then there is no `sign`.
    static Result<std::unique_ptr<Engine>> client(std::shared_ptr<const ClientContext> context, std::string host,
                                                  std::uint16_t port, SignHook sign = {});
    ~Engine();
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    // Takes in what arrived (at most kFeedBytesMax). Plaintext goes into `target` first, `delivered` says how much,
    // and the rest is kept for read(). Output may be waiting afterwards, also (an alert) after an error.
    boost::system::error_code feed(ByteView arrived, std::span<std::uint8_t> target, std::size_t& delivered);
    // Takes kept plaintext; 0 when there is none.
    std::size_t read(std::span<std::uint8_t> target);
    // The transport ended. Answers stream_truncated unless close_notify came before.
    boost::system::error_code end_of_input();

    // Encrypts (at most kSendBytesMax). Only once complete().
    boost::system::error_code send(ByteView plaintext);
    void close();  // puts close_notify into the output queue

    std::size_t output_size() const;
    void take_output(Bytes& into);  // swaps the queue out; `into` is emptied first and its capacity reused

    bool complete() const;     // the handshake is done, by both sides
    bool peer_closed() const;  // close_notify came: nothing more to read beyond read()
    bool tls13() const;
    std::string suite() const;  // name of the agreed suite, for logs and tests
    boost::system::error_code failure() const;
    const std::optional<PeerProof>& peer_proof() const;  // a server's, once complete()
    std::optional<Bytes> peer_certificate() const;       // DER of the peer's leaf, once complete()

private:
    class Impl;
    explicit Engine(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace xinfu::tls
