#include "daemon/vault/keys.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>

#include "daemon/config/config.hpp"
#include "storage/accounts.hpp"
#include "storage/error.hpp"

namespace xinfu::vault {

Keys::Keys(storage::NodeKeys node, const storage::UnitKeys& units, std::vector<crypto::EnvelopeKey> envelopes,
           std::shared_ptr<const crypto::KeyWrapper> wrapper)
    : node_(std::move(node)), envelopes_(std::move(envelopes)), wrapper_(std::move(wrapper)) {
    add_units(units);
}

void Keys::add_units(const storage::UnitKeys& units) {
    const std::scoped_lock lock(units_->lock);
    for (const auto& [code, key] : units) {
        units_->wrappers.try_emplace(code, key.view());
    }
}

Result<storage::UnitKeys> Keys::create_units(storage::WriteTransaction& transaction,
                                             const std::vector<std::string>& codes,
                                             crypto::RandomSource& random) const {
    storage::UnitKeys made;
    for (const auto& code : codes) {
        if (has_unit(code) || made.contains(code)) {
            continue;
        }
        if (!wrapper_) {
            return storage::Errc::not_found;
        }
        auto key = storage::create_unit_key(transaction, *wrapper_, code, random);
        if (!key) {
            return key.error();
        }
        made.emplace(code, std::move(*key));
    }
    return made;
}

const crypto::KeyWrapper* Keys::unit(std::string_view code) const {
    const std::shared_lock lock(units_->lock);
    const auto found = units_->wrappers.find(code);
    return found == units_->wrappers.end() ? nullptr : &found->second;
}

Result<Bytes> Keys::wrap_data_key(std::string_view unit_code, const storage::SubmissionId& id, ByteView key) const {
    const auto* wrapper = unit(unit_code);
    if (wrapper == nullptr) {
        return storage::Errc::not_found;
    }
    return wrapper->wrap(storage::to_text(id), key);
}

Result<crypto::Secret> Keys::unwrap_data_key(std::string_view unit_code, const storage::SubmissionId& id,
                                             ByteView wrapped) const {
    const auto* wrapper = unit(unit_code);
    if (wrapper == nullptr) {
        return storage::Errc::not_found;
    }
    return wrapper->unwrap(storage::to_text(id), wrapped);
}

namespace {

constexpr std::size_t kFileSizeBytesMax = 1u << 20;

Result<std::vector<crypto::Certificate>> read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        return storage::Errc::io_failed;
    }
    Bytes document{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    if (document.size() > kFileSizeBytesMax) {
        return storage::Errc::too_large;
    }
    return crypto::read_certificates(document);
}

}  // namespace

std::vector<crypto::EnvelopeKey> envelope_keys(const storage::NodeKeys& node,
                                               const std::vector<crypto::Certificate>& certificates) {
    std::vector<crypto::EnvelopeKey> keys;
    for (const auto& certificate : certificates) {
        for (const auto* generation : {&node.envelopes, &node.former_envelopes}) {
            for (const auto& key : *generation) {
                if (auto fits = crypto::EnvelopeKey::create(key, certificate)) {
                    keys.push_back(std::move(*fits));
                }
            }
        }
    }
    return keys;
}

Result<NodeCertificates> load_node_certificates(const std::string& directory,
                                                const std::vector<config::Route>& routes) {
    NodeCertificates certificates;
    const std::pair<const char*, std::vector<crypto::Certificate>*> files[] = {
        {"tls", &certificates.tls}, {"parcel", &certificates.parcel}, {"anchors", &certificates.anchors}};
    for (const auto& [name, target] : files) {
        auto read = read_file(directory + "/certificates/" + name + ".pem");
        if (!read) {
            return read.error();
        }
        *target = std::move(*read);
    }
    if (auto read = read_file(directory + "/certificates/envelope.pem")) {
        certificates.envelope = std::move(*read);
    } else if (read.error() != storage::Errc::io_failed) {
        return read.error();
    }
    for (const auto& route : routes) {
        auto read = read_file(directory + "/" + route.envelope);
        if (!read) {
            return read.error();
        }
        const auto fits = std::ranges::find_if(*read, [](const crypto::Certificate& certificate) {
            return crypto::Envelope::create(certificate, 0, crypto::system_random()).has_value();
        });
        if (fits == read->end()) {
            return crypto::Errc::key_wrong_algorithm;
        }
        certificates.upper.emplace(route.name, std::move(*fits));
    }
    return certificates;
}

Result<std::vector<std::string>> enrolled_units(const storage::ReadTransaction& transaction) {
    const auto accounts = storage::all_accounts(transaction);
    if (!accounts) {
        return accounts.error();
    }
    std::set<std::string> units;
    for (const auto& account : *accounts) {
        if (!account.unit.empty()) {
            units.insert(account.unit);
        }
        units.insert(account.units.begin(), account.units.end());
    }
    return std::vector<std::string>(units.begin(), units.end());
}

}  // namespace xinfu::vault
