#include "daemon/inspector/body_reader.hpp"

#include <algorithm>
#include <utility>

#include "crypto/signed_attributes.hpp"
#include "daemon/inspector/manifest.hpp"
#include "daemon/inspector/signer.hpp"

namespace xinfu::inspector {
namespace {

constexpr std::string_view kOidData = "1.2.840.113549.1.7.1";
constexpr std::size_t kFirstOctets = 64;
// Spans in one Progress: each takes at most 24 octets.
constexpr int kSpansMax = 2000;
// Pieces of cipher text in one Progress, beside those.
constexpr int kCipherSpansMax = 500;

boost::system::error_code stop() {
    return boost::system::errc::make_error_code(boost::system::errc::operation_canceled);
}

crypto::CmsReaderOptions outer_options(bool parcel) {
    crypto::CmsReaderOptions options;
    options.definite_only = parcel;
    return options;
}

crypto::CmsReaderOptions inner_options() {
    crypto::CmsReaderOptions options;
    options.trailing = crypto::CmsReaderOptions::Trailing::leave;
    return options;
}

}  // namespace

BodyReader::BodyReader(std::vector<const policies::Catalog*> versions, const policies::WorkingDays& calendar,
                       policies::Day today, bool parcel, Unwrap unwrap, Outbox& outbox)
    : parcel_(parcel),
      outbox_(outbox),
      sheet_(std::move(versions), calendar, today, parcel, outbox),
      content_(sheet_),
      layers_{crypto::CmsReader(outer_options(parcel)), crypto::CmsReader(inner_options())},
      unwrap_(std::move(unwrap)) {}

void BodyReader::refuse(Refusal refusal, unsigned layer) {
    // What is wrong with the original inside a parcel is the department's affair, not the sending node's.
    if (parcel_ && layer == 1) {
        refusal = Refusal{"XF-7006", {refusal.code}};
    }
    if (!package_refusal_) {
        package_refusal_ = std::move(refusal);
    }
}

void BodyReader::refuse_package(const boost::system::error_code& why, unsigned layer) {
    if (!package_refusal_) {
        const auto& reader = layers_[layer];
        const auto at = (layer == 1 ? original_offset_ : 0) + reader.size();
        refuse(explain_cms(why, reader, at, first_octets_), layer);
    }
}

void BodyReader::add_span(unsigned layer, std::uint64_t offset, std::uint64_t length) {
    announce(layer, layers_[layer]);
    auto* progress = progress_.mutable_progress();
    auto* spans = progress->mutable_spans();
    if (!spans->empty()) {
        auto& last = *spans->rbegin();
        if (last.layer() == layer && last.offset() + last.length() == offset) {
            last.set_length(last.length() + length);
            return;
        }
    }
    if (spans->size() >= kSpansMax) {
        send_progress();
    }
    auto* span = progress->add_spans();
    span->set_layer(layer);
    span->set_offset(offset);
    span->set_length(length);
}

void BodyReader::announce(unsigned layer, const crypto::CmsReader& reader) {
    if (announced_[layer]) {
        return;
    }
    announced_[layer] = true;
    auto* announced = progress_.mutable_progress()->add_announced();
    announced->set_layer(layer);
    for (const auto& algorithm : reader.digest_algorithms()) {
        announced->add_digest_algorithms(algorithm);
    }
}

void BodyReader::send_progress() {
    auto* progress = progress_.mutable_progress();
    outbox_.send(progress_);
    progress->clear_spans();
    progress->clear_announced();
    progress->clear_cipher();
    progress->clear_tag();
}

void BodyReader::tell_progress() {
    auto* progress = progress_.mutable_progress();
    progress->set_consumed(offset_);
    if (envelope_) {
        progress->set_envelope_consumed(body_size_);
    }
    send_progress();
}

void BodyReader::tell_cipher(std::uint64_t offset, std::uint64_t length) {
    auto* cipher = progress_.mutable_progress()->mutable_cipher();
    if (!cipher->empty() && cipher->rbegin()->offset() + cipher->rbegin()->length() == offset) {
        cipher->rbegin()->set_length(cipher->rbegin()->length() + length);
        return;
    }
    if (cipher->size() >= kCipherSpansMax) {
        send_progress();
    }
    auto* span = cipher->Add();
    span->set_offset(offset);
    span->set_length(length);
}

void BodyReader::take_text(ByteView piece) {
    if (!text_refusal_) {
        text_refusal_ = content_.feed(as_text(piece));
    }
}

Result<void> BodyReader::take_content(std::uint64_t offset, ByteView piece) {
    add_span(0, offset, piece.size());
    converted_.update(piece, layers_[0].digest_algorithms());
    take_text(piece);
    return {};
}

Result<void> BodyReader::take_parcel(std::uint64_t offset, ByteView piece) {
    add_span(0, offset, piece.size());
    if (!original_begun_) {
        original_begun_ = true;
        original_offset_ = offset;
    }
    if (!layers_[1].complete()) {
        const auto taken = layers_[1].feed(offset, piece, [this](std::uint64_t inner, ByteView content) {
            add_span(1, inner, content.size());
            take_text(content);
            return Result<void>{};
        });
        if (!taken) {
            refuse_package(taken.error(), 1);
            return stop();
        }
        piece = piece.subspan(*taken);
    }
    if (manifest_.size() + piece.size() > kManifestSizeBytesMax) {
        refuse({"XF-7003", {"size"}}, 0);
        return stop();
    }
    manifest_.append(as_text(piece));
    return {};
}

bool BodyReader::feed(ByteView piece) {
    body_size_ += piece.size();
    if (kind_ == crypto::BodyKind::undecided) {
        held_.insert(held_.end(), piece.begin(), piece.end());
        kind_ = crypto::body_kind(held_);
        if (kind_ == crypto::BodyKind::undecided) {
            return true;
        }
        if (kind_ == crypto::BodyKind::envelope) {
            envelope_.emplace(std::move(unwrap_),
                              [this](std::uint64_t offset, std::uint64_t length) { tell_cipher(offset, length); });
        }
        piece = held_;
    }
    const bool going = envelope_ ? feed_envelope(piece) : feed_package(piece);
    held_ = Bytes();
    return going;
}

// A broken package does not end the reading of an envelope: that it is broken may be told only once the tag is
// verified.
bool BodyReader::feed_envelope(ByteView piece) {
    opened_.clear();
    const bool going = envelope_->feed(body_size_ - piece.size(), piece, opened_);
    if (envelope_->opened() && !std::exchange(tag_told_, true)) {
        progress_.mutable_progress()->set_tag(std::string{as_text(envelope_->tag())});
    }
    if (!going) {
        return false;
    }
    if (opened_.empty() || !feed_package(opened_)) {
        if (package_refusal_) {
            offset_ += opened_.size();
        }
        tell_progress();
    }
    return !outbox_.failed();
}

bool BodyReader::feed_package(ByteView piece) {
    if (package_refusal_) {
        return false;
    }
    if (first_octets_.size() < kFirstOctets) {
        first_octets_ += as_text(piece.first(std::min(piece.size(), kFirstOctets - first_octets_.size())));
    }
    const auto taken = layers_[0].feed(offset_, piece, [this](std::uint64_t offset, ByteView content) {
        return parcel_ ? take_parcel(offset, content) : take_content(offset, content);
    });
    if (!taken) {
        refuse_package(taken.error(), 0);
        return false;
    }
    offset_ += piece.size();
    tell_progress();
    return !outbox_.failed();
}

bool BodyReader::finish_layer(unsigned layer) {
    if (const auto finished = layers_[layer].finish(); !finished) {
        refuse_package(finished.error(), layer);
        return false;
    }
    const auto& signer = layers_[layer].signer();
    if (signer.content_type != kOidData) {
        refuse({"XF-3016", {signer.content_type}}, layer);
        return false;
    }
    return true;
}

void BodyReader::tell_signer(unsigned layer) {
    const auto& signer = layers_[layer].signer();
    boundary::InspectorReply reply;
    auto* found = reply.mutable_signer();
    if (!describe_signer(signer, *found)) {
        refuse({"XF-3018", {}}, layer);
        return;
    }
    found->set_layer(layer);
    if (layer == 0 && !parcel_) {
        const auto attributes = crypto::parse_signed_attributes(signer.signed_attributes);
        found->set_signed_converted(attributes && converted_.equals(attributes->message_digest));
    }
    if (layer == 1) {
        found->set_original_offset(original_offset_);
        found->set_original_length(layers_[1].size());
    }
    outbox_.send(reply);
}

// What of the envelope and the package has no text in it yet.
bool BodyReader::package_is_good() {
    if (kind_ == crypto::BodyKind::undecided) {
        feed_package(held_);
    }
    if (envelope_ && !envelope_->finish()) {
        return false;
    }
    return !package_refusal_ && finish_layer(0) && (!parcel_ || finish_layer(1));
}

boundary::Verdict BodyReader::finish() {
    if (package_is_good()) {
        tell_signer(0);
        if (parcel_ && !package_refusal_) {
            tell_signer(1);
        }
        if (!text_refusal_) {
            text_refusal_ = content_.finish();
        }
        if (!text_refusal_) {
            text_refusal_ = sheet_.finish();
        }
        if (text_refusal_) {
            refuse(*text_refusal_, parcel_ ? 1 : 0);
        }
    }
    outbox_.flush();
    boundary::Verdict verdict;
    if (envelope_ && envelope_->refusal()) {
        *verdict.mutable_problem() = to_problem(*envelope_->refusal());
        return verdict;
    }
    if (parcel_ && !manifest_.empty()) {
        boundary::ParcelManifest parsed;
        const auto mistake = read_manifest(manifest_, parsed);
        if (mistake.empty()) {
            verdict.set_manifest(manifest_);
            *verdict.mutable_parsed_manifest() = std::move(parsed);
        } else if (!package_refusal_) {
            refuse({"XF-7003", {mistake}}, 0);
        }
    } else if (parcel_ && !package_refusal_) {
        refuse({"XF-7003", {"none"}}, 0);
    }
    if (package_refusal_) {
        *verdict.mutable_problem() = to_problem(*package_refusal_);
    }
    sheet_.tell_counts(verdict);
    return verdict;
}

}  // namespace xinfu::inspector
