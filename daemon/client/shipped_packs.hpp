// The policy packs of policies/packs, embedded: a new node starts with these.
#pragma once

#include <string_view>
#include <vector>

#include "storage/packs.hpp"

namespace xinfu::client {

struct ShippedPack {
    std::string_view name;  // "administrative-penalty"
    storage::PackKind kind;
    std::string_view text;
};
const std::vector<ShippedPack>& shipped_packs();

}  // namespace xinfu::client
