#include "daemon/client/tls_connection.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

#include <boost/asio/error.hpp>

#include "daemon/client/text.hpp"

namespace xinfu::client {
namespace {

constexpr int kConnectMs = 10'000;

boost::system::error_code last_error() {
    return {errno, boost::system::system_category()};
}

// A connected, non-blocking socket, or -1 with the reason in `why`.
int connect_to(const Endpoint& endpoint, std::string& why) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (const int failure = ::getaddrinfo(endpoint.host.c_str(), std::to_string(endpoint.port).c_str(), &hints, &found);
        failure != 0) {
        why = ::gai_strerror(failure);
        return -1;
    }
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
    for (const addrinfo* address = found; address != nullptr; address = address->ai_next) {
        const int fd = ::socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0) {
            why = std::strerror(errno);
            continue;
        }
        int failure = ::connect(fd, address->ai_addr, address->ai_addrlen) == 0 ? 0 : errno;
        if (failure == EINPROGRESS) {
            pollfd waiting{fd, POLLOUT, 0};
            socklen_t size = sizeof failure;
            if (::poll(&waiting, 1, kConnectMs) == 0) {
                failure = ETIMEDOUT;
            } else {
                ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &size);
            }
        }
        if (failure == 0) {
            const int on = 1;
            ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            return fd;
        }
        why = std::strerror(failure);
        ::close(fd);
    }
    return -1;
}

}  // namespace

Endpoint Endpoint::from_url(const std::string& url) {
    static constexpr std::string_view kScheme = "https://";
    const Stop wrong{
        Exit::usage, {url + " is not of the form https://host:port", url + " 不是 https://主机:端口 形式"}, {}};
    std::string_view rest = url;
    if (!rest.starts_with(kScheme)) {
        throw wrong;
    }
    rest.remove_prefix(kScheme.size());
    if (rest.ends_with('/')) {
        rest.remove_suffix(1);
    }
    Endpoint endpoint;
    std::string_view port;
    if (rest.starts_with('[')) {
        const auto end = rest.find(']');
        if (end == rest.npos) {
            throw wrong;
        }
        endpoint.host = rest.substr(1, end - 1);
        rest.remove_prefix(end + 1);
        if (!rest.empty()) {
            port = rest.starts_with(':') ? rest.substr(1) : "x";
        }
    } else {
        const auto colon = rest.find(':');
        endpoint.host = rest.substr(0, colon);
        if (colon != rest.npos) {
            port = rest.substr(colon + 1);
            rest = {};
        }
    }
    if (endpoint.host.empty() || endpoint.host.find_first_of("/?#@ ") != endpoint.host.npos) {
        throw wrong;
    }
    if (!port.empty()) {
        const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
        if (error != std::errc{} || end != port.data() + port.size() || endpoint.port == 0) {
            throw wrong;
        }
    }
    return endpoint;
}

std::string Endpoint::authority() const {
    const bool v6 = host.find(':') != host.npos;
    return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::unique_ptr<TlsConnection> TlsConnection::open(const Endpoint& endpoint,
                                                   std::shared_ptr<const tls::ClientContext> context) {
    const auto stop = [&](const std::string& why) {
        return Stop{
            Exit::unreachable,
            {"cannot reach " + endpoint.authority() + ": " + why, "无法连接 " + endpoint.authority() + "：" + why},
            {}};
    };
    std::string why;
    const int fd = connect_to(endpoint, why);
    if (fd < 0) {
        throw stop(why);
    }
    auto engine = tls::Engine::client(std::move(context), endpoint.host, endpoint.port);
    if (!engine) {
        ::close(fd);
        throw stop(engine.error().message());
    }
    std::unique_ptr<TlsConnection> connection(new TlsConnection(fd, std::move(*engine)));
    if (const auto error = connection->handshake()) {
        throw stop(error.message());
    }
    return connection;
}

TlsConnection::~TlsConnection() {
    if (engine_->complete() && !engine_->failure() && !ended_) {
        engine_->close();
        limit_ = std::chrono::seconds(1);
        (void)flush();
    }
    ::close(fd_);
}

boost::system::error_code TlsConnection::wait(short events, short& ready) {
    pollfd waiting{fd_, events, 0};
    for (;;) {
        const int count = ::poll(&waiting, 1, static_cast<int>(limit_.count() * 1000));
        if (count > 0) {
            ready = waiting.revents;
            return {};
        }
        if (count == 0) {
            return boost::asio::error::timed_out;
        }
        if (errno != EINTR) {
            return last_error();
        }
    }
}

boost::system::error_code TlsConnection::handshake() {
    while (!engine_->complete()) {
        if (const auto error = flush()) {
            return error;
        }
        std::size_t delivered = 0;
        if (const auto error = receive({}, delivered)) {
            (void)flush();  // the alert that tells the server why
            return error;
        }
    }
    return flush();
}

// Sends what the engine has queued. While the peer does not take it, what the peer says is taken in: a node
// that refuses a body in its middle answers and reads no further.
boost::system::error_code TlsConnection::flush() {
    while (engine_->output_size() != 0) {
        engine_->take_output(output_);
        for (std::size_t sent = 0; sent < output_.size();) {
            const ssize_t count = ::send(fd_, output_.data() + sent, output_.size() - sent, MSG_NOSIGNAL);
            if (count >= 0) {
                sent += static_cast<std::size_t>(count);
                continue;
            }
            if (errno == EINTR) {
                continue;
            }
            if (errno != EAGAIN) {
                return last_error();
            }
            short ready = 0;
            if (const auto error = wait(static_cast<short>(POLLOUT | (ended_ ? 0 : POLLIN)), ready)) {
                return error;
            }
            if ((ready & POLLIN) != 0 && engine_->complete()) {
                Bytes arrived(tls::kFeedBytesMax);
                std::size_t delivered = 0;
                const auto error = receive(arrived, delivered);
                kept_.insert(kept_.end(), arrived.begin(), arrived.begin() + static_cast<std::ptrdiff_t>(delivered));
                if (error || delivered != 0) {
                    // The rest of this request is not wanted any more.
                    return delivered != 0 || kept_.size() > kept_from_ ? boost::asio::error::operation_aborted : error;
                }
            }
        }
    }
    return {};
}

boost::system::error_code TlsConnection::receive(std::span<std::uint8_t> target, std::size_t& delivered) {
    delivered = 0;
    short ready = 0;
    if (const auto error = wait(POLLIN, ready)) {
        return error;
    }
    std::array<std::uint8_t, tls::kFeedBytesMax> arrived;
    const ssize_t count = ::recv(fd_, arrived.data(), arrived.size(), 0);
    if (count < 0) {
        return errno == EINTR || errno == EAGAIN ? boost::system::error_code{} : last_error();
    }
    if (count == 0) {
        ended_ = true;
        const auto error = engine_->end_of_input();
        return error ? error : boost::system::error_code(boost::asio::error::eof);
    }
    return engine_->feed(ByteView(arrived).first(static_cast<std::size_t>(count)), target, delivered);
}

std::size_t TlsConnection::read_into(std::span<std::uint8_t> target, boost::system::error_code& error) {
    error = {};
    if (target.empty()) {
        return 0;
    }
    if (kept_from_ < kept_.size()) {
        const std::size_t size = std::min(target.size(), kept_.size() - kept_from_);
        std::copy_n(kept_.begin() + static_cast<std::ptrdiff_t>(kept_from_), size, target.begin());
        kept_from_ += size;
        return size;
    }
    for (;;) {
        if (const std::size_t size = engine_->read(target); size != 0) {
            return size;
        }
        if (engine_->peer_closed() || ended_) {
            error = boost::asio::error::eof;
            return 0;
        }
        std::size_t delivered = 0;
        error = receive(target, delivered);
        if (delivered != 0) {
            error = {};
            return delivered;
        }
        if (error) {
            return 0;
        }
        if (engine_->output_size() != 0) {  // a KeyUpdate's answer
            error = flush();
            if (error) {
                return 0;
            }
        }
    }
}

boost::system::error_code TlsConnection::write(ByteView bytes) {
    while (!bytes.empty()) {
        const ByteView piece = bytes.first(std::min(bytes.size(), tls::kSendBytesMax));
        if (const auto error = engine_->send(piece)) {
            return error;
        }
        if (const auto error = flush()) {
            return error;
        }
        bytes = bytes.subspan(piece.size());
    }
    return {};
}

bool TlsConnection::wait_for_peer(std::chrono::milliseconds limit) {
    const auto until = std::chrono::steady_clock::now() + limit;
    for (;;) {
        if (kept_from_ < kept_.size() || ended_ || engine_->peer_closed()) {
            return true;
        }
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
        pollfd waiting{fd_, POLLIN, 0};
        if (::poll(&waiting, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0))) <= 0) {
            return false;
        }
        // Session tickets and KeyUpdates are not an answer: only plaintext or an end is.
        Bytes arrived(tls::kFeedBytesMax);
        std::size_t delivered = 0;
        const auto error = receive(arrived, delivered);
        kept_.insert(kept_.end(), arrived.begin(), arrived.begin() + static_cast<std::ptrdiff_t>(delivered));
        if (error) {
            return true;
        }
    }
}

}  // namespace xinfu::client
