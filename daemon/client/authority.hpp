// Authority: the small certificate authority of `xinfu ca`, kept in a directory: ca.pem, ca.key (0600) and
// index, what it issued and revoked.
//
// Format:  docs/formats/authority.md.
// Threads: one process at a time; the directory is its owner's.
// Errors:  Stop: Exit::usage for files that cannot be read, Exit::refused for what it will not sign.
#pragma once

#include <string>
#include <vector>

#include "crypto/certificate_authority.hpp"

namespace xinfu::client {

// Now, in whole seconds: certificates begin five minutes earlier, so that a peer's slow clock accepts them.
crypto::UtcSeconds now_seconds();
crypto::Certificate read_certificate(const std::string& path);
std::vector<crypto::Certificate> read_certificate_bundle(const std::string& path);

class Authority {
public:
    static Authority create(const std::string& directory, const std::string& common_name, int days);
    static Authority open(const std::string& directory);

    const crypto::Certificate& certificate() const { return authority_.certificate(); }
    std::string certificate_path() const { return directory_ + "/ca.pem"; }

    // A certificate for this public key; `hosts` make it a server's as well, `encryption` an envelope's and nothing
    // else. The index is saved first.
    crypto::Certificate issue(const crypto::DistinguishedName& subject, ByteView public_key,
                              const std::vector<std::string>& hosts, int days, bool encryption = false);
    void revoke(const crypto::Certificate& certificate);
    std::string revocation_list(int days);  // PEM, with the next number

private:
    Authority(std::string directory, crypto::CertificateAuthority authority, crypto::IssuedIndex index)
        : directory_(std::move(directory)), authority_(std::move(authority)), index_(std::move(index)) {}
    void save() const;

    std::string directory_;
    crypto::CertificateAuthority authority_;
    crypto::IssuedIndex index_;
};

}  // namespace xinfu::client
