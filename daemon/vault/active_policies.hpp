// ActivePolicies: the rules in force. The vault reads no YAML: an inspector reads the packs, and the vault keeps
// their bytes, their digest and what the inspector said.
//
// Threads: the vault's `io`. A PolicySet is immutable and stays whole for whoever holds it.
// Trust:   an inspector that loads packs has seen nothing else yet; what it says of a pack is bound to the pack's
//          digest by comparing the digest it names.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/boundary/common.pb.h"
#include "daemon/boundary/inspector.pb.h"
#include "daemon/boundary/packet_channel.hpp"
#include "daemon/vault/context.hpp"
#include "policies/access.hpp"
#include "storage/packs.hpp"

namespace xinfu::vault {

// Days since 1970-01-01 in Asia/Shanghai, which is UTC+8 all year: by them versions begin and end, and deadlines run.
std::uint32_t day_in_shanghai(storage::Milliseconds time);

struct PolicySet {
    std::vector<storage::Pack> packs;     // as stored, for inspectors that need them
    std::vector<std::string> catalog_of;  // of each pack, in the same order; empty: it is no catalog's
    crypto::Digest digest{};              // of the set
    policies::AccessPolicy access;
    std::map<std::string, boundary::CatalogDescription, std::less<>> catalogs;  // the newest versions, with all fields
    std::map<std::string, std::vector<boundary::CatalogDescription>, std::less<>> older;  // newest first
    std::map<std::string, crypto::Digest, std::less<>> catalog_packs;  // SHA-256 of each catalog's pack

    const boundary::CatalogDescription* find_catalog(std::string_view name) const;
    // The newest version in force on that day; where there is none, the newest of all.
    const boundary::CatalogDescription* find_in_force(std::string_view name, std::uint32_t day) const;
    // All versions, the newest first; with a day those in force on it.
    std::vector<const boundary::CatalogDescription*> versions(std::string_view name,
                                                              std::optional<std::uint32_t> day = {}) const;
};

class ActivePolicies {
public:
    // Never null: before anything was loaded a set that permits nothing.
    std::shared_ptr<const PolicySet> current() const { return current_; }
    void replace(std::shared_ptr<const PolicySet> next) { current_ = std::move(next); }

private:
    std::shared_ptr<const PolicySet> current_ = std::make_shared<PolicySet>();
};

// Gives the packs to a fresh inspector and puts its words together. `mistakes` receives what the inspector says is
// wrong with a pack. Errors: storage and boundary errors;
// boundary::Errc::unexpected for an inspector that answers something else than it was asked.
asio::awaitable<Result<std::shared_ptr<const PolicySet>>> load_policies(Context& context,
                                                                        std::vector<storage::Pack> packs,
                                                                        std::string& mistakes);

// One pack over an inspector's connection, as LoadPack says; the caller reads the answer. `catalog`: empty, or whose it
// is known to be.
asio::awaitable<Result<void>> send_pack(boundary::PacketChannel& channel, const storage::Pack& pack,
                                        const std::string& catalog);

}  // namespace xinfu::vault
