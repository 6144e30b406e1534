#include "daemon/inspector/evidence.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include <boost/endian/conversion.hpp>

#include "crypto/cms_verify.hpp"
#include "crypto/digest.hpp"
#include "crypto/revocation_list.hpp"
#include "crypto/tlog_proof.hpp"
#include "daemon/inspector/json_reader.hpp"
#include "daemon/inspector/signer.hpp"

namespace xinfu::inspector {
namespace {

constexpr std::uint64_t kLeafVersion = 1;
constexpr std::size_t kLevelsMax = 8;
constexpr std::size_t kOnwardSizeBytesMax = 56 * 1024;
constexpr std::size_t kPartSizeBytes = 48 * 1024;
constexpr std::size_t kFirstOctets = 64;

std::string octets(ByteView bytes) {
    return std::string{as_text(bytes)};
}

}  // namespace

std::optional<Refusal> read_receipt(std::string_view text, boundary::ReceiptRead& receipt) {
    const auto proof = crypto::parse_tlog_proof(text);
    if (!proof) {
        return Refusal{"XF-7016", {"form"}};
    }
    JsonReader leaf;
    if (!leaf.parse(as_text(proof->extra))) {
        return Refusal{"XF-7016", {"leaf"}};
    }
    if (leaf.number("v") != kLeafVersion) {
        return Refusal{"XF-7016", {"version"}};
    }
    const auto action = leaf.text("action");
    const auto result = leaf.text("result");
    if (!action || !result) {
        return Refusal{"XF-7016", {"leaf"}};
    }
    receipt.set_leaf(octets(proof->extra));
    receipt.set_index(proof->index);
    for (const auto& hash : proof->hashes) {
        receipt.add_proof(octets(hash));
    }
    receipt.set_checkpoint(proof->checkpoint);
    receipt.set_action(*action);
    receipt.set_result(*result);
    receipt.set_origin_node(leaf.text("origin.node").value_or(""));
    receipt.set_origin_index(leaf.number("origin.index").value_or(0));
    receipt.set_origin_digest(leaf.text("origin.digest").value_or(""));
    receipt.set_object_digest(leaf.text("object.digest").value_or(""));
    receipt.set_submission(leaf.text("object.id").value_or(""));
    if (receipt.ByteSizeLong() > kOnwardSizeBytesMax) {
        return Refusal{"XF-7016", {"size"}};
    }
    return std::nullopt;
}

std::optional<Refusal> read_cosignatures(std::string_view text, boundary::CosignaturesRead& read) {
    constexpr std::size_t kAnswerSizeMax = 16 * 1024;
    if (text.size() > kAnswerSizeMax || text.empty()) {
        return Refusal{"XF-7021", {"form"}};
    }
    if (text.front() == '{') {
        JsonReader problem;
        if (!problem.parse(text) || problem.text("code") != "XF-7035") {
            return Refusal{"XF-7021", {"form"}};
        }
        return std::nullopt;
    }
    if (text.back() != '\n') {
        return Refusal{"XF-7021", {"form"}};
    }
    const auto lines = crypto::parse_signature_lines(text);
    if (lines) {
        for (const auto& line : *lines) {
            std::array<std::uint8_t, 4> key_id{};
            boost::endian::store_big_u32(key_id.data(), line.key_id);
            auto& told = *read.add_lines();
            told.set_name(line.name);
            told.set_signature(octets(key_id) + octets(line.signature));
        }
        return std::nullopt;
    }
    std::uint64_t size = 0;
    const char* const end = text.data() + text.size() - 1;
    const auto [stopped, error] = std::from_chars(text.data(), end, size);
    if (error != std::errc() || stopped != end || (text.front() == '0' && text.size() > 2)) {
        return Refusal{"XF-7021", {"form"}};
    }
    read.set_size(size);
    return std::nullopt;
}

std::optional<Refusal> read_onward(std::string_view json, boundary::OnwardRead& onward) {
    JsonReader reader;
    if (!reader.parse(json)) {
        return Refusal{"XF-7017", {"JSON"}};
    }
    const auto state = reader.text("state");
    const auto count = reader.size("acknowledgements");
    if (!state || count > kLevelsMax) {
        return Refusal{"XF-7017", {"state"}};
    }
    onward.set_state(*state);
    for (std::size_t i = 0; i < count; ++i) {
        const auto path = "acknowledgements." + std::to_string(i) + ".";
        const auto level = reader.text(path + "level");
        const auto level_state = reader.text(path + "state");
        if (!level || !level_state) {
            return Refusal{"XF-7017", {"acknowledgements"}};
        }
        auto* told = onward.add_levels();
        told->set_level(*level);
        told->set_node(reader.text(path + "node").value_or(""));
        told->set_state(*level_state);
        told->set_receipt(reader.text(path + "receipt").value_or(""));
    }
    if (onward.ByteSizeLong() > kOnwardSizeBytesMax) {
        return Refusal{"XF-7017", {"size"}};
    }
    return std::nullopt;
}

std::optional<Refusal> read_revocation_list(ByteView document, std::vector<boundary::RevocationListRead>& parts) {
    const auto list = crypto::parse_revocation_list(document);
    if (!list) {
        return Refusal{"XF-1018", {list.error().message()}};
    }
    auto* part = &parts.emplace_back();
    part->set_issuer(octets(list->issuer));
    part->set_signature_algorithm(list->signature_algorithm);
    part->set_signature(octets(list->signature));
    part->set_this_update_s(list->this_update.time_since_epoch().count());
    part->set_next_update_s(list->next_update ? list->next_update->time_since_epoch().count() : 0);
    if (part->ByteSizeLong() > kPartSizeBytes) {
        return Refusal{"XF-1018", {"size"}};
    }
    if (part->ByteSizeLong() + list->to_be_signed.size() <= kPartSizeBytes) {
        part->set_to_be_signed(octets(list->to_be_signed));
    } else {
        const auto sha256 = crypto::sha256(list->to_be_signed);
        part->set_to_be_signed_sha256(octets(sha256));
        auto sha384 = crypto::ContentHasher::for_algorithm(crypto::kOidSha384);
        if (!sha384) {
            return Refusal{"XF-1018", {"SHA-384"}};
        }
        sha384->update(list->to_be_signed);
        part->set_to_be_signed_sha384(octets(sha384->finish()));
    }
    std::size_t size = part->ByteSizeLong();
    for (const auto& serial : list->revoked_serials) {
        if (size + serial.size() + 8 > kPartSizeBytes) {
            part->set_more(true);
            part = &parts.emplace_back();
            size = 0;
        }
        part->add_revoked_serials(octets(serial));
        size += serial.size() + 8;
    }
    return std::nullopt;
}

std::optional<Refusal> read_signature(ByteView cms, ByteView statement, boundary::SignerFound& signer) {
    crypto::CmsReader reader;
    std::uint64_t compared = 0;
    bool equal = true;
    const auto compare = [&](std::uint64_t, ByteView content) -> Result<void> {
        equal = equal && content.size() <= statement.size() - compared &&
                std::ranges::equal(content, statement.subspan(compared, content.size()));
        compared += equal ? content.size() : 0;
        return {};
    };
    const auto fed = reader.feed(0, cms, compare);
    const auto read = fed ? reader.finish() : Result<void>(fed.error());
    if (!read) {
        return explain_cms(read.error(), reader, reader.size(), as_text(cms.first(std::min(cms.size(), kFirstOctets))));
    }
    if (!equal || compared != statement.size()) {
        return Refusal{"XF-2016", {}};
    }
    if (!describe_signer(reader.signer(), signer)) {
        return Refusal{"XF-3018", {}};
    }
    return std::nullopt;
}

}  // namespace xinfu::inspector
