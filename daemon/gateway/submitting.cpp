// Handing in: the vault is asked with nothing but the head of the request; the body follows only when it said yes.
//
// A body that is here in full and small travels with the question. A larger one goes into a stream that the vault
// opened, as fast as the vault takes it. The outcome may come at any moment, and then nothing more is read.
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "daemon/gateway/acts.hpp"
#include "daemon/gateway/render.hpp"

namespace xinfu::gateway {
namespace {

using boundary::GatewayReply;
using boundary::GatewayRequest;
using Answer = std::optional<Response>;
using Clock = std::chrono::steady_clock;

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kPieceBytes = 64 * 1024;
constexpr std::uint64_t kParcelExtraBytes = std::uint64_t{1} << 20;  // manifest, outer signature and framing

Response closing(boundary::Problem problem) {
    auto response = render_problem(problem);
    response.close = true;
    return response;
}

// A submission under way. `news` is the vault's outcome, or the loss of the vault.
struct Upload {
    Upload(asio::any_io_executor executor, RequestCaller::Call open_call)
        : call(std::move(open_call)), body(executor), arrival(executor, asio::steady_timer::time_point::max()) {}
    RequestCaller::Call call;
    asio::local::stream_protocol::socket body;
    std::optional<Result<boundary::Envelope<GatewayReply>>> news;
    asio::steady_timer arrival;  // cancelled when there is news
    bool pumping = false;        // between here and the client
};

// Waits for the outcome beside the body's way, and wakes whoever is waiting for the client or the vault.
asio::awaitable<void> watch(std::shared_ptr<Upload> upload, std::shared_ptr<Connection> connection) {
    auto waiting = upload->call.next();
    auto reply = co_await std::move(waiting);
    upload->news.emplace(std::move(reply));
    upload->arrival.cancel();
    if (upload->pumping) {
        boost::system::error_code ignored;
        upload->body.cancel(ignored);
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

// How the body's way ended.
enum class End {
    whole,      // all of it went to the vault
    overtaken,  // the vault has its outcome, or takes no more and will say why
    client_gone,
    client_fault  // `refusal` says which
};
struct Pumped {
    End end = End::overtaken;
    std::uint64_t length = 0;
    Answer refusal;
};

asio::awaitable<Pumped> pump(Connection& connection, Request& request, Upload& upload, std::uint64_t length_max) {
    Pumped pumped;
    const auto fault = [&pumped](boundary::Problem problem) {
        pumped.end = End::client_fault;
        pumped.refusal = closing(std::move(problem));
    };
    std::vector<char> piece(kPieceBytes);
    while (!upload.news) {
        auto reading = connection.read_body(request, piece);
        const auto count = co_await std::move(reading);
        if (upload.news) {
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
        auto writing = asio::async_write(upload.body, asio::buffer(piece.data(), *count), kAsTuple);
        const auto [error, written] = co_await std::move(writing);
        connection.pause_rate(Clock::now() - began);
        if (error) {
            break;  // the vault takes no more: its reason is on its way, or it is gone, which is news as well
        }
    }
    co_return pumped;
}

// NODE.ROUTE.SEQUENCE
bool is_parcel_name(std::string_view name) {
    const auto last = name.rfind('.');
    return last != std::string_view::npos && last + 1 < name.size() &&
           name.substr(0, last).find('.') != std::string_view::npos &&
           name.find_first_not_of("0123456789", last + 1) == std::string_view::npos;
}

}  // namespace

asio::awaitable<Answer> submit(Connection& connection, Request& request, Route route) {
    const auto& limits = connection.services().limits;
    const std::uint64_t length_max = limits.body_bytes + (is_parcel_name(route.second) ? kParcelExtraBytes : 0);
    std::optional<std::uint64_t> length;
    if (const auto announced = request.parser.content_length()) {
        length = *announced;
    } else if (request.parser.is_done()) {
        length = 0;
    }
    if (length && *length > length_max) {
        co_return closing(make_problem("XF-1102", {std::to_string(length_max)}));
    }

    auto question = connection.question(request);
    auto& open = *question.mutable_open_submission();
    open.set_catalog(route.first);
    open.set_name(route.second);
    open.set_check_only(route.act == Act::check);
    if (length) {
        open.set_length(*length);
    }
    // A body this small costs less than a question of its own, even where the client waits to be told to go on (curl
    // does so whatever the size).
    if (length && *length <= boundary::kPartSizeBytesMax) {
        BodyFailure failure;
        auto reading = connection.read_small_body(request, boundary::kPartSizeBytesMax, failure);
        auto body = co_await std::move(reading);
        if (!body) {
            co_return std::move(failure.answer);
        }
        open.set_body(std::move(*body));
    }

    const auto caller = connection.caller();
    if (!caller) {
        co_return closing(make_problem("XF-6003", {}, 1));
    }
    auto starting = caller->start(std::move(question));
    auto call = co_await std::move(starting);
    if (!call) {
        co_return closing(make_problem("XF-6003", {}, 1));
    }
    const std::uint64_t submission = call->id();
    auto waiting = call->next();
    auto first = co_await std::move(waiting);
    if (!first) {
        co_return closing(make_problem("XF-6003", {}, 1));
    }
    if (!first->message.has_opened()) {
        auto rendering = render_reply(*call, std::move(first->message));
        co_return co_await std::move(rendering);
    }
    if (!first->descriptor || !first->message.more()) {
        co_return closing(make_problem("XF-9002"));
    }

    auto upload = std::make_shared<Upload>(connection.executor(), std::move(*call));
    boost::system::error_code error;
    upload->body.assign(asio::local::stream_protocol(), first->descriptor.get(), error);
    if (error) {
        co_return closing(make_problem("XF-9002"));
    }
    first->descriptor.release();
    asio::co_spawn(connection.executor(), watch(upload, connection.shared_from_this()), asio::detached);
    auto continuing = connection.send_continue(request);
    co_await std::move(continuing);  // a client that is gone shows when the body is read
    upload->pumping = true;
    auto pumping = pump(connection, request, *upload, length_max);
    auto pumped = co_await std::move(pumping);
    upload->pumping = false;
    upload->body.close(error);

    if (!upload->news) {
        const bool aborted = pumped.end == End::client_gone || pumped.end == End::client_fault;
        GatewayRequest finish = connection.question(request);
        finish.mutable_finish_submission()->set_submission(submission);
        finish.mutable_finish_submission()->set_length(pumped.length);
        finish.mutable_finish_submission()->set_aborted(aborted);
        auto telling = caller->tell(std::move(finish));
        (void)co_await std::move(telling);  // a vault that is gone shows in the news
        if (aborted) {
            if (!pumped.refusal) {
                connection.abort();
            }
            co_return std::move(pumped.refusal);
        }
    }
    while (!upload->news) {
        auto arriving = upload->arrival.async_wait(kAsTuple);
        co_await std::move(arriving);
    }
    if (!*upload->news) {
        co_return closing(make_problem("XF-6003", {}, 1));
    }
    auto rendering = render_reply(upload->call, std::move((*upload->news)->message));
    co_return co_await std::move(rendering);
}

}  // namespace xinfu::gateway
