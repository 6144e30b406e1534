#include "daemon/inspector/manifest.hpp"

#include "crypto/canonical_json.hpp"
#include "daemon/inspector/json_reader.hpp"

namespace xinfu::inspector {
namespace {

constexpr std::size_t kNameSizeBytesMax = 200;
constexpr std::size_t kTextSizeBytesMax = 256;

bool is_hex_digest(std::string_view text) {
    return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// Byte for byte what the sending vault would have written: every other form is refused.
std::string encode(const boundary::ParcelManifest& manifest) {
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

}  // namespace

std::string read_manifest(std::string_view text, boundary::ParcelManifest& manifest) {
    JsonReader json;
    if (!json.parse(text)) {
        return "not JSON";
    }
    std::string missing;
    const auto need = [&](std::string_view key, std::size_t size_max) {
        const auto value = json.text(key);
        if (!value || value->empty() || value->size() > size_max) {
            missing = key;
            return std::string{};
        }
        return *value;
    };
    const auto count = [&](std::string_view key) {
        const auto value = json.number(key);
        if (!value) {
            missing = key;
        }
        return value.value_or(0);
    };
    manifest.set_node(need("node", kTextSizeBytesMax));
    manifest.set_route(need("route", kTextSizeBytesMax));
    manifest.set_sequence(count("sequence"));
    manifest.set_catalog(need("catalog", kTextSizeBytesMax));
    manifest.set_catalog_version(need("catalog_version", kTextSizeBytesMax));
    manifest.set_origin_node(need("origin_node", kTextSizeBytesMax));
    manifest.set_origin_index(count("origin_index"));
    manifest.set_origin_digest(need("origin_digest", 64));
    manifest.set_unit(need("unit", kTextSizeBytesMax));
    auto* counts = manifest.mutable_counts();
    counts->set_records(count("counts.records"));
    counts->set_stored(count("counts.stored"));
    counts->set_duplicate(count("counts.duplicate"));
    counts->set_defective(count("counts.defective"));
    counts->set_warned(count("counts.warned"));
    manifest.set_records_digest(need("records_digest", 64));
    manifest.set_original_digest(need("original_digest", 64));
    manifest.set_name(need("name", kNameSizeBytesMax));
    manifest.set_submission(need("submission", kTextSizeBytesMax));
    manifest.set_received_day(count("received_day"));
    if (!missing.empty()) {
        return missing;
    }
    for (const auto* digest : {&manifest.origin_digest(), &manifest.records_digest(), &manifest.original_digest()}) {
        if (!is_hex_digest(*digest)) {
            return "digest";
        }
    }
    return encode(manifest) == text ? std::string{} : std::string{"not canonical"};
}

}  // namespace xinfu::inspector
