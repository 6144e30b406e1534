#include "storage/disk_space.hpp"

#include <sys/statvfs.h>

namespace xinfu::storage {

std::uint64_t disk_free_bytes(int descriptor) {
    struct statvfs disk {};
    return ::fstatvfs(descriptor, &disk) == 0 ? std::uint64_t{disk.f_bavail} * disk.f_frsize : 0;
}

}  // namespace xinfu::storage
