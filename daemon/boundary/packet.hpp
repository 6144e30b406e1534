// Packets: one protobuf message each over AF_UNIX sequenced packets, and the rules a peer must keep. This is
// the part that needs no event loop; PacketChannel and BlockingChannel are built on it.
//
// Format:  SOCK_SEQPACKET, at most kPacketSizeBytesMax; SCM_CREDENTIALS with every packet; at most one
//          descriptor (SCM_RIGHTS), and only towards a side that may receive one.
// Trust:   the peer may be owned by an attacker. Credentials come from the kernel.
// Errors:  returned. After any error but too_large the connection is of no further use.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <string>

#include <google/protobuf/message_lite.h>

#include "crypto/result.hpp"
#include "daemon/boundary/descriptor.hpp"
#include "daemon/boundary/error.hpp"

namespace xinfu::boundary {

// Larger packets fail at default socket buffers; smaller ones cost calls.
inline constexpr std::size_t kPacketSizeBytesMax = 65536;
// How much of a packet a `bytes` field may take, so that the rest of the message always fits.
inline constexpr std::size_t kPartSizeBytesMax = 49152;

// Whom a connection must come from.
struct PeerRules {
    std::optional<uid_t> uid;           // absent: any uid (tests, and control sockets before the first packet)
    bool may_pass_descriptors = false;  // true on the asked side's connections to the vault and the supervisor
    pid_t pid = 0;                      // 0: pinned at the first packet
};

// A connected descriptor and the rules its packets are held to: what Acceptor and Dialer give out.
struct Connection {
    Descriptor descriptor;
    PeerRules rules;
};

struct Packet {
    std::string bytes;
    Descriptor descriptor;  // empty: none came
};

// A decoded packet.
template <class Message>
struct Envelope {
    Message message;
    Descriptor descriptor;
};

// Asks the kernel to name the sender with every packet. Precondition of receive_packet.
Result<void> want_credentials(int fd);

// One recvmsg(2) with MSG_CMSG_CLOEXEC and the given flags; pins rules.pid. Answers the system errors
// EAGAIN and EWOULDBLOCK untouched with MSG_DONTWAIT.
Result<Packet> receive_packet(int fd, PeerRules& rules, int flags);

// Gives the bytes of a packet that was decoded back, for the next one on this thread: a buffer of this size costs the
// allocator more than the packet does.
void recycle(std::string bytes);

// One sendmsg(2); `descriptor` negative: none. The descriptor stays the caller's.
// Errors: too_large, closed, and EAGAIN with MSG_DONTWAIT.
Result<void> send_packet(int fd, std::string_view bytes, int descriptor, int flags);

// Errors: too_large.
Result<std::string> encode(const google::protobuf::MessageLite& message);
// Errors: malformed.
Result<void> decode(std::string_view bytes, google::protobuf::MessageLite& message);

}  // namespace xinfu::boundary
