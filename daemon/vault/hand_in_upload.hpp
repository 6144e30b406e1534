// HandInUpload: an upload that is whole, as an exchange that AcceptSubmission takes for any other: its request is an
// OpenSubmission, and the body flows out of the upload's parts instead of the gateway.
//
// Threads: the vault's `io`.
// Trust:   the parts were sealed by this vault; that they are the file announced is checked here, before their end is
//          told.
#pragma once

#include <memory>
#include <optional>

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>

#include "daemon/vault/exchange.hpp"
#include "storage/submission_rows.pb.h"

namespace xinfu::vault {

class HandInUpload final : public Exchange, public std::enable_shared_from_this<HandInUpload> {
public:
    // `asker` is whose answers these are; `caller` hands in.
    HandInUpload(Context& context, ExchangePointer asker, Caller caller, storage::rows::Upload upload);

    // Whether the answer was final: handing the same in again would change nothing.
    bool settled() const { return settled_; }

    const boundary::GatewayRequest& request() const override { return request_; }
    const Caller& caller() const override { return caller_; }
    asio::awaitable<Result<void>> reply(boundary::GatewayReply reply, boundary::Descriptor descriptor) override;
    asio::awaitable<Result<boundary::FinishSubmission>> finish() override;
    void stop_waiting() override;
    bool abandoned() const override { return asker_->abandoned(); }

private:
    asio::awaitable<void> pour();
    asio::awaitable<Result<void>> pour_part(const storage::rows::Upload::Part& part);

    Context& context_;
    ExchangePointer asker_;
    Caller caller_;
    storage::rows::Upload upload_;
    boundary::GatewayRequest request_;
    asio::local::stream_protocol::socket stream_;
    asio::steady_timer poured_;  // cancelled at the end
    std::shared_ptr<crypto::Sha256> digest_;
    std::optional<boundary::Problem> trouble_;
    bool ended_ = false;
    bool stopped_ = false;
    bool settled_ = false;
};

}  // namespace xinfu::vault
