// LeafText: a leaf read back from its bytes, its members by name.
//
// Format:  docs/FORMATS.md, "Leaf".
// Threads: a value.
// Trust:   the log's own bytes; anything else is answered with an empty optional, never with a part.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "crypto/bytes.hpp"

namespace xinfu::storage {

class LeafText {
public:
    static std::optional<LeafText> read(ByteView entry);

    // A text, or a number as it is written; members of an object are named "object.id". Empty: there is none.
    std::string_view operator[](std::string_view name) const;

private:
    std::vector<std::pair<std::string, std::string>> members_;
};

}  // namespace xinfu::storage
