// EndedConnections: tells gateways which of their clients are to be cut off, since their account has ended. What these
// ask is refused anyway; this is so that nothing that was begun goes on, and nobody waits.
//
// Threads: the vault's `io`.
#pragma once

#include <memory>
#include <vector>

#include "daemon/vault/exchange.hpp"
#include "daemon/vault/handles.hpp"

namespace xinfu::vault {

class EndedConnections {
public:
    // A gateway's question, which is answered from now on until its connection ends.
    void watch(ExchangePointer exchange) { watching_.push_back(std::move(exchange)); }
    void tell(Context& context, const std::vector<Handle>& handles);

private:
    std::vector<std::weak_ptr<Exchange>> watching_;
};

}  // namespace xinfu::vault
