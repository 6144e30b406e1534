// What a power cut takes back: every change of bytes, sizes and names that no sync has made durable yet. Each is kept
// as a file in a folder until then, so it outlives the process: whatever ended that can be made a power cut afterwards.
//
// Model:   bytes and sizes become durable by a sync of their file, names by a sync of their directory, a write to a
//          descriptor opened with O_DSYNC when it returns. Nothing else reaches the disk, however long it waits.
// Limits:  files without a name are not kept, as no power cut leaves them; shared memory maps are not seen; nobody else
//          changes these files.
// Threads: the caller's lock, except that of a sync only the two ends need it.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>

#include <sys/types.h>

namespace xinfu::faults {

class UnsyncedChanges {
public:
    enum class Kind : char { write = 'w', resize = 'r', name = 'n' };

    // Makes the folder, whose place must be on the same file system. What an earlier process left in it is still
    // unsynced.
    explicit UnsyncedChanges(const std::string& folder);
    UnsyncedChanges(const UnsyncedChanges&) = delete;
    UnsyncedChanges& operator=(const UnsyncedChanges&) = delete;
    ~UnsyncedChanges();

    // Before the call.
    void will_write(int fd, off_t offset, std::size_t size);
    void will_resize(int fd, off_t size);
    // After the call succeeded. Paths as open(2) and others take them, relative to a directory's descriptor.
    void made(int directory, const std::string& path);
    void renamed(int old_directory, const std::string& old_path, int directory, const std::string& path);
    // In place of the call, which it does: what was removed must be there to come back. As unlinkat(2).
    long remove(int directory, const std::string& path, int flags);

    // A sync that begins now will cover so much.
    std::uint64_t covered() const { return next_; }
    void synced(int fd, std::uint64_t covered);

private:
    struct Pending {
        ino_t durable_with;
        bool bytes;
    };
    void keep(Kind kind, ino_t durable_with, const std::array<off_t, 3>& numbers, const std::string& bytes);
    void keep_name(ino_t directory, const std::string& from, const std::string& to);
    void forget(std::uint64_t number);

    int folder_ = -1;
    std::string folder_path_;
    std::uint64_t next_ = 1;
    std::map<std::uint64_t, Pending> pending_;
};

// Of what was unsynced, by number of the change, or of 4 KiB of a write: real disks take them in any order.
enum class Loss { nothing, everything, even, odd };

// Once the process is gone: undoes what is lost; the rest is durable from here. `root` holds all files concerned.
// Answers how many changes were unsynced.
std::size_t lose_unsynced(const std::string& folder, const std::string& root, Loss loss);

}  // namespace xinfu::faults
