// Whatever the input: the armour comes off the same in one piece and octet by octet; what comes off is no larger than
// three quarters of what went in; and armour of one's own around it says the same octets.
#include <algorithm>
#include <cstdlib>

#include "crypto/pem.hpp"
#include "crypto/pem_stream.hpp"

namespace {

using xinfu::Bytes;
using xinfu::ByteView;
using xinfu::crypto::PemStream;

void require(bool condition) {
    if (!condition) {
        std::abort();
    }
}

struct Told {
    Bytes out;
    boost::system::error_code error;
    std::uint64_t position = 0;
    bool operator==(const Told&) const = default;
};

Told decode(ByteView input, std::size_t chunk) {
    PemStream stream;
    Told told;
    for (std::size_t at = 0; at < input.size(); at += chunk) {
        if (const auto fed = stream.feed(input.subspan(at, std::min(chunk, input.size() - at)), told.out); !fed) {
            break;
        }
    }
    if (const auto finished = stream.finish(); !finished) {
        told.error = finished.error();
    }
    told.position = stream.position();
    return told;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView input(data, size);
    const auto whole = decode(input, std::max<std::size_t>(size, 1));
    require(whole == decode(input, 1));
    require(whole == decode(input, 7));
    require(whole.out.size() <= size / 4 * 3 + 2 && whole.position <= size);
    if (!whole.error) {
        const auto text = xinfu::crypto::to_pem("CMS", whole.out);
        require(decode(xinfu::as_bytes(text), 5).out == whole.out);
    }
    return 0;
}
