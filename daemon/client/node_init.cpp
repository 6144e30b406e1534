#include "daemon/client/node_init.hpp"

#include <algorithm>
#include <filesystem>

#include "crypto/certificate_authority.hpp"
#include "crypto/note.hpp"
#include "crypto/seal.hpp"
#include "daemon/client/authority.hpp"
#include "daemon/client/enrolment.hpp"
#include "daemon/client/files.hpp"
#include "daemon/client/offline_store.hpp"
#include "daemon/client/shipped_packs.hpp"
#include "daemon/client/text.hpp"
#include "storage/leaf.hpp"
#include "storage/ledger.hpp"
#include "storage/node_keys.hpp"

namespace xinfu::client {
namespace {

policies::AccessPolicy shipped_access() {
    for (const ShippedPack& pack : shipped_packs()) {
        if (pack.kind == storage::PackKind::access) {
            auto loaded = policies::load_access(pack.text);
            if (!loaded.value) {
                throw stop_with_code(Exit::refused, "XF-9101", {policies::describe(loaded.mistakes)});
            }
            return std::move(*loaded.value);
        }
    }
    throw Stop{Exit::refused, {"no access pack is shipped", {}}, {}};
}

Result<void> write_bootstrap(storage::Batch& batch, const Enrolled& enrolled, const std::vector<storage::Pack>& packs,
                             const std::string& node, ByteView index_key) {
    storage::WriteTransaction& transaction = batch.transaction();
    for (const storage::Account& account : enrolled.accounts) {
        if (auto put = storage::put_account(transaction, account); !put) {
            return put;
        }
    }
    for (const storage::EnrolledCertificate& certificate : enrolled.certificates) {
        if (auto put = storage::put_certificate(transaction, certificate); !put) {
            return put;
        }
    }
    for (const storage::Person& person : enrolled.persons) {
        if (auto put = storage::put_person(transaction, index_key, person); !put) {
            return put;
        }
    }
    if (auto put = storage::put_active_packs(transaction, packs); !put) {
        return put;
    }
    storage::Leaf leaf;
    leaf.action = "bootstrap";
    leaf.result = "done";
    leaf.object = {.type = "policy", .id = node, .digest = storage::policy_digest(packs), .content = {}};
    leaf.reason = std::to_string(enrolled.accounts.size()) + " accounts";
    storage::LeafWriter(node, Bytes(index_key.begin(), index_key.end())).append(batch, leaf);
    return {};
}

// The store with its keys; what is in force and who is enrolled follow through the ledger, with the first
// leaf.
storage::NodeKeys make_store(const std::string& state, const std::string& node, const crypto::KeyWrapper& wrapper,
                             const Enrolled& enrolled, std::uint64_t map_size_bytes) {
    auto& random = crypto::system_random();
    const crypto::Secret store_key = need(storage::create_store_key(state, wrapper, random), state);
    auto engine = need(storage::open_lmdb_engine(state, {.map_size_bytes = map_size_bytes, .create = true},
                                                 std::make_shared<crypto::Sealer>(store_key.view())),
                       state);
    auto transaction = need(engine->begin(), state);
    storage::NodeKeys keys = need(storage::create_node_keys(*transaction, wrapper, random), state);
    keys.envelopes = need(storage::create_envelope_keys(*transaction, wrapper), state);
    for (const std::string& unit : enrolled.units) {
        (void)need(storage::create_unit_key(*transaction, wrapper, unit, random), state);
    }
    need(transaction->commit(), state);
    transaction.reset();

    std::vector<storage::Pack> packs;
    for (const ShippedPack& pack : shipped_packs()) {
        packs.push_back({pack.kind, to_bytes(pack.text)});
    }
    commit_offline(std::move(engine), node, keys.log_seed.view(), [&](storage::Batch& batch) {
        return write_bootstrap(batch, enrolled, packs, node, keys.index.view());
    });
    return keys;
}

std::string request(const std::string& path, const crypto::SigningKey& key, const crypto::DistinguishedName& subject,
                    const std::vector<std::string>& hosts) {
    write_file(path, need(key.create_request(subject, hosts), path));
    return path;
}

MadeNode fill_directory(const NodePlan& plan, const Enrolled& enrolled) {
    const std::string& node = plan.config.node;
    const std::string state = plan.directory + "/state";
    for (const char* folder : {"", "/certificates", "/revocation", "/objects"}) {
        make_directory(state + folder);
    }
    const crypto::Secret key = crypto::system_random().secret(crypto::kSealKeySizeBytes);
    write_file(plan.directory + "/key-wrapping-key", as_text(key.view()), 0600);
    write_configuration(plan.directory, plan.config);
    if (!plan.anchors.empty()) {
        std::string bundle;
        for (const crypto::Certificate& anchor : plan.anchors) {
            bundle += anchor.to_pem();
        }
        write_file(state + "/certificates/anchors.pem", bundle);
    }
    const storage::NodeKeys keys =
        make_store(state, node, crypto::KeyWrapper(key.view()), enrolled, plan.config.vault.map_size_bytes);

    // The node belongs to the unit of its security administrator, unless the authority writes another.
    const auto& owner = *std::ranges::find_if(enrolled.accounts, [](const storage::Account& account) {
        return std::ranges::find(account.roles, "security_administrator") != account.roles.end();
    });
    crypto::DistinguishedName subject{.country = "CN",
                                      .organization = owner.unit_name,
                                      .common_name = node,
                                      .organization_identifier = owner.unit,
                                      .serial_number = {}};
    MadeNode made;
    made.log_key = need(crypto::NoteSigner::from_seed(node + "/log", keys.log_seed.view()), node).verifier_key();
    made.witness_key =
        need(crypto::WitnessSigner::from_seed(node + "/witness", keys.witness_seed.view()), node).verifier_key();
    made.tls_request = request(plan.directory + "/tls.csr", keys.tls, subject, plan.hosts);
    subject.common_name = node + " parcels";
    made.parcel_request = request(plan.directory + "/parcel.csr", keys.parcel, subject, {});
    subject.common_name = node + " envelopes";
    for (const auto& envelope : keys.envelopes) {
        const char* name = envelope.kind() == crypto::KeyKind::rsa ? "/envelope-rsa.csr" : "/envelope.csr";
        made.envelope_requests.push_back(request(plan.directory + name, envelope, subject, {}));
    }
    return made;
}

bool is_node_name(const std::string& name) {
    return !name.empty() && name.size() <= 63 &&
           name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == name.npos;
}

std::string quoted(const std::string& text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            out.push_back('\\');
        }
        out.push_back(c);
    }
    return out + "\"";
}

}  // namespace

void write_configuration(const std::string& directory, const config::Config& config) {
    std::string text = "# Configuration of this node; docs/CONFIGURATION.md explains every key.\n";
    text += "node: " + config.node + "\nstate: state\nsuite: standard\ngateway:\n  listen:\n";
    for (const std::string& address : config.gateway.listen) {
        text += "    - " + quoted(address) + "\n";
    }
    text += "  metrics: " + quoted(config.gateway.metrics) + "\n";
    text +=
        "  limits:\n    connections_per_source: " + std::to_string(config.gateway.limits.connections_per_source) +
        "\n    handshakes_per_source_minute: " + std::to_string(config.gateway.limits.handshakes_per_source_minute) +
        "\n";
    text += "vault:\n  key_wrapping_key: key-wrapping-key\n";
    text += "  map_size_bytes: " + std::to_string(config.vault.map_size_bytes) + "\n";
    text += "  disk_reserve_bytes: " + std::to_string(config.vault.disk_reserve_bytes) + "\n";
    text += "  leaf_reserve_bytes: " + std::to_string(config.vault.leaf_reserve_bytes) + "\n";
    text += "courier:\n  retry_min_ms: " + std::to_string(config.courier.retry_min_ms.count()) +
            "\n  retry_max_ms: " + std::to_string(config.courier.retry_max_ms.count()) + "\n";
    text += "supervisor:\n  restart_delay_ms: " + std::to_string(config.supervisor.restart_delay_ms.count()) + "\n";
    if (!config.routes.empty()) {
        text += "routes:\n";
    }
    for (const config::Route& route : config.routes) {
        text += "  - name: " + route.name + "\n    level: " + route.level + "\n    node: " + route.node +
                "\n    url: " + quoted(route.url) + "\n    anchors: " + quoted(route.anchors) +
                "\n    log_key: " + quoted(route.log_key) + "\n    envelope: " + quoted(route.envelope) + "\n";
        if (!route.witness_key.empty()) {
            text += "    witness_key: " + quoted(route.witness_key) + "\n";
        }
        if (!route.onward.empty()) {
            text += "    onward:\n";
        }
        for (const config::Onward& onward : route.onward) {
            text += "      - level: " + onward.level + "\n        node: " + onward.node +
                    "\n        log_key: " + quoted(onward.log_key) + "\n";
        }
    }
    if (!config.witnessed.empty()) {
        text += "witnessed:\n";
    }
    for (const config::WitnessedLog& log : config.witnessed) {
        text += "  - node: " + log.node + "\n    log_key: " + quoted(log.log_key) + "\n";
    }
    write_file(directory + "/xinfu.yaml", text);
}

MadeNode make_node(const NodePlan& plan) {
    if (!is_node_name(plan.config.node)) {
        throw Stop{Exit::usage,
                   {"a node's name has 1 to 63 of a-z, 0-9 and -", "节点名称由 1 至 63 个小写字母、数字或连字符组成"},
                   {}};
    }
    // Everything that may refuse is asked before anything is written.
    const Enrolled enrolled = enrol(plan.enrolments, shipped_access(), plan.anchors, now_seconds());

    namespace fs = std::filesystem;
    std::error_code ignored;
    const bool existed = exists(plan.directory);
    if (existed && !fs::is_empty(plan.directory, ignored)) {
        throw Stop{Exit::refused, {plan.directory + " is not empty", plan.directory + " 不是空目录"}, {}};
    }
    make_directory(plan.directory);
    try {
        return fill_directory(plan, enrolled);
    } catch (...) {
        for (const auto& entry : fs::directory_iterator(plan.directory, ignored)) {
            fs::remove_all(entry.path(), ignored);
        }
        if (!existed) {
            fs::remove(plan.directory, ignored);
        }
        throw;
    }
}

}  // namespace xinfu::client
