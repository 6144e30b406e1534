// OfflineStore: the store of a node that does not run, opened by the command; and acts on it, each with its leaf.
//
// Errors: Stop with Exit::refused.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "daemon/client/text.hpp"
#include "storage/ledger.hpp"

namespace xinfu::client {

Stop failed(const std::string& what, const boost::system::error_code& error);

template <class T>
T need(Result<T> result, const std::string& what) {
    if (!result) {
        throw failed(what, result.error());
    }
    if constexpr (!std::is_void_v<T>) {
        return std::move(*result);
    }
}

// Applies one operation through a ledger over `engine`, and returns when it is durable. `log_seed`: of the log's key.
void commit_offline(std::unique_ptr<storage::Engine> engine, const std::string& node, ByteView log_seed,
                    std::function<Result<void>(storage::Batch&)> apply);

}  // namespace xinfu::client
