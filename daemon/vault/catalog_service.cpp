#include "daemon/vault/catalog_service.hpp"

#include <algorithm>
#include <utility>

#include "daemon/vault/active_policies.hpp"
#include "daemon/vault/policy_change.hpp"

namespace xinfu::vault {

asio::awaitable<void> list_catalogs(Context& context, ExchangePointer exchange) {
    const auto policies = context.policies.current();
    boundary::GatewayReply reply;
    auto* names = reply.mutable_catalog_names();
    for (const auto& [name, newest] : policies->catalogs) {
        auto* entry = names->add_catalogs();
        *entry = *policies->find_in_force(name, day_in_shanghai(context.clock.now()));
        entry->clear_fields();
    }
    auto answering = exchange->reply(std::move(reply), boundary::Descriptor{});
    const auto answered = co_await std::move(answering);
    static_cast<void>(answered.has_value());
}

asio::awaitable<void> get_catalog(Context& context, ExchangePointer exchange) {
    const auto policies = context.policies.current();
    const auto* catalog =
        policies->find_in_force(exchange->request().get_catalog().name(), day_in_shanghai(context.clock.now()));
    if (catalog == nullptr) {
        auto refusing = answer_problem(exchange, problem("XF-2003"));
        const auto refused = co_await std::move(refusing);
        static_cast<void>(refused.has_value());
        co_return;
    }
    // The first part describes the catalog, further parts carry further fields only.
    boundary::GatewayReply part;
    *part.mutable_catalog() = *catalog;
    part.mutable_catalog()->clear_fields();
    for (int next = 0; next < catalog->fields_size();) {
        do {
            *part.mutable_catalog()->add_fields() = catalog->fields(next++);
        } while (next < catalog->fields_size() &&
                 part.ByteSizeLong() + catalog->fields(next).ByteSizeLong() < boundary::kPartSizeBytesMax);
        if (next == catalog->fields_size()) {
            break;
        }
        part.set_more(true);
        auto sending = exchange->reply(std::move(part), boundary::Descriptor{});
        if (const auto sent = co_await std::move(sending); !sent) {
            co_return;
        }
        part.Clear();
        part.mutable_catalog();
    }
    auto answering = exchange->reply(std::move(part), boundary::Descriptor{});
    const auto answered = co_await std::move(answering);
    static_cast<void>(answered.has_value());
}

asio::awaitable<void> list_policies(Context& context, ExchangePointer exchange) {
    const auto policies = context.policies.current();
    boundary::GatewayReply reply;
    auto& view = *reply.mutable_policies();
    view.set_digest(to_hex(policies->digest));
    for (std::size_t at = 0; at < policies->packs.size(); ++at) {
        auto& pack = *view.add_packs();
        pack.set_kind(std::string(to_text(policies->packs[at].kind)));
        pack.set_catalog(policies->catalog_of[at]);
        pack.set_digest(to_hex(crypto::sha256(policies->packs[at].bytes)));
        pack.set_size(policies->packs[at].bytes.size());
    }
    auto answering = exchange->reply(std::move(reply), boundary::Descriptor{});
    const auto answered = co_await std::move(answering);
    static_cast<void>(answered.has_value());
}

asio::awaitable<void> get_policy(Context& context, ExchangePointer exchange) {
    const auto policies = context.policies.current();
    const auto digest = from_hex(exchange->request().get_policy().digest());
    const auto found = std::ranges::find_if(policies->packs, [&](const storage::Pack& pack) {
        return digest && std::ranges::equal(crypto::sha256(pack.bytes), *digest);
    });
    if (found == policies->packs.end()) {
        auto refusing = answer_problem(exchange, problem("XF-2005"));
        static_cast<void>((co_await std::move(refusing)).has_value());
        co_return;
    }
    auto answering = answer_text(exchange, std::string(as_text(found->bytes)));
    static_cast<void>((co_await std::move(answering)).has_value());
}

}  // namespace xinfu::vault
