#include "daemon/vault/startup.hpp"

#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <iterator>
#include <utility>

#include "crypto/seal.hpp"
#include "daemon/boundary/courier.pb.h"
#include "daemon/boundary/gateway.pb.h"
#include "daemon/boundary/packet.hpp"
#include "daemon/config/loader.hpp"
#include "daemon/vault/paths_change.hpp"
#include "storage/error.hpp"
#include "storage/requests.hpp"

namespace xinfu::vault {
namespace {

constexpr std::size_t kKeySizeBytes = 32;

template <class T>
T must(Result<T> result, const std::string& what) {
    if (!result) {
        throw CannotStart(what + ": " + result.error().message());
    }
    return std::move(*result);
}

void must(Result<void> result, const std::string& what) {
    if (!result) {
        throw CannotStart(what + ": " + result.error().message());
    }
}

std::string encoded(const google::protobuf::MessageLite& message, const std::string& what) {
    return must(boundary::encode(message), what);
}

template <class Message>
void add_chain(Message& welcome, const std::vector<crypto::Certificate>& chain) {
    for (const auto& certificate : chain) {
        welcome.add_certificate_chain(certificate.der().data(), certificate.der().size());
    }
}

}  // namespace

config::Config read_configuration(const boundary::Arguments& arguments) {
    auto loaded = arguments.config_path.empty() ? config::load_descriptor(arguments.config.get(), "the configuration")
                                                : config::load_file(arguments.config_path);
    if (!loaded.config) {
        std::string text;
        for (const auto& mistake : loaded.mistakes) {
            text += text.empty() ? "" : "\n";
            text += config::to_string(mistake);
        }
        throw CannotStart(text);
    }
    return std::move(*loaded.config);
}

std::shared_ptr<const crypto::KeyWrapper> read_key_wrapping_key(boundary::Descriptor descriptor) {
    if (!descriptor) {
        throw CannotStart("the key-wrapping key was not given");
    }
    crypto::Secret key(kKeySizeBytes + 1);  // one more than there should be
    std::size_t size = 0;
    while (size < key.size()) {
        const ssize_t got = ::read(descriptor.get(), key.writable().data() + size, key.size() - size);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            break;
        }
        size += static_cast<std::size_t>(got);
    }
    if (size != kKeySizeBytes) {
        throw CannotStart("the key-wrapping key must be exactly 32 bytes");
    }
    return std::make_shared<const crypto::KeyWrapper>(key.view().first(kKeySizeBytes));
}

Store open_store(config::Config& config, std::shared_ptr<const crypto::KeyWrapper> key_wrapper,
                 std::shared_ptr<const storage::Clock> clock, std::function<void(std::uint64_t)> after_batch,
                 const storage::OnDamage& on_damage, const storage::OnFailure& on_failure) {
    Store store;
    const crypto::KeyWrapper& wrapper = *key_wrapper;
    const auto store_key = must(storage::load_store_key(".", wrapper), std::string(storage::kStoreKeyPath));
    storage::EngineOptions engine_options;
    engine_options.map_size_bytes = config.vault.map_size_bytes;
    engine_options.on_damage = on_damage;
    engine_options.on_failure = on_failure;
    auto engine =
        must(storage::open_lmdb_engine(".", engine_options, std::make_shared<const crypto::Sealer>(store_key.view())),
             "the store");

    std::shared_ptr<const crypto::NoteSigner> signer;
    {
        const auto snapshot = must(engine->snapshot(), "the store");
        if (const auto approved = must(storage::find_approved_paths(*snapshot), "the approved paths")) {
            config::set_paths(config, from_row(approved->paths()));
        }
        auto node_keys = must(storage::load_node_keys(*snapshot, wrapper), "the node's keys");
        signer = std::make_shared<const crypto::NoteSigner>(
            must(crypto::NoteSigner::from_seed(config.node + "/log", node_keys.log_seed.view()), "the log's key"));
        auto unit_keys = must(storage::load_unit_keys(*snapshot, wrapper), "the units' keys");
        const auto units = must(enrolled_units(*snapshot), "the accounts");
        // Before the ledger has its thread, and before anything could be sealed under a key that is lost again.
        auto transaction = must(engine->begin(), "the store");
        bool made = false;
        for (const auto& unit : units) {
            if (unit_keys.find(unit) == unit_keys.end()) {
                unit_keys.emplace(unit,
                                  must(storage::create_unit_key(*transaction, wrapper, unit, crypto::system_random()),
                                       "a unit's key"));
                made = true;
            }
        }
        if (must(storage::list_open_requests(*transaction), "the requests") || made) {
            must(transaction->commit(), "the units' keys");
        }
        store.certificates = must(load_node_certificates(".", config.routes), "certificates/");
        auto envelopes = envelope_keys(node_keys, store.certificates.envelope);
        store.keys =
            std::make_unique<Keys>(std::move(node_keys), unit_keys, std::move(envelopes), std::move(key_wrapper));
    }
    store.log_key = signer->verifier_key();
    store.objects = must(
        storage::open_object_store("objects", {config.vault.disk_reserve_bytes, on_damage, on_failure}), "objects/");
    must(
        [&]() -> Result<void> {
            const auto removed = store.objects->remove_unfinished();
            if (!removed) {
                return removed.error();
            }
            return Result<void>{};
        }(),
        "objects/");

    storage::Ledger::Options options;
    options.origin = config.node + "/log";
    options.disk_reserve_bytes = config.vault.disk_reserve_bytes;
    options.leaf_reserve_bytes = config.vault.leaf_reserve_bytes;
    options.after_batch = std::move(after_batch);
    store.ledger =
        must(storage::open_ledger(std::move(engine), std::move(options), signer, std::move(clock)), "the log");
    return store;
}

Welcomes gateway_welcomes(const config::Config& config, const NodeCertificates& certificates) {
    boundary::GatewayWelcome welcome;
    welcome.set_node(config.node);
    welcome.set_version(std::string(boundary::version()));
    welcome.set_tls12(config.gateway.tls12);
    add_chain(welcome, certificates.tls);
    for (const auto& anchor : certificates.anchors) {
        welcome.add_trust_anchors(anchor.der().data(), anchor.der().size());
    }
    Welcomes welcomes;
    welcome.set_purpose(boundary::GatewayWelcome::REQUESTS);
    welcomes.requests = encoded(welcome, "certificates/");
    welcome.set_purpose(boundary::GatewayWelcome::HANDSHAKES);
    welcomes.handshakes = encoded(welcome, "certificates/");
    return welcomes;
}

Welcomes courier_welcomes(const config::Config& config, const NodeCertificates& certificates) {
    boundary::CourierWelcome welcome;
    welcome.set_node(config.node);
    welcome.set_version(std::string(boundary::version()));
    add_chain(welcome, certificates.tls);
    for (const auto& route : config.routes) {
        auto* described = welcome.add_routes();
        described->set_name(route.name);
        described->set_url(route.url);
        std::ifstream file(route.anchors, std::ios::binary);
        const Bytes document{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
        for (const auto& anchor : must(crypto::read_certificates(document), route.anchors)) {
            described->add_trust_anchors(anchor.der().data(), anchor.der().size());
        }
    }
    Welcomes welcomes;
    welcome.set_purpose(boundary::CourierWelcome::TASKS);
    welcomes.requests = encoded(welcome, "the routes");
    welcome.set_purpose(boundary::CourierWelcome::HANDSHAKES);
    welcomes.handshakes = encoded(welcome, "the routes");
    return welcomes;
}

}  // namespace xinfu::vault
