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
#include "daemon/vault/exchange.hpp"
#include "storage/error.hpp"

namespace xinfu::vault {
namespace {

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kReadSizeBytes = 128 * 1024;

}  // namespace

Inspection::Inspection(asio::io_context& io, boundary::PacketChannel& channel, InspectorReplies& replies,
                       BodyTracker& tracker, InspectionSink& sink, std::chrono::milliseconds silence_max)
    : io_(io),
      channel_(channel),
      replies_(replies),
      tracker_(tracker),
      sink_(sink),
      silence_max_(silence_max),
      room_(io),
      pump_ended_(io),
      silence_(io) {}

asio::awaitable<InspectionEnd> Inspection::run_whole(boundary::Inspect order) {
    layers_ = order.parcel() ? 2 : 1;
    std::string package;
    for (const bool last : {false, true}) {
        auto disarming = disarm(last ? ByteView{} : as_bytes(order.body()), last);
        const auto piece = co_await std::move(disarming);
        if (refused_) {
            co_return InspectionEnd::refused;
        }
        if (!piece) {
            co_return failed(piece.error());
        }
        package += as_text(*piece);
    }
    send_on(as_bytes(package));
    order.set_body(std::move(package));
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
        auto receiving = channel_.receive_bytes();
        auto packet = co_await std::move(receiving);
        silence_.expires_after(silence_max_);
        if (error_) {
            co_return InspectionEnd::storage_failed;
        }
        if (!packet) {
            if (client_gone_) {
                co_return InspectionEnd::client_gone;
            }
            if (refused_) {
                co_return InspectionEnd::refused;
            }
            const auto why = packet.error();
            co_return why == boundary::Errc::closed || why == boundary::Errc::timed_out
                ? InspectionEnd::inspector_gone
                : InspectionEnd::inspector_wrong;
        }
        constexpr std::uint64_t kReplyOverheadBytes = 64;  // empty ones take time as well
        told_size_bytes_ += packet->bytes.size() + kReplyOverheadBytes;
        if (told_size_bytes_ > kToldSizeBytesMax + kToldPerOctetMax * sent_) {
            co_return InspectionEnd::inspector_wrong;
        }
        const auto reply = replies_.decode(packet->bytes);
        boundary::recycle(std::move(packet->bytes));
        if (!reply) {
            channel_.close(reply.error());
            co_return InspectionEnd::inspector_wrong;
        }
        taking_ = true;
        auto taking = take(**reply);
        const auto end = co_await std::move(taking);
        taking_ = false;
        silence_.expires_after(silence_max_);
        if (end) {
            co_return *end;
        }
    }
}

asio::awaitable<std::optional<InspectionEnd>> Inspection::take(const boundary::InspectorReply& reply) {
    using End = std::optional<InspectionEnd>;
    switch (reply.body_case()) {
        case boundary::InspectorReply::kProgress: {
            auto taking = take_progress(reply.progress());
            const auto moved = co_await std::move(taking);
            room_.cancel();
            co_return moved ? End{} : End{failed(moved.error())};
        }
        case boundary::InspectorReply::kUnwrap: {
            auto answering = answer(reply.unwrap());
            co_return co_await std::move(answering);
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

// The next octets of the body without armour, or, when it is the last call, what was kept until its end. The view lives
// until the next call. Sets refused_ when the armour is damaged.
asio::awaitable<Result<ByteView>> Inspection::disarm(ByteView body, bool last) {
    const auto disarmed = last ? armour_.finish() : armour_.take(body);
    ByteView octets = disarmed ? *disarmed : ByteView{};
    if (kind_ == crypto::BodyKind::undecided) {
        first_.insert(first_.end(), octets.begin(), octets.end());
        kind_ = crypto::body_kind(first_);
        if (kind_ == crypto::BodyKind::undecided && !last) {
            octets = {};
        } else {
            held_.swap(first_);
            first_.clear();
            octets = held_;
        }
        if (kind_ == crypto::BodyKind::envelope) {
            enveloped_ = true;
            sink_.begin_envelope();
        }
    }
    if (!last) {
        auto taking = sink_.take_body(body);
        if (const auto taken = co_await std::move(taking); !taken) {
            co_return taken.error();
        }
    }
    if (!disarmed) {
        refused_ = true;
        *verdict_.mutable_problem() = armour_.problem(disarmed.error());
        co_return disarmed.error();
    }
    if (armour_.armoured() && !enveloped_ && !octets.empty()) {
        auto taking = sink_.take_package(octets);
        if (const auto taken = co_await std::move(taking); !taken) {
            co_return taken.error();
        }
    }
    co_return octets;
}

void Inspection::send_on(ByteView octets) {
    sent_ += octets.size();
    if (enveloped_) {
        envelope_.sent(octets);
    } else {
        tracker_.sent(octets);
    }
}

// Empty: the body's end. No: the pump has nothing more to do.
asio::awaitable<Inspection::Passed> Inspection::pass(ByteView body) {
    auto disarming = disarm(body, body.empty());
    const auto package = co_await std::move(disarming);
    if (stopping_) {
        co_return Passed::no;
    }
    if (!package) {
        if (!refused_) {
            error_ = package.error();
        }
        channel_.close();
        co_return Passed::no;
    }
    if (package->empty()) {
        co_return Passed::yes;
    }
    send_on(*package);
    auto writing = asio::async_write(*to_inspector_, asio::buffer(package->data(), package->size()), kAsTuple);
    const auto [write_error, written] = co_await std::move(writing);
    // Failed: the inspector has its verdict or is gone, and the listener will hear which.
    co_return write_error ? Passed::no : Passed::yes;
}

asio::awaitable<Result<void>> Inspection::take_progress(const boundary::Progress& progress) {
    if (enveloped_) {
        package_.clear();
        if (const auto opened = envelope_.progress(progress, package_); !opened) {
            co_return opened.error();
        }
        if (package_.size() > tracker_.room()) {
            co_return boundary::Errc::unexpected;
        }
        if (!package_.empty()) {
            auto taking = sink_.take_package(package_);
            if (const auto taken = co_await std::move(taking); !taken) {
                co_return taken.error();
            }
            tracker_.sent(package_);
        }
    } else if (progress.cipher_size() != 0 || !progress.tag().empty() || progress.envelope_consumed() != 0) {
        co_return boundary::Errc::unexpected;
    }
    co_return tracker_.progress(progress);
}

// For whom an envelope is may be said at once: it stands in it. Whether its key was right is told by its tag alone.
asio::awaitable<std::optional<InspectionEnd>> Inspection::answer(const boundary::UnwrapContentKey& question) {
    using End = std::optional<InspectionEnd>;
    if (!enveloped_ || envelope_.begun() || question.nonce().size() != crypto::kEnvelopeNonceSizeBytes) {
        co_return End{InspectionEnd::inspector_wrong};
    }
    auto unwrapping = sink_.unwrap(question);
    const auto key = co_await std::move(unwrapping);
    if (!key) {
        const bool other = key.error() == crypto::Errc::envelope_other_recipient;
        const bool replaced = key.error() == crypto::Errc::envelope_key_replaced;
        if (!other && !replaced && key.error() != storage::Errc::not_found) {
            co_return End{failed(key.error())};
        }
        *verdict_.mutable_problem() = problem(other ? "XF-3042" : replaced ? "XF-3050" : "XF-3028");
        co_return End{InspectionEnd::refused};
    }
    envelope_.begin(key->view(), as_bytes(question.nonce()));
    boundary::InspectorRequest request;
    request.mutable_content_key()->set_key(key->view().data(), key->size());
    auto sending = channel_.send(request);
    const auto sent = co_await std::move(sending);
    auto& told = *request.mutable_content_key()->mutable_key();
    crypto::wipe({reinterpret_cast<std::uint8_t*>(told.data()), told.size()});
    co_return sent ? End{} : End{InspectionEnd::inspector_gone};
}

asio::awaitable<void> Inspection::pump(Finish finish) {
    const auto self = shared_from_this();
    std::vector<std::uint8_t> buffer(kReadSizeBytes);
    bool whole = false;
    while (!stopping_) {
        const std::size_t room = std::min(enveloped_ ? envelope_.room() : tracker_.room(), buffer.size());
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
        received_ += size;
        auto passing = pass(ByteView(buffer.data(), size));
        if (co_await std::move(passing) == Passed::no) {
            break;
        }
    }
    if (whole && !stopping_) {
        auto passing = pass(ByteView{});
        whole = co_await std::move(passing) == Passed::yes;
    }
    if (whole && !stopping_) {
        auto ending = finish();
        const auto said = co_await std::move(ending);
        if (!stopping_) {
            if (!said || said->aborted() || said->length() != received_) {
                client_gone_ = true;
                channel_.close();
            } else {
                body_complete_ = true;
                boundary::InspectorRequest request;
                request.mutable_finish_body()->set_length(sent_);
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
    silence_.expires_after(silence_max_);
    while (!stopping_) {
        auto waiting = silence_.async_wait(kAsTuple);
        const auto [cancelled] = co_await std::move(waiting);
        if (stopping_) {
            break;
        }
        if (!cancelled) {
            if (!taking_ && (body_complete_ || !all_consumed())) {
                channel_.close(boundary::Errc::timed_out);
                break;
            }
            silence_.expires_after(silence_max_);
        }
    }
}

}  // namespace xinfu::vault
