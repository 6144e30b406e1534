// The part of a commit that concerns other levels: parcels for those above, and the number of one that came from below.
#include "daemon/config/config.hpp"
#include "daemon/vault/commit_submission.hpp"
#include "daemon/vault/parcel_builder.hpp"
#include "storage/error.hpp"

namespace xinfu::vault {
namespace {

template <class Field>
void set_bytes(Field& field, ByteView bytes) {
    field.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

}  // namespace

using storage::rows::Submission;

Result<void> CommitSubmission::send_on(storage::Batch& batch, const Candidate& candidate, Submission& row,
                                       Decision& decision) const {
    auto& transaction = batch.transaction();
    for (const auto& route : context_.config.routes) {
        auto state = storage::find_route(transaction, route.name);
        if (!state) {
            return state.error();
        }
        const std::uint64_t sequence = state->next_sequence();
        boundary::ParcelManifest manifest;
        manifest.set_node(context_.node);
        manifest.set_route(route.name);
        manifest.set_sequence(sequence);
        manifest.set_catalog(row.catalog());
        manifest.set_catalog_version(row.catalog_version());
        manifest.set_origin_node(row.origin().node());
        manifest.set_origin_index(row.origin().index());
        manifest.set_origin_digest(to_hex(as_bytes(row.origin().digest())));
        manifest.set_unit(row.unit());
        *manifest.mutable_counts() = decision.counts;
        manifest.set_records_digest(to_hex(candidate.records_digest));
        manifest.set_original_digest(to_hex(candidate.original_digest));
        manifest.set_name(candidate.manifest ? candidate.manifest->name() : candidate.name);
        manifest.set_submission(candidate.manifest ? candidate.manifest->submission() : storage::to_text(candidate.id));
        manifest.set_received_day(row.received_day());
        const auto envelope = candidate.envelopes.find(route.name);
        if (certificates_.upper.contains(route.name) && envelope == candidate.envelopes.end()) {
            return storage::Errc::misused;  // never in the clear
        }
        auto parcel = build_parcel(context_.keys.parcel(), certificates_.parcel.front(),
                                   envelope == candidate.envelopes.end() ? nullptr : &envelope->second,
                                   candidate.certificate_left_out, manifest, candidate.original_state,
                                   candidate.original_length, row.time_ms());
        if (!parcel) {
            return parcel.error();
        }
        set_bytes(*parcel->mutable_submission(), candidate.id);
        set_bytes(*parcel->mutable_original_digest(), candidate.original_digest);
        if (const auto put = storage::put_parcel(transaction, route.name, sequence, *parcel); !put) {
            return put.error();
        }
        state->set_next_sequence(sequence + 1);
        if (const auto put = storage::put_route(transaction, route.name, *state); !put) {
            return put.error();
        }
        auto& sent = *row.add_sent();
        sent.set_node(context_.node);
        sent.set_route(route.name);
        sent.set_sequence(sequence);

        storage::rows::Acknowledgement waiting;
        waiting.set_state(storage::rows::Acknowledgement::WAITING);
        waiting.set_route(route.name);
        waiting.set_level(route.level);
        waiting.set_node(route.node);
        if (const auto put = storage::put_acknowledgement(transaction, candidate.id, waiting); !put) {
            return put.error();
        }
        for (const auto& onward : route.onward) {
            waiting.set_level(onward.level);
            waiting.set_node(onward.node);
            if (const auto put = storage::put_acknowledgement(transaction, candidate.id, waiting); !put) {
                return put.error();
            }
        }
        decision.sent_on = true;
    }
    return {};
}

Result<void> CommitSubmission::take_number(storage::Batch& batch, const Candidate& candidate) const {
    if (!candidate.parcel) {
        return {};
    }
    storage::rows::IncomingParcel incoming;
    set_bytes(*incoming.mutable_submission(), candidate.id);
    set_bytes(*incoming.mutable_original_digest(), candidate.body_digest);
    return storage::take_incoming(batch.transaction(), *candidate.parcel, candidate.caller.principal.account, incoming);
}

}  // namespace xinfu::vault
