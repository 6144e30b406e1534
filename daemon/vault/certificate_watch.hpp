// CertificateWatch: certificates that end soon, those of active accounts and the node's own: told at thirty days and at
// seven, in the status and once each in the journal. A unit may have two at one time while one is renewed.
//
// Threads: the vault's `io`.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "daemon/boundary/common.pb.h"
#include "daemon/vault/context.hpp"
#include "daemon/vault/keys.hpp"

namespace xinfu::vault {

class CertificateWatch {
public:
    static constexpr std::chrono::days kSoon{30};
    static constexpr std::chrono::days kVerySoon{7};

    // `tell`: a line for the journal. All outlive it.
    CertificateWatch(Context& context, const NodeCertificates& node, std::function<void(const std::string& line)> tell)
        : context_(context), node_(node), tell_(std::move(tell)) {}

    // Errors: storage::Errc.
    Result<void> look();
    // XF-1027. A certificate that has ended is not among them: it is refused, which its owner is told.
    std::optional<boundary::Problem> warning() const;
    bool is_urgent() const { return very_soon_ > 0; }

private:
    void count(const std::string& whose, const crypto::Certificate& certificate);

    Context& context_;
    const NodeCertificates& node_;
    std::function<void(const std::string&)> tell_;
    std::size_t soon_ = 0;  // those very soon among them
    std::size_t very_soon_ = 0;
    std::map<crypto::Digest, bool> told_;  // by digest: whether at seven days, too
};

}  // namespace xinfu::vault
