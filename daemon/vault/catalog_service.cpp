#include "daemon/vault/catalog_service.hpp"

#include <utility>

#include "daemon/vault/active_policies.hpp"

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

}  // namespace xinfu::vault
