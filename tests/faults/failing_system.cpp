#include "tests/faults/failing_system.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/faults/unsynced_changes.hpp"

namespace xinfu::faults {
namespace {

struct State {
    std::recursive_mutex mutex;
    Surroundings surroundings;
    std::optional<UnsyncedChanges> unsynced;
    std::optional<Plan> plan;
    std::uint64_t calls = 0;
    bool fired = false;
    bool syncs_lie = false;
};
State& state() {
    static State instance;
    return instance;
}

[[noreturn]] void refuse_to_model(const char* what) {
    std::fprintf(stderr, "the failing system: cannot take back %s\n", what);
    std::abort();
}

// Our files: not sockets and pipes, not what the standard streams go to.
bool is_file(int fd) {
    struct stat status {};
    return fd > STDERR_FILENO && ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

// One call on its way, under the lock.
class Guarded {
public:
    explicit Guarded(Call call) : lock_(now_.mutex) {
        now_.surroundings.before_call();
        if (!now_.plan || (now_.plan->call != Call::any && now_.plan->call != call) || ++now_.calls != now_.plan->at) {
            return;
        }
        const Plan plan = *std::exchange(now_.plan, std::nullopt);
        now_.fired = true;
        if (plan.fault == Fault::power_cut) {
            now_.surroundings.power_cut();
        }
        now_.surroundings.fired();
        if (plan.fault == Fault::lying_syncs) {
            now_.syncs_lie = true;
        } else {
            misbehaves_ = plan;
        }
    }

    // Whether the call is to be made, if only in part.
    bool happens() const { return !misbehaves_ || misbehaves_->fault == Fault::stored; }
    bool torn() const { return misbehaves_ && misbehaves_->fault == Fault::torn; }
    bool syncs_lie() const { return now_.syncs_lie; }
    UnsyncedChanges* unsynced() { return now_.unsynced ? &*now_.unsynced : nullptr; }

    // What the caller gets, errno included.
    template <class Done>
    Done answer(Done done) const {
        if (misbehaves_) {
            errno = misbehaves_->error;
            return -1;
        }
        return done;
    }
    // Lets others go on while `work` lasts.
    template <class Work>
    auto aside(const Work& work) {
        lock_.unlock();
        const auto result = work();
        lock_.lock();
        return result;
    }
    bool syncs_take_time() const { return now_.surroundings.syncs_take_time; }

private:
    State& now_ = state();
    std::unique_lock<std::recursive_mutex> lock_;
    std::optional<Plan> misbehaves_;
};

// `write` does the call with at most this many bytes.
template <class Write>
ssize_t guarded_write(int fd, std::size_t size, off_t offset, const Write& write) {
    if (!is_file(fd)) {
        return write(size);
    }
    Guarded call(Call::write);
    if (!call.happens() && !call.torn()) {
        return call.answer<ssize_t>(-1);
    }
    const bool durable = (::fcntl(fd, F_GETFL) & O_DSYNC) != 0 && !call.syncs_lie();
    if (call.unsynced() != nullptr && !durable) {
        call.unsynced()->will_write(fd, offset, size);
    }
    return call.answer(write(call.torn() ? size / 2 : size));
}

int guarded_sync(int fd, long number) {
    Guarded call(Call::sync);
    if (!call.happens()) {
        return call.answer(-1);
    }
    const std::uint64_t covered = call.unsynced() != nullptr ? call.unsynced()->covered() : 0;
    int done = 0;
    if (call.syncs_take_time()) {
        done = static_cast<int>(call.aside([&] { return ::syscall(number, fd); }));
    }
    if (done == 0 && call.unsynced() != nullptr && !call.syncs_lie()) {
        call.unsynced()->synced(fd, covered);
    }
    return call.answer(done);
}

int guarded_open(int directory, const char* path, int flags, mode_t mode) {
    Guarded call(Call::open);
    if (!call.happens()) {
        return call.answer(-1);
    }
    const bool may_make = (flags & O_CREAT) != 0;
    struct stat status {};
    const bool there = may_make && ::fstatat(directory, path, &status, AT_SYMLINK_NOFOLLOW) == 0;
    const int fd = static_cast<int>(::syscall(SYS_openat, directory, path, flags, mode));
    if (fd >= 0 && call.unsynced() != nullptr) {
        if ((flags & O_TRUNC) != 0) {
            refuse_to_model("O_TRUNC");
        }
        if (may_make && !there) {
            call.unsynced()->made(directory, path);
        }
    }
    const int answer = call.answer(fd);
    if (answer < 0 && fd >= 0) {
        ::close(fd);
    }
    return answer;
}

int guarded_rename(int old_directory, const char* old_path, int directory, const char* path, unsigned flags) {
    Guarded call(Call::name);
    if (!call.happens()) {
        return call.answer(-1);
    }
    struct stat status {};
    if (call.unsynced() != nullptr &&
        (flags & ~unsigned{RENAME_NOREPLACE} || ::fstatat(directory, path, &status, AT_SYMLINK_NOFOLLOW) == 0)) {
        refuse_to_model("a rename over something");
    }
    const auto done = static_cast<int>(::syscall(SYS_renameat2, old_directory, old_path, directory, path, flags));
    if (done == 0 && call.unsynced() != nullptr) {
        call.unsynced()->renamed(old_directory, old_path, directory, path);
    }
    return call.answer(done);
}

int guarded_remove(int directory, const char* path, int flags) {
    Guarded call(Call::name);
    if (!call.happens()) {
        return call.answer(-1);
    }
    const long done = call.unsynced() != nullptr ? call.unsynced()->remove(directory, path, flags)
                                                 : ::syscall(SYS_unlinkat, directory, path, flags);
    return call.answer(static_cast<int>(done));
}

int guarded_mkdir(int directory, const char* path, mode_t mode) {
    Guarded call(Call::name);
    if (!call.happens()) {
        return call.answer(-1);
    }
    const auto done = static_cast<int>(::syscall(SYS_mkdirat, directory, path, mode));
    if (done == 0 && call.unsynced() != nullptr) {
        call.unsynced()->made(directory, path);
    }
    return call.answer(done);
}

int guarded_resize(int fd, off_t size) {
    Guarded call(Call::write);
    if (!call.happens()) {
        return call.answer(-1);
    }
    if (call.unsynced() != nullptr && is_file(fd)) {
        call.unsynced()->will_resize(fd, size);
    }
    return call.answer(static_cast<int>(::syscall(SYS_ftruncate, fd, size)));
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

void watch(const std::string& folder, const Surroundings& surroundings) {
    State& now = state();
    const std::lock_guard lock(now.mutex);
    now.unsynced.emplace(folder);
    now.surroundings = surroundings;
}
void arm(const Plan& plan) {
    State& now = state();
    const std::lock_guard lock(now.mutex);
    now.plan = plan;
    now.calls = 0;
    now.fired = false;
}
bool fired() {
    State& now = state();
    const std::lock_guard lock(now.mutex);
    return now.fired;
}

}  // namespace xinfu::faults

using namespace xinfu::faults;

// glibc's names for them. Those that it lacks a declaration of are called by code that was compiled with
// _FORTIFY_SOURCE.
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
ssize_t pwritev64(int fd, const iovec* parts, int count, off_t offset) {
    return pwritev(fd, parts, count, offset);
}
int ftruncate(int fd, off_t size) noexcept {
    return guarded_resize(fd, size);
}
int ftruncate64(int fd, off_t size) noexcept {
    return guarded_resize(fd, size);
}
int fdatasync(int fd) {
    return guarded_sync(fd, SYS_fdatasync);
}
int fsync(int fd) {
    return guarded_sync(fd, SYS_fsync);
}

static mode_t mode_of(int flags, va_list rest) {
    return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(rest, mode_t) : 0;
}
int open(const char* path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    const mode_t mode = mode_of(flags, rest);
    va_end(rest);
    return guarded_open(AT_FDCWD, path, flags, mode);
}
int open64(const char* path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    const mode_t mode = mode_of(flags, rest);
    va_end(rest);
    return guarded_open(AT_FDCWD, path, flags, mode);
}
int openat(int directory, const char* path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    const mode_t mode = mode_of(flags, rest);
    va_end(rest);
    return guarded_open(directory, path, flags, mode);
}
int openat64(int directory, const char* path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    const mode_t mode = mode_of(flags, rest);
    va_end(rest);
    return guarded_open(directory, path, flags, mode);
}
int __open_2(const char* path, int flags) {
    return guarded_open(AT_FDCWD, path, flags, 0);
}
int __openat_2(int directory, const char* path, int flags) {
    return guarded_open(directory, path, flags, 0);
}

int rename(const char* old_path, const char* path) noexcept {
    return guarded_rename(AT_FDCWD, old_path, AT_FDCWD, path, 0);
}
int renameat(int old_directory, const char* old_path, int directory, const char* path) noexcept {
    return guarded_rename(old_directory, old_path, directory, path, 0);
}
int renameat2(int old_directory, const char* old_path, int directory, const char* path, unsigned flags) noexcept {
    return guarded_rename(old_directory, old_path, directory, path, flags);
}
int unlink(const char* path) noexcept {
    return guarded_remove(AT_FDCWD, path, 0);
}
int unlinkat(int directory, const char* path, int flags) noexcept {
    return guarded_remove(directory, path, flags);
}
int mkdir(const char* path, mode_t mode) noexcept {
    return guarded_mkdir(AT_FDCWD, path, mode);
}
int mkdirat(int directory, const char* path, mode_t mode) noexcept {
    return guarded_mkdir(directory, path, mode);
}

}  // extern "C"
