// Armour: the PEM text around a body, where there is one. The vault takes it off itself, since it digests what is
// signed and the signature is over what the armour says: to let an inspector say it would mean to believe it.
//
// Threads: one strand.
// Trust:   hostile bytes. What is parsed here is base64 between two lines; everything else is an inspector's work.
// Errors:  crypto::Errc pem_*; problem() tells the sender.
#pragma once

#include <optional>

#include "crypto/pem_stream.hpp"
#include "daemon/boundary/common.pb.h"

namespace xinfu::vault {

class Armour {
public:
    // The next octets of the body. Answers the octets without armour, which are the same ones when there is none; the
    // view lives until the next call. The first few are kept until they tell.
    Result<ByteView> take(ByteView body);
    // At the body's end: what was kept. Errors: pem_truncated.
    Result<ByteView> finish();

    bool armoured() const { return stream_.has_value(); }
    boundary::Problem problem(const boost::system::error_code& error) const;

private:
    bool plain_ = false;
    Bytes first_;
    std::optional<crypto::PemStream> stream_;
    Bytes out_;
};

}  // namespace xinfu::vault
