// What can go wrong between two processes. Every one of these ends the connection, except too_large and
// overrun, which end the one message or call.
#pragma once

#include <boost/system/error_code.hpp>

namespace xinfu::boundary {

// Numbers are stable: audit leaves name them.
enum class Errc {
    closed = 1,              // the peer ended the connection, or this side did
    truncated = 2,           // a packet larger than kPacketSizeBytesMax, or control data that did not fit
    wrong_peer = 3,          // credentials missing, of another uid, or of another process than before
    stray_descriptor = 4,    // a descriptor from a peer that may not pass one, or more than one
    missing_descriptor = 5,  // a packet that must carry a descriptor came without
    malformed = 6,           // bytes that are not the expected message
    unexpected = 7,          // a well-formed message out of its place: unknown id, wrong order
    too_large = 8,           // our own message does not fit a packet
    timed_out = 9,           // the peer did not answer in time
    connection_lost = 10,    // the peer went away while a call was pending: the same call may be made again
    overrun = 11,            // replies of one call piled up unread
    not_running = 12,        // nobody to dial just now: ask again
    walls_failed = 13,       // a wall could not be raised: the process must not go on
    arguments_invalid = 14,  // a program was started with options it does not know
};

const boost::system::error_category& boundary_category();
inline boost::system::error_code make_error_code(Errc error) {
    return {static_cast<int>(error), boundary_category()};
}

// True where the same request may be made again on a new connection.
bool is_retryable(const boost::system::error_code& error);

}  // namespace xinfu::boundary

template <>
struct boost::system::is_error_code_enum<xinfu::boundary::Errc> : std::true_type {};
