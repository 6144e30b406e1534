#include "tests/faults/unsynced_changes.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

// System calls that the failing system stands in front of are made directly: these here are not the program's.

namespace xinfu::faults {
namespace {

constexpr int kDigits = 20;
constexpr off_t kBlockBytes = 4096;

std::string name_of(std::uint64_t number) {
    char name[kDigits + 1];
    std::snprintf(name, sizeof name, "%0*llu", kDigits, static_cast<unsigned long long>(number));
    return name;
}
// What has lost its name, or has none any more once its making was undone.
std::string nameless(std::uint64_t number) {
    return name_of(number) + ".nameless";
}

[[noreturn]] void give_up(const char* what) {
    std::fprintf(stderr, "the failing system: %s: %s\n", what, std::strerror(errno));
    std::abort();
}

int open_at(int directory, const std::string& path, int flags) {
    return static_cast<int>(::syscall(SYS_openat, directory, path.c_str(), flags | O_CLOEXEC, 0600));
}
long rename_at(int old_directory, const std::string& from, int directory, const std::string& to) {
    return ::syscall(SYS_renameat2, old_directory, from.c_str(), directory, to.c_str(), 0);
}

struct stat status_of(int fd) {
    struct stat status {};
    ::fstat(fd, &status);
    return status;
}

std::string path_of(int fd) {
    char path[4096];
    const ssize_t size = ::readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), path, sizeof path);
    return size > 0 ? std::string(path, static_cast<std::size_t>(size)) : std::string();
}

std::string absolute(int directory, const std::string& path) {
    if (path.starts_with('/')) {
        return path;
    }
    char working[4096];
    if (directory == AT_FDCWD && ::getcwd(working, sizeof working) == nullptr) {
        give_up("getcwd");
    }
    return (directory == AT_FDCWD ? std::string(working) : path_of(directory)) + "/" + path;
}

// The directory in which `path` is a name.
std::string parent_of(const std::string& path) {
    const auto slash = path.rfind('/');
    return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}
ino_t inode_at(int directory, const std::string& path) {
    struct stat status {};
    return ::fstatat(directory, path.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 ? status.st_ino : 0;
}

std::string read_at(int fd, off_t offset, off_t end) {
    std::string bytes(static_cast<std::size_t>(std::max<off_t>(0, end - offset)), '\0');
    if (bytes.empty()) {
        return bytes;
    }
    const long got = ::syscall(SYS_pread64, fd, bytes.data(), bytes.size(), offset);
    bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return bytes;
}

// From a descriptor that need not be open for reading.
std::string old_bytes(int fd, off_t offset, off_t end) {
    if (end <= offset) {
        return {};
    }
    const int reader = open_at(AT_FDCWD, "/proc/self/fd/" + std::to_string(fd), O_RDONLY);
    if (reader < 0) {
        give_up("reading what is to be overwritten");
    }
    std::string bytes = read_at(reader, offset, end);
    ::close(reader);
    return bytes;
}

using Kind = UnsyncedChanges::Kind;

struct Change {
    std::uint64_t number = 0;
    Kind kind = Kind::write;
    ino_t inode = 0;   // whose sync makes it durable: the file's, the directory's
    off_t offset = 0;  // of a write; or the new size
    off_t size = 0;    // written
    off_t old_size = 0;
    std::string bytes;  // those that were there, and once undone those that were to come; or both names, a line each

    std::string from() const { return bytes.substr(0, bytes.find('\n')); }
    std::string to() const { return bytes.substr(bytes.find('\n') + 1); }
};

// In their order. One that is cut short was never done, or is there to stay: the process died while it wrote it down.
std::vector<Change> load(const std::string& folder) {
    std::vector<Change> changes;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        const std::string name = entry.path().filename();
        if (name.size() != kDigits || name.find_first_not_of("0123456789") != std::string::npos) {
            continue;
        }
        std::ifstream file(entry.path(), std::ios::binary);
        std::string line;
        std::getline(file, line);
        std::istringstream head(line);
        char kind = 0;
        std::size_t size = 0;
        Change change;
        change.number = std::stoull(name);
        head >> kind >> change.inode >> change.offset >> change.size >> change.old_size >> size;
        change.bytes.assign(std::istreambuf_iterator<char>(file), {});
        if (!head || change.bytes.size() != size) {
            continue;
        }
        change.kind = Kind{kind};
        changes.push_back(std::move(change));
    }
    std::ranges::sort(changes, {}, &Change::number);
    return changes;
}

void put(int fd, const char* bytes, std::size_t size, off_t offset) {
    if (size != 0 && ::syscall(SYS_pwrite64, fd, bytes, size, offset) != static_cast<long>(size)) {
        give_up("undoing a write");
    }
}
void set_size(int fd, off_t size) {
    if (::syscall(SYS_ftruncate, fd, size) != 0) {
        give_up("undoing a size");
    }
}

void undo(Change& change, int fd) {
    if (change.kind == Kind::name) {
        rename_at(AT_FDCWD, change.to(), AT_FDCWD, change.from());
        return;
    }
    const off_t end = std::min(status_of(fd).st_size, change.offset + change.size);
    std::string later = read_at(fd, change.offset, end);
    put(fd, change.bytes.data(), change.bytes.size(), change.offset);
    set_size(fd, change.old_size);
    change.bytes = std::move(later);
}

// What reached the disk without having been asked to.
void redo_some(const Change& change, int fd, unsigned parity) {
    if (change.kind != Kind::write) {
        if (change.number % 2 != parity) {
            return;
        }
        if (change.kind == Kind::name) {
            rename_at(AT_FDCWD, change.from(), AT_FDCWD, change.to());
        } else {
            set_size(fd, change.offset);
        }
        return;
    }
    const off_t end = change.offset + static_cast<off_t>(change.bytes.size());
    for (off_t at = change.offset; at < end;) {
        const off_t block = at / kBlockBytes;
        const off_t next = std::min(end, (block + 1) * kBlockBytes);
        if ((change.number + static_cast<std::uint64_t>(block)) % 2 == parity) {
            put(fd, &change.bytes[static_cast<std::size_t>(at - change.offset)], static_cast<std::size_t>(next - at),
                at);
        }
        at = next;
    }
}

// Every file under `root` that one of the changes is of, by its inode.
std::map<ino_t, int> open_files(const std::string& root, const std::vector<Change>& changes) {
    std::map<ino_t, int> files;
    for (const Change& change : changes) {
        if (change.kind != Kind::name) {
            files.emplace(change.inode, -1);
        }
    }
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
        const auto file = entry.is_regular_file() ? files.find(inode_at(AT_FDCWD, entry.path())) : files.end();
        if (file != files.end() && file->second < 0) {
            file->second = open_at(AT_FDCWD, entry.path(), O_RDWR | O_NOFOLLOW);
        }
    }
    return files;
}

}  // namespace

UnsyncedChanges::UnsyncedChanges(const std::string& folder) {
    ::syscall(SYS_mkdirat, AT_FDCWD, folder.c_str(), 0700);
    folder_ = open_at(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY);
    if (folder_ < 0) {
        give_up(folder.c_str());
    }
    folder_path_ = path_of(folder_);
    for (const Change& change : load(folder)) {
        pending_[change.number] = {change.inode, change.kind != Kind::name};
        next_ = change.number + 1;
    }
}

UnsyncedChanges::~UnsyncedChanges() {
    ::close(folder_);
}

void UnsyncedChanges::keep(Kind kind, ino_t durable_with, const std::array<off_t, 3>& numbers,
                           const std::string& bytes) {
    std::ostringstream head;
    head << static_cast<char>(kind) << ' ' << durable_with;
    for (const off_t number : numbers) {
        head << ' ' << number;
    }
    head << ' ' << bytes.size() << '\n';
    std::string line = head.str();
    std::string rest = bytes;
    const iovec parts[] = {{line.data(), line.size()}, {rest.data(), rest.size()}};
    const int file = open_at(folder_, name_of(next_), O_WRONLY | O_CREAT | O_TRUNC);  // one cut short may be there
    if (file < 0 || ::syscall(SYS_writev, file, parts, 2) != static_cast<long>(line.size() + rest.size())) {
        give_up("keeping what a power cut would undo");
    }
    ::close(file);
    pending_[next_++] = {durable_with, kind != Kind::name};
}

void UnsyncedChanges::will_write(int fd, off_t offset, std::size_t size) {
    const struct stat status = status_of(fd);
    if (status.st_nlink != 0) {
        const auto length = static_cast<off_t>(size);
        keep(Kind::write, status.st_ino, {offset, length, status.st_size},
             old_bytes(fd, offset, std::min(status.st_size, offset + length)));
    }
}

void UnsyncedChanges::will_resize(int fd, off_t size) {
    const struct stat status = status_of(fd);
    if (status.st_nlink != 0) {
        keep(Kind::resize, status.st_ino, {size, std::max<off_t>(0, status.st_size - size), status.st_size},
             old_bytes(fd, size, status.st_size));
    }
}

void UnsyncedChanges::keep_name(ino_t directory, const std::string& from, const std::string& to) {
    keep(Kind::name, directory, {}, from + "\n" + to);
}

void UnsyncedChanges::made(int directory, const std::string& path) {
    keep_name(inode_at(directory, parent_of(path)), folder_path_ + "/" + nameless(next_), absolute(directory, path));
}

void UnsyncedChanges::renamed(int old_directory, const std::string& old_path, int directory, const std::string& path) {
    keep_name(inode_at(directory, parent_of(path)), absolute(old_directory, old_path), absolute(directory, path));
}

long UnsyncedChanges::remove(int directory, const std::string& path, int flags) {
    const std::string kept = nameless(next_);
    long done = 0;
    if ((flags & AT_REMOVEDIR) != 0) {  // empty, so another will do to come back
        done = ::syscall(SYS_unlinkat, directory, path.c_str(), flags);
        if (done == 0) {
            ::syscall(SYS_mkdirat, folder_, kept.c_str(), 0700);
        }
    } else {
        done = rename_at(directory, path, folder_, kept);
    }
    if (done == 0) {
        keep_name(inode_at(directory, parent_of(path)), absolute(directory, path), folder_path_ + "/" + kept);
    }
    return done;
}

void UnsyncedChanges::synced(int fd, std::uint64_t covered) {
    const ino_t inode = status_of(fd).st_ino;
    std::vector<std::uint64_t> durable;
    for (const auto& [number, change] : pending_) {
        if (change.durable_with == inode && number < covered) {
            durable.push_back(number);
        }
    }
    for (const std::uint64_t number : durable) {
        forget(number);
    }
}

void UnsyncedChanges::forget(std::uint64_t number) {
    if (pending_.erase(number) == 0) {
        return;
    }
    ::syscall(SYS_unlinkat, folder_, name_of(number).c_str(), 0);
    const std::string removed = nameless(number);
    const ino_t inode = inode_at(folder_, removed);
    if (inode == 0) {
        return;
    }
    if (::syscall(SYS_unlinkat, folder_, removed.c_str(), 0) != 0) {
        ::syscall(SYS_unlinkat, folder_, removed.c_str(), AT_REMOVEDIR);
    }
    // The inode may become another file's, which these changes are not of.
    std::vector<std::uint64_t> gone;
    for (const auto& [other, change] : pending_) {
        if (change.bytes && change.durable_with == inode) {
            gone.push_back(other);
        }
    }
    for (const std::uint64_t other : gone) {
        forget(other);
    }
}

std::size_t lose_unsynced(const std::string& folder, const std::string& root, Loss loss) {
    std::vector<Change> changes = load(folder);
    const std::size_t count = changes.size();
    if (loss != Loss::nothing) {
        const std::map<ino_t, int> files = open_files(root, changes);
        const auto file_of = [&files](const Change& change) {
            return change.kind == Kind::name ? -1 : files.at(change.inode);
        };
        std::erase_if(changes, [&](const Change& change) { return change.kind != Kind::name && file_of(change) < 0; });
        for (auto change = changes.rbegin(); change != changes.rend(); ++change) {
            undo(*change, file_of(*change));
        }
        for (const Change& change : changes) {
            if (loss != Loss::everything) {
                redo_some(change, file_of(change), loss == Loss::odd ? 0 : 1);
            }
        }
        for (const auto& [inode, file] : files) {
            if (file >= 0) {
                ::close(file);
            }
        }
    }
    std::filesystem::remove_all(folder);
    return count;
}

}  // namespace xinfu::faults
