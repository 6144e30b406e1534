#include "daemon/inspector/envelope.hpp"

namespace xinfu::inspector {
namespace {

using crypto::Errc;

Refusal explain(const boost::system::error_code& why, std::uint64_t at) {
    const Refusal malformed{"XF-3017", {std::to_string(at)}};
    if (why.category() != crypto::category()) {
        return malformed;
    }
    switch (static_cast<Errc>(why.value())) {
        case Errc::cms_truncated: return {"XF-3003", {}};
        case Errc::cms_trailing_bytes: return {"XF-3004", {}};
        case Errc::cms_too_deep:
        case Errc::cms_too_many_elements:
        case Errc::cms_part_too_large:
        case Errc::cms_content_too_large: return {"XF-3018", {}};
        case Errc::cms_detached: return {"XF-3049", {}};
        case Errc::envelope_recipients: return {"XF-3043", {}};
        case Errc::envelope_key_transport: return {"XF-3044", {}};
        case Errc::cms_content_type:
        case Errc::envelope_cipher: return {"XF-3045", {}};
        case Errc::envelope_not_opened: return {"XF-3046", {}};
        case Errc::envelope_attributes: return {"XF-3047", {}};
        default: return malformed;
    }
}

}  // namespace

bool Envelope::refuse(const boost::system::error_code& why) {
    refusal_ = explain(why, reader_.size());
    return false;
}

bool Envelope::ask() {
    const auto& recipient = reader_.recipient();
    const auto octets = [](const Bytes& bytes) { return std::string{as_text(bytes)}; };
    boundary::UnwrapContentKey question;
    question.set_issuer(octets(recipient.issuer));
    question.set_serial(octets(recipient.serial));
    question.set_subject_key_identifier(octets(recipient.subject_key_identifier));
    question.set_agreement(recipient.agreement);
    question.set_originator_point(octets(recipient.originator_point));
    question.set_user_keying_material(octets(recipient.user_keying_material));
    question.set_key_wrap_algorithm(octets(recipient.key_wrap_algorithm));
    question.set_encrypted_key(octets(recipient.encrypted_key));
    question.set_nonce(octets(reader_.nonce()));
    const auto key = unwrap_(question);
    if (!key || key->size() != crypto::kContentKeySizeBytes) {
        return false;
    }
    opener_.emplace(key->view(), reader_.nonce());
    return true;
}

bool Envelope::feed(std::uint64_t offset, ByteView piece, Bytes& package) {
    if (refusal_) {
        return false;
    }
    const auto taken = reader_.feed(offset, piece, [&](std::uint64_t at, ByteView cipher) -> Result<void> {
        if (!opener_ && !ask()) {
            return Errc::envelope_not_opened;
        }
        tell_(at, cipher.size());
        opener_->update(cipher, package);
        return {};
    });
    if (!taken) {
        return refuse(taken.error());
    }
    if (reader_.complete() && !opened_) {
        if (!opener_) {  // a cipher text of no octets: nothing can be inside
            return refuse(Errc::cms_detached);
        }
        if (const auto finished = opener_->finish(reader_.tag(), package); !finished) {
            return refuse(finished.error());
        }
        opened_ = true;
    }
    return true;
}

bool Envelope::finish() {
    if (refusal_) {
        return false;
    }
    const auto finished = reader_.finish();
    return finished ? true : refuse(finished.error());
}

}  // namespace xinfu::inspector
