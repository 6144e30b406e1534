// xinfu envelope renew: a new pair of envelope keys for a node that is not running. What was encrypted for the pair
// before goes on opening as long as its certificates stay in certificates/envelope.pem, until
// vault.envelope_overlap_days after the new ones began.
#include <algorithm>
#include <filesystem>

#include <CLI/CLI.hpp>

#include "crypto/envelope_key.hpp"
#include "crypto/seal.hpp"
#include "daemon/client/authority.hpp"
#include "daemon/client/files.hpp"
#include "daemon/client/json.hpp"
#include "daemon/client/offline_store.hpp"
#include "daemon/client/verbs.hpp"
#include "daemon/config/loader.hpp"
#include "storage/error.hpp"
#include "storage/leaf.hpp"
#include "storage/node_keys.hpp"

namespace xinfu::client {
namespace {

struct Options {
    std::string config = "/etc/xinfu/xinfu.yaml";
    std::string key;
    std::string out;
    bool json = false;
};

config::Config read_config(const std::string& path) {
    const auto loaded = config::load_file(absolute(path));
    if (!loaded.config) {
        std::string text;
        for (const auto& mistake : loaded.mistakes) {
            text += (text.empty() ? "" : "\n") + config::to_string(mistake);
        }
        throw Stop{Exit::usage, {text, {}}, {}};
    }
    return *loaded.config;
}

// The first certificate that belongs to one of the keys. Null: none does.
const crypto::Certificate* certificate_of(const std::vector<crypto::SigningKey>& keys,
                                          const std::vector<crypto::Certificate>& certificates) {
    const auto found = std::ranges::find_if(certificates, [&](const crypto::Certificate& certificate) {
        return std::ranges::any_of(
            keys, [&](const auto& key) { return crypto::EnvelopeKey::create(key, certificate).has_value(); });
    });
    return found == certificates.end() ? nullptr : &*found;
}

Result<void> renew_in(storage::Batch& batch, const crypto::KeyWrapper& wrapper, const std::string& node,
                      ByteView index_key, std::vector<crypto::SigningKey>& made) {
    auto keys = storage::renew_envelope_keys(batch.transaction(), wrapper);
    if (!keys) {
        return keys.error();
    }
    made = std::move(*keys);
    storage::Leaf leaf;
    leaf.action = "renew_envelope_keys";
    leaf.result = "done";
    leaf.object = {.type = "key", .id = node, .digest = crypto::sha256(made.front().public_key()), .content = {}};
    storage::LeafWriter(node, Bytes(index_key.begin(), index_key.end())).append(batch, leaf);
    return {};
}

Exit renew(const Options& options) {
    const auto config = read_config(options.config);
    const auto key = read_file(options.key.empty() ? config.vault.key_wrapping_key : options.key);
    if (key.size() != crypto::kSealKeySizeBytes) {
        throw Stop{Exit::usage, {"the key-wrapping key must be exactly 32 bytes", "密钥加密密钥必须恰为 32 字节"}, {}};
    }
    const crypto::KeyWrapper wrapper{as_bytes(key)};
    const auto store_key = need(storage::load_store_key(config.state, wrapper), config.state);
    auto engine = storage::open_lmdb_engine(config.state, {.map_size_bytes = config.vault.map_size_bytes},
                                            std::make_shared<crypto::Sealer>(store_key.view()));
    if (!engine && engine.error() == storage::Errc::store_in_use) {
        throw Stop{Exit::refused, {"the node is running: stop it first", "节点正在运行：请先停止"}, {}};
    }
    auto store = need(std::move(engine), config.state);
    const auto node_keys = [&] {
        const auto snapshot = need(store->snapshot(), config.state);
        return need(storage::load_node_keys(*snapshot, wrapper), config.state);
    }();
    const std::string installed = config.state + "/certificates/envelope.pem";
    const auto certificates =
        exists(installed) ? read_certificate_bundle(installed) : std::vector<crypto::Certificate>{};
    const auto* present = certificate_of(node_keys.envelopes, certificates);
    const auto* former = certificate_of(node_keys.former_envelopes, certificates);
    if (present == nullptr && former == nullptr) {
        throw Stop{Exit::refused,
                   {installed + " has no certificate of this node's envelope keys: there is nothing to renew",
                    installed + " 中没有本节点加密密钥的证书：无可更换"},
                   {}};
    }
    // Twice in a row would throw away the pair that senders still use.
    std::vector<crypto::SigningKey> keys = node_keys.envelopes;
    if (present != nullptr) {
        commit_offline(std::move(store), config.node, node_keys.log_seed.view(), [&](storage::Batch& batch) {
            return renew_in(batch, wrapper, config.node, node_keys.index.view(), keys);
        });
    } else {
        note({"the last pair has no certificates yet: its requests are written again",
              "上一对密钥尚未取得证书：重新写出其证书请求"});
    }
    const std::string folder = options.out.empty()
                                   ? std::filesystem::path(absolute(options.config)).parent_path().string()
                                   : absolute(options.out);
    json::array requests;
    for (const auto& made : keys) {
        const auto path = folder + (made.kind() == crypto::KeyKind::rsa ? "/envelope-rsa.csr" : "/envelope.csr");
        write_file(path, need(made.create_request((present != nullptr ? present : former)->subject(), {}), path));
        requests.emplace_back(path);
    }
    if (options.json) {
        say({json::serialize(json::object{{"renewed", present != nullptr}, {"envelope_requests", requests}}), {}});
        return Exit::done;
    }
    for (const auto& path : requests) {
        const std::string text(path.as_string());
        say({text + " (ca issue --encryption)", text + "（ca issue --encryption）"});
    }
    say({"Put the new certificates in front of the old ones in " + installed +
             ", start the node, and give lower nodes and senders the new ones; what the old ones encrypted opens for " +
             std::to_string(config.vault.envelope_overlap_days) + " days more.",
         "请将新证书放在 " + installed +
             " 中旧证书之前，启动节点，并将新证书发给下级节点和报送单位；用旧证书加密的内容在此后 " +
             std::to_string(config.vault.envelope_overlap_days) + " 天内仍可打开。"});
    return Exit::done;
}

}  // namespace

void add_envelope_verbs(CLI::App& app, Chosen& chosen) {
    CLI::App* envelope = app.add_subcommand("envelope", "what opens envelopes");
    envelope->require_subcommand(1);
    auto options = std::make_shared<Options>();
    CLI::App* verb = envelope->add_subcommand("renew", "new envelope keys for a node that is not running");
    verb->add_option("--config", options->config, "the node's configuration (default: /etc/xinfu/xinfu.yaml)");
    verb->add_option("--key-wrapping-key", options->key, "instead of the one that the configuration names");
    verb->add_option("--out", options->out, "folder for the requests (default: the configuration's)");
    verb->add_flag("--json", options->json);
    verb->callback([&chosen, options] { chosen = {[options] { return renew(*options); }, options->json}; });
}

}  // namespace xinfu::client
