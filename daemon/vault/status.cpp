#include "daemon/vault/status.hpp"

#include <utility>

#include "daemon/boundary/arguments.hpp"
#include "daemon/config/config.hpp"
#include "daemon/vault/active_policies.hpp"
#include "daemon/vault/authorisation.hpp"
#include "daemon/vault/backlog.hpp"
#include "daemon/vault/exchange.hpp"
#include "daemon/vault/metrics.hpp"

namespace xinfu::vault {

Status::Status(Context& context, const Revocations& revocations, const Damage& damage, const ClockWatch& clock,
               const Paths& paths, const CertificateWatch& certificates, const Cosignatures& cosignatures,
               std::string log_key, std::string witness_key, std::function<std::vector<boundary::LinkView>()> links)
    : context_(context),
      revocations_(revocations),
      damage_(damage),
      clock_(clock),
      paths_(paths),
      certificates_(certificates),
      cosignatures_(cosignatures),
      log_key_(std::move(log_key)),
      witness_key_(std::move(witness_key)),
      links_(std::move(links)),
      started_(context.clock.now()) {}

boundary::StatusView Status::view() const {
    boundary::StatusView view;
    view.set_node(context_.node);
    view.set_version(std::string(boundary::version()));
    view.set_suite(context_.config.suite);
    view.set_log_size(context_.ledger.head().tree_size);
    view.set_started_ms(started_.time_since_epoch().count());
    view.set_log_key(log_key_);
    view.set_witness_key(witness_key_);
    if (const auto size = cosignatures_.cosigned_size()) {
        view.set_cosigned_size(*size);
    }
    std::uint64_t backlog = 0;
    for (auto& link : links_()) {
        backlog += link.backlog();
        if (auto warning = backlog_warning(link)) {
            *view.add_warnings() = std::move(*warning);
        }
        if (link.has_last_problem()) {
            *view.add_warnings() = link.last_problem();
        }
        *view.add_links() = std::move(link);
    }
    view.set_backlog(backlog);
    const auto statistics = context_.ledger.engine().statistics();
    if (statistics.disk_free_bytes < context_.config.vault.disk_reserve_bytes) {
        const bool exhausted = statistics.disk_free_bytes < context_.config.vault.leaf_reserve_bytes;
        *view.add_warnings() = problem(exhausted ? "XF-6005" : "XF-6002");
    }
    if (damage_.seen()) {
        *view.add_warnings() = problem("XF-9003");
    }
    if (clock_.is_wrong()) {
        *view.add_warnings() = problem("XF-9004");
    }
    if (auto warning = cosignatures_.warning()) {
        *view.add_warnings() = std::move(*warning);
    }
    if (auto alarm = paths_.alarm()) {
        *view.add_warnings() = std::move(*alarm);
    }
    const auto now_s =
        std::chrono::duration_cast<std::chrono::seconds>(context_.clock.now().time_since_epoch()).count();
    if (revocations_.overdue(now_s) > 0) {
        *view.add_warnings() = problem("XF-1017");
    }
    const auto snapshot = context_.ledger.engine().snapshot();
    const auto complete =
        snapshot ? node_is_complete(**snapshot) : Result<bool>(boost::system::in_place_error, snapshot.error());
    if (!complete || !*complete) {
        *view.add_warnings() = problem(complete ? "XF-2004" : "XF-9001");
    }
    const int degrading = view.warnings_size();
    if (auto warning = certificates_.warning()) {
        *view.add_warnings() = std::move(*warning);
    }
    // A month is time enough: until the last week it is only told.
    view.set_state(degrading == 0 && !certificates_.is_urgent() ? "ready" : "degraded");
    return view;
}

std::string Status::line(bool draining) const {
    std::uint64_t backlog = 0;
    for (const auto& link : links_()) {
        backlog += link.backlog();
    }
    if (const auto objection = cosignatures_.objection()) {
        return objection->code() == "XF-6012" ? "stopped: the log was rolled back (XF-6012)" : "asking the witness";
    }
    std::string text = draining ? "finishing" : "ready";
    text += ", " + std::to_string(context_.ledger.head().tree_size) + " log entries, " + std::to_string(backlog) +
            (backlog == 1 ? " parcel waiting" : " parcels waiting");
    return text;
}

void Status::measure(bool ready) const {
    Metrics& metrics = context_.metrics;
    const auto statistics = context_.ledger.engine().statistics();
    metrics.set("xinfu_ready", ready ? 1 : 0);
    metrics.set("xinfu_log_cosigned_entries", static_cast<double>(cosignatures_.cosigned_size().value_or(0)));
    metrics.set("xinfu_log_entries", static_cast<double>(context_.ledger.head().tree_size));
    metrics.set("xinfu_store_used_bytes", static_cast<double>(statistics.used_bytes));
    metrics.set("xinfu_store_size_max_bytes", static_cast<double>(statistics.map_size_bytes));
    metrics.set("xinfu_disk_free_bytes", static_cast<double>(statistics.disk_free_bytes));
    for (const auto& link : links_()) {
        const std::string label = "{route=\"" + link.route() + "\"}";
        metrics.set("xinfu_link_backlog_parcels" + label, static_cast<double>(link.backlog()));
        metrics.set("xinfu_link_backlog_limit_parcels" + label, static_cast<double>(link.backlog_limit()));
        metrics.set("xinfu_link_delivered_parcels_total" + label, static_cast<double>(link.delivered()));
        metrics.set("xinfu_link_up" + label, link.state() == "unreachable" ? 0 : 1);
        metrics.set("xinfu_link_oldest_parcel_time_seconds" + label, static_cast<double>(link.oldest_ms()) / 1000);
    }
}

}  // namespace xinfu::vault
