// Handles: proofs of possession that were accepted. A handle is given out when a client's CertificateVerify was
// verified, and dies with that client's connection or with the gateway's connection it was given over.
//
// Threads: Handles is internally locked: handshakes add, requests look up. A LiveConnection's constants may be read
//          anywhere; `noted` belongs to the vault's `io`.
// Trust:   handles are random; whoever owns the gateway can use those of connections that are open there, no others.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/certificate.hpp"
#include "crypto/random.hpp"

namespace xinfu::vault {

using Handle = std::array<std::uint8_t, 16>;

struct LiveConnection {
    std::uint64_t link = 0;  // the gateway's connection over which the proof came
    std::string account;
    crypto::Certificate certificate;  // as enrolled; its digest is the principal
    std::string source;               // address as text
    std::set<std::string> noted;      // kinds of reading that have their one leaf
};
using LiveConnectionPointer = std::shared_ptr<LiveConnection>;

class Handles {
public:
    // Connections open at one time; a gateway that names more is not to be believed.
    static constexpr std::size_t kMax = 65536;

    // False: there are too many, or its link is gone already. Links are numbered in ascending order.
    bool add(const Handle& handle, LiveConnectionPointer connection);
    // Null: no such connection, or not one of this link.
    LiveConnectionPointer find(ByteView handle, std::uint64_t link) const;
    void remove(ByteView handle, std::uint64_t link);
    void remove_link(std::uint64_t link);
    // All of this account's; which they were.
    std::vector<Handle> remove_account(std::string_view account);
    std::size_t size() const;

private:
    mutable std::mutex lock_;
    std::map<Handle, LiveConnectionPointer> open_;
    std::uint64_t last_removed_ = 0;  // a proof may be settled after its link has ended
};

}  // namespace xinfu::vault
