// RecordText: a canonical record read back, and what of it may be shown.
//
// Threads: pure functions.
// Trust:   the text is the vault's own: an object of strings (crypto/canonical_json.hpp).
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/vault/active_policies.hpp"

namespace xinfu::vault {

using RecordFields = std::vector<std::pair<std::string, std::string>>;  // code, value
// Absent: it is not the vault's own text.
std::optional<RecordFields> read_record_text(std::string_view canonical);

// A canonical record with its personal fields masked. Empty when it is not one. `mask` answers a field's value as it
// may be shown.
using MaskField = std::function<std::string(std::string_view field, std::string_view value,
                                            const std::function<std::string_view(std::string_view)>& value_of)>;
std::string mask_record(std::string_view canonical, const MaskField& mask);

// The masks of a catalog, whichever of its versions describes the field. Outlived by the policies.
class CatalogMask {
public:
    CatalogMask(const PolicySet& policies, std::string_view catalog);
    std::string operator()(std::string_view code, std::string_view value,
                           const std::function<std::string_view(std::string_view)>& value_of) const;

private:
    std::map<std::string_view, const boundary::FieldDescription*> described_;
};

}  // namespace xinfu::vault
