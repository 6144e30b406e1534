// OpenConnections: whose connections are open, and which of them makes room when there is none.
//
// Half of the places are for known clients; of those, nobody keeps the most while others find none. A newcomer's place
// comes from, in this order:
//   1. a client that nobody knows and that has kept us waiting;
//   2. where known ones have more than their half: the principal with the most connections gives the one that waits for
//      its next request longest; if none does, the one whose request does not come. Its only connection is given only
//      between two requests.
// Who waits for us keeps its place, or more newcomers than can be served would leave nobody served.
//
// Threads: one strand.
// Trust:   connections of known clients are hostile in number too: an owned department has as many addresses as it
//          likes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "daemon/gateway/connection.hpp"

namespace xinfu::gateway {

class OpenConnections {
public:
    using Pointer = std::shared_ptr<Connection>;

    void add(Pointer connection);  // of nobody known yet
    // It is known now whose it is.
    void introduced(const Pointer& connection);
    void remove(const Pointer& connection);
    // Null: it is not here, or nobody known's.
    Pointer find(std::string_view handle) const;

    bool empty() const { return all_.empty(); }
    void drain();  // Connection::drain() for all

    // Unknown clients have their half of so many places.
    bool unknown_have_theirs(std::size_t places) const { return unknown_.size() * 2 >= places; }
    // The connection that makes room, no longer counted here though open still; null: none has to. Looks at a bounded
    // number of unknown ones, and at all of one principal.
    Pointer take_one_for_a_newcomer(std::size_t places);

private:
    using ById = std::map<std::uint64_t, Pointer>;  // the oldest first
    Pointer take_unknown();
    Pointer take_from_greatest_holder();

    ById all_;
    ById unknown_;
    std::map<std::string, ById> known_;  // by principal
    std::uint64_t last_tried_ = 0;       // of `unknown_`
};

}  // namespace xinfu::gateway
