#include "daemon/vault/original_reader.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include "crypto/seal.hpp"
#include "daemon/vault/keys.hpp"
#include "storage/error.hpp"
#include "storage/records.hpp"

namespace xinfu::vault {
namespace {

constexpr std::chrono::seconds kUnreadMax{60};

}  // namespace

Result<ByteView> OriginalReader::next() {
    if (!armour_) {
        return next_stored();
    }
    for (;;) {
        const auto stored = next_stored();
        if (!stored || stored->empty()) {
            return stored;
        }
        package_.clear();
        if (!armour_->feed(*stored, package_)) {
            return storage::Errc::corrupt;  // it was read without fault when it came in
        }
        if (!package_.empty()) {
            return ByteView(package_);
        }
    }
}

Result<ByteView> OriginalReader::next_stored() {
    if (object_) {
        return object_->next();
    }
    if (std::exchange(given_, true)) {
        return ByteView{};
    }
    return ByteView{whole_};
}

Result<OriginalReader> open_original(Context& context, const storage::SubmissionId& id,
                                     const storage::rows::Submission& row) {
    if (row.wrapped_key().empty()) {
        return storage::Errc::not_found;
    }
    const auto key = context.keys.unwrap_data_key(row.unit(), id, as_bytes(row.wrapped_key()));
    if (!key) {
        return key.error();
    }
    const storage::RecordSealer sealer(id, key->view());
    if (!row.object().empty()) {
        storage::ObjectId object{};
        if (row.object().size() != object.size()) {
            return storage::Errc::corrupt;
        }
        std::ranges::copy(as_bytes(row.object()), object.begin());
        auto reader = context.objects.open(object, sealer.object_key());
        if (!reader) {
            return reader.error();
        }
        if ((*reader)->size_bytes() != row.body_length()) {
            return storage::Errc::corrupt;
        }
        return OriginalReader(std::move(*reader), row.body_length());
    }
    if (row.body().empty()) {
        return storage::Errc::not_found;
    }
    auto body = sealer.open_body(as_bytes(row.body()));
    if (!body) {
        return body.error();
    }
    if (body->size() != row.body_length()) {
        return storage::Errc::corrupt;
    }
    return OriginalReader(std::move(*body), row.body_length());
}

Result<OriginalReader> open_package(Context& context, const storage::SubmissionId& id,
                                    const storage::rows::Submission& row) {
    auto original = open_original(context, id, row);
    if (original && row.armoured()) {
        original->take_off_armour();
    }
    return original;
}

asio::awaitable<void> pour_original(Context& context, OriginalReader original, boundary::Descriptor stream,
                                    ExchangePointer exchange) {
    constexpr auto token = asio::as_tuple(asio::use_awaitable);
    auto socket = std::make_shared<asio::local::stream_protocol::socket>(context.io);
    boost::system::error_code assigned;
    socket->assign(asio::local::stream_protocol(), stream.release(), assigned);
    if (assigned) {
        co_return;
    }
    // Whoever does not read for a minute loses the stream: closing it ends the write below.
    auto alarm = std::make_shared<asio::steady_timer>(context.io);
    for (;;) {
        const auto piece = original.next();
        if (!piece || piece->empty() || exchange->abandoned()) {
            break;
        }
        alarm->expires_after(kUnreadMax);
        auto on_alarm = [socket](boost::system::error_code cancelled) {
            if (!cancelled) {
                boost::system::error_code ignored;
                socket->cancel(ignored);
            }
        };
        alarm->async_wait(std::move(on_alarm));
        auto writing = asio::async_write(*socket, asio::buffer(piece->data(), piece->size()), token);
        const auto [error, written] = co_await std::move(writing);
        if (error) {
            break;
        }
    }
    alarm->cancel();
}

}  // namespace xinfu::vault
