// LeafJournal: tells the journal of every leaf once it is durable, so that the site's own tools see what the log
// proves. The log is the record; this is its announcement, and may lose a line when the journal is full.
//
// Format:  docs/FORMATS.md, "Journal".
// Threads: the ledger's writer thread.
// Trust:   what a leaf holds: ids, codes and names of catalogs, never personal data.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "daemon/boundary/service.hpp"
#include "storage/leaf.hpp"

namespace xinfu::vault {

// 32 hex digits: the first 16 octets of SHA-256 over "xinfu/event/" and the action. The same for ever.
std::string message_id(std::string_view action);

class LeafJournal {
public:
    explicit LeafJournal(boundary::Service& service) : service_(service) {}

    // Inside a batch. A leaf that is appended again at the same index, after its batch started over, replaces the
    // one before.
    void appended(const storage::Leaf& leaf, std::uint64_t index);
    // After the batch: what lies below is durable and is told, the rest never happened.
    void committed(std::uint64_t tree_size);

private:
    struct Event {
        boundary::Level level;
        std::string message;
        boundary::LogFields fields;
    };
    boundary::Service& service_;
    std::map<std::uint64_t, Event> waiting_;
};

}  // namespace xinfu::vault
