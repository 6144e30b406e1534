#include "daemon/vault/courier_endpoint.hpp"

#include <fstream>
#include <iterator>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "daemon/boundary/arguments.hpp"
#include "daemon/boundary/error.hpp"
#include "daemon/vault/exchange.hpp"
#include "storage/error.hpp"

namespace xinfu::vault {

asio::awaitable<boost::system::error_code> CourierEndpoint::serve() {
    const auto self = shared_from_this();
    boost::system::error_code why;
    for (;;) {
        auto receiving = channel_->receive<boundary::CourierRequest>();
        auto envelope = co_await std::move(receiving);
        if (!envelope) {
            why = envelope.error();
            break;
        }
        if (envelope->message.body_case() == boundary::CourierRequest::BODY_NOT_SET || in_hand_ >= kInHandMax) {
            why = boundary::Errc::unexpected;
            break;
        }
        ++in_hand_;
        auto answering = answer(std::move(envelope->message));
        asio::co_spawn(context_.io, std::move(answering), asio::detached);
    }
    ended_ = true;
    channel_->close(why);
    delivery_.abandon({tasks_.begin(), tasks_.end()});
    tasks_.clear();
    co_return why;
}

asio::awaitable<void> CourierEndpoint::answer(boundary::CourierRequest request) {
    const auto self = shared_from_this();
    boundary::CourierReply reply;
    reply.set_id(request.id());
    boundary::Descriptor body;
    std::optional<std::uint64_t> task;
    if (request.has_next_task()) {
        auto waiting = delivery_.next(request.next_task().route());
        auto work = co_await std::move(waiting);
        if (!work) {
            reply.mutable_nothing();
        } else {
            task = work->task.task();
            *reply.mutable_task() = std::move(work->task);
            body = std::move(work->body);
        }
    } else if (request.has_task_result()) {
        tasks_.erase(request.task_result().task());
        auto reporting = delivery_.report(std::move(*request.mutable_task_result()));
        const auto wait = co_await std::move(reporting);
        if (!wait) {
            *reply.mutable_problem() = problem_of(wait.error());
        } else {
            reply.mutable_taken()->set_wait_ms(static_cast<std::uint32_t>(wait->count()));
        }
    } else {
        reply.mutable_nothing();  // LinkState: the state that counts is what reports say
    }
    --in_hand_;
    if (ended_) {
        if (task) {
            delivery_.abandon({*task});
        }
        co_return;
    }
    if (task) {
        tasks_.insert(*task);
    }
    auto sending = channel_->send(reply, std::move(body));
    const auto sent = co_await std::move(sending);
    if (!sent && task && tasks_.erase(*task) > 0) {
        delivery_.abandon({*task});
    }
}

Result<boundary::CourierWelcome> make_courier_welcome(const config::Config& config,
                                                      const NodeCertificates& certificates,
                                                      boundary::CourierWelcome::Purpose purpose,
                                                      const std::string& state_directory) {
    boundary::CourierWelcome welcome;
    welcome.set_purpose(purpose);
    welcome.set_node(config.node);
    welcome.set_version(std::string(boundary::version()));
    for (const auto& certificate : certificates.tls) {
        welcome.add_certificate_chain(certificate.der().data(), certificate.der().size());
    }
    for (const auto& configured : config.routes) {
        auto& route = *welcome.add_routes();
        route.set_name(configured.name);
        route.set_url(configured.url);
        std::ifstream file(state_directory + "/" + configured.anchors, std::ios::binary);
        if (!file) {
            return storage::Errc::io_failed;
        }
        const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
        const auto anchors = crypto::read_certificates(as_bytes(text));
        if (!anchors) {
            return anchors.error();
        }
        for (const auto& anchor : *anchors) {
            route.add_trust_anchors(anchor.der().data(), anchor.der().size());
        }
    }
    return welcome;
}

}  // namespace xinfu::vault
