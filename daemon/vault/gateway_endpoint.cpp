#include "daemon/vault/gateway_endpoint.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>

#include "daemon/boundary/error.hpp"
#include "daemon/config/endpoint.hpp"
#include "daemon/vault/active_policies.hpp"
#include "daemon/vault/authorisation.hpp"
#include "daemon/vault/counted_leaves.hpp"
#include "daemon/vault/gateway_acts.hpp"
#include "daemon/vault/handshake_service.hpp"
#include "daemon/vault/identity.hpp"
#include "daemon/vault/metrics.hpp"
#include "policies/account_form.hpp"

namespace xinfu::vault {
namespace {

using boundary::GatewayReply;
using boundary::GatewayRequest;
namespace verb = policies::verb;

constexpr std::uint64_t kRefusalsMax = 1'000'000;
constexpr int kListenersMax = 64;

}  // namespace

// One request and its replies.
class Request final : public Exchange {
public:
    Request(std::shared_ptr<GatewayEndpoint::State> endpoint, GatewayRequest request)
        : endpoint_(std::move(endpoint)), request_(std::move(request)) {}

    const GatewayRequest& request() const override { return request_; }
    const Caller& caller() const override { return caller_; }
    asio::awaitable<Result<void>> reply(GatewayReply reply, boundary::Descriptor descriptor) override;
    asio::awaitable<Result<boundary::FinishSubmission>> finish() override;
    void stop_waiting() override {
        stopped_ = true;
        wake();
    }
    bool abandoned() const override { return abandoned_; }

    void abandon() {
        abandoned_ = true;
        wake();
    }
    void finished(boundary::FinishSubmission said) {
        abandoned_ = abandoned_ || said.aborted();
        finish_ = std::move(said);
        wake();
    }
    void wake() {
        if (arrival_) {
            arrival_->cancel();
        }
    }

    std::shared_ptr<GatewayEndpoint::State> endpoint_;
    GatewayRequest request_;
    Caller caller_;
    LiveConnectionPointer connection_;
    std::optional<boundary::FinishSubmission> finish_;
    std::unique_ptr<asio::steady_timer> arrival_;
    bool abandoned_ = false;
    bool stopped_ = false;
};
using RequestPointer = std::shared_ptr<Request>;

struct GatewayEndpoint::State : std::enable_shared_from_this<GatewayEndpoint::State> {
    State(GatewayServices& of, std::shared_ptr<boundary::PacketChannel> opened, std::uint64_t number)
        : services(of), channel(std::move(opened)), link(number) {}

    GatewayServices& services;
    const std::shared_ptr<boundary::PacketChannel> channel;
    const std::uint64_t link;
    std::uint64_t last_id = 0;
    std::map<std::uint64_t, RequestPointer> in_hand;

    void take(GatewayRequest request);
    bool take_notice(const GatewayRequest& request);
    asio::awaitable<void> handle(RequestPointer request);
    asio::awaitable<void> refuse(RequestPointer request, boundary::Problem why, std::string action,
                                 std::string catalog);
    // `leaf`: the act leaves one of its own.
    std::optional<boundary::Problem> over_budget(const GatewayRequest& request, bool leaf, const std::string& account);
    void odd() { channel->close(boundary::Errc::unexpected); }
};

asio::awaitable<Result<void>> Request::reply(GatewayReply reply, boundary::Descriptor descriptor) {
    reply.set_id(request_.id());
    if (!reply.more()) {
        endpoint_->in_hand.erase(request_.id());
    }
    if (!endpoint_->channel->is_open()) {
        co_return boundary::Errc::closed;
    }
    auto sending = endpoint_->channel->send(reply, std::move(descriptor));
    co_return co_await std::move(sending);
}

asio::awaitable<Result<boundary::FinishSubmission>> Request::finish() {
    constexpr auto token = asio::as_tuple(asio::use_awaitable);
    while (!finish_ && !abandoned_ && !stopped_) {
        arrival_ = std::make_unique<asio::steady_timer>(endpoint_->channel->executor());
        arrival_->expires_at(asio::steady_timer::time_point::max());
        auto waiting = arrival_->async_wait(token);
        static_cast<void>(co_await std::move(waiting));
    }
    if (finish_) {
        co_return *finish_;
    }
    if (stopped_ || !endpoint_->channel->is_open()) {
        co_return boundary::Errc::closed;
    }
    boundary::FinishSubmission gone;
    gone.set_submission(request_.id());
    gone.set_aborted(true);
    co_return gone;
}

GatewayEndpoint::GatewayEndpoint(GatewayServices& services, std::shared_ptr<boundary::PacketChannel> channel,
                                 std::uint64_t link)
    : state_(std::make_shared<State>(services, std::move(channel), link)) {}
GatewayEndpoint::~GatewayEndpoint() {
    close();
}

void GatewayEndpoint::close() {
    state_->channel->close();
}

asio::awaitable<boost::system::error_code> GatewayEndpoint::serve() {
    const auto state = state_;
    boost::system::error_code why;
    for (;;) {
        auto receiving = state->channel->receive<GatewayRequest>();
        auto envelope = co_await std::move(receiving);
        if (!envelope) {
            why = envelope.error();
            break;
        }
        state->take(std::move(envelope->message));
        if (!state->channel->is_open()) {
            why = state->channel->why_closed();
            break;
        }
    }
    state->services.handles.remove_link(state->link);
    for (const auto& [id, request] : std::exchange(state->in_hand, {})) {
        request->abandon();
    }
    co_return why;
}

void GatewayEndpoint::State::take(GatewayRequest request) {
    if (request.id() <= last_id) {
        return odd();
    }
    last_id = request.id();
    if (take_notice(request)) {
        return;
    }
    const GatewayAct* act = find_act(request);
    if (act == nullptr || !is_well_formed(request, *act)) {
        return odd();
    }
    auto taken = std::make_shared<Request>(shared_from_this(), std::move(request));
    auto work = in_hand.size() >= kInHandMax ? answer_problem(taken, problem("XF-6001", {}, 1)) : [&] {
        in_hand.emplace(taken->request_.id(), taken);
        const auto self = shared_from_this();
        auto handling = [](std::shared_ptr<State> state, RequestPointer one) -> asio::awaitable<Result<void>> {
            auto running = state->handle(std::move(one));
            co_await std::move(running);
            co_return Result<void>{};
        };
        return handling(self, taken);
    }();
    // The one place where a use case that breaks ends that request alone.
    auto ended = [state = shared_from_this(), taken](std::exception_ptr broken, const auto&) {
        if (!broken) {
            return;
        }
        state->services.context.metrics.add("xinfu_vault_faults_total");
        if (state->in_hand.contains(taken->request_.id())) {
            auto telling = answer_problem(taken, problem("XF-9001"));
            asio::co_spawn(state->channel->executor(), std::move(telling), asio::detached);
        }
    };
    asio::co_spawn(channel->executor(), std::move(work), std::move(ended));
}

// Requests without a reply. False: it is none of them.
bool GatewayEndpoint::State::take_notice(const GatewayRequest& request) {
    switch (request.body_case()) {
        case GatewayRequest::kDisconnected: {
            if (request.handle().size() != sizeof(Handle)) {
                odd();
                return true;
            }
            services.handles.remove(as_bytes(request.handle()), link);
            for (const auto& [id, one] : in_hand) {
                if (one->request_.handle() == request.handle()) {
                    one->abandon();
                }
            }
            return true;
        }
        case GatewayRequest::kFinishSubmission: {
            const auto& said = request.finish_submission();
            if (said.submission() >= request.id()) {
                odd();  // of a submission that was never opened
                return true;
            }
            // Not in hand any more: its outcome crossed with this.
            const auto found = in_hand.find(said.submission());
            if (found != in_hand.end()) {
                if (!found->second->request_.has_open_submission() || found->second->finish_ ||
                    found->second->request_.handle() != request.handle()) {
                    odd();
                    return true;
                }
                found->second->finished(said);
            }
            return true;
        }
        case GatewayRequest::kCountRefusals: {
            const auto& said = request.count_refusals();
            if (!request.handle().empty() || said.code().size() > 16 || said.count() == 0 ||
                said.count() > kRefusalsMax) {
                odd();
                return true;
            }
            record_refused_connection(services.context, {}, said.code(), {}, source_text(said.source()), said.count());
            return true;
        }
        case GatewayRequest::kReportListeners: {
            const auto& said = request.report_listeners();
            const auto is_endpoint = [](const std::string& text) { return config::parse_endpoint(text).has_value(); };
            if (!request.handle().empty() || said.https_size() + said.metrics_size() > kListenersMax ||
                !std::ranges::all_of(said.https(), is_endpoint) || !std::ranges::all_of(said.metrics(), is_endpoint)) {
                odd();
                return true;
            }
            services.paths.heard(said);
            return true;
        }
        default: return false;
    }
}

asio::awaitable<void> GatewayEndpoint::State::refuse(RequestPointer request, boundary::Problem why, std::string action,
                                                     std::string catalog) {
    auto recording =
        record_refusal(services.context, request->caller_, std::move(action), why.code(), std::move(catalog));
    if (const auto recorded = co_await std::move(recording); !recorded) {
        why = problem_of(recorded.error());
    }
    services.context.metrics.add("xinfu_refused_requests_total{code=\"" + why.code() + "\"}");
    auto answering = answer_problem(request, std::move(why));
    const auto answered = co_await std::move(answering);
    static_cast<void>(answered.has_value());
}

std::optional<boundary::Problem> GatewayEndpoint::State::over_budget(const GatewayRequest& request, bool leaf,
                                                                     const std::string& account) {
    const auto now = services.context.clock.now();
    if (leaf) {
        if (const auto wait = services.budgets.acts.take(account, now)) {
            return problem("XF-2009", {}, *wait);
        }
    }
    if (request.has_query_records() || request.has_get_original() || request.has_read_feed()) {
        if (const auto wait = services.budgets.readings.take(account, now)) {
            return problem("XF-2008", {}, *wait);
        }
    }
    return std::nullopt;
}

asio::awaitable<void> GatewayEndpoint::State::handle(RequestPointer request) {
    Context& context = services.context;
    const GatewayRequest& said = request->request_;
    const GatewayAct& act = *find_act(said);
    Caller& caller = request->caller_;
    context.metrics.add("xinfu_requests_total{request=\"" + std::string(act.action.empty() ? "node" : act.action) +
                        "\"}");
    if (act.needs == Needs::nothing) {
        auto handling = act.handler(services, request);
        co_await std::move(handling);
        co_return;
    }

    if (auto objection = services.objection()) {
        context.metrics.add("xinfu_refused_requests_total{code=\"" + objection->code() + "\"}");
        auto answering = answer_problem(request, std::move(*objection));
        static_cast<void>((co_await std::move(answering)).has_value());
        co_return;
    }

    std::string action(act.action);
    if (said.has_open_submission() && said.open_submission().check_only()) {
        action = "check";
    }
    std::optional<boundary::Problem> why;
    const auto rules = context.policies.current();
    const std::string catalog = catalog_of(said);

    // Who asks, now.
    request->connection_ = services.handles.find(as_bytes(said.handle()), link);
    if (request->connection_ == nullptr) {
        // The connection ended meanwhile, or an earlier vault knew it: nothing is known of who asks.
        caller.source = source_text(said.source());
        why = problem("XF-1015");
    } else {
        caller.principal.account = request->connection_->account;
        caller.source = request->connection_->source;
        const auto snapshot = context.ledger.engine().snapshot();
        if (!snapshot) {
            why = problem_of(snapshot.error());
        } else {
            auto standing = standing_of(**snapshot, request->connection_->certificate, request->connection_->account,
                                        services.revocations, context.clock.now());
            if (!standing) {
                why = problem_of(standing.error());
            } else if (auto* principal = std::get_if<Principal>(&*standing)) {
                caller.principal = std::move(*principal);
            } else {
                why = std::get<boundary::Problem>(std::move(*standing));
            }
        }
    }
    if (!why && act.needs == Needs::session && caller.principal.kind == storage::AccountKind::person) {
        why = services.sessions.check(context, caller.principal, said.token());
    }

    if (!why && !policies::lies_in(caller.source, caller.principal.sources)) {
        why = problem("XF-1020");
    }

    // What they may do.
    if (!why) {
        why = check_exclusions(rules->access, caller.principal);
    }
    const std::string_view verb = verb_of(said, act, caller.principal);
    if (!why && !verb.empty()) {
        auto role = possibly_permitting_role(rules->access, caller.principal, verb, catalog);
        if (!role) {
            why = problem("XF-2001");
        } else {
            caller.role = std::move(*role);
        }
    }
    if (!why && !catalog.empty() && rules->find_catalog(catalog) == nullptr) {
        why = problem("XF-2003");
    }
    if (!why) {
        why = over_budget(said, act.leaves == Leaves::by_use_case, caller.principal.account);
    }
    const bool hands_in = (said.has_open_submission() && !said.open_submission().check_only()) ||
                          said.has_open_upload() || said.has_finish_upload();
    if (!why && hands_in) {
        if (services.draining()) {
            why = problem("XF-6007", {}, 2);
        } else {
            const auto complete = services.completeness.check(context.ledger.engine());
            if (!complete) {
                why = problem_of(complete.error());
            } else if (!*complete) {
                why = problem("XF-2004", {}, 60);
            }
        }
    }
    if (why) {
        auto refusing = refuse(request, std::move(*why), std::move(action),
                               rules->find_catalog(catalog) == nullptr ? std::string() : catalog);
        co_await std::move(refusing);
        co_return;
    }

    if (act.leaves == Leaves::once && !request->connection_->noted.contains(std::string(act.kind))) {
        storage::Leaf leaf = leaf_of(caller, std::move(action));
        leaf.result = "done";
        leaf.object.type = std::string(act.kind);
        auto recording = record(context, std::move(leaf), storage::LeafNotes{});
        const auto recorded = co_await std::move(recording);
        if (!recorded) {
            auto answering = answer_problem(request, problem_of(recorded.error()));
            const auto answered = co_await std::move(answering);
            static_cast<void>(answered.has_value());
            co_return;
        }
        request->connection_->noted.emplace(act.kind);
    }
    auto handling = act.handler(services, request);
    co_await std::move(handling);
}

void record_refused_connection(Context& context, std::string account, std::string code, std::string claimed,
                               std::string source, std::uint64_t times) {
    auto start = [&context, account = std::move(account), code = std::move(code), claimed = std::move(claimed),
                  source = std::move(source), times]() {
        storage::Leaf leaf;
        leaf.action = "refuse_connection";
        leaf.result = "refused";
        leaf.code = code;
        leaf.source = source;
        // Before a principal is known there is one counted leaf for each code, whoever knocks; the first one is named.
        leaf.principal = account.empty() ? claimed : account;
        auto writing =
            context.counted_leaves.write(context, "refuse_connection|" + account + '|' + code, std::move(leaf), times);
        // Nobody waits for it: when it cannot be written, nothing else can either.
        asio::co_spawn(context.io, std::move(writing), asio::detached);
        context.metrics.add("xinfu_refused_connections_total{code=\"" + code + "\"}", static_cast<double>(times));
    };
    asio::post(context.io, std::move(start));
}

void record_boundary_fault(Context& context, std::string process, boost::system::error_code why) {
    auto start = [&context, process = std::move(process), why]() {
        storage::Leaf leaf;
        leaf.action = "boundary_fault";
        leaf.result = "refused";
        leaf.code = "XF-9002";
        leaf.object.type = "process";
        leaf.object.id = process;
        leaf.reason = why.message();
        auto writing = context.counted_leaves.write(
            context, "boundary_fault|" + process + '|' + std::to_string(why.value()), std::move(leaf));
        asio::co_spawn(context.io, std::move(writing), asio::detached);
        context.metrics.add("xinfu_boundary_faults_total{process=\"" + process + "\"}");
    };
    asio::post(context.io, std::move(start));
}

}  // namespace xinfu::vault
