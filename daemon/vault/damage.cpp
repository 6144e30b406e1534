#include "daemon/vault/damage.hpp"

namespace xinfu::vault {
namespace {

constexpr std::size_t kToldMax = 1000;  // whoever has more of it knows by then

}  // namespace

void Damage::tell(const std::string& what) {
    metrics_.add("xinfu_store_damaged_reads_total");
    {
        const std::scoped_lock held(lock_);
        if (told_.size() >= kToldMax || !told_.insert(what).second) {
            return;
        }
    }
    boundary::LogFields fields;
    fields.code = "XF-9003";
    service_.log(boundary::Level::error, "stored data is not what was written, and is not given out: " + what, fields);
}

bool Damage::seen() const {
    const std::scoped_lock held(lock_);
    return !told_.empty();
}

}  // namespace xinfu::vault
