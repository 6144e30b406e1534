#include "daemon/client/files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "daemon/client/text.hpp"

namespace xinfu::client {
namespace {

[[noreturn]] void stop_at(const std::string& path, int error) {
    const std::string why = std::strerror(error);
    throw Stop{Exit::usage, {path + ": " + why, path + "：" + why}, {}};
}

}  // namespace

InputFile::InputFile(const std::string& path) : path_(path) {
    fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat status {};
    if (fd_ < 0 || ::fstat(fd_, &status) != 0) {
        stop_at(path, errno);
    }
    if (S_ISDIR(status.st_mode)) {
        ::close(fd_);
        stop_at(path, EISDIR);
    }
    size_ = static_cast<std::uint64_t>(status.st_size);
}

InputFile::~InputFile() {
    ::close(fd_);
}

std::size_t InputFile::read(std::span<std::uint8_t> into) {
    for (;;) {
        const ssize_t got = ::read(fd_, into.data(), into.size());
        if (got >= 0) {
            return static_cast<std::size_t>(got);
        }
        if (errno != EINTR) {
            stop_at(path_, errno);
        }
    }
}

void InputFile::rewind() {
    seek(0);
}

void InputFile::seek(std::uint64_t offset) {
    if (::lseek(fd_, static_cast<off_t>(offset), SEEK_SET) < 0) {
        stop_at(path_, errno);
    }
}

std::string read_file(const std::string& path, std::size_t size_bytes_max) {
    InputFile file(path);
    std::string content;
    std::array<std::uint8_t, 64 * 1024> buffer;
    while (const std::size_t size = file.read(buffer)) {
        content.append(as_text(ByteView(buffer).first(size)));
        if (content.size() > size_bytes_max) {
            throw Stop{Exit::usage, {path + ": too large", path + "：文件过大"}, {}};
        }
    }
    return content;
}

void write_file(const std::string& path, std::string_view content, unsigned mode) {
    const std::string temporary = path + ".part" + std::to_string(::getpid());
    const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        stop_at(path, errno);
    }
    int error = 0;
    while (!content.empty() && error == 0) {
        const ssize_t written = ::write(fd, content.data(), content.size());
        if (written >= 0) {
            content.remove_prefix(static_cast<std::size_t>(written));
        } else if (errno != EINTR) {
            error = errno;
        }
    }
    if (error == 0 && (::fchmod(fd, mode) != 0 || ::fsync(fd) != 0)) {
        error = errno;
    }
    ::close(fd);
    if (error == 0 && ::rename(temporary.c_str(), path.c_str()) != 0) {
        error = errno;
    }
    if (error != 0) {
        ::unlink(temporary.c_str());
        stop_at(path, error);
    }
}

bool exists(const std::string& path) {
    struct stat status {};
    return ::lstat(path.c_str(), &status) == 0;
}

void make_directory(const std::string& path, unsigned mode) {
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
        stop_at(path, errno);
    }
    if (::chmod(path.c_str(), mode) != 0) {
        stop_at(path, errno);
    }
}

std::string absolute(const std::string& path) {
    return std::filesystem::absolute(path).lexically_normal().string();
}

std::string base_name(const std::string& path) {
    return std::filesystem::path(path).filename().string();
}

crypto::Digest digest_of_file(const std::string& path) {
    InputFile file(path);
    crypto::Sha256 digest;
    Bytes buffer(256 * 1024);
    while (const std::size_t size = file.read(buffer)) {
        digest.update(ByteView(buffer).first(size));
    }
    return digest.finish();
}

}  // namespace xinfu::client
