#include "daemon/vault/records_query.hpp"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "crypto/canonical_json.hpp"
#include "daemon/vault/active_policies.hpp"
#include "daemon/vault/authorisation.hpp"
#include "daemon/vault/counted_leaves.hpp"
#include "daemon/vault/keys.hpp"
#include "daemon/vault/operations.hpp"
#include "daemon/vault/receipt.hpp"
#include "daemon/vault/record_reader.hpp"
#include "daemon/vault/record_text.hpp"
#include "daemon/vault/report_term.hpp"
#include "daemon/vault/unmasking.hpp"
#include "policies/identifiers.hpp"
#include "storage/error.hpp"
#include "storage/records.hpp"

namespace xinfu::vault {
namespace {

constexpr std::size_t kPurposeCharactersMax = 500;
constexpr std::size_t kSubjectSizeBytesMax = 128;

std::size_t characters(std::string_view utf8) {
    return static_cast<std::size_t>(
        std::ranges::count_if(utf8, [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }));
}

bool is_purpose(std::string_view text) {
    return crypto::is_utf8(text) && text.find_first_not_of(" \t\r\n") != std::string_view::npos &&
           characters(text) <= kPurposeCharactersMax;
}

struct Hit {
    std::string canonical;
    std::string name;  // with `version` what a correction has to say
    std::uint64_t version = 1;
    std::string_view late;  // empty: in time
};

std::string_view lateness_text(Lateness lateness) {
    switch (lateness) {
        case Lateness::late: return "late";
        case Lateness::undecided: return "provisional";
        case Lateness::in_time: break;
    }
    return {};
}

// A record's own members with its name and version among them.
std::string with_name(const Hit& hit) {
    auto fields = read_record_text(hit.canonical);
    if (!fields) {
        return {};
    }
    fields->emplace_back("XF_RECORD", hit.name);
    fields->emplace_back("XF_VERSION", std::to_string(hit.version));
    fields->emplace_back("XF_LATE", hit.late);  // left out when empty
    const std::vector<crypto::TextField> views(fields->begin(), fields->end());
    std::string out;
    crypto::append_canonical_record(out, views);
    return out;
}

// Everything this principal may see of the subject, newest first.
Result<std::vector<Hit>> find_hits(Context& context, const Principal& principal, const policies::AccessPolicy& access,
                                   const std::string& catalog, const std::string& subject) {
    const auto snapshot = context.ledger.engine().snapshot();
    if (!snapshot) {
        return snapshot.error();
    }
    std::vector<storage::RecordPlace> places;
    const auto visited =
        storage::visit_subject(**snapshot, storage::subject_key(context.keys.index(), catalog, subject),
                               [&places](const storage::RecordPlace& place) {
                                   places.push_back(place);
                                   return true;
                               });
    if (!visited) {
        return visited.error();
    }
    // Ids begin with their time: the newest come first.
    std::ranges::sort(places, [](const auto& a, const auto& b) {
        return std::pair(b.submission, b.slot) < std::pair(a.submission, a.slot);
    });
    std::vector<Hit> hits;
    std::optional<storage::RecordSealer> sealer;
    storage::SubmissionId opened{};
    storage::rows::Submission submission;
    storage::SubmissionId origin{};
    bool visible = false;
    for (const auto& place : places) {
        if (hits.size() == kQueryRecordsMax) {
            break;
        }
        if (!sealer || place.submission != opened) {
            opened = place.submission;
            sealer.reset();
            visible = false;
            const auto row = storage::find_submission(**snapshot, place.submission);
            if (!row) {
                return row.error();
            }
            if (!*row || (*row)->state() != storage::rows::Submission::ACCEPTED) {
                continue;  // staged, pending, refused or withdrawn: not a current record
            }
            if (!permitting_role(access, principal, policies::verb::query, catalog, (*row)->unit())) {
                continue;
            }
            const auto key =
                context.keys.unwrap_data_key((*row)->unit(), place.submission, as_bytes((*row)->wrapped_key()));
            if (!key) {
                return key.error();
            }
            sealer.emplace(place.submission, key->view());
            submission = std::move(**row);
            origin = storage::submission_id_from_bytes(as_bytes(submission.origin_submission())).value_or(opened);
            visible = true;
        }
        if (!visible) {
            continue;
        }
        const auto record = storage::find_record(**snapshot, *sealer, place.submission, place.slot);
        if (!record) {
            return record.error();
        }
        if (*record && (*record)->subject() == subject) {
            Hit hit{(*record)->canonical(), record_name(origin, (*record)->line()), 1, {}};
            if ((*record)->version() > 0) {
                const auto first = storage::submission_id_from_bytes(as_bytes((*record)->first_submission()));
                if (!first) {
                    return make_error_code(storage::Errc::corrupt);
                }
                hit.name = record_name(*first, (*record)->first_line());
                hit.version = (*record)->version();
            }
            hit.late = lateness_text(lateness(report_term(**record, submission)));
            hits.push_back(std::move(hit));
        }
    }
    return hits;
}

// What the reading's commit came to.
struct Spent {
    std::optional<boundary::Problem> problem;
    Recorded recorded;
};

asio::awaitable<void> refuse(Context& context, ExchangePointer exchange, boundary::Problem why, std::string catalog) {
    auto recording = record_refusal(context, exchange->caller(), "query", why.code(), std::move(catalog));
    if (const auto recorded = co_await std::move(recording); !recorded) {
        why = problem_of(recorded.error());
    }
    auto answering = answer_problem(exchange, std::move(why));
    const auto answered = co_await std::move(answering);
    static_cast<void>(answered.has_value());
}

}  // namespace

std::optional<std::string> normalised_subject(std::string_view text) {
    if (text.empty() || text.size() > kSubjectSizeBytesMax || !crypto::is_utf8(text)) {
        return std::nullopt;
    }
    std::string subject;
    policies::normalise_code(text, subject);
    if (const std::string upgraded = policies::upgrade_identity_number(subject); !upgraded.empty()) {
        subject = upgraded;
    }
    // Eighteen characters are a unified social credit code or an identity number, with a check character that fits.
    const bool known = policies::check_uscc(subject) == policies::UsccDefect::none ||
                       policies::is_identity_number(subject) || policies::is_organisation_code(subject) ||
                       policies::is_registration_number(subject) ||
                       (subject.size() != 18 && policies::is_tax_number(subject));
    return known ? std::optional<std::string>(std::move(subject)) : std::nullopt;
}

asio::awaitable<void> query_records(Context& context, ExchangePointer exchange) {
    const auto& asked = exchange->request().query_records();
    const Caller caller = exchange->caller();
    const auto policies = context.policies.current();
    const auto* catalog = policies->find_catalog(asked.catalog());
    if (catalog == nullptr) {
        auto refusing = refuse(context, exchange, problem("XF-2003"), {});
        co_await std::move(refusing);
        co_return;
    }
    if (!is_purpose(asked.purpose())) {
        auto refusing = refuse(context, exchange, problem("XF-2006"), asked.catalog());
        co_await std::move(refusing);
        co_return;
    }
    const auto subject = normalised_subject(asked.subject());
    if (!subject) {
        auto refusing = refuse(context, exchange, problem("XF-2007"), asked.catalog());
        co_await std::move(refusing);
        co_return;
    }
    const bool unmasked = !asked.approval().empty();
    if (unmasked && !permitting_role(policies->access, caller.principal, policies::verb::request_unmasking,
                                     asked.catalog(), caller.principal.unit)) {
        auto refusing = refuse(context, exchange, problem("XF-2001"), asked.catalog());
        co_await std::move(refusing);
        co_return;
    }
    auto hits = find_hits(context, caller.principal, policies->access, asked.catalog(), *subject);
    if (!hits) {
        auto refusing = refuse(context, exchange, problem_of(hits.error()), asked.catalog());
        co_await std::move(refusing);
        co_return;
    }
    if (!unmasked) {
        const CatalogMask mask(*policies, asked.catalog());
        for (auto& hit : *hits) {
            hit.canonical = mask_record(hit.canonical, mask);
        }
    }
    for (auto& hit : *hits) {
        hit.canonical = with_name(hit);
    }

    // The leaf first: it is durable before a single record leaves.
    storage::Leaf leaf = leaf_of(caller, "query");
    leaf.result = "done";
    leaf.catalog = asked.catalog();
    leaf.counts.emplace().records = hits->size();
    storage::LeafNotes notes;
    notes.subject = *subject;
    notes.purpose = asked.purpose();
    leaf.approval = asked.approval();
    auto spent = std::make_shared<Spent>();
    std::function<Result<void>(storage::Batch&)> apply = [&context, leaf = std::move(leaf), notes = std::move(notes),
                                                          spent](storage::Batch& batch) -> Result<void> {
        *spent = {};
        if (!leaf.approval.empty()) {
            auto why = use_unmasking(batch.transaction(), leaf.approval, leaf.principal, leaf.catalog, notes.subject,
                                     context.clock.now());
            if (!why) {
                return why.error();
            }
            spent->problem = std::move(*why);
        }
        if (!spent->problem) {
            spent->recorded.index = context.leaves.append(batch, leaf, notes, &spent->recorded.entry);
        }
        return {};
    };
    auto executing = execute(context, std::move(apply), 0, true);
    const auto committed = co_await std::move(executing);
    if (committed && spent->problem) {
        auto refusing = refuse(context, exchange, *spent->problem, asked.catalog());
        co_await std::move(refusing);
        co_return;
    }
    auto receipt = committed ? make_receipt(context.ledger, spent->recorded.index, spent->recorded.entry, *committed)
                             : Result<std::string>(boost::system::in_place_error, committed.error());
    if (!receipt) {
        auto answering = answer_problem(exchange, problem_of(receipt.error()));
        const auto answered = co_await std::move(answering);
        static_cast<void>(answered.has_value());
        co_return;
    }
    boundary::GatewayReply reply;
    reply.set_more(!hits->empty());
    reply.mutable_records()->set_count(hits->size());
    reply.mutable_records()->set_receipt(std::move(*receipt));
    auto answering = exchange->reply(std::move(reply), boundary::Descriptor{});
    if (const auto answered = co_await std::move(answering); !answered) {
        co_return;
    }
    for (std::size_t i = 0; i < hits->size(); ++i) {
        boundary::GatewayReply part;
        part.set_more(i + 1 < hits->size());
        part.mutable_text()->set_part((*hits)[i].canonical);
        auto sending = exchange->reply(std::move(part), boundary::Descriptor{});
        if (const auto sent = co_await std::move(sending); !sent) {
            co_return;
        }
    }
}

}  // namespace xinfu::vault
