#include "daemon/vault/gateway_acts.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "daemon/vault/active_policies.hpp"
#include "daemon/vault/catalog_service.hpp"
#include "daemon/vault/envelope_certificates.hpp"
#include "daemon/vault/feed_page.hpp"
#include "daemon/vault/log_search.hpp"
#include "daemon/vault/log_service.hpp"
#include "daemon/vault/metrics.hpp"
#include "daemon/vault/quality.hpp"
#include "daemon/vault/record_trace.hpp"
#include "daemon/vault/records_query.hpp"
#include "daemon/vault/submission_views.hpp"

namespace xinfu::vault {
namespace {

using boundary::GatewayReply;
using boundary::GatewayRequest;
namespace verb = policies::verb;

constexpr std::size_t kTokenSizeMax = 256;
constexpr std::size_t kNameSizeMax = 256;  // of catalogs, ids, routes: what a path may hold at all
constexpr int kProofHashesMax = 63;
constexpr int kNoteLinesMax = 16;
constexpr int kSamplesPerPart = 200;  // of metrics, in one packet

asio::awaitable<void> answer(ExchangePointer exchange, GatewayReply reply) {
    auto answering = exchange->reply(std::move(reply), boundary::Descriptor{});
    const auto answered = co_await std::move(answering);
    static_cast<void>(answered.has_value());
}

asio::awaitable<void> get_status(GatewayServices& services, ExchangePointer request) {
    GatewayReply reply;
    *reply.mutable_status() = services.status();
    return answer(request, std::move(reply));
}

asio::awaitable<void> get_metrics(GatewayServices& services, ExchangePointer request) {
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

asio::awaitable<void> watch_ended(GatewayServices& services, ExchangePointer request) {
    services.ended.watch(std::move(request));
    co_return;
}

template <asio::awaitable<void> (*kHandler)(Context&, ExchangePointer)>
asio::awaitable<void> with_context(GatewayServices& services, ExchangePointer request) {
    return kHandler(services.context, std::move(request));
}

constexpr auto kTable = std::to_array<GatewayAct>({
    {GatewayRequest::kOpenSubmission, Needs::session, "", "submit", Leaves::by_use_case, "",
     [](GatewayServices& services, ExchangePointer request) { return services.accept_submission(std::move(request)); }},
    {GatewayRequest::kOpenUpload, Needs::session, verb::submit, "open_upload", Leaves::by_use_case, "",
     [](GatewayServices& services, ExchangePointer request) { return services.uploads.open(std::move(request)); }},
    {GatewayRequest::kGetUpload, Needs::session, "", "read_upload", Leaves::by_use_case, "",
     [](GatewayServices& services, ExchangePointer request) { return services.uploads.get(std::move(request)); }},
    {GatewayRequest::kAppendUpload, Needs::session, "", "append_upload", Leaves::by_use_case, "",
     [](GatewayServices& services, ExchangePointer request) { return services.uploads.append(std::move(request)); }},
    {GatewayRequest::kFinishUpload, Needs::session, "", "submit", Leaves::by_use_case, "",
     [](GatewayServices& services, ExchangePointer request) { return services.uploads.finish(std::move(request)); }},
    {GatewayRequest::kDropUpload, Needs::session, "", "drop_upload", Leaves::by_use_case, "",
     [](GatewayServices& services, ExchangePointer request) { return services.uploads.drop(std::move(request)); }},
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
    {GatewayRequest::kReadFeed, Needs::session, verb::extract, "extract", Leaves::by_use_case, "",
     [](GatewayServices& services, ExchangePointer request) { return services.feeds.read(std::move(request)); }},
    {GatewayRequest::kWatchFeed, Needs::session, verb::extract, "extract", Leaves::by_use_case, "",
     [](GatewayServices& services, ExchangePointer request) { return services.feeds.watch(std::move(request)); }},
    {GatewayRequest::kGetRoute, Needs::session, verb::read_route, "read_route", Leaves::by_use_case, "",
     with_context<get_route>},
    {GatewayRequest::kReadCheckpoint, Needs::session, verb::read_checkpoint, "read_log", Leaves::once, "checkpoint",
     with_context<read_checkpoint>},
    {GatewayRequest::kReadTile, Needs::session, verb::read_checkpoint, "read_log", Leaves::once, "tiles",
     with_context<read_tile>},
    {GatewayRequest::kReadEntries, Needs::session, verb::read_entries, "read_log", Leaves::once, "entries",
     with_context<read_entries>},
    {GatewayRequest::kAddCheckpoint, Needs::session, verb::witness, "cosign", Leaves::by_use_case, "",
     [](GatewayServices& services, ExchangePointer request) {
         return services.witness.add_checkpoint(std::move(request));
     }},
    {GatewayRequest::kSearchLog, Needs::session, verb::search_log, "search_log", Leaves::by_use_case, "",
     [](GatewayServices& services, ExchangePointer request) {
         return search_log(services.context, services.log_indexer, std::move(request));
     }},
    {GatewayRequest::kTraceRecord, Needs::session, verb::trace_record, "trace_record", Leaves::by_use_case, "",
     [](GatewayServices& services, ExchangePointer request) {
         return trace_record(services.context, services.log_indexer, std::move(request));
     }},
    {GatewayRequest::kOpenSession, Needs::identity, "", "open_session", Leaves::by_use_case, "",
     [](GatewayServices& services, ExchangePointer request) {
         return services.sessions.open(services.context, std::move(request));
     }},
    {GatewayRequest::kCloseSession, Needs::identity, "", "close_session", Leaves::by_use_case, "",
     [](GatewayServices& services, ExchangePointer request) {
         return services.sessions.close(services.context, std::move(request));
     }},
    {GatewayRequest::kGetStatus, Needs::session, verb::read_status, "read_status", Leaves::once, "status", get_status},
    {GatewayRequest::kReadQuality, Needs::session, verb::read_quality, "read_quality", Leaves::by_use_case, "",
     with_context<read_quality>},
    {GatewayRequest::kGetEnvelopeCertificate, Needs::session, verb::read_checkpoint, "read_certificate", Leaves::once,
     "certificate", with_context<get_envelope_certificate>},
    {GatewayRequest::kOpenRequest, Needs::session, "", "request", Leaves::by_use_case, "",
     [](GatewayServices& services, ExchangePointer request) { return services.requests.open(std::move(request)); }},
    {GatewayRequest::kListRequests, Needs::session, verb::read_requests, "read_requests", Leaves::once, "requests",
     [](GatewayServices& services, ExchangePointer request) { return services.requests.list(std::move(request)); }},
    {GatewayRequest::kGetRequest, Needs::session, verb::read_requests, "read_request", Leaves::by_use_case, "",
     [](GatewayServices& services, ExchangePointer request) { return services.requests.get(std::move(request)); }},
    {GatewayRequest::kGetApprovalStatement, Needs::session, verb::read_requests, "read_requests", Leaves::once,
     "requests",
     [](GatewayServices& services,
        ExchangePointer request) { return services.requests.get_statement(std::move(request)); }},
    {GatewayRequest::kDecideRequest, Needs::session, verb::read_requests, "decide", Leaves::by_use_case, "",
     [](GatewayServices& services, ExchangePointer request) { return services.requests.decide(std::move(request)); }},
    {GatewayRequest::kListPolicies, Needs::session, verb::read_policies, "read_policies", Leaves::once, "policies",
     with_context<list_policies>},
    {GatewayRequest::kGetPolicy, Needs::session, verb::read_policies, "read_policies", Leaves::once, "policies",
     with_context<get_policy>},
    {GatewayRequest::kGetPaths, Needs::session, verb::read_policies, "read_paths", Leaves::once, "paths",
     [](GatewayServices& services, ExchangePointer request) { return services.paths.show(std::move(request)); }},
    {GatewayRequest::kListAccounts, Needs::session, verb::read_accounts, "read_accounts", Leaves::once, "accounts",
     [](GatewayServices& services, ExchangePointer request) { return services.accounts.list(std::move(request)); }},
    {GatewayRequest::kGetAccount, Needs::session, verb::read_accounts, "read_account", Leaves::by_use_case, "",
     [](GatewayServices& services, ExchangePointer request) { return services.accounts.get(std::move(request)); }},
    {GatewayRequest::kDisableAccount, Needs::session, verb::disable_account, "disable_account", Leaves::by_use_case, "",
     [](GatewayServices& services, ExchangePointer request) { return services.accounts.disable(std::move(request)); }},
    {GatewayRequest::kGetMetrics, Needs::nothing, "", "", Leaves::by_use_case, "", get_metrics},
    {GatewayRequest::kWatchEnded, Needs::nothing, "", "", Leaves::by_use_case, "", watch_ended},
});

}  // namespace

const GatewayAct* find_act(const GatewayRequest& request) {
    const auto found = std::ranges::find(kTable, request.body_case(), &GatewayAct::asks);
    return found == kTable.end() ? nullptr : &*found;
}

bool is_well_formed(const GatewayRequest& request, const GatewayAct& act) {
    if (request.token().size() > kTokenSizeMax) {
        return false;
    }
    if (act.needs == Needs::nothing ? !request.handle().empty() : request.handle().size() != sizeof(Handle)) {
        return false;
    }
    if (request.has_read_feed()) {
        const auto& asked = request.read_feed();
        if (asked.after() > kFeedPositionMax || asked.limit() == 0 || asked.limit() > kFeedVersionsMax) {
            return false;
        }
    }
    if (request.has_watch_feed()) {
        const auto& asked = request.watch_feed();
        if (asked.after() > kFeedPositionMax || asked.seconds() == 0 || asked.seconds() > kFeedWaitSecondsMax) {
            return false;
        }
    }
    const std::string* names[] = {
        request.has_read_feed() ? &request.read_feed().catalog() : nullptr,
        request.has_watch_feed() ? &request.watch_feed().catalog() : nullptr,
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
        request.has_trace_record() ? &request.trace_record().record() : nullptr,
        request.has_get_policy() ? &request.get_policy().digest() : nullptr,
        request.has_get_account() ? &request.get_account().id() : nullptr,
        request.has_disable_account() ? &request.disable_account().id() : nullptr,
        request.has_add_checkpoint() ? &request.add_checkpoint().origin() : nullptr,
    };
    if (request.add_checkpoint().proof_size() > kProofHashesMax ||
        request.add_checkpoint().lines_size() > kNoteLinesMax) {
        return false;
    }
    return std::ranges::all_of(names,
                               [](const std::string* name) { return name == nullptr || name->size() <= kNameSizeMax; });
}

std::string_view verb_of(const GatewayRequest& request, const GatewayAct& act, const Principal& principal) {
    if (!request.has_open_submission()) {
        return act.verb;
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
    if (request.has_read_feed()) {
        return request.read_feed().catalog();
    }
    if (request.has_watch_feed()) {
        return request.watch_feed().catalog();
    }
    return request.has_query_records() ? request.query_records().catalog() : std::string();
}

}  // namespace xinfu::vault
