#include "daemon/vault/quality.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "crypto/canonical_json.hpp"
#include "crypto/digest.hpp"
#include "daemon/boundary/packet.hpp"
#include "daemon/vault/active_policies.hpp"
#include "daemon/vault/authorisation.hpp"
#include "daemon/vault/receipt.hpp"

namespace xinfu::vault {
namespace {

using boundary::SubmissionOutcome;
using policies::QualityCounts;

struct Line {
    std::string unit;
    std::string catalog;
    QualityCounts counts;
};

storage::rows::Quality to_row(const QualityCounts& counts) {
    storage::rows::Quality row;
    row.set_files_accepted(counts.files_accepted);
    row.set_files_refused(counts.files_refused);
    row.set_records(counts.records);
    row.set_stored(counts.stored);
    row.set_duplicate(counts.duplicate);
    row.set_changed(counts.changed);
    row.set_incomplete(counts.incomplete);
    row.set_inaccurate(counts.inaccurate);
    row.set_unreasonable(counts.unreasonable);
    row.set_late(counts.late);
    row.set_undecided(counts.undecided);
    row.set_coded(counts.coded);
    row.set_wrong_code(counts.wrong_code);
    row.set_repeated_code(counts.repeated_code);
    return row;
}

QualityCounts to_counts(const storage::rows::Quality& row) {
    QualityCounts counts;
    counts.files_accepted = row.files_accepted();
    counts.files_refused = row.files_refused();
    counts.records = row.records();
    counts.stored = row.stored();
    counts.duplicate = row.duplicate();
    counts.changed = row.changed();
    counts.incomplete = row.incomplete();
    counts.inaccurate = row.inaccurate();
    counts.unreasonable = row.unreasonable();
    counts.late = row.late();
    counts.undecided = row.undecided();
    counts.coded = row.coded();
    counts.wrong_code = row.wrong_code();
    counts.repeated_code = row.repeated_code();
    return counts;
}

template <class Wanted>
Result<std::vector<Line>> lines_of(const Context& context, storage::Month month, const Wanted& wanted) {
    const auto snapshot = context.ledger.engine().snapshot();
    if (!snapshot) {
        return snapshot.error();
    }
    std::vector<Line> lines;
    const auto visited = storage::visit_quality(
        **snapshot, month, [&](std::string_view unit, std::string_view catalog, const storage::rows::Quality& counted) {
            if (wanted(unit, catalog)) {
                lines.push_back({std::string(unit), std::string(catalog), to_counts(counted)});
            }
            return true;
        });
    if (!visited) {
        return visited.error();
    }
    return lines;
}

void add_figures(crypto::JsonObject& object, const QualityCounts& counts) {
    const auto number = [&object](std::string_view key, std::uint64_t value) {
        object.number(key, static_cast<std::int64_t>(value));
    };
    number("files_accepted", counts.files_accepted);
    number("files_refused", counts.files_refused);
    number("records", counts.records);
    number("stored", counts.stored);
    number("duplicate", counts.duplicate);
    number("changed", counts.changed);
    number("incomplete", counts.incomplete);
    number("inaccurate", counts.inaccurate);
    number("unreasonable", counts.unreasonable);
    number("late", counts.late);
    number("undecided", counts.undecided);
    number("coded", counts.coded);
    number("wrong_code", counts.wrong_code);
    number("repeated_code", counts.repeated_code);
    std::vector<std::string> alarms;
    for (const auto measure : policies::kMeasures) {
        if (const auto rate = policies::rate_ppm(counts, measure)) {
            number(std::string(policies::name(measure)) + "_ppm", *rate);
        }
        if (policies::misses_target(counts, measure)) {
            alarms.emplace_back(policies::name(measure));
        }
    }
    object.texts("alarms", alarms);
}

std::string array_of(const std::vector<crypto::JsonObject>& objects) {
    std::string text = "[";
    for (const auto& object : objects) {
        text += (text.size() == 1 ? "" : ",") + object.encode();
    }
    return text + "]";
}

// RFC 8785, so that its digest can be compared.
std::string encode_report(const Context& context, storage::Month month, const std::vector<Line>& lines) {
    std::vector<crypto::JsonObject> rows;
    std::map<std::string, QualityCounts> by_unit;
    QualityCounts total;
    const auto policies = context.policies.current();
    for (const auto& line : lines) {
        auto& row = rows.emplace_back();
        row.text("unit", line.unit).text("catalog", line.catalog);
        if (const auto* catalog = policies->find_catalog(line.catalog)) {
            row.text("catalog_title", catalog->title()).text("catalog_title_zh", catalog->title_zh());
        }
        add_figures(row, line.counts);
        by_unit[line.unit] += line.counts;
        total += line.counts;
    }
    std::vector<crypto::JsonObject> units;
    for (const auto& [unit, counts] : by_unit) {
        auto& object = units.emplace_back();
        object.text("unit", unit);
        add_figures(object, counts);
    }
    crypto::JsonObject sum;
    add_figures(sum, total);
    crypto::JsonObject report;
    report.text("node", context.node)
        .text("month", to_text(month))
        .boolean("over", month < month_of(context.clock.now()))
        .raw("rows", array_of(rows))
        .raw("units", array_of(units))
        .object("total", sum);
    return report.encode();
}

}  // namespace

storage::Month month_of(storage::Milliseconds time) {
    const std::chrono::sys_days day{std::chrono::days{day_in_shanghai(time)}};
    const std::chrono::year_month_day date{day};
    return static_cast<storage::Month>(static_cast<int>(date.year())) * 100 + static_cast<unsigned>(date.month());
}

std::string to_text(storage::Month month) {
    char text[16];
    const int length = std::snprintf(text, sizeof text, "%04u-%02u", month / 100, month % 100);
    return {text, static_cast<std::size_t>(length)};
}

storage::rows::Quality figures_of(const Candidate& candidate, const Decision& decision, const TermCounts::Late& late) {
    QualityCounts counts;
    const bool refused = decision.kind == SubmissionOutcome::REFUSED;
    (refused ? counts.files_refused : counts.files_accepted) = 1;
    if (!refused && candidate.operations) {
        counts.changed = decision.counts.stored();
    } else if (!candidate.problem && !candidate.operations) {
        counts += candidate.quality;
        // What does not fit the records that are there: known otherwise, twice in the file, withdrawn.
        counts.unreasonable += decision.counts.defective() - candidate.defective_themselves;
        counts.stored = decision.counts.stored();
        counts.duplicate = refused ? 0 : decision.counts.duplicate();
        counts.late = late.late;
        counts.undecided = late.undecided;
    }
    return to_row(counts);
}

Result<void> count_file(storage::Batch& batch, const Candidate& candidate, const Decision& decision,
                        const TermCounts::Late& late) {
    const std::string& unit = candidate.unit.empty() ? candidate.caller.principal.unit : candidate.unit;
    return storage::add_quality(batch.transaction(), month_of(batch.time()), unit, candidate.catalog->name(),
                                figures_of(candidate, decision, late));
}

Result<void> count_decided_file(storage::Batch& batch, const storage::rows::Submission& row) {
    storage::rows::Quality counts = row.quality();
    if (row.state() == storage::rows::Submission::REFUSED) {
        counts.set_files_accepted(0);
        counts.set_files_refused(1);
        counts.set_stored(0);
        counts.set_duplicate(0);
        counts.set_changed(0);
        counts.set_late(0);
        counts.set_undecided(0);
    } else if (row.changes_records()) {
        counts.set_changed(row.counts().stored());
    } else {
        counts.set_stored(row.counts().stored());
        counts.set_duplicate(row.counts().duplicate());
    }
    return storage::add_quality(batch.transaction(), month_of(batch.time()), row.unit(), row.catalog(), counts);
}

asio::awaitable<void> read_quality(Context& context, ExchangePointer exchange) {
    const Caller& caller = exchange->caller();
    const auto asked = exchange->request().read_quality().month();
    const storage::Month month = asked == 0 ? month_of(context.clock.now()) : asked;
    const auto policies = context.policies.current();
    const auto lines = lines_of(context, month, [&](std::string_view unit, std::string_view catalog) {
        return permitting_role(policies->access, caller.principal, policies::verb::read_quality, catalog, unit)
            .has_value();
    });
    if (!lines) {
        auto answering = answer_error(exchange, lines.error());
        co_await std::move(answering);
        co_return;
    }
    const std::string report = encode_report(context, month, *lines);

    storage::Leaf leaf = leaf_of(caller, "read_quality");
    leaf.result = "done";
    leaf.object = {"quality_report", to_text(month), crypto::sha256(as_bytes(report)), std::nullopt};
    auto recording = record(context, std::move(leaf), storage::LeafNotes{});
    const auto recorded = co_await std::move(recording);
    auto receipt = recorded ? make_receipt(context.ledger, recorded->index, recorded->entry, recorded->committed)
                            : Result<std::string>(boost::system::in_place_error, recorded.error());
    if (!receipt) {
        auto answering = answer_error(exchange, receipt.error());
        co_await std::move(answering);
        co_return;
    }
    boundary::GatewayReply reply;
    reply.set_more(true);
    reply.mutable_quality()->set_receipt(std::move(*receipt));
    auto answering = exchange->reply(std::move(reply), boundary::Descriptor{});
    if (const auto answered = co_await std::move(answering); !answered) {
        co_return;
    }
    auto telling = answer_text(exchange, report);
    const auto told = co_await std::move(telling);
    static_cast<void>(told.has_value());
}

Result<void> fill_quality(const Context& context, boundary::MetricsView& view) {
    const auto all = [](std::string_view, std::string_view) { return true; };
    const auto lines = lines_of(context, month_of(context.clock.now()), all);
    if (!lines) {
        return lines.error();
    }
    const auto add = [&view](std::string name, double value) {
        auto& sample = *view.add_samples();
        sample.set_name(std::move(name));
        sample.set_value(value);
    };
    constexpr double kMillion = 1e6;
    for (const auto& line : *lines) {
        const std::string labels = "{unit=\"" + line.unit + "\",catalog=\"" + line.catalog + "\"";
        add("xinfu_quality_records" + labels + "}", static_cast<double>(line.counts.records));
        for (const auto measure : policies::kMeasures) {
            const std::string one = labels + ",measure=\"" + std::string(policies::name(measure)) + "\"}";
            if (const auto rate = policies::rate_ppm(line.counts, measure)) {
                add("xinfu_quality_ratio" + one, *rate / kMillion);
                add("xinfu_quality_alarm" + one, policies::misses_target(line.counts, measure) ? 1 : 0);
            }
        }
    }
    return {};
}

}  // namespace xinfu::vault
