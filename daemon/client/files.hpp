// Files of the command: reading with a bound, and writing so that a half-written file never has the final
// name.
//
// Errors: Stop with Exit::usage, naming the path.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "crypto/bytes.hpp"
#include "crypto/digest.hpp"

namespace xinfu::client {

std::string read_file(const std::string& path, std::size_t size_bytes_max = 16u << 20);
// Written beside the path, synced and renamed. `mode` as chmod(2) takes it, whatever the umask.
void write_file(const std::string& path, std::string_view content, unsigned mode = 0644);
bool exists(const std::string& path);
void make_directory(const std::string& path, unsigned mode = 0700);  // exists already: only the mode is set
std::string absolute(const std::string& path);
std::string base_name(const std::string& path);

// A file being read in pieces; its size is taken at the start.
class InputFile {
public:
    explicit InputFile(const std::string& path);
    ~InputFile();
    InputFile(const InputFile&) = delete;
    InputFile& operator=(const InputFile&) = delete;

    std::uint64_t size() const { return size_; }
    std::size_t read(std::span<std::uint8_t> into);  // 0 at the end
    void rewind();
    void seek(std::uint64_t offset);

private:
    std::string path_;
    int fd_ = -1;
    std::uint64_t size_ = 0;
};

crypto::Digest digest_of_file(const std::string& path);

}  // namespace xinfu::client
