#include "daemon/client/offline_store.hpp"

#include <chrono>
#include <future>

#include "crypto/note.hpp"

namespace xinfu::client {
namespace {

class SystemClock final : public storage::Clock {
public:
    storage::Milliseconds now() const override {
        return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
    }
};

}  // namespace

Stop failed(const std::string& what, const boost::system::error_code& error) {
    return {Exit::refused, {what + ": " + error.message(), {}}, {}};
}

void commit_offline(std::unique_ptr<storage::Engine> engine, const std::string& node, ByteView log_seed,
                    std::function<Result<void>(storage::Batch&)> apply) {
    const std::string origin = node + "/log";
    auto signer = std::make_shared<crypto::NoteSigner>(need(crypto::NoteSigner::from_seed(origin, log_seed), origin));
    storage::Ledger::Options options;
    options.origin = origin;
    options.disk_reserve_bytes = 0;
    auto ledger = need(
        storage::open_ledger(std::move(engine), options, std::move(signer), std::make_shared<SystemClock>()), origin);
    std::promise<boost::system::error_code> committed;
    storage::Operation operation;
    operation.apply = std::move(apply);
    operation.done = [&](Result<storage::Committed> result) {
        committed.set_value(result ? boost::system::error_code() : result.error());
    };
    need(ledger->submit(std::move(operation)), origin);
    if (const auto error = committed.get_future().get()) {
        throw failed(origin, error);
    }
}

}  // namespace xinfu::client
