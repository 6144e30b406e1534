#include "daemon/gateway/body_flow.hpp"

#include <string>
#include <utility>
#include <vector>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "daemon/gateway/render.hpp"

namespace xinfu::gateway {
namespace {

using boundary::GatewayReply;
using Answer = std::optional<Response>;
using Clock = std::chrono::steady_clock;

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kPieceBytes = 64 * 1024;

}  // namespace

Response closing(boundary::Problem problem) {
    auto response = render_problem(problem);
    response.close = true;
    return response;
}

asio::awaitable<void> watch(std::shared_ptr<BodyFlow> flow, std::shared_ptr<Connection> connection) {
    auto waiting = flow->call.next();
    auto reply = co_await std::move(waiting);
    flow->news.emplace(std::move(reply));
    flow->arrival.cancel();
    if (flow->pumping) {
        boost::system::error_code ignored;
        flow->body.cancel(ignored);
        connection->cancel_reading();
    }
}

asio::awaitable<Answer> render_reply(RequestCaller::Call& call, GatewayReply reply) {
    if (reply.has_problem()) {
        co_return render_problem(reply.problem());
    }
    if (!reply.has_outcome()) {
        co_return closing(make_problem("XF-9002"));
    }
    const boundary::SubmissionOutcome outcome = reply.outcome();
    OutcomeDetails details;
    for (bool more = reply.more(); more;) {
        auto waiting = call.next();
        const auto part = co_await std::move(waiting);
        if (!part || !part->message.has_defects()) {
            break;  // the outcome stands; what is missing here can be read again
        }
        for (const auto& defect : part->message.defects().defects()) {
            auto& kind = defect.severity() == boundary::SEVERITY_WARNING ? details.warnings : details.defects;
            if (kind.size() < kDefectsShownMax) {
                kind.push_back(defect);
            }
        }
        more = part->message.more();
    }
    co_return render_outcome(outcome, details);
}

asio::awaitable<Pumped> pump(Connection& connection, Request& request, BodyFlow& flow, std::uint64_t length_max) {
    Pumped pumped;
    const auto fault = [&pumped](boundary::Problem problem) {
        pumped.end = End::client_fault;
        pumped.refusal = closing(std::move(problem));
    };
    std::vector<char> piece(kPieceBytes);
    while (!flow.news) {
        auto reading = connection.read_body(request, piece);
        const auto count = co_await std::move(reading);
        if (flow.news) {
            break;
        }
        if (!count) {
            pumped.end = End::client_gone;
            if (connection.broken()) {
                break;
            }
            if (count.error() == asio::error::timed_out) {
                const auto rate = connection.services().limits.body_bytes_per_second;
                fault(make_problem("XF-1112", {std::to_string(rate)}));
            } else if (is_malformed(count.error())) {
                fault(make_problem("XF-1111"));
            }
            break;
        }
        if (*count == 0) {
            pumped.end = End::whole;
            break;
        }
        pumped.length += *count;
        if (pumped.length > length_max) {
            fault(make_problem("XF-1102", {std::to_string(length_max)}));
            break;
        }
        const auto began = Clock::now();
        auto writing = asio::async_write(flow.body, asio::buffer(piece.data(), *count), kAsTuple);
        const auto [error, written] = co_await std::move(writing);
        connection.pause_rate(Clock::now() - began);
        if (error) {
            break;  // the vault takes no more: its reason is on its way, or it is gone, which is news as well
        }
    }
    co_return pumped;
}

}  // namespace xinfu::gateway
