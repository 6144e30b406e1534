// Figures of quality: for each month, unit and catalog what was handed in and how good it was, counted in the
// transaction that decides on a file, so that they agree with the log.
//
// Format:  storage/submission_rows.proto; what is counted: docs/QUALITY.md.
// Threads: functions on a transaction; the transaction's rules apply.
// Errors:  storage::Errc of the engine; `corrupt` for a row that does not parse.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "storage/engine.hpp"
#include "storage/submission_rows.pb.h"

namespace xinfu::storage {

// A month in Asia/Shanghai as year * 100 + month: 202611.
using Month = std::uint32_t;

// Adds to what is there. `unit` and `catalog` contain no zero byte.
Result<void> add_quality(WriteTransaction& transaction, Month month, std::string_view unit, std::string_view catalog,
                         const rows::Quality& counted);

// Of one month, by unit and catalog; false stops.
using QualityVisitor =
    std::function<bool(std::string_view unit, std::string_view catalog, const rows::Quality& counted)>;
Result<void> visit_quality(const ReadTransaction& transaction, Month month, const QualityVisitor& visitor);

}  // namespace xinfu::storage
