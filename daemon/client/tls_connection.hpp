// TlsConnection: one TLS connection to a node, used by one thread that waits. It adds sockets and time limits
// to daemon/tls/engine.hpp.
//
// Threads: one at a time.
// Trust:   the server is who the context's anchors and the host name say, before a byte is sent to it.
// Errors:  Stop with Exit::unreachable from open(); boost error codes from reading and writing.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include <boost/asio/buffer.hpp>
#include <boost/system/system_error.hpp>

#include "daemon/tls/engine.hpp"

namespace xinfu::client {

struct Endpoint {
    std::string host;  // name or address, without brackets
    std::uint16_t port = 443;

    // "https://host[:port]", nothing after it but an optional slash. Stop with Exit::usage otherwise.
    static Endpoint from_url(const std::string& url);
    std::string authority() const;  // "host:port", an IPv6 address in brackets
};

class TlsConnection {
public:
    static std::unique_ptr<TlsConnection> open(const Endpoint& endpoint,
                                               std::shared_ptr<const tls::ClientContext> context);
    ~TlsConnection();
    TlsConnection(const TlsConnection&) = delete;
    TlsConnection& operator=(const TlsConnection&) = delete;

    void set_time_limit(std::chrono::seconds limit) { limit_ = limit; }  // of each wait for the peer

    // Boost.Beast's SyncStream.
    template <class MutableBuffers>
    std::size_t read_some(const MutableBuffers& buffers, boost::system::error_code& error) {
        const boost::asio::mutable_buffer first = *boost::asio::buffer_sequence_begin(buffers);
        return read_into({static_cast<std::uint8_t*>(first.data()), first.size()}, error);
    }
    template <class MutableBuffers>
    std::size_t read_some(const MutableBuffers& buffers) {
        boost::system::error_code error;
        const std::size_t size = read_some(buffers, error);
        if (error) {
            throw boost::system::system_error(error);
        }
        return size;
    }

    boost::system::error_code write(ByteView bytes);
    // Whether the peer has said something, waiting at most so long. Also true when the connection ended.
    bool wait_for_peer(std::chrono::milliseconds limit);

private:
    TlsConnection(int fd, std::unique_ptr<tls::Engine> engine) : fd_(fd), engine_(std::move(engine)) {}
    boost::system::error_code handshake();
    boost::system::error_code flush();
    boost::system::error_code receive(std::span<std::uint8_t> target, std::size_t& delivered);
    boost::system::error_code wait(short events, short& ready);
    std::size_t read_into(std::span<std::uint8_t> target, boost::system::error_code& error);

    int fd_;
    std::unique_ptr<tls::Engine> engine_;
    std::chrono::seconds limit_{60};
    Bytes output_;
    Bytes kept_;  // plaintext that arrived while we were writing
    std::size_t kept_from_ = 0;
    bool ended_ = false;  // the transport is at its end
};

}  // namespace xinfu::client
