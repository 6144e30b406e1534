// Envelope: the encrypted shell around a signed file. It finds out for whom it is, asks the vault for the content key,
// and opens the cipher text as it comes. What it gives out is not authentic before `opened()`.
//
// Threads: one strand.
// Trust:   every octet is hostile. The key opens this one body and is gone with the object.
// Errors:  refusal(); a wrong key and an altered text are the same refusal, at the same place: the end.
#pragma once

#include <functional>
#include <optional>

#include "crypto/envelope_reader.hpp"
#include "crypto/gcm_stream.hpp"
#include "crypto/secret.hpp"
#include "daemon/boundary/inspector.pb.h"
#include "daemon/inspector/refusal.hpp"

namespace xinfu::inspector {

// The vault's answer; absent when it gave none.
using Unwrap = std::function<std::optional<crypto::Secret>(const boundary::UnwrapContentKey&)>;

class Envelope {
public:
    using TellCipher = std::function<void(std::uint64_t offset, std::uint64_t length)>;
    Envelope(Unwrap unwrap, TellCipher tell) : unwrap_(std::move(unwrap)), tell_(std::move(tell)) {}

    // Takes the next octets of the body and appends what they contain to `package`. False: there is a refusal.
    bool feed(std::uint64_t offset, ByteView piece, Bytes& package);
    // At the body's end. False: there is a refusal.
    bool finish();

    bool opened() const { return opened_; }  // all of it is authentic
    bool asked() const { return opener_.has_value(); }
    const Bytes& tag() const { return reader_.tag(); }
    const std::optional<Refusal>& refusal() const { return refusal_; }

private:
    bool ask();
    bool refuse(const boost::system::error_code& why);

    Unwrap unwrap_;
    TellCipher tell_;
    crypto::EnvelopeReader reader_;
    std::optional<crypto::GcmOpener> opener_;
    bool opened_ = false;
    std::optional<Refusal> refusal_;
};

}  // namespace xinfu::inspector
