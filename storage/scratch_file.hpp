// ScratchFile: what is larger than memory and worth nothing after the process: pieces in a file without a name, sealed
// under a key that is nowhere but here. A crash leaves neither the file nor a way to read it, so nothing is synced and
// nothing is swept.
//
// Format:  pieces one behind the other, each sealed (crypto/seal.hpp) with its offset as associated data, so that none
//          can be moved or repeated unseen. The file exists only as long as the object.
// Threads: one at a time.
// Errors:  storage::Errc store_full, io_failed; `corrupt`: a piece is not what was written.
#pragma once

#include <cstdint>
#include <memory>

#include "crypto/bytes.hpp"
#include "crypto/result.hpp"
#include "crypto/seal.hpp"
#include "storage/damage.hpp"

namespace xinfu::storage {

class ScratchFile {
public:
    // In the directory of this descriptor, which stays the caller's. `reserve_bytes`: free disk that it leaves to
    // others.
    static Result<std::unique_ptr<ScratchFile>> create(
        int directory, std::uint64_t reserve_bytes = 0, OnFailure on_failure = [](const std::string&) {});
    ~ScratchFile();
    ScratchFile(const ScratchFile&) = delete;
    ScratchFile& operator=(const ScratchFile&) = delete;

    // Appends one piece and answers its offset. After an error the file is of no more use.
    Result<std::uint64_t> append(ByteView piece);
    // `size_bytes`: of the piece as it was appended.
    Result<Bytes> read(std::uint64_t offset, std::size_t size_bytes) const;

    // From a piece's offset to the next one's.
    static constexpr std::uint64_t stride(std::size_t size_bytes) { return size_bytes + crypto::kSealOverheadBytes; }
    std::uint64_t size_bytes() const { return size_; }

private:
    ScratchFile(int file, std::uint64_t reserve_bytes, OnFailure on_failure);

    int file_;
    std::uint64_t reserve_bytes_;
    OnFailure on_failure_;
    crypto::Sealer sealer_;
    std::uint64_t size_ = 0;
};

}  // namespace xinfu::storage
