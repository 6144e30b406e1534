#include "daemon/inspector/zip_archive.hpp"

#include <algorithm>
#include <vector>

#include <zip.h>

namespace xinfu::inspector {
namespace {

constexpr std::size_t kPieceSizeBytes = 64 * 1024;

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

struct FileCloser {
    void operator()(zip_file_t* file) const { zip_fclose(file); }
};

}  // namespace

void ZipArchive::Closer::operator()(zip* archive) const {
    zip_discard(archive);
}

ZipArchive::ZipArchive(std::string_view octets) {
    zip_error_t error;
    zip_error_init(&error);
    zip_source_t* source = zip_source_buffer_create(octets.data(), octets.size(), 0, &error);
    if (source != nullptr) {
        archive_.reset(zip_open_from_source(source, ZIP_RDONLY, &error));
        if (!archive_) {
            zip_source_free(source);
        }
    }
    zip_error_fini(&error);
    if (archive_ && (zip_get_num_entries(archive_.get(), 0) < 1 ||
                     static_cast<std::size_t>(zip_get_num_entries(archive_.get(), 0)) > kEntriesMax)) {
        archive_.reset();
    }
}

ZipArchive::~ZipArchive() = default;

ZipArchive::Outcome ZipArchive::read(const std::string& name, std::uint64_t size_max,
                                     const std::function<bool(std::string_view)>& take) const {
    const auto count = zip_get_num_entries(archive_.get(), 0);
    zip_int64_t index = -1;
    for (zip_int64_t i = 0; i < count; ++i) {
        const char* entry = zip_get_name(archive_.get(), static_cast<zip_uint64_t>(i), ZIP_FL_ENC_RAW);
        if (entry != nullptr && std::ranges::equal(std::string_view{entry}, name, {}, lower, lower)) {
            if (index >= 0) {
                return Outcome::ambiguous;
            }
            index = i;
        }
    }
    if (index < 0) {
        return Outcome::absent;
    }
    zip_stat_t stat;
    zip_stat_init(&stat);
    if (zip_stat_index(archive_.get(), static_cast<zip_uint64_t>(index), 0, &stat) != 0) {
        return Outcome::damaged;
    }
    if ((stat.valid & ZIP_STAT_ENCRYPTION_METHOD) != 0 && stat.encryption_method != ZIP_EM_NONE) {
        return Outcome::encrypted;
    }
    const std::unique_ptr<zip_file_t, FileCloser> file(
        zip_fopen_index(archive_.get(), static_cast<zip_uint64_t>(index), 0));
    if (!file) {
        return Outcome::damaged;
    }
    std::vector<char> piece(kPieceSizeBytes);
    std::uint64_t size = 0;
    for (;;) {
        const auto got = zip_fread(file.get(), piece.data(), piece.size());
        if (got < 0) {
            return Outcome::damaged;
        }
        if (got == 0) {
            return Outcome::good;
        }
        size += static_cast<std::uint64_t>(got);
        if (size > size_max) {
            return Outcome::too_large;
        }
        if (!take({piece.data(), static_cast<std::size_t>(got)})) {
            return Outcome::stopped;
        }
    }
}

}  // namespace xinfu::inspector
