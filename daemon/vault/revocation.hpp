// Revocation: which certificates their authorities took back. Lists lie in the state directory as
// revocation/*.crl; an inspector reads them, the vault verifies their signature against its own anchors, and a list
// never gives way to an older one of the same issuer.
//
// Sources: RFC 5280 section 5.
// Threads: is_revoked() and is_unknown() on any thread; the rest on the vault's `io`.
// Trust:   files and the inspector's words are claims until verify_revocation_list() agreed.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "crypto/certificate.hpp"
#include "crypto/digest.hpp"
#include "daemon/vault/context.hpp"

namespace xinfu::vault {

class Revocations {
public:
    struct List {
        Bytes issuer;  // DER Name
        std::int64_t this_update_s = 0;
        std::int64_t next_update_s = 0;  // 0: none
        std::set<Bytes> serials;         // INTEGER contents
    };

    // `grace`: how long after its next update was due a list is still relied on, with an alarm.
    explicit Revocations(std::chrono::seconds grace = std::chrono::hours{168}) : grace_(grace) {}

    // What was verified and stored before. Errors: storage::Errc.
    Result<void> load(const storage::ReadTransaction& transaction);

    // Whether `certificate` is on its issuer's newest list. Without a list nothing is revoked.
    bool is_revoked(const crypto::Certificate& certificate) const;

    // Whether its issuer's list is too old to rely on: then nobody knows whether it was taken back, and it counts for
    // nothing (XF-1026). Without a list there is nothing that could be too old.
    bool is_unknown(const crypto::Certificate& certificate, storage::Milliseconds now) const;

    // Takes a verified list, unless a newer one of its issuer is there already.
    void take(List list);

    std::size_t lists() const;
    // Issuers whose next update is overdue at `now_s`.
    std::size_t overdue(std::int64_t now_s) const;

    // One look at the folder: every file not seen before is read, verified, stored and made effective, with a leaf;
    // a file that cannot be taken leaves a leaf too. A missing folder is an empty one. `anchors` outlive the call.
    asio::awaitable<void> look(Context& context, const std::vector<crypto::Certificate>& anchors, std::string folder);

private:
    std::shared_ptr<const List> list_of(const crypto::Certificate& certificate) const;  // null: none

    std::chrono::seconds grace_;
    mutable std::mutex lock_;
    std::map<crypto::Digest, std::shared_ptr<const List>> lists_;  // by SHA-256 of the issuer
    std::map<std::string, crypto::Digest> seen_;                   // file -> digest of its bytes; `io` only
};

}  // namespace xinfu::vault
