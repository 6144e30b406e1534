#include "daemon/vault/gateway_endpoint.hpp"

#include <algorithm>
#include <array>
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
#include "daemon/vault/catalog_service.hpp"
#include "daemon/vault/counted_leaves.hpp"
#include "daemon/vault/envelope_certificates.hpp"
#include "daemon/vault/handshake_service.hpp"
#include "daemon/vault/identity.hpp"
#include "daemon/vault/log_service.hpp"
#include "daemon/vault/metrics.hpp"
#include "daemon/vault/quality.hpp"
#include "daemon/vault/records_query.hpp"
#include "daemon/vault/submission_views.hpp"
#include "policies/account_form.hpp"

namespace xinfu::vault {
namespace {

using boundary::GatewayReply;
using boundary::GatewayRequest;
namespace verb = policies::verb;

constexpr std::size_t kTokenSizeMax = 256;
constexpr std::size_t kNameSizeMax = 256;  // of catalogs, ids, routes: what a path may hold at all
constexpr std::uint64_t kRefusalsMax = 1'000'000;
constexpr int kListenersMax = 64;
constexpr int kSamplesPerPart = 200;  // of metrics, in one packet

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

namespace {

// What must be known of the asker before a request is handled.
enum class Needs {
    nothing,   // no handle at all: the gateway itself asks
    identity,  // a principal in good standing
    session,   // and, for persons, a session
};

// How a reading leaves its leaf: by its use case, or once for each connection here, before it is handled.
enum class Leaves { by_use_case, once };

using Handler = asio::awaitable<void> (*)(GatewayServices&, RequestPointer);

struct Row {
    GatewayRequest::BodyCase asks;
    Needs needs;
    std::string_view verb;    // of the access pack; empty: settled by the use case
    std::string_view action;  // of leaves
    Leaves leaves;
    std::string_view kind;  // with Leaves::once
    Handler handler;
};

asio::awaitable<void> answer(ExchangePointer exchange, GatewayReply reply) {
    auto answering = exchange->reply(std::move(reply), boundary::Descriptor{});
    const auto answered = co_await std::move(answering);
    static_cast<void>(answered.has_value());
}

asio::awaitable<void> get_status(GatewayServices& services, RequestPointer request) {
    GatewayReply reply;
    *reply.mutable_status() = services.status();
    return answer(request, std::move(reply));
}

asio::awaitable<void> get_metrics(GatewayServices& services, RequestPointer request) {
    const bool ready = services.ready();  // measures, too
    boundary::MetricsView all;
    services.context.metrics.fill(all);
    if (const auto filled = fill_quality(services.context, all); !filled) {
        services.context.metrics.add("xinfu_vault_faults_total");  // the others are told nevertheless
    }
    int at = 0;
    do {
        GatewayReply reply;
        auto& part = *reply.mutable_metrics();
        part.set_ready(ready);
        for (const int end = std::min(at + kSamplesPerPart, all.samples_size()); at < end; ++at) {
            part.mutable_samples()->Add(std::move(*all.mutable_samples(at)));
        }
        reply.set_more(at < all.samples_size());
        auto answering = request->reply(std::move(reply), boundary::Descriptor{});
        if (const auto answered = co_await std::move(answering); !answered) {
            co_return;
        }
    } while (at < all.samples_size());
}

asio::awaitable<void> watch_ended(GatewayServices& services, RequestPointer request) {
    services.ended.watch(std::move(request));
    co_return;
}

template <asio::awaitable<void> (*kHandler)(Context&, ExchangePointer)>
asio::awaitable<void> with_context(GatewayServices& services, RequestPointer request) {
    return kHandler(services.context, std::move(request));
}

constexpr auto kTable = std::to_array<Row>({
    {GatewayRequest::kOpenSubmission, Needs::session, "", "submit", Leaves::by_use_case, "",
     [](GatewayServices& services, RequestPointer request) { return services.accept_submission(std::move(request)); }},
    {GatewayRequest::kOpenUpload, Needs::session, verb::submit, "open_upload", Leaves::by_use_case, "",
     [](GatewayServices& services, RequestPointer request) { return services.uploads.open(std::move(request)); }},
    {GatewayRequest::kGetUpload, Needs::session, "", "read_upload", Leaves::by_use_case, "",
     [](GatewayServices& services, RequestPointer request) { return services.uploads.get(std::move(request)); }},
    {GatewayRequest::kAppendUpload, Needs::session, "", "append_upload", Leaves::by_use_case, "",
     [](GatewayServices& services, RequestPointer request) { return services.uploads.append(std::move(request)); }},
    {GatewayRequest::kFinishUpload, Needs::session, "", "submit", Leaves::by_use_case, "",
     [](GatewayServices& services, RequestPointer request) { return services.uploads.finish(std::move(request)); }},
    {GatewayRequest::kDropUpload, Needs::session, "", "drop_upload", Leaves::by_use_case, "",
     [](GatewayServices& services, RequestPointer request) { return services.uploads.drop(std::move(request)); }},
    {GatewayRequest::kGetSubmission, Needs::session, verb::read_submission, "read_submission", Leaves::by_use_case, "",
     with_context<get_submission>},
    {GatewayRequest::kGetReceipt, Needs::session, verb::read_receipt, "read_receipt", Leaves::by_use_case, "",
     with_context<get_receipt>},
    {GatewayRequest::kGetDefects, Needs::session, verb::read_defects, "read_defects", Leaves::by_use_case, "",
     with_context<get_defects>},
    {GatewayRequest::kGetOriginal, Needs::session, "", "read_original", Leaves::by_use_case, "",
     with_context<get_original>},
    {GatewayRequest::kListCatalogs, Needs::session, verb::read_catalogs, "read_catalogs", Leaves::once, "catalogs",
     with_context<list_catalogs>},
    {GatewayRequest::kGetCatalog, Needs::session, verb::read_catalogs, "read_catalogs", Leaves::once, "catalogs",
     with_context<get_catalog>},
    {GatewayRequest::kQueryRecords, Needs::session, verb::query, "query", Leaves::by_use_case, "",
     with_context<query_records>},
    {GatewayRequest::kGetRoute, Needs::session, verb::read_route, "read_route", Leaves::by_use_case, "",
     with_context<get_route>},
    {GatewayRequest::kReadCheckpoint, Needs::session, verb::read_checkpoint, "read_log", Leaves::once, "checkpoint",
     with_context<read_checkpoint>},
    {GatewayRequest::kReadTile, Needs::session, verb::read_checkpoint, "read_log", Leaves::once, "tiles",
     with_context<read_tile>},
    {GatewayRequest::kReadEntries, Needs::session, verb::read_entries, "read_log", Leaves::once, "entries",
     with_context<read_entries>},
    {GatewayRequest::kOpenSession, Needs::identity, "", "open_session", Leaves::by_use_case, "",
     [](GatewayServices& services, RequestPointer request) {
         return services.sessions.open(services.context, std::move(request));
     }},
    {GatewayRequest::kCloseSession, Needs::identity, "", "close_session", Leaves::by_use_case, "",
     [](GatewayServices& services, RequestPointer request) {
         return services.sessions.close(services.context, std::move(request));
     }},
    {GatewayRequest::kGetStatus, Needs::session, verb::read_status, "read_status", Leaves::once, "status", get_status},
    {GatewayRequest::kReadQuality, Needs::session, verb::read_quality, "read_quality", Leaves::by_use_case, "",
     with_context<read_quality>},
    {GatewayRequest::kGetEnvelopeCertificate, Needs::session, verb::read_checkpoint, "read_certificate", Leaves::once,
     "certificate", with_context<get_envelope_certificate>},
    {GatewayRequest::kOpenRequest, Needs::session, "", "request", Leaves::by_use_case, "",
     [](GatewayServices& services, RequestPointer request) { return services.requests.open(std::move(request)); }},
    {GatewayRequest::kListRequests, Needs::session, verb::read_requests, "read_requests", Leaves::once, "requests",
     [](GatewayServices& services, RequestPointer request) { return services.requests.list(std::move(request)); }},
    {GatewayRequest::kGetRequest, Needs::session, verb::read_requests, "read_request", Leaves::by_use_case, "",
     [](GatewayServices& services, RequestPointer request) { return services.requests.get(std::move(request)); }},
    {GatewayRequest::kGetApprovalStatement, Needs::session, verb::read_requests, "read_requests", Leaves::once,
     "requests",
     [](GatewayServices& services,
        RequestPointer request) { return services.requests.get_statement(std::move(request)); }},
    {GatewayRequest::kDecideRequest, Needs::session, verb::read_requests, "decide", Leaves::by_use_case, "",
     [](GatewayServices& services, RequestPointer request) { return services.requests.decide(std::move(request)); }},
    {GatewayRequest::kListPolicies, Needs::session, verb::read_policies, "read_policies", Leaves::once, "policies",
     with_context<list_policies>},
    {GatewayRequest::kGetPolicy, Needs::session, verb::read_policies, "read_policies", Leaves::once, "policies",
     with_context<get_policy>},
    {GatewayRequest::kGetPaths, Needs::session, verb::read_policies, "read_paths", Leaves::once, "paths",
     [](GatewayServices& services, RequestPointer request) { return services.paths.show(std::move(request)); }},
    {GatewayRequest::kListAccounts, Needs::session, verb::read_accounts, "read_accounts", Leaves::once, "accounts",
     [](GatewayServices& services, RequestPointer request) { return services.accounts.list(std::move(request)); }},
    {GatewayRequest::kGetAccount, Needs::session, verb::read_accounts, "read_account", Leaves::by_use_case, "",
     [](GatewayServices& services, RequestPointer request) { return services.accounts.get(std::move(request)); }},
    {GatewayRequest::kDisableAccount, Needs::session, verb::disable_account, "disable_account", Leaves::by_use_case, "",
     [](GatewayServices& services, RequestPointer request) { return services.accounts.disable(std::move(request)); }},
    {GatewayRequest::kGetMetrics, Needs::nothing, "", "", Leaves::by_use_case, "", get_metrics},
    {GatewayRequest::kWatchEnded, Needs::nothing, "", "", Leaves::by_use_case, "", watch_ended},
});

const Row* find_row(const GatewayRequest& request) {
    const auto found = std::ranges::find(kTable, request.body_case(), &Row::asks);
    return found == kTable.end() ? nullptr : &*found;
}

// Sizes that no honest gateway sends: it checks them itself.
bool is_well_formed(const GatewayRequest& request, const Row& row) {
    if (request.token().size() > kTokenSizeMax) {
        return false;
    }
    if (row.needs == Needs::nothing ? !request.handle().empty() : request.handle().size() != sizeof(Handle)) {
        return false;
    }
    const std::string* names[] = {
        request.has_get_submission() ? &request.get_submission().id() : nullptr,
        request.has_get_receipt() ? &request.get_receipt().id() : nullptr,
        request.has_get_defects() ? &request.get_defects().id() : nullptr,
        request.has_get_original() ? &request.get_original().id() : nullptr,
        request.has_get_catalog() ? &request.get_catalog().name() : nullptr,
        request.has_get_route() ? &request.get_route().route() : nullptr,
        request.has_query_records() ? &request.query_records().catalog() : nullptr,
        request.has_open_submission() ? &request.open_submission().catalog() : nullptr,
        request.has_open_upload() ? &request.open_upload().catalog() : nullptr,
        request.has_get_upload() ? &request.get_upload().id() : nullptr,
        request.has_append_upload() ? &request.append_upload().id() : nullptr,
        request.has_append_upload() ? &request.append_upload().checksum() : nullptr,
        request.has_finish_upload() ? &request.finish_upload().id() : nullptr,
        request.has_drop_upload() ? &request.drop_upload().id() : nullptr,
        request.has_open_request() ? &request.open_request().act() : nullptr,
        request.has_open_request() ? &request.open_request().account() : nullptr,
        request.has_get_request() ? &request.get_request().id() : nullptr,
        request.has_get_approval_statement() ? &request.get_approval_statement().id() : nullptr,
        request.has_decide_request() ? &request.decide_request().id() : nullptr,
        request.has_decide_request() ? &request.decide_request().digest() : nullptr,
        request.has_get_policy() ? &request.get_policy().digest() : nullptr,
        request.has_get_account() ? &request.get_account().id() : nullptr,
        request.has_disable_account() ? &request.disable_account().id() : nullptr,
    };
    return std::ranges::all_of(names,
                               [](const std::string* name) { return name == nullptr || name->size() <= kNameSizeMax; });
}

// The act of a request, as the access pack calls it.
std::string_view verb_of(const GatewayRequest& request, const Row& row, const Principal& principal) {
    if (!request.has_open_submission()) {
        return row.verb;
    }
    if (request.open_submission().check_only()) {
        return verb::check;
    }
    return principal.kind == storage::AccountKind::platform ? verb::relay : verb::submit;
}

std::string catalog_of(const GatewayRequest& request) {
    if (request.has_open_submission()) {
        return request.open_submission().catalog();
    }
    if (request.has_open_upload()) {
        return request.open_upload().catalog();
    }
    return request.has_query_records() ? request.query_records().catalog() : std::string();
}

}  // namespace

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
    const Row* row = find_row(request);
    if (row == nullptr || !is_well_formed(request, *row)) {
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
    if (request.has_query_records() || request.has_get_original()) {
        if (const auto wait = services.budgets.readings.take(account, now)) {
            return problem("XF-2008", {}, *wait);
        }
    }
    return std::nullopt;
}

asio::awaitable<void> GatewayEndpoint::State::handle(RequestPointer request) {
    Context& context = services.context;
    const GatewayRequest& said = request->request_;
    const Row& row = *find_row(said);
    Caller& caller = request->caller_;
    context.metrics.add("xinfu_requests_total{request=\"" + std::string(row.action.empty() ? "node" : row.action) +
                        "\"}");
    if (row.needs == Needs::nothing) {
        auto handling = row.handler(services, request);
        co_await std::move(handling);
        co_return;
    }

    std::string action(row.action);
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
    if (!why && row.needs == Needs::session && caller.principal.kind == storage::AccountKind::person) {
        why = services.sessions.check(context, caller.principal, said.token());
    }

    if (!why && !policies::lies_in(caller.source, caller.principal.sources)) {
        why = problem("XF-1020");
    }

    // What they may do.
    if (!why) {
        why = check_exclusions(rules->access, caller.principal);
    }
    const std::string_view verb = verb_of(said, row, caller.principal);
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
        why = over_budget(said, row.leaves == Leaves::by_use_case, caller.principal.account);
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

    if (row.leaves == Leaves::once && !request->connection_->noted.contains(std::string(row.kind))) {
        storage::Leaf leaf = leaf_of(caller, std::move(action));
        leaf.result = "done";
        leaf.object.type = std::string(row.kind);
        auto recording = record(context, std::move(leaf), storage::LeafNotes{});
        const auto recorded = co_await std::move(recording);
        if (!recorded) {
            auto answering = answer_problem(request, problem_of(recorded.error()));
            const auto answered = co_await std::move(answering);
            static_cast<void>(answered.has_value());
            co_return;
        }
        request->connection_->noted.emplace(row.kind);
    }
    auto handling = row.handler(services, request);
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
