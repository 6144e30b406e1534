#include "daemon/vault/envelope_certificates.hpp"

#include <algorithm>
#include <utility>

#include "daemon/vault/keys.hpp"

namespace xinfu::vault {

std::optional<crypto::UtcSeconds> opens_until(const std::vector<crypto::EnvelopeKey>& keys,
                                              const crypto::EnvelopeKey& key, std::chrono::days overlap) {
    std::optional<crypto::UtcSeconds> successor;
    for (const auto& other : keys) {
        const auto began = other.certificate().not_before();
        if (other.kind() == key.kind() && began > key.certificate().not_before()) {
            successor = std::min(successor.value_or(began), began);
        }
    }
    return successor ? std::optional(*successor + overlap) : std::nullopt;
}

const crypto::EnvelopeKey* newest(const std::vector<crypto::EnvelopeKey>& keys, crypto::KeyKind kind,
                                  crypto::UtcSeconds now) {
    const crypto::EnvelopeKey* found = nullptr;
    for (const auto& key : keys) {
        const auto began = key.certificate().not_before();
        if (key.kind() == kind && began <= now && (found == nullptr || began > found->certificate().not_before())) {
            found = &key;
        }
    }
    return found;
}

asio::awaitable<void> get_envelope_certificate(Context& context, ExchangePointer exchange) {
    const auto kind =
        exchange->request().get_envelope_certificate().rsa() ? crypto::KeyKind::rsa : crypto::KeyKind::p256;
    const auto now = std::chrono::floor<std::chrono::seconds>(context.clock.now());
    if (const auto* key = newest(context.keys.envelopes(), kind, now)) {
        auto answering = answer_text(exchange, key->certificate().to_pem());
        const auto answered = co_await std::move(answering);
        static_cast<void>(answered.has_value());
        co_return;
    }
    auto refusing = answer_problem(exchange, problem("XF-1128"));
    const auto refused = co_await std::move(refusing);
    static_cast<void>(refused.has_value());
}

}  // namespace xinfu::vault
