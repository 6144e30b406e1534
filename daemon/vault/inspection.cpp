#include "daemon/vault/inspection.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "daemon/boundary/error.hpp"

namespace xinfu::vault {
namespace {

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kReadSizeBytes = 128 * 1024;

}  // namespace

Inspection::Inspection(asio::io_context& io, boundary::PacketChannel& channel, BodyTracker& tracker,
                       InspectionSink& sink)
    : io_(io), channel_(channel), tracker_(tracker), sink_(sink), room_(io), pump_ended_(io), silence_(io) {}

asio::awaitable<InspectionEnd> Inspection::run_whole(boundary::Inspect order) {
    layers_ = order.parcel() ? 2 : 1;
    const ByteView body = as_bytes(order.body());
    tracker_.sent(body);
    auto taking = sink_.take_body(body);
    if (const auto taken = co_await std::move(taking); !taken) {
        co_return failed(taken.error());
    }
    body_complete_ = true;
    boundary::InspectorRequest request;
    *request.mutable_inspect() = std::move(order);
    auto sending = channel_.send(request);
    if (const auto sent = co_await std::move(sending); !sent) {
        co_return InspectionEnd::inspector_gone;
    }
    auto watching = watch();
    asio::co_spawn(io_, std::move(watching), asio::detached);
    auto listening = listen();
    const auto end = co_await std::move(listening);
    stop();
    co_return end;
}

asio::awaitable<InspectionEnd> Inspection::run_stream(boundary::Inspect order, boundary::Descriptor stream,
                                                      Finish finish, std::function<void()> stop_waiting) {
    layers_ = order.parcel() ? 2 : 1;
    auto pair = boundary::make_stream_pair();
    if (!pair) {
        co_return failed(pair.error());
    }
    from_gateway_.emplace(io_, asio::local::stream_protocol(), stream.release());
    to_inspector_.emplace(io_, asio::local::stream_protocol(), pair->first.release());
    boundary::InspectorRequest request;
    *request.mutable_inspect() = std::move(order);
    auto sending = channel_.send(request, std::move(pair->second));
    if (const auto sent = co_await std::move(sending); !sent) {
        co_return InspectionEnd::inspector_gone;
    }
    pumping_ = true;
    pump_ended_.expires_at(asio::steady_timer::time_point::max());
    auto pumping = pump(std::move(finish));
    asio::co_spawn(io_, std::move(pumping), asio::detached);
    auto watching = watch();
    asio::co_spawn(io_, std::move(watching), asio::detached);
    auto listening = listen();
    const auto end = co_await std::move(listening);
    // The pump holds references to what the caller owns: it ends first.
    stop();
    stop_waiting();
    while (pumping_) {
        auto waiting = pump_ended_.async_wait(kAsTuple);
        co_await std::move(waiting);
    }
    co_return end;
}

void Inspection::stop() {
    stopping_ = true;
    boost::system::error_code ignored;
    if (from_gateway_) {
        from_gateway_->close(ignored);
    }
    if (to_inspector_) {
        to_inspector_->close(ignored);
    }
    room_.cancel();
    silence_.cancel();
}

InspectionEnd Inspection::failed(boost::system::error_code error) {
    if (error == boundary::Errc::unexpected || error == boundary::Errc::malformed) {
        return InspectionEnd::inspector_wrong;
    }
    error_ = error;
    return InspectionEnd::storage_failed;
}

asio::awaitable<InspectionEnd> Inspection::listen() {
    for (;;) {
        auto receiving = channel_.receive<boundary::InspectorReply>();
        auto envelope = co_await std::move(receiving);
        silence_.expires_after(kSilenceMax);
        if (error_) {
            co_return InspectionEnd::storage_failed;
        }
        if (!envelope) {
            if (client_gone_) {
                co_return InspectionEnd::client_gone;
            }
            const auto why = envelope.error();
            co_return why == boundary::Errc::closed || why == boundary::Errc::timed_out
                ? InspectionEnd::inspector_gone
                : InspectionEnd::inspector_wrong;
        }
        taking_ = true;
        auto taking = take(envelope->message);
        const auto end = co_await std::move(taking);
        taking_ = false;
        silence_.expires_after(kSilenceMax);
        if (end) {
            co_return *end;
        }
    }
}

asio::awaitable<std::optional<InspectionEnd>> Inspection::take(const boundary::InspectorReply& reply) {
    using End = std::optional<InspectionEnd>;
    switch (reply.body_case()) {
        case boundary::InspectorReply::kProgress: {
            const auto moved = tracker_.progress(reply.progress());
            room_.cancel();
            co_return moved ? End{} : End{failed(moved.error())};
        }
        case boundary::InspectorReply::kSigner: {
            if (reply.signer().layer() >= layers_ || signers_[reply.signer().layer()]) {
                co_return End{InspectionEnd::inspector_wrong};
            }
            signers_[reply.signer().layer()] = reply.signer();
            co_return End{};
        }
        case boundary::InspectorReply::kRecords: {
            auto taking = sink_.take_records(reply.records());
            const auto taken = co_await std::move(taking);
            co_return taken ? End{} : End{failed(taken.error())};
        }
        case boundary::InspectorReply::kDefects: {
            const auto taken = sink_.take_defects(reply.defects());
            co_return taken ? End{} : End{failed(taken.error())};
        }
        case boundary::InspectorReply::kVerdict: {
            verdict_ = reply.verdict();
            // A refusal may come early. Everything else is said of a whole body, or it is made up.
            const bool early = !verdict_.has_problem() && !read_to_the_end();
            co_return End{early ? InspectionEnd::inspector_wrong : InspectionEnd::verdict};
        }
        default: co_return End{InspectionEnd::inspector_wrong};
    }
}

asio::awaitable<void> Inspection::pump(Finish finish) {
    const auto self = shared_from_this();
    std::vector<std::uint8_t> buffer(kReadSizeBytes);
    bool whole = false;
    while (!stopping_) {
        const std::size_t room = std::min(tracker_.room(), buffer.size());
        if (room == 0) {
            room_.expires_at(asio::steady_timer::time_point::max());
            auto waiting = room_.async_wait(kAsTuple);
            co_await std::move(waiting);
            continue;
        }
        auto reading = from_gateway_->async_read_some(asio::buffer(buffer.data(), room), kAsTuple);
        const auto [read_error, size] = co_await std::move(reading);
        if (read_error) {
            whole = read_error == asio::error::eof;
            if (!whole && !stopping_) {
                client_gone_ = true;
                channel_.close();
            }
            break;
        }
        const ByteView bytes(buffer.data(), size);
        auto taking = sink_.take_body(bytes);
        const auto taken = co_await std::move(taking);
        if (stopping_) {
            break;
        }
        if (!taken) {
            error_ = taken.error();
            channel_.close();
            break;
        }
        tracker_.sent(bytes);
        auto writing = asio::async_write(*to_inspector_, asio::buffer(bytes.data(), bytes.size()), kAsTuple);
        const auto [write_error, written] = co_await std::move(writing);
        if (write_error) {
            break;  // the inspector has its verdict or is gone: the listener will hear which
        }
    }
    if (whole && !stopping_) {
        auto ending = finish();
        const auto said = co_await std::move(ending);
        if (!stopping_) {
            if (!said || said->aborted() || said->length() != tracker_.sent_size()) {
                client_gone_ = true;
                channel_.close();
            } else {
                body_complete_ = true;
                boundary::InspectorRequest request;
                request.mutable_finish_body()->set_length(said->length());
                auto sending = channel_.send(request);
                [[maybe_unused]] const auto sent = co_await std::move(sending);  // the listener hears of a failure
                boost::system::error_code ignored;
                if (to_inspector_) {
                    to_inspector_->shutdown(asio::socket_base::shutdown_send, ignored);
                }
            }
        }
    }
    pumping_ = false;
    pump_ended_.cancel();
}

// Ends the connection when the inspector has something to read and says nothing for too long.
asio::awaitable<void> Inspection::watch() {
    const auto self = shared_from_this();
    silence_.expires_after(kSilenceMax);
    while (!stopping_) {
        auto waiting = silence_.async_wait(kAsTuple);
        const auto [cancelled] = co_await std::move(waiting);
        if (stopping_) {
            break;
        }
        if (!cancelled) {
            if (!taking_ && (body_complete_ || !tracker_.all_consumed())) {
                channel_.close(boundary::Errc::timed_out);
                break;
            }
            silence_.expires_after(kSilenceMax);
        }
    }
}

}  // namespace xinfu::vault
