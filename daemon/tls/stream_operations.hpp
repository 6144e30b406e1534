// The asynchronous operations of Stream, as state machines for async_compose.
#pragma once

#include <boost/asio/coroutine.hpp>
#include <boost/asio/yield.hpp>

namespace xinfu::tls {

// Sends the engine's queue until it is empty. While another flush runs, waits for it instead.
struct Stream::FlushOperation {
    Stream& stream;
    boost::asio::coroutine state{};

    template <class Self>
    void operator()(Self& self, boost::system::error_code error = {}, std::size_t = 0) {
        reenter(state) {
            while (stream.flushing_) {
                yield stream.flushed_.async_wait(std::move(self));
            }
            if (stream.write_failure_ || stream.engine_->output_size() == 0) {
                yield boost::asio::post(stream.get_executor(), std::move(self));
                return self.complete(stream.write_failure_);
            }
            stream.flushing_ = true;
            while (stream.engine_->output_size() != 0) {
                stream.engine_->take_output(stream.in_flight_);
                yield boost::asio::async_write(stream.socket_, boost::asio::buffer(stream.in_flight_), std::move(self));
                if (error) {
                    stream.write_failure_ = error;
                    break;
                }
            }
            stream.flushing_ = false;
            stream.flushed_.cancel();
            self.complete(stream.write_failure_);
        }
    }
};

template <class Token>
auto Stream::async_flush(Token&& token) {
    return boost::asio::async_compose<Token, void(boost::system::error_code)>(FlushOperation{*this}, token, socket_);
}

struct Stream::ReadOperation {
    Stream& stream;
    boost::asio::mutable_buffer target;
    std::size_t delivered = 0;
    boost::system::error_code result{};
    boost::asio::coroutine state{};

    std::span<std::uint8_t> room() const { return {static_cast<std::uint8_t*>(target.data()), target.size()}; }

    template <class Self>
    void operator()(Self& self, boost::system::error_code error = {}, std::size_t arrived = 0) {
        reenter(state) {
            delivered = stream.engine_->read(room());
            if (delivered == 0 && target.size() != 0) {
                result = stream.engine_->failure();
                if (!result && stream.engine_->peer_closed()) {
                    result = boost::asio::error::eof;
                }
            }
            if (delivered != 0 || target.size() == 0 || result) {
                yield boost::asio::post(stream.get_executor(), std::move(self));
                return self.complete(result, delivered);
            }
            for (;;) {
                // Backpressure: a peer that makes us answer (key updates) but does not read gets no more attention.
                if (stream.engine_->output_size() > kOutputBytesMax) {
                    yield stream.async_flush(std::move(self));
                    if (error) {
                        return self.complete(error, 0);
                    }
                }
                yield stream.socket_.async_read_some(boost::asio::buffer(stream.input_.get(), kFeedBytesMax),
                                                     std::move(self));
                if (error == boost::asio::error::eof) {
                    error = stream.engine_->end_of_input();
                    return self.complete(error ? error : boost::asio::error::make_error_code(boost::asio::error::eof),
                                         0);
                }
                if (error) {
                    return self.complete(error, 0);
                }
                result = stream.engine_->feed({stream.input_.get(), arrived}, room(), delivered);
                // What has to be answered at once: alerts, key updates. A running write takes them along.
                if (stream.engine_->output_size() != 0 && !stream.flushing_) {
                    yield stream.async_flush(std::move(self));
                }
                if (!result && delivered == 0 && stream.engine_->peer_closed()) {
                    result = boost::asio::error::eof;
                }
                if (delivered != 0) {
                    return self.complete({}, delivered);  // an error comes with the next read
                }
                if (result) {
                    return self.complete(result, 0);
                }
            }
        }
    }
};

template <class MutableBuffers, class Token>
auto Stream::async_read_some(const MutableBuffers& buffers, Token&& token) {
    boost::asio::mutable_buffer target;
    for (auto at = boost::asio::buffer_sequence_begin(buffers);
         at != boost::asio::buffer_sequence_end(buffers) && target.size() == 0; ++at) {
        target = *at;
    }
    return boost::asio::async_compose<Token, void(boost::system::error_code, std::size_t)>(ReadOperation{*this, target},
                                                                                           token, socket_);
}

template <class ConstBuffers>
struct Stream::WriteOperation {
    Stream& stream;
    ConstBuffers buffers;
    std::size_t taken = 0;
    boost::system::error_code result{};
    boost::asio::coroutine state{};

    // Into the engine's queue: one large piece as it is, or small ones side by side in one record.
    void encrypt() {
        result = stream.write_failure_;
        stream.staging_.clear();
        const auto end = boost::asio::buffer_sequence_end(buffers);
        for (auto at = boost::asio::buffer_sequence_begin(buffers); at != end && !result; ++at) {
            const boost::asio::const_buffer piece = *at;
            const auto* data = static_cast<const std::uint8_t*>(piece.data());
            if (stream.staging_.empty() && piece.size() >= kCoalesceBytes) {
                taken = std::min(piece.size(), kSendBytesMax);
                result = stream.engine_->send({data, taken});
                return;
            }
            const std::size_t some = std::min(piece.size(), kCoalesceBytes - stream.staging_.size());
            stream.staging_.insert(stream.staging_.end(), data, data + some);
            if (stream.staging_.size() == kCoalesceBytes) {
                break;
            }
        }
        if (!result && !stream.staging_.empty()) {
            taken = stream.staging_.size();
            result = stream.engine_->send(stream.staging_);
        }
    }

    template <class Self>
    void operator()(Self& self, boost::system::error_code error = {}) {
        reenter(state) {
            encrypt();
            if (result || taken == 0) {
                yield boost::asio::post(stream.get_executor(), std::move(self));
                return self.complete(result, 0);
            }
            yield stream.async_flush(std::move(self));
            self.complete(error, error ? 0 : taken);
        }
    }
};

template <class ConstBuffers, class Token>
auto Stream::async_write_some(const ConstBuffers& buffers, Token&& token) {
    return boost::asio::async_compose<Token, void(boost::system::error_code, std::size_t)>(
        WriteOperation<ConstBuffers>{*this, buffers}, token, socket_);
}

}  // namespace xinfu::tls

#include <boost/asio/unyield.hpp>
