#include "storage/scratch_file.hpp"

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/random.hpp"
#include "storage/disk_space.hpp"
#include "storage/error.hpp"
#include "storage/row_codec.hpp"

namespace xinfu::storage {
namespace {

// By errno.
Errc told(const OnFailure& on_failure) {
    const int error = errno;
    if (error == ENOSPC || error == EDQUOT) {
        return Errc::store_full;
    }
    on_failure("a scratch file: " + std::generic_category().message(error));
    return Errc::io_failed;
}

Bytes place(std::uint64_t offset) {
    Bytes bytes;
    codec::append_big(bytes, offset);
    return bytes;
}

// Where the file system has no files without a name, one is made and loses its name at once. Its name ends as those of
// objects that were never finished do: should the process die in between, the next start removes it.
int open_without_name(int directory) {
    const int file = ::openat(directory, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (file >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)) {
        return file;
    }
    if (::mkdirat(directory, "00", 0700) != 0 && errno != EEXIST) {
        return -1;
    }
    const std::string name = "00/scratch-" + to_hex(crypto::system_random().array<16>()) + ".part";
    const int named = ::openat(directory, name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (named >= 0) {
        ::unlinkat(directory, name.c_str(), 0);
    }
    return named;
}

}  // namespace

ScratchFile::ScratchFile(int file, std::uint64_t reserve_bytes, OnFailure on_failure)
    : file_(file),
      reserve_bytes_(reserve_bytes),
      on_failure_(std::move(on_failure)),
      sealer_(crypto::system_random().secret(crypto::kSealKeySizeBytes).view()) {}

ScratchFile::~ScratchFile() {
    ::close(file_);
}

Result<std::unique_ptr<ScratchFile>> ScratchFile::create(int directory, std::uint64_t reserve_bytes,
                                                         OnFailure on_failure) {
    const int file = open_without_name(directory);
    if (file < 0) {
        return told(on_failure);
    }
    return std::unique_ptr<ScratchFile>(new ScratchFile(file, reserve_bytes, std::move(on_failure)));
}

Result<std::uint64_t> ScratchFile::append(ByteView piece) {
    if (disk_free_bytes(file_) < reserve_bytes_) {
        return Errc::store_full;
    }
    const std::uint64_t offset = size_;
    const Bytes sealed = sealer_.seal(piece, place(offset));
    ByteView rest = sealed;
    while (!rest.empty()) {
        const ssize_t written = ::pwrite(file_, rest.data(), rest.size(), static_cast<off_t>(size_));
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0) {
            return told(on_failure_);
        }
        size_ += static_cast<std::uint64_t>(written);
        rest = rest.subspan(static_cast<std::size_t>(written));
    }
    return offset;
}

Result<Bytes> ScratchFile::read(std::uint64_t offset, std::size_t size_bytes) const {
    Bytes sealed(stride(size_bytes));
    std::size_t filled = 0;
    while (filled < sealed.size()) {
        const ssize_t got =
            ::pread(file_, sealed.data() + filled, sealed.size() - filled, static_cast<off_t>(offset + filled));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return told(on_failure_);
        }
        if (got == 0) {
            return Errc::corrupt;
        }
        filled += static_cast<std::size_t>(got);
    }
    auto opened = sealer_.open(sealed, place(offset));
    if (!opened) {
        return Errc::corrupt;
    }
    return std::move(*opened);
}

}  // namespace xinfu::storage
