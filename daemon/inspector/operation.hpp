// Operation columns: XF_OP, XF_RECORD, XF_VERSION and XF_REASON before a catalog's fields say that a row changes a
// record that is there. All four stand in the header or none.
//
// Trust:   cells are hostile.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/boundary/inspector.pb.h"

namespace xinfu::inspector {

inline constexpr std::array<std::string_view, 4> kOperationColumns{"XF_OP", "XF_RECORD", "XF_VERSION", "XF_REASON"};
inline constexpr std::size_t kReasonCharactersMax = 500;

// Which of them a header cell is; a trailing '*' is ignored.
std::optional<std::size_t> operation_column(std::string_view header_cell);

struct OperationDefect {
    std::string_view column;
    std::string_view code;
    std::vector<std::string> arguments;
};
// Cells in the order of kOperationColumns. Everything wrong is appended to `defects`; then the operation is not to be
// used.
boundary::RecordOperation read_operation(const std::array<std::string_view, 4>& cells,
                                         std::vector<OperationDefect>& defects);

}  // namespace xinfu::inspector
