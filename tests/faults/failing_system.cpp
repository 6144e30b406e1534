#include "tests/faults/failing_system.hpp"

#include <cerrno>
#include <cstdio>
#include <deque>
#include <mutex>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

namespace xinfu::faults {
namespace {

// A change that a power cut would undo: a write by what was there before, a rename by its way back.
struct Change {
    bool rename = false;
    ino_t durable_with = 0;  // the file, or for a rename its directory
    std::string path;        // written; or the new name
    std::string old_path;    // renames
    off_t offset = 0;
    off_t old_size = 0;
    std::vector<char> old_bytes;
};

struct State {
    std::recursive_mutex mutex;
    bool armed = false;
    bool fired = false;
    std::uint64_t calls = 0;
    std::uint64_t at = 0;
    Fault fault = Fault::failed;
    int error = 0;
    std::deque<Change> unsynced;
};
State& state() {
    static State instance;
    return instance;
}

std::string path_of(int fd) {
    char path[4096];
    const ssize_t size = ::readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), path, sizeof path);
    return size > 0 ? std::string(path, static_cast<std::size_t>(size)) : std::string();
}

struct stat status_of(int fd) {
    struct stat status {};
    ::fstat(fd, &status);
    return status;
}

void undo(const Change& change) {
    if (change.rename) {
        ::syscall(SYS_renameat2, AT_FDCWD, change.path.c_str(), AT_FDCWD, change.old_path.c_str(), 0);
        return;
    }
    const int fd = ::open(change.path.c_str(), O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    ::syscall(SYS_pwrite64, fd, change.old_bytes.data(), change.old_bytes.size(), change.offset);
    if (::ftruncate(fd, change.old_size) != 0) {
        std::abort();
    }
    ::close(fd);
}

// Bytes first, under the names that files have now, then names.
[[noreturn]] void cut_power(State& now) {
    const bool mixed = now.fault == Fault::power_cut_mixed;
    for (const bool renames : {false, true}) {
        for (std::size_t i = now.unsynced.size(); i-- > 0;) {
            if (now.unsynced[i].rename == renames && (!mixed || i % 2 == 0)) {
                undo(now.unsynced[i]);
            }
        }
    }
    ::_exit(kPowerCutStatus);
}

enum class Turn { pass, misbehave };

// Counts this call; ends the process when it is the one before which the power goes.
Turn count_call(State& now) {
    if (!now.armed || ++now.calls != now.at) {
        return Turn::pass;
    }
    now.fired = true;
    if (now.fault == Fault::power_cut || now.fault == Fault::power_cut_mixed) {
        cut_power(now);
    }
    return Turn::misbehave;
}

ssize_t fail(const State& now) {
    errno = now.error;
    return -1;
}

void remember_write(State& now, int fd, std::size_t size, off_t offset) {
    const struct stat status = status_of(fd);
    // What goes through a synchronous descriptor is on the disk when the call returns.
    if (!now.armed || !S_ISREG(status.st_mode) || (::fcntl(fd, F_GETFL) & O_DSYNC) != 0) {
        return;
    }
    Change change;
    change.durable_with = status.st_ino;
    change.path = path_of(fd);
    change.offset = offset;
    change.old_size = status.st_size;
    change.old_bytes.resize(size);
    const int reader = ::open(change.path.c_str(), O_RDONLY | O_CLOEXEC);
    const long got = ::syscall(SYS_pread64, reader, change.old_bytes.data(), size, offset);
    ::close(reader);
    change.old_bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    now.unsynced.push_back(std::move(change));
}

void remember_synced(State& now, int fd) {
    const ino_t file = status_of(fd).st_ino;
    std::erase_if(now.unsynced, [file](const Change& change) { return change.durable_with == file; });
}

// `write` does the call with at most this many bytes.
template <class Write>
ssize_t guarded_write(int fd, std::size_t size, off_t offset, const Write& write) {
    State& now = state();
    const std::lock_guard lock(now.mutex);
    const Turn turn = count_call(now);
    if (turn == Turn::misbehave && now.fault == Fault::failed) {
        return fail(now);
    }
    remember_write(now, fd, size, offset);
    if (turn == Turn::pass) {
        return write(size);
    }
    write(now.fault == Fault::torn ? size / 2 : size);
    return fail(now);
}

int guarded_sync(int fd, long number) {
    State& now = state();
    const std::lock_guard lock(now.mutex);
    const Turn turn = count_call(now);
    if (turn == Turn::misbehave && now.fault != Fault::stored) {
        return static_cast<int>(fail(now));
    }
    // The disk of the test need not spin: what is synced is what the list no longer holds.
    (void)number;
    remember_synced(now, fd);
    return turn == Turn::pass ? 0 : static_cast<int>(fail(now));
}

std::vector<iovec> first_bytes(const iovec* parts, int count, std::size_t size) {
    std::vector<iovec> cut;
    for (int i = 0; i < count && size > 0; ++i) {
        cut.push_back({parts[i].iov_base, std::min(size, parts[i].iov_len)});
        size -= cut.back().iov_len;
    }
    return cut;
}

std::size_t total(const iovec* parts, int count) {
    std::size_t size = 0;
    for (int i = 0; i < count; ++i) {
        size += parts[i].iov_len;
    }
    return size;
}

}  // namespace

void arm(std::uint64_t at, Fault fault, int error) {
    State& now = state();
    const std::lock_guard lock(now.mutex);
    now.armed = true;
    now.fired = false;
    now.calls = 0;
    now.at = at;
    now.fault = fault;
    now.error = error;
    now.unsynced.clear();
}
void disarm() {
    State& now = state();
    const std::lock_guard lock(now.mutex);
    now.armed = false;
}
bool fired() {
    State& now = state();
    const std::lock_guard lock(now.mutex);
    return now.fired;
}

}  // namespace xinfu::faults

using namespace xinfu::faults;

extern "C" {

ssize_t pwrite(int fd, const void* bytes, size_t size, off_t offset) {
    return guarded_write(fd, size, offset,
                         [&](size_t some) { return ::syscall(SYS_pwrite64, fd, bytes, some, offset); });
}
ssize_t pwrite64(int fd, const void* bytes, size_t size, off_t offset) {
    return pwrite(fd, bytes, size, offset);
}
ssize_t write(int fd, const void* bytes, size_t size) {
    return guarded_write(fd, size, ::lseek(fd, 0, SEEK_CUR),
                         [&](size_t some) { return ::syscall(SYS_write, fd, bytes, some); });
}
ssize_t writev(int fd, const iovec* parts, int count) {
    return guarded_write(fd, total(parts, count), ::lseek(fd, 0, SEEK_CUR), [&](size_t some) {
        const std::vector<iovec> cut = first_bytes(parts, count, some);
        return ::syscall(SYS_writev, fd, cut.data(), cut.size());
    });
}
ssize_t pwritev(int fd, const iovec* parts, int count, off_t offset) {
    return guarded_write(fd, total(parts, count), offset, [&](size_t some) {
        const std::vector<iovec> cut = first_bytes(parts, count, some);
        return ::syscall(SYS_pwritev, fd, cut.data(), cut.size(), offset, 0);
    });
}
int fdatasync(int fd) {
    return guarded_sync(fd, SYS_fdatasync);
}
int fsync(int fd) {
    return guarded_sync(fd, SYS_fsync);
}

int renameat2(int old_folder, const char* old_name, int folder, const char* name, unsigned flags) noexcept {
    State& now = state();
    const std::lock_guard lock(now.mutex);
    const Turn turn = count_call(now);
    if (turn == Turn::misbehave && now.fault != Fault::stored) {
        return static_cast<int>(fail(now));
    }
    const long done = ::syscall(SYS_renameat2, old_folder, old_name, folder, name, flags);
    if (done == 0 && now.armed) {
        Change change;
        change.rename = true;
        change.durable_with = status_of(folder).st_ino;
        change.path = path_of(folder) + "/" + name;
        change.old_path = path_of(old_folder) + "/" + old_name;
        for (Change& earlier : now.unsynced) {
            if (!earlier.rename && earlier.path == change.old_path) {
                earlier.path = change.path;
            }
        }
        now.unsynced.push_back(std::move(change));
    }
    return turn == Turn::pass ? static_cast<int>(done) : static_cast<int>(fail(now));
}

}  // extern "C"
