#include "daemon/vault/handles.hpp"

#include <algorithm>
#include <utility>

namespace xinfu::vault {
namespace {

bool to_handle(ByteView bytes, Handle& handle) {
    if (bytes.size() != handle.size()) {
        return false;
    }
    std::ranges::copy(bytes, handle.begin());
    return true;
}

}  // namespace

bool Handles::add(const Handle& handle, LiveConnectionPointer connection) {
    const std::scoped_lock held(lock_);
    if (open_.size() >= kMax || connection->link <= last_removed_) {
        return false;
    }
    return open_.emplace(handle, std::move(connection)).second;
}

LiveConnectionPointer Handles::find(ByteView bytes, std::uint64_t link) const {
    Handle handle{};
    if (!to_handle(bytes, handle)) {
        return nullptr;
    }
    const std::scoped_lock held(lock_);
    const auto found = open_.find(handle);
    return found != open_.end() && found->second->link == link ? found->second : nullptr;
}

void Handles::remove(ByteView bytes, std::uint64_t link) {
    Handle handle{};
    if (!to_handle(bytes, handle)) {
        return;
    }
    const std::scoped_lock held(lock_);
    const auto found = open_.find(handle);
    if (found != open_.end() && found->second->link == link) {
        open_.erase(found);
    }
}

std::vector<Handle> Handles::remove_account(std::string_view account) {
    const std::scoped_lock lock(lock_);
    std::vector<Handle> removed;
    for (auto entry = open_.begin(); entry != open_.end();) {
        if (entry->second->account == account) {
            removed.push_back(entry->first);
            entry = open_.erase(entry);
        } else {
            ++entry;
        }
    }
    return removed;
}

void Handles::remove_link(std::uint64_t link) {
    const std::scoped_lock held(lock_);
    last_removed_ = std::max(last_removed_, link);
    std::erase_if(open_, [link](const auto& entry) { return entry.second->link == link; });
}

std::size_t Handles::size() const {
    const std::scoped_lock held(lock_);
    return open_.size();
}

}  // namespace xinfu::vault
