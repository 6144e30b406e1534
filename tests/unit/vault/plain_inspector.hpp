// An inspector that reads a toy sheet: one record a line, "number|subject|value|unit", `bad` as value for a defect. It
// keeps to the protocol of real ones, except where a test tampers with what it says. Envelopes it opens only when they
// come with the order.
#pragma once

#include <unistd.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "crypto/canonical_json.hpp"
#include "crypto/cms_reader.hpp"
#include "crypto/envelope_reader.hpp"
#include "crypto/gcm_stream.hpp"
#include "crypto/tlog_proof.hpp"
#include "daemon/boundary/blocking_channel.hpp"
#include "daemon/boundary/inspector.pb.h"
#include "daemon/vault/parcel_builder.hpp"

namespace xinfu::vault::test {

inline constexpr std::size_t kPieceSizeBytes = 64 * 1024;

inline boundary::CatalogDescription toy_catalog() {
    boundary::CatalogDescription catalog;
    catalog.set_name("administrative-penalty");
    catalog.set_version("test.1");
    catalog.set_pack_digest(std::string(32, 'p'));
    for (const auto* code : {"NUMBER", "SUBJECT", "VALUE", "UNIT"}) {
        catalog.add_fields()->set_code(code);
    }
    for (const auto* code : {"UNIT", "NUMBER", "SUBJECT"}) {
        catalog.add_identity_fields(code);
    }
    catalog.set_subject_field("SUBJECT");
    catalog.set_deciding_unit_field("UNIT");
    catalog.set_source_unit_field("UNIT");
    return catalog;
}

class PlainInspector {
public:
    // Sees every reply before it is sent; false: the inspector dies instead.
    using Tamper = std::function<bool(boundary::InspectorReply&)>;

    explicit PlainInspector(boundary::BlockingChannel& channel, Tamper tamper = nullptr)
        : channel_(channel), tamper_(std::move(tamper)) {}

    void run() {
        for (;;) {
            auto request = channel_.receive<boundary::InspectorRequest>();
            if (!request) {
                return;
            }
            bool alive = true;
            if (request->message.has_inspect()) {
                alive = inspect(request->message.inspect(), std::move(request->descriptor));
            } else if (request->message.has_read_receipt()) {
                alive = read_receipt(request->message.read_receipt().text());
            } else if (request->message.has_read_cosignatures()) {
                alive = read_cosignatures(request->message.read_cosignatures().text());
            } else if (request->message.has_read_onward()) {
                alive = read_onward(request->message.read_onward().part());
            }
            if (!alive) {
                channel_.close();
                return;
            }
        }
    }

private:
    bool send(boundary::InspectorReply reply) {
        if (tamper_ && !tamper_(reply)) {
            return false;
        }
        return channel_.send(reply).has_value();
    }

    // One reading of one body.
    struct Reading {
        explicit Reading(bool is_parcel)
            : parcel(is_parcel),
              outer(crypto::CmsReaderOptions{crypto::CmsReaderOptions::Trailing::refuse, is_parcel}),
              inner(crypto::CmsReaderOptions{crypto::CmsReaderOptions::Trailing::leave}) {}
        bool parcel;
        crypto::CmsReader outer;
        crypto::CmsReader inner;
        std::uint64_t original_offset = 0;
        std::string content;
        std::string manifest;
        std::uint64_t offset = 0;
        bool broken = false;
    };

    static void add_span(boundary::Progress& progress, unsigned layer, std::uint64_t offset, std::size_t length) {
        auto* span = progress.add_spans();
        span->set_layer(layer);
        span->set_offset(offset);
        span->set_length(length);
    }

    // What is inside an envelope, and what `progress` has to tell of it. A wrong tag is passed on like a right one.
    std::optional<Bytes> open_envelope(ByteView body, boundary::Progress& progress) {
        crypto::EnvelopeReader reader;
        std::optional<crypto::GcmOpener> opener;
        Bytes package;
        const auto sink = [&](std::uint64_t offset, ByteView cipher) -> Result<void> {
            if (!opener) {
                const auto key = content_key(reader);
                if (!key) {
                    return boundary::Errc::closed;
                }
                opener.emplace(as_bytes(*key), reader.nonce());
            }
            auto* span = progress.add_cipher();
            span->set_offset(offset);
            span->set_length(cipher.size());
            opener->update(cipher, package);
            return {};
        };
        if (!reader.feed(0, body, sink) || !reader.finish()) {
            return std::nullopt;
        }
        static_cast<void>(opener->finish(reader.tag(), package).has_value());
        progress.set_envelope_consumed(body.size());
        progress.set_tag(reader.tag().data(), reader.tag().size());
        return package;
    }

    std::optional<std::string> content_key(const crypto::EnvelopeReader& reader) {
        const auto text = [](const Bytes& bytes) { return std::string(as_text(bytes)); };
        const auto& recipient = reader.recipient();
        boundary::InspectorReply reply;
        auto& question = *reply.mutable_unwrap();
        question.set_issuer(text(recipient.issuer));
        question.set_serial(text(recipient.serial));
        question.set_subject_key_identifier(text(recipient.subject_key_identifier));
        question.set_agreement(recipient.agreement);
        question.set_originator_point(text(recipient.originator_point));
        question.set_user_keying_material(text(recipient.user_keying_material));
        question.set_key_wrap_algorithm(text(recipient.key_wrap_algorithm));
        question.set_encrypted_key(text(recipient.encrypted_key));
        question.set_nonce(text(reader.nonce()));
        if (!send(std::move(reply))) {
            return std::nullopt;
        }
        const auto answer = channel_.receive<boundary::InspectorRequest>();
        return answer ? std::optional(answer->message.content_key().key()) : std::nullopt;
    }

    bool feed(Reading& reading, ByteView piece, boundary::InspectorReply reply = {}) {
        auto& progress = *reply.mutable_progress();
        const auto sink = [&](std::uint64_t offset, ByteView content) -> Result<void> {
            add_span(progress, 0, offset, content.size());
            if (!reading.parcel) {
                reading.content += as_text(content);
                return {};
            }
            if (reading.original_offset == 0) {
                reading.original_offset = offset;
            }
            if (!reading.inner.complete()) {
                const auto inner_sink = [&](std::uint64_t inner_offset, ByteView inner) -> Result<void> {
                    add_span(progress, 1, inner_offset, inner.size());
                    reading.content += as_text(inner);
                    return {};
                };
                const auto taken = reading.inner.feed(offset, content, inner_sink);
                if (!taken) {
                    return taken.error();
                }
                content = content.subspan(*taken);
            }
            reading.manifest += as_text(content);
            return {};
        };
        reading.broken = reading.broken || !reading.outer.feed(reading.offset, piece, sink);
        reading.offset += piece.size();
        progress.set_consumed(reading.offset);
        return send(std::move(reply));
    }

    bool inspect(const boundary::Inspect& order, boundary::Descriptor stream) {
        Reading reading(order.parcel());
        if (order.has_body()) {
            const ByteView body = as_bytes(order.body());
            if (crypto::body_kind(body) == crypto::BodyKind::envelope) {
                boundary::InspectorReply reply;
                const auto package = open_envelope(body, *reply.mutable_progress());
                if (!package || !feed(reading, *package, std::move(reply))) {
                    return false;
                }
            } else if (!feed(reading, body)) {
                return false;
            }
        } else {
            std::vector<std::uint8_t> buffer(kPieceSizeBytes);
            for (;;) {
                const auto size = ::read(stream.get(), buffer.data(), buffer.size());
                if (size <= 0) {
                    break;
                }
                if (!feed(reading, ByteView(buffer).first(static_cast<std::size_t>(size)))) {
                    return false;
                }
            }
            if (!channel_.receive<boundary::InspectorRequest>()) {
                return false;
            }
        }
        boundary::InspectorReply last;
        auto& verdict = *last.mutable_verdict();
        if (reading.broken || !reading.outer.finish()) {
            verdict.mutable_problem()->set_code("XF-3017");
            return send(std::move(last));
        }
        if (!send_signer(reading, 0) || (reading.parcel && !send_signer(reading, 1)) ||
            !send_records(reading.content, verdict)) {
            return false;
        }
        if (reading.parcel) {
            verdict.set_manifest(reading.manifest);
            if (manifest_reader) {
                *verdict.mutable_parsed_manifest() = manifest_reader(reading.manifest);
            }
        }
        return send(std::move(last));
    }

    bool send_signer(Reading& reading, unsigned layer) {
        const auto& signer = (layer == 0 ? reading.outer : reading.inner).signer();
        boundary::InspectorReply reply;
        auto& found = *reply.mutable_signer();
        const auto text = [](const Bytes& bytes) { return std::string(as_text(bytes)); };
        found.set_layer(layer);
        found.set_signed_attributes(text(signer.signed_attributes));
        found.set_signature(text(signer.signature));
        found.set_digest_algorithm(signer.digest_algorithm);
        found.set_signature_algorithm(signer.signature_algorithm);
        found.set_signature_parameters(text(signer.signature_parameters));
        found.set_certificate(text(signer.certificate));
        for (const auto& other : signer.other_certificates) {
            found.add_other_certificates(text(other));
        }
        found.set_issuer(text(signer.issuer));
        found.set_serial(text(signer.serial));
        found.set_subject_key_identifier(text(signer.subject_key_identifier));
        found.set_content_type(signer.content_type);
        if (layer == 1) {
            found.set_original_offset(reading.original_offset);
            found.set_original_length(reading.inner.size());
        }
        return send(std::move(reply));
    }

    bool send_records(const std::string& content, boundary::Verdict& verdict) {
        boundary::InspectorReply records;
        boundary::InspectorReply defects;
        std::uint64_t line = 0;
        for (std::size_t at = 0; at < content.size();) {
            const auto end = content.find('\n', at);
            const std::string row = content.substr(at, end - at);
            at = end == std::string::npos ? content.size() : end + 1;
            ++line;
            std::vector<std::string> cells{""};
            for (const char c : row) {
                if (c == '|') {
                    cells.emplace_back();
                } else {
                    cells.back() += c;
                }
            }
            verdict.set_records(verdict.records() + 1);
            if (cells.size() != 4 || cells[2] == "bad") {
                auto* defect = defects.mutable_defects()->add_defects();
                defect->set_line(line);
                defect->set_field("VALUE");
                defect->set_code("XF-4002");
                verdict.set_defective(verdict.defective() + 1);
                verdict.set_defects_total(verdict.defects_total() + 1);
                continue;
            }
            auto* record = records.mutable_records()->add_records();
            record->set_line(line);
            for (std::uint32_t i = 0; i < 4; ++i) {
                record->add_fields(i);
                record->add_values(cells[i]);
            }
            record->set_subject(cells[1]);
            record->add_identity(cells[3]);
            record->add_identity(cells[0]);
            record->add_identity(cells[1]);
            if (records.ByteSizeLong() > 40000) {
                if (!send(records)) {
                    return false;
                }
                records.Clear();
            }
        }
        if (records.has_records() && !send(std::move(records))) {
            return false;
        }
        return !defects.has_defects() || send(std::move(defects));
    }

    bool read_receipt(const std::string& text) {
        boundary::InspectorReply reply;
        const auto proof = crypto::parse_tlog_proof(text);
        if (!proof) {
            reply.mutable_problem()->set_code("XF-7016");
            return send(std::move(reply));
        }
        auto& receipt = *reply.mutable_receipt();
        receipt.set_leaf(proof->extra.data(), proof->extra.size());
        receipt.set_index(proof->index);
        for (const auto& hash : proof->hashes) {
            receipt.add_proof(hash.data(), hash.size());
        }
        receipt.set_checkpoint(proof->checkpoint);
        return send(std::move(reply));
    }

    // Signature lines, or a size.
    bool read_cosignatures(const std::string& text) {
        boundary::InspectorReply reply;
        auto& read = *reply.mutable_cosignatures();
        if (const auto lines = crypto::parse_signature_lines(text); lines && !text.empty()) {
            for (const auto& line : *lines) {
                std::string octets;
                for (const int shift : {24, 16, 8, 0}) {
                    octets += static_cast<char>(line.key_id >> shift & 0xff);
                }
                auto& told = *read.add_lines();
                told.set_name(line.name);
                told.set_signature(octets + std::string(as_text(line.signature)));
            }
        } else if (text == "not a continuation") {
        } else if (!text.empty() && text.find_first_not_of("0123456789") == text.size() - 1) {
            read.set_size(std::stoull(text));
        } else {
            reply.mutable_problem()->set_code("XF-7021");
        }
        return send(std::move(reply));
    }

    // "level node state\nreceipt": enough for a test.
    bool read_onward(const std::string& text) {
        boundary::InspectorReply reply;
        auto& level = *reply.mutable_onward()->add_levels();
        level.set_level("nation");
        level.set_node("nation");
        level.set_state(text.substr(0, text.find('\n')));
        level.set_receipt(text.substr(text.find('\n') + 1));
        return send(std::move(reply));
    }

    boundary::BlockingChannel& channel_;
    Tamper tamper_;

public:
    // Where the test knows what a manifest says, the inspector need not parse JSON.
    std::function<boundary::ParcelManifest(const std::string&)> manifest_reader;
};

}  // namespace xinfu::vault::test
