#include "daemon/vault/parcel_builder.hpp"

#include <chrono>

#include "crypto/canonical_json.hpp"
#include "crypto/cms_writer.hpp"

namespace xinfu::vault {

std::string encode_manifest(const boundary::ParcelManifest& manifest) {
    const auto number = [](std::uint64_t value) { return static_cast<std::int64_t>(value); };
    crypto::JsonObject counts;
    counts.number("records", number(manifest.counts().records()))
        .number("stored", number(manifest.counts().stored()))
        .number("duplicate", number(manifest.counts().duplicate()))
        .number("defective", number(manifest.counts().defective()))
        .number("warned", number(manifest.counts().warned()));
    crypto::JsonObject whole;
    whole.text("node", manifest.node())
        .text("route", manifest.route())
        .number("sequence", number(manifest.sequence()))
        .text("catalog", manifest.catalog())
        .text("catalog_version", manifest.catalog_version())
        .text("origin_node", manifest.origin_node())
        .number("origin_index", number(manifest.origin_index()))
        .text("origin_digest", manifest.origin_digest())
        .text("unit", manifest.unit())
        .object("counts", counts)
        .text("records_digest", manifest.records_digest())
        .text("original_digest", manifest.original_digest())
        .text("name", manifest.name())
        .text("submission", manifest.submission())
        .number("received_day", number(manifest.received_day()));
    return whole.encode() + "\n";
}

Result<storage::rows::Parcel> build_parcel(const crypto::SigningKey& key, const crypto::Certificate& certificate,
                                           const crypto::EnvelopeKeys* envelope_keys, ByteView left_out,
                                           const boundary::ParcelManifest& manifest, crypto::Sha256 original,
                                           std::uint64_t original_length, std::int64_t time_ms) {
    const std::string text = encode_manifest(manifest);
    original.update(as_bytes(text));
    const crypto::Digest content = original.finish();
    const crypto::UtcSeconds signing_time{std::chrono::floor<std::chrono::seconds>(std::chrono::milliseconds{time_ms})};
    const auto writer =
        crypto::CmsWriter::create(key, certificate, original_length + text.size(), signing_time, left_out);
    if (!writer) {
        return writer.error();
    }
    const auto suffix = writer->finish(content);
    if (!suffix) {
        return suffix.error();
    }
    storage::rows::Parcel parcel;
    parcel.set_state(storage::rows::Parcel::WAITING);
    parcel.set_catalog(manifest.catalog());
    parcel.set_prefix(writer->prefix().data(), writer->prefix().size());
    parcel.set_manifest(text);
    parcel.set_suffix(suffix->data(), suffix->size());
    parcel.set_length(writer->prefix().size() + original_length + text.size() + suffix->size());
    parcel.set_created_ms(time_ms);
    if (envelope_keys != nullptr) {
        const auto envelope = crypto::Envelope::around(*envelope_keys, parcel.length());
        parcel.set_envelope_prefix(envelope.prefix.data(), envelope.prefix.size());
        parcel.set_content_key(envelope.content_key.view().data(), envelope.content_key.size());
        parcel.set_nonce(envelope.nonce.data(), envelope.nonce.size());
        parcel.set_length(envelope.prefix.size() + parcel.length() + crypto::Envelope::kSuffixSizeBytes);
    }
    return parcel;
}

}  // namespace xinfu::vault
