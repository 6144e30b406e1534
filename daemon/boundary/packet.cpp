#include "daemon/boundary/packet.hpp"

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace xinfu::boundary {
namespace {

boost::system::error_code last_system_error() {
    return {errno, boost::system::system_category()};
}

Result<DescriptorPair> make_pair(int type) {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends.data()) != 0) {
        return last_system_error();
    }
    DescriptorPair pair;
    pair.first = Descriptor(ends[0]);
    pair.second = Descriptor(ends[1]);
    return pair;
}

// What came beside a packet's bytes.
struct Ancillary {
    std::optional<ucred> sender;
    std::optional<Descriptor> descriptor;
    bool too_many = false;
};

Ancillary take_ancillary(msghdr& header) {
    Ancillary ancillary;
    for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
        if (part->cmsg_level != SOL_SOCKET) {
            continue;
        }
        if (part->cmsg_type == SCM_CREDENTIALS && part->cmsg_len == CMSG_LEN(sizeof(ucred))) {
            ucred sender;
            std::memcpy(&sender, CMSG_DATA(part), sizeof sender);
            ancillary.sender = sender;
        } else if (part->cmsg_type == SCM_RIGHTS) {
            // Alignment lets two descriptors into the room for one; whatever came must be owned, or it leaks.
            const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            for (std::size_t n = 0; n < count; ++n) {
                int fd = -1;
                std::memcpy(&fd, CMSG_DATA(part) + n * sizeof(int), sizeof fd);
                Descriptor owned(fd);
                if (ancillary.descriptor) {
                    ancillary.too_many = true;
                } else {
                    ancillary.descriptor = std::move(owned);
                }
            }
        }
    }
    return ancillary;
}

std::string& spare_bytes() {
    thread_local std::string spare;
    return spare;
}

}  // namespace

Result<DescriptorPair> make_packet_pair() {
    auto pair = make_pair(SOCK_SEQPACKET);
    if (!pair) {
        return pair;
    }
    for (const int fd : {pair->first.get(), pair->second.get()}) {
        if (const auto wanted = want_credentials(fd); !wanted) {
            return wanted.error();
        }
    }
    return pair;
}

Result<DescriptorPair> make_stream_pair() {
    return make_pair(SOCK_STREAM);
}

void recycle(std::string bytes) {
    if (bytes.capacity() > spare_bytes().capacity()) {
        bytes.clear();
        spare_bytes().swap(bytes);
    }
}

Result<void> want_credentials(int fd) {
    const int on = 1;
    if (::setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0) {
        return last_system_error();
    }
    return {};
}

Result<Packet> receive_packet(int fd, PeerRules& rules, int flags) {
    thread_local std::array<char, kPacketSizeBytesMax> buffer;
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(sizeof(int))> control;
    iovec span{buffer.data(), buffer.size()};
    msghdr header{};
    header.msg_iov = &span;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();

    ssize_t size = 0;
    do {
        size = ::recvmsg(fd, &header, flags | MSG_CMSG_CLOEXEC);
    } while (size < 0 && errno == EINTR);
    if (size < 0) {
        return errno == ECONNRESET ? make_error_code(Errc::closed) : last_system_error();
    }

    auto ancillary = take_ancillary(header);
    if (size == 0) {
        return Errc::closed;  // the end; an empty packet is no message either
    }
    if ((header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
        return Errc::truncated;
    }
    if (!ancillary.sender || ancillary.sender->pid <= 0) {
        return Errc::wrong_peer;
    }
    if (rules.uid && ancillary.sender->uid != *rules.uid) {
        return Errc::wrong_peer;
    }
    if (rules.pid == 0) {
        rules.pid = ancillary.sender->pid;
    } else if (ancillary.sender->pid != rules.pid) {
        return Errc::wrong_peer;
    }
    if (ancillary.too_many || (ancillary.descriptor && !rules.may_pass_descriptors)) {
        return Errc::stray_descriptor;
    }
    Packet packet;
    packet.bytes.swap(spare_bytes());
    packet.bytes.assign(buffer.data(), static_cast<std::size_t>(size));
    if (ancillary.descriptor) {
        packet.descriptor = std::move(*ancillary.descriptor);
    }
    return packet;
}

Result<void> send_packet(int fd, std::string_view bytes, int descriptor, int flags) {
    if (bytes.empty() || bytes.size() > kPacketSizeBytesMax) {
        return Errc::too_large;  // an empty packet would look like the end
    }
    iovec span{const_cast<char*>(bytes.data()), bytes.size()};
    msghdr header{};
    header.msg_iov = &span;
    header.msg_iovlen = 1;
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    if (descriptor >= 0) {
        header.msg_control = control.data();
        header.msg_controllen = control.size();
        cmsghdr* part = CMSG_FIRSTHDR(&header);
        part->cmsg_level = SOL_SOCKET;
        part->cmsg_type = SCM_RIGHTS;
        part->cmsg_len = CMSG_LEN(sizeof(int));
        std::memcpy(CMSG_DATA(part), &descriptor, sizeof descriptor);
    }
    ssize_t sent = 0;
    do {
        sent = ::sendmsg(fd, &header, flags | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0) {
        if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN) {
            return Errc::closed;
        }
        return last_system_error();
    }
    return {};  // a packet goes whole or not at all
}

Result<std::string> encode(const google::protobuf::MessageLite& message) {
    const std::size_t size = message.ByteSizeLong();
    if (size > kPacketSizeBytesMax) {
        return Errc::too_large;
    }
    std::string bytes;
    if (!message.SerializeToString(&bytes)) {
        return Errc::malformed;  // a required-field failure cannot happen in proto3; invalid UTF-8 can
    }
    return bytes;
}

Result<void> decode(std::string_view bytes, google::protobuf::MessageLite& message) {
    if (bytes.size() > kPacketSizeBytesMax || !message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
        return Errc::malformed;
    }
    return {};
}

}  // namespace xinfu::boundary
