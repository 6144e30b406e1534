#include "daemon/vault/armour.hpp"

#include <algorithm>
#include <string>

#include "daemon/vault/exchange.hpp"

namespace xinfu::vault {

Result<ByteView> Armour::take(ByteView body) {
    if (plain_) {
        return body;
    }
    out_.clear();
    if (!stream_) {
        first_.insert(first_.end(), body.begin(), body.end());
        constexpr auto begin = crypto::PemStream::kBegin;
        const auto shared = std::min(first_.size(), begin.size());
        if (!std::equal(first_.begin(), first_.begin() + static_cast<std::ptrdiff_t>(shared), begin.begin())) {
            plain_ = true;
            out_.swap(first_);
            return ByteView(out_);
        }
        if (shared < begin.size()) {
            return ByteView{};
        }
        stream_.emplace();
        body = first_;
    }
    if (const auto fed = stream_->feed(body, out_); !fed) {
        return fed.error();
    }
    first_ = Bytes();
    return ByteView(out_);
}

Result<ByteView> Armour::finish() {
    if (stream_) {
        const auto finished = stream_->finish();
        return finished ? Result<ByteView>(ByteView{}) : Result<ByteView>(finished.error());
    }
    plain_ = true;
    out_.swap(first_);
    return ByteView(out_);
}

boundary::Problem Armour::problem(const boost::system::error_code& error) const {
    if (error == crypto::Errc::pem_label) {
        return vault::problem("XF-3040");
    }
    if (error == crypto::Errc::pem_truncated) {
        return vault::problem("XF-3003");
    }
    if (error == crypto::Errc::pem_trailing) {
        return vault::problem("XF-3004");
    }
    return vault::problem("XF-3030", {std::to_string(stream_ ? stream_->position() : 0)});
}

}  // namespace xinfu::vault
