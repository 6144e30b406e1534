#include "storage/object_store.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <mutex>
#include <optional>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/seal.hpp"
#include "storage/disk_space.hpp"
#include "storage/error.hpp"

namespace xinfu::storage {
namespace {

constexpr std::string_view kUnfinished = ".part";
constexpr std::size_t kSealedChunkBytes = crypto::kStreamChunkBytes + crypto::kStreamTagBytes;
constexpr std::size_t kWriteSizeBytes = 4 * kSealedChunkBytes;  // gathered before a write: fewer calls, little memory
// Written back early in steps of this size, so that the sync at the end of a big file has little left to do.
constexpr std::uint64_t kWriteBackBytes = std::uint64_t{8} << 20;

class Descriptor {
public:
    explicit Descriptor(int fd = -1) : fd_(fd) {}
    Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~Descriptor() { close(); }
    int get() const { return fd_; }
    bool valid() const { return fd_ >= 0; }
    int release() { return std::exchange(fd_, -1); }
    void close() {
        if (fd_ >= 0) {
            ::close(std::exchange(fd_, -1));
        }
    }

private:
    int fd_;
};

// By errno.
Errc told(const OnFailure& on_failure, const std::string& what) {
    const int error = errno;
    switch (error) {
        case ENOSPC:
        case EDQUOT: return Errc::store_full;
        case ENOENT: return Errc::not_found;
        case EEXIST: return Errc::exists;
        default: on_failure(what + ": " + std::generic_category().message(error)); return Errc::io_failed;
    }
}

std::string folder_name(const std::string& name) {
    return name.substr(0, 2);
}

// False: errno says why.
bool write_all(int fd, ByteView bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(fd, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0) {
            return false;
        }
        bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
    return true;
}

class SealedWriter final : public ObjectWriter {
public:
    SealedWriter(Descriptor folder, Descriptor file, std::string name, const ObjectId& id, ByteView data_key,
                 const ObjectStoreOptions& options)
        : folder_(std::move(folder)),
          file_(std::move(file)),
          name_(std::move(name)),
          sealer_(data_key, id),
          reserve_bytes_(options.reserve_bytes),
          on_failure_(options.on_failure) {
        sealed_.reserve(kWriteSizeBytes + kSealedChunkBytes);
    }
    ~SealedWriter() override {
        if (!finished_) {
            ::unlinkat(folder_.get(), temporary_name().c_str(), 0);
        }
    }

    Result<void> write(ByteView bytes) override {
        if (closed_) {
            return Errc::misused;
        }
        size_ += bytes.size();
        while (!bytes.empty()) {
            const ByteView part = bytes.first(std::min(bytes.size(), crypto::kStreamChunkBytes));
            sealer_.update(part, sealed_);
            bytes = bytes.subspan(part.size());
            if (sealed_.size() >= kWriteSizeBytes) {
                if (const auto flushed = flush(); !flushed) {
                    return flushed;
                }
            }
        }
        return {};
    }

    Result<void> finish() override {
        if (closed_) {
            return Errc::misused;
        }
        sealer_.finish(sealed_);
        if (const auto flushed = flush(); !flushed) {
            return flushed;
        }
        closed_ = true;
        // The name appears only over synced bytes, and the directory is synced before anyone relies on it. A
        // process that dies in between leaves an orphan, which no committed row names.
        if (::fsync(file_.get()) != 0) {
            return trouble();
        }
        if (::renameat2(folder_.get(), temporary_name().c_str(), folder_.get(), name_.c_str(), RENAME_NOREPLACE) != 0) {
            return trouble();
        }
        finished_ = true;
        if (::fsync(folder_.get()) != 0) {
            return trouble();
        }
        file_.close();
        return {};
    }

    std::uint64_t size_bytes() const override { return size_; }

    static std::string temporary(const std::string& name) { return name + std::string(kUnfinished); }

private:
    std::string temporary_name() const { return temporary(name_); }
    Errc trouble() const { return told(on_failure_, "object " + name_); }

    Result<void> flush() {
        if (disk_free_bytes(file_.get()) < reserve_bytes_) {
            closed_ = true;
            return Errc::store_full;
        }
        if (!write_all(file_.get(), sealed_)) {
            closed_ = true;  // what is in the file is unknown
            return trouble();
        }
        written_ += sealed_.size();
        sealed_.clear();
        if (written_ - written_back_ >= kWriteBackBytes) {
            // Advice only: fsync in finish() is what counts.
            ::sync_file_range(file_.get(), static_cast<off_t>(written_back_),
                              static_cast<off_t>(written_ - written_back_), SYNC_FILE_RANGE_WRITE);
            written_back_ = written_;
        }
        return {};
    }

    Descriptor folder_;
    Descriptor file_;
    std::string name_;
    crypto::StreamSealer sealer_;
    Bytes sealed_;
    std::uint64_t size_ = 0;
    std::uint64_t reserve_bytes_;
    OnFailure on_failure_;
    std::uint64_t written_ = 0;
    std::uint64_t written_back_ = 0;
    bool closed_ = false;
    bool finished_ = false;
};

class SealedReader final : public ObjectReader {
public:
    SealedReader(Descriptor file, std::uint64_t file_size, std::uint64_t plain_size, const ObjectId& id,
                 ByteView data_key, const ObjectStoreOptions& options)
        : file_(std::move(file)),
          left_(file_size),
          size_(plain_size),
          opener_(data_key, id),
          id_(id),
          on_damage_(options.on_damage),
          on_failure_(options.on_failure) {}

    std::uint64_t size_bytes() const override { return size_; }

    Result<ByteView> next() override {
        if (failed_) {
            return Errc::corrupt;
        }
        plain_.clear();
        while (plain_.empty() && !ended_) {
            if (const auto stepped = step(); !stepped) {
                failed_ = true;
                if (stepped.error() == Errc::corrupt) {
                    on_damage_("object " + to_hex(id_));
                }
                return stepped.error();
            }
        }
        return ByteView(plain_);
    }

private:
    Result<void> step() {
        if (left_ == 0) {
            ended_ = true;
            return opener_.finish(plain_) ? Result<void>() : Result<void>(Errc::corrupt);
        }
        sealed_.resize(static_cast<std::size_t>(std::min<std::uint64_t>(left_, kSealedChunkBytes)));
        ssize_t got = 0;
        do {
            got = ::read(file_.get(), sealed_.data(), sealed_.size());
        } while (got < 0 && errno == EINTR);
        if (got < 0) {
            return told(on_failure_, "object " + to_hex(id_));
        }
        if (got == 0) {
            return Errc::corrupt;  // shorter than it was when opened
        }
        left_ -= static_cast<std::uint64_t>(got);
        const ByteView part = ByteView(sealed_).first(static_cast<std::size_t>(got));
        return opener_.update(part, plain_) ? Result<void>() : Result<void>(Errc::corrupt);
    }

    Descriptor file_;
    std::uint64_t left_;
    std::uint64_t size_;
    crypto::StreamOpener opener_;
    Bytes sealed_;
    Bytes plain_;
    bool ended_ = false;
    bool failed_ = false;
    ObjectId id_;
    OnDamage on_damage_;
    OnFailure on_failure_;
};

// How much plain text a sealed file of this size holds; nothing when no stream has this size.
std::optional<std::uint64_t> plain_size(std::uint64_t file_size) {
    const std::uint64_t chunks = (file_size + kSealedChunkBytes - 1) / kSealedChunkBytes;
    if (file_size < chunks * crypto::kStreamTagBytes) {
        return std::nullopt;
    }
    const std::uint64_t plain = file_size - chunks * crypto::kStreamTagBytes;
    return crypto::sealed_stream_size(plain) == file_size ? std::optional(plain) : std::nullopt;
}

class FolderStore final : public ObjectStore {
public:
    FolderStore(Descriptor root, ObjectStoreOptions options) : root_(std::move(root)), options_(std::move(options)) {}

    Result<std::unique_ptr<ObjectWriter>> create(const ObjectId& id, ByteView data_key) const override {
        const std::string name = to_hex(id);
        const std::string folder_path = folder_name(name);
        if (const auto made = make_folder(folder_path); !made) {
            return made.error();
        }
        Descriptor folder = open_folder(folder_path);
        if (!folder.valid()) {
            return trouble(name);
        }
        if (::faccessat(folder.get(), name.c_str(), F_OK, 0) == 0) {
            return Errc::exists;
        }
        Descriptor file(::openat(folder.get(), SealedWriter::temporary(name).c_str(),
                                 O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
        if (!file.valid()) {
            return trouble(name);
        }
        return std::unique_ptr<ObjectWriter>(
            std::make_unique<SealedWriter>(std::move(folder), std::move(file), name, id, data_key, options_));
    }

    Result<std::unique_ptr<ObjectReader>> open(const ObjectId& id, ByteView data_key) const override {
        const std::string name = to_hex(id);
        Descriptor file(
            ::openat(root_.get(), (folder_name(name) + "/" + name).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
        if (!file.valid()) {
            return trouble(name);
        }
        struct stat status {};
        if (::fstat(file.get(), &status) != 0) {
            return trouble(name);
        }
        const auto size = static_cast<std::uint64_t>(status.st_size);
        const auto plain = plain_size(size);
        if (!plain) {
            options_.on_damage("object " + name);
            return Errc::corrupt;
        }
        return std::unique_ptr<ObjectReader>(
            std::make_unique<SealedReader>(std::move(file), size, *plain, id, data_key, options_));
    }

    Result<void> erase(const ObjectId& id) const override {
        const std::string name = to_hex(id);
        const Descriptor folder = open_folder(folder_name(name));
        if (!folder.valid()) {
            return trouble(name);
        }
        if (::unlinkat(folder.get(), name.c_str(), 0) != 0) {
            return trouble(name);
        }
        if (::fsync(folder.get()) != 0) {
            return trouble(name);
        }
        return {};
    }

    Result<std::unique_ptr<ScratchFile>> create_scratch() const override {
        return ScratchFile::create(root_.get(), options_.reserve_bytes, options_.on_failure);
    }

    Result<void> visit(const Visitor& visitor) const override {
        return each_file([&](int folder, const std::string& name) -> Result<bool> {
            const auto id_bytes = from_hex(name);
            struct stat status {};
            ObjectId id{};
            if (!id_bytes || id_bytes->size() != id.size()) {
                return true;
            }
            if (::fstatat(folder, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
                return errno == ENOENT ? Result<bool>(true) : Result<bool>(Errc::io_failed);
            }
            std::ranges::copy(*id_bytes, id.begin());
            return visitor(id, static_cast<std::uint64_t>(status.st_size));
        });
    }

    Result<std::uint64_t> remove_unfinished() const override {
        std::uint64_t removed = 0;
        const auto visited = each_file([&](int folder, const std::string& name) -> Result<bool> {
            if (name.ends_with(kUnfinished)) {
                if (::unlinkat(folder, name.c_str(), 0) != 0) {
                    return Errc::io_failed;
                }
                ++removed;
            }
            return true;
        });
        if (!visited) {
            return visited.error();
        }
        return removed;
    }

private:
    Errc trouble(const std::string& name) const { return told(options_.on_failure, "object " + name); }

    // Relied on once this process saw it synced: who made it may have died before, or been told that it failed.
    Result<void> make_folder(const std::string& path) const {
        const std::lock_guard lock(folders_);
        if (synced_folders_.contains(path)) {
            return {};
        }
        if ((::mkdirat(root_.get(), path.c_str(), 0700) != 0 && errno != EEXIST) || ::fsync(root_.get()) != 0) {
            return told(options_.on_failure, "folder " + path);
        }
        synced_folders_.insert(path);
        return {};
    }

    Descriptor open_folder(const std::string& path) const {
        return Descriptor(::openat(root_.get(), path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
    }

    template <class Each>
    Result<void> each_file(const Each& each) const {
        for (unsigned folder = 0; folder < 256; ++folder) {
            const std::uint8_t byte[] = {static_cast<std::uint8_t>(folder)};
            Descriptor fd = open_folder(to_hex(byte));
            if (!fd.valid()) {
                if (errno == ENOENT) {
                    continue;
                }
                return Errc::io_failed;
            }
            const std::unique_ptr<DIR, int (*)(DIR*)> listing(::fdopendir(fd.get()), &::closedir);
            if (listing == nullptr) {
                return Errc::io_failed;
            }
            const int listed = fd.release();  // closed with the listing
            while (const dirent* entry = ::readdir(listing.get())) {
                const Result<bool> more = each(listed, entry->d_name);
                if (!more) {
                    return more.error();
                }
                if (!*more) {
                    return {};
                }
            }
        }
        return {};
    }

    Descriptor root_;
    ObjectStoreOptions options_;
    mutable std::mutex folders_;
    mutable std::set<std::string> synced_folders_;
};

}  // namespace

Result<std::unique_ptr<ObjectStore>> open_object_store(const std::string& directory, ObjectStoreOptions options) {
    if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
        return told(options.on_failure, directory);
    }
    Descriptor root(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!root.valid()) {
        return told(options.on_failure, directory);
    }
    // Its own name too is durable from here, whoever made it.
    const Descriptor parent(::openat(root.get(), "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!parent.valid() || ::fsync(parent.get()) != 0) {
        return told(options.on_failure, directory);
    }
    return std::unique_ptr<ObjectStore>(std::make_unique<FolderStore>(std::move(root), std::move(options)));
}

}  // namespace xinfu::storage
