#include "daemon/vault/exchange.hpp"

#include <algorithm>
#include <string_view>

#include "crypto/error.hpp"
#include "daemon/boundary/error.hpp"
#include "storage/error.hpp"

namespace xinfu::vault {

boundary::Problem problem(std::string_view code, std::vector<std::string> arguments,
                          std::uint32_t retry_after_seconds) {
    boundary::Problem what;
    what.set_code(std::string(code));
    for (auto& argument : arguments) {
        what.add_arguments(std::move(argument));
    }
    what.set_retry_after_seconds(retry_after_seconds);
    return what;
}

// The three dispositions: refuse this request (9xxx), retry later (6xxx), stop the process. For the last, main.cpp
// watches the ledger; until it has stopped, "ask again" is the one honest answer, since whether the act is durable
// is unknown and the same request after the restart will tell.
boundary::Problem problem_of(const boost::system::error_code& error) {
    if (error == storage::Errc::busy) {
        return problem("XF-6001", {}, 1);
    }
    if (error == storage::Errc::store_full) {
        return problem("XF-6002", {}, 60);
    }
    if (error == storage::Errc::log_full) {
        return problem("XF-6005", {}, 60);
    }
    if (error == storage::Errc::corrupt) {
        return problem("XF-9003");
    }
    if (error == storage::Errc::stopped) {
        return problem("XF-6007", {}, 2);
    }
    if (error == storage::Errc::commit_failed || boundary::is_retryable(error)) {
        return problem("XF-6003", {}, 1);
    }
    return problem("XF-9001");
}

asio::awaitable<Result<void>> answer_problem(ExchangePointer exchange, boundary::Problem what) {
    boundary::GatewayReply reply;
    *reply.mutable_problem() = std::move(what);
    auto sending = exchange->reply(std::move(reply), boundary::Descriptor{});
    co_return co_await std::move(sending);
}

asio::awaitable<void> answer_error(ExchangePointer exchange, boost::system::error_code error) {
    auto refusing = answer_problem(exchange, problem_of(error));
    const auto refused = co_await std::move(refusing);
    static_cast<void>(refused.has_value());
}

asio::awaitable<Result<void>> answer_text(ExchangePointer exchange, std::string text) {
    std::string_view rest = text;
    do {
        const std::string_view part = rest.substr(0, boundary::kPartSizeBytesMax);
        rest.remove_prefix(part.size());
        boundary::GatewayReply reply;
        reply.set_more(!rest.empty());
        reply.mutable_text()->set_part(part.data(), part.size());
        auto sending = exchange->reply(std::move(reply), boundary::Descriptor{});
        if (const auto sent = co_await std::move(sending); !sent) {
            co_return sent.error();
        }
    } while (!rest.empty());
    co_return Result<void>{};
}

}  // namespace xinfu::vault
