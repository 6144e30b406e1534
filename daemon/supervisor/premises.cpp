#include "daemon/supervisor/premises.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fts.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "daemon/config/endpoint.hpp"

namespace xinfu::supervisor {
namespace {

using boundary::Descriptor;

constexpr int kBacklog = 4096;       // what a gateway's restart may let wait; the kernel's somaxconn also bounds it
constexpr off_t kKeySizeBytes = 32;  // AES-256 key wrap, NIST SP 800-38F

[[noreturn]] void fail(const std::string& what) {
    throw CannotStart(what + ": " + std::strerror(errno));
}

void give_away(const std::string& path, const Account& vault) {
    std::string root = path;
    char* roots[] = {root.data(), nullptr};
    FTS* walk = ::fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, nullptr);
    if (walk == nullptr) {
        fail("state directory " + path);
    }
    while (const FTSENT* entry = ::fts_read(walk)) {
        const bool folder = entry->fts_info == FTS_D;
        const bool file = entry->fts_info == FTS_F && entry->fts_statp->st_nlink == 1;
        if ((folder || file) && entry->fts_statp->st_uid != vault.uid &&
            ::lchown(entry->fts_path, vault.uid, vault.gid) != 0) {
            ::fts_close(walk);
            fail("state directory " + path + ": giving it to the vault's user");
        }
    }
    ::fts_close(walk);
}

}  // namespace

Descriptor listen_on(const std::string& text) {
    const auto endpoint = config::parse_endpoint(text);
    if (!endpoint) {
        throw CannotStart("not an address to listen on: " + text);
    }
    sockaddr_storage storage{};
    socklen_t size = 0;
    if (endpoint->ipv6) {
        auto& address = reinterpret_cast<sockaddr_in6&>(storage);
        address.sin6_family = AF_INET6;
        address.sin6_port = htons(endpoint->port);
        ::inet_pton(AF_INET6, endpoint->address.c_str(), &address.sin6_addr);
        size = sizeof address;
    } else {
        auto& address = reinterpret_cast<sockaddr_in&>(storage);
        address.sin_family = AF_INET;
        address.sin_port = htons(endpoint->port);
        ::inet_pton(AF_INET, endpoint->address.c_str(), &address.sin_addr);
        size = sizeof address;
    }
    Descriptor socket(::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const int on = 1;
    if (!socket || ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        // Each family for itself, so that 0.0.0.0 and [::] can both be listed.
        (endpoint->ipv6 && ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0) ||
        ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&storage), size) != 0 ||
        ::listen(socket.get(), kBacklog) != 0) {
        fail("cannot listen on " + text);
    }
    return socket;
}

Descriptor take_state_directory(const std::string& path, const Account& vault) {
    Descriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder) {
        fail("state directory " + path);
    }
    if (::geteuid() == 0) {
        give_away(path, vault);
    }
    struct stat status {};
    if (::fstat(folder.get(), &status) != 0 || status.st_uid != vault.uid) {
        throw CannotStart("state directory " + path + " belongs to somebody else");
    }
    if ((status.st_mode & 077) != 0 && ::fchmod(folder.get(), 0700) != 0) {
        fail("state directory " + path + ": closing it to others");
    }
    return folder;
}

Descriptor open_key(const std::string& path) {
    Descriptor key(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat status {};
    if (!key || ::fstat(key.get(), &status) != 0) {
        fail("key-wrapping key " + path);
    }
    if (!S_ISREG(status.st_mode) || status.st_size != kKeySizeBytes) {
        throw CannotStart("key-wrapping key " + path + ": must be a file of 32 bytes");
    }
    if ((status.st_mode & 077) != 0) {
        throw CannotStart("key-wrapping key " + path + ": others may read it; chmod 600 it");
    }
    return key;
}

Premises prepare(const config::Config& config, const Account& vault) {
    Premises premises;
    for (const auto& endpoint : config.gateway.listen) {
        premises.listeners.push_back(listen_on(endpoint));
    }
    if (!config.gateway.metrics.empty()) {
        premises.metrics = listen_on(config.gateway.metrics);
    }
    premises.state = take_state_directory(config.state, vault);
    static_cast<void>(open_key(config.vault.key_wrapping_key));  // a key that cannot be read is known now
    return premises;
}

}  // namespace xinfu::supervisor
