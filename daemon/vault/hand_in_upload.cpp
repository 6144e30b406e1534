#include "daemon/vault/hand_in_upload.hpp"

#include <algorithm>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/write.hpp>

#include "crypto/digest.hpp"
#include "daemon/boundary/error.hpp"
#include "daemon/vault/counted_leaves.hpp"
#include "daemon/vault/keys.hpp"
#include "storage/error.hpp"
#include "storage/object_store.hpp"

namespace xinfu::vault {
namespace {

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);

}  // namespace

HandInUpload::HandInUpload(Context& context, ExchangePointer asker, Caller caller, storage::rows::Upload upload)
    : context_(context),
      asker_(std::move(asker)),
      caller_(std::move(caller)),
      upload_(std::move(upload)),
      request_(asker_->request()),
      stream_(context.io),
      poured_(context.io, asio::steady_timer::time_point::max()),
      digest_(std::make_shared<crypto::Sha256>()) {
    auto& open = *request_.mutable_open_submission();
    open.set_catalog(upload_.catalog());
    open.set_name(upload_.name());
    open.set_length(upload_.length());
}

asio::awaitable<Result<void>> HandInUpload::reply(boundary::GatewayReply reply, boundary::Descriptor descriptor) {
    if (reply.has_opened()) {
        boost::system::error_code failed;
        stream_.assign(asio::local::stream_protocol(), descriptor.release(), failed);
        if (failed) {
            co_return failed;
        }
        asio::co_spawn(
            context_.io, [self = shared_from_this()]() { return self->pour(); }, asio::detached);
        co_return Result<void>{};
    }
    if (reply.has_problem() && trouble_) {
        *reply.mutable_problem() = *trouble_;  // Intake knows only that the body stopped
    }
    if (reply.has_problem()) {
        const std::string& code = reply.problem().code();
        settled_ = !code.starts_with("XF-6") && !code.starts_with("XF-9");
    } else if (reply.has_outcome()) {
        settled_ = true;
    }
    auto forwarding = asker_->reply(std::move(reply), std::move(descriptor));
    co_return co_await std::move(forwarding);
}

asio::awaitable<Result<boundary::FinishSubmission>> HandInUpload::finish() {
    while (!ended_ && !stopped_) {
        auto waiting = poured_.async_wait(kAsTuple);
        static_cast<void>(co_await std::move(waiting));
    }
    if (!ended_) {
        co_return boundary::Errc::closed;
    }
    boundary::FinishSubmission finished;
    finished.set_submission(request_.id());
    finished.set_length(upload_.length());
    finished.set_aborted(trouble_.has_value());
    co_return finished;
}

void HandInUpload::stop_waiting() {
    stopped_ = true;
    poured_.cancel();
}

asio::awaitable<void> HandInUpload::pour() {
    const auto self = shared_from_this();
    for (const auto& part : upload_.parts()) {
        auto pouring = pour_part(part);
        const auto poured = co_await std::move(pouring);
        if (stopped_) {
            break;
        }
        if (!poured) {
            trouble_ = problem_of(poured.error());
            break;
        }
    }
    if (!stopped_ && !trouble_ && !std::ranges::equal(digest_->finish(), as_bytes(upload_.sha256()))) {
        trouble_ = problem("XF-1122");
        auto recording = record_refusal(context_, caller_, "submit", trouble_->code(), upload_.catalog());
        if (const auto recorded = co_await std::move(recording); !recorded) {
            trouble_ = problem_of(recorded.error());
        }
    }
    boost::system::error_code ignored;
    stream_.close(ignored);
    ended_ = true;
    poured_.cancel();
}

asio::awaitable<Result<void>> HandInUpload::pour_part(const storage::rows::Upload::Part& part) {
    const auto id = storage::submission_id_from_bytes(as_bytes(part.object()));
    if (!id) {
        co_return storage::Errc::corrupt;
    }
    const auto key = context_.keys.unwrap_data_key(upload_.unit(), *id, as_bytes(part.wrapped_key()));
    if (!key) {
        co_return key.error();
    }
    auto opened = context_.objects.open(*id, key->view());
    if (!opened) {
        co_return opened.error();
    }
    const std::shared_ptr<storage::ObjectReader> reader = std::move(*opened);
    for (;;) {
        std::function<Result<ByteView>()> work = [reader, digest = digest_]() {
            auto piece = reader->next();
            if (piece) {
                digest->update(*piece);
            }
            return piece;
        };
        auto working = run_on_worker<Result<ByteView>>(context_, std::move(work));
        const auto piece = co_await std::move(working);
        if (!piece) {
            co_return piece.error();
        }
        if (piece->empty()) {
            co_return Result<void>{};
        }
        auto writing = asio::async_write(stream_, asio::buffer(piece->data(), piece->size()), kAsTuple);
        const auto [failed, count] = co_await std::move(writing);
        if (failed) {
            stopped_ = true;  // the outcome is known already: nobody reads on
            co_return Result<void>{};
        }
    }
}

}  // namespace xinfu::vault
