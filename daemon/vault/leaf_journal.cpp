#include "daemon/vault/leaf_journal.hpp"

#include "crypto/digest.hpp"

namespace xinfu::vault {

std::string message_id(std::string_view action) {
    const crypto::Digest digest = crypto::sha256(as_bytes("xinfu/event/" + std::string(action)));
    return to_hex(ByteView(digest).first(16));
}

void LeafJournal::appended(const storage::Leaf& leaf, std::uint64_t index) {
    Event event;
    const bool alarming = leaf.action == "boundary_fault" || leaf.action.starts_with("clock_") ||
                          leaf.action == "password_spraying" || leaf.action == "recover_account";
    event.level = alarming                   ? boundary::Level::warning
                  : leaf.result == "refused" ? boundary::Level::notice
                                             : boundary::Level::info;
    event.message = leaf.action;
    for (const std::string& word : {leaf.catalog, leaf.result, leaf.code, leaf.reason}) {
        if (!word.empty()) {
            event.message += " " + word;
        }
    }
    event.fields.code = leaf.code;
    if (leaf.object.type == "submission") {
        event.fields.submission = leaf.object.id;
    }
    event.fields.principal = leaf.principal;
    event.fields.leaf = index;
    event.fields.message_id = message_id(leaf.action);
    waiting_.insert_or_assign(index, std::move(event));
}

void LeafJournal::committed(std::uint64_t tree_size) {
    for (const auto& [index, event] : waiting_) {
        if (index < tree_size) {
            service_.log(event.level, event.message, event.fields);
        }
    }
    waiting_.clear();
}

}  // namespace xinfu::vault
