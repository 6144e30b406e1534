// Whatever the text: a pack is either understood or has mistakes, never both and never neither; and a catalog
// that is understood can check a record.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "policies/access.hpp"
#include "policies/catalog.hpp"
#include "policies/working_days.hpp"

namespace {

void require(bool condition) {
    if (!condition) {
        std::abort();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace xinfu::policies;
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    const auto catalog = load_catalog(text);
    require(catalog.value.has_value() == catalog.mistakes.empty());
    if (catalog.value) {
        const std::vector<std::string_view> cells(catalog.value->fields.size(), "2026/11/18");
        CheckedRecord checked;
        check_record(*catalog.value, WorkingDays{}, Day{std::chrono::days{20779}}, cells, checked);
        require(checked.values.size() == cells.size());
    }
    const auto access = load_access(text);
    require(access.value.has_value() == access.mistakes.empty());
    const auto calendar = load_working_days(text);
    require(calendar.value.has_value() == calendar.mistakes.empty());
    if (calendar.value) {
        const auto deadline = calendar.value->add(Day{std::chrono::days{20779}}, 7);
        require(deadline.earliest <= deadline.last_day);
    }
    require(describe(catalog.mistakes).size() <= 4000);
    return 0;
}
