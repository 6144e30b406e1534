#include "storage/error.hpp"

#include <string>

namespace xinfu::storage {
namespace {

class Category final : public boost::system::error_category {
public:
    const char* name() const noexcept override { return "xinfu.storage"; }
    std::string message(int code) const override {
        switch (static_cast<Errc>(code)) {
            case Errc::store_in_use: return "the store is in use by another process";
            case Errc::not_found: return "not found";
            case Errc::corrupt: return "stored data is not what was written";
            case Errc::busy: return "too much is waiting; try again later";
            case Errc::store_full: return "no space left in the store";
            case Errc::commit_failed: return "a commit failed; the state on disk is unknown";
            case Errc::io_failed: return "a file could not be opened, read, written or synced";
            case Errc::stopped: return "the store is closing";
            case Errc::too_large: return "the key or entry is too large";
            case Errc::version_unknown: return "the store has an unknown format version";
            case Errc::exists: return "the object exists already";
            case Errc::misused: return "the store was called out of order";
            case Errc::log_full: return "no space left for the log";
        }
        return "unknown storage error";
    }
};

}  // namespace

const boost::system::error_category& error_category() noexcept {
    static const Category category;
    return category;
}

}  // namespace xinfu::storage
