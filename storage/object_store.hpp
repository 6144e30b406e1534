// Objects: originals too large for the database, each a sealed file of its own, written and synced before the
// commit that names it.
//
// Format:  <first 2 hex digits of the id>/<id, 32 hex digits> below the store's directory: one sealed stream
//          (crypto/seal.hpp) under the object's own data key, with the id as associated data. Chunks of 64
//          KiB cannot be moved, dropped, repeated or cut off unseen, nor the file be put under another id.
// Threads: an ObjectStore is immutable after opening and may be shared; writers and readers belong to one
// thread
//          at a time.
// Errors:  storage::Errc io_failed, store_full, exists, not_found, corrupt.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "crypto/bytes.hpp"
#include "crypto/result.hpp"
#include "storage/damage.hpp"
#include "storage/scratch_file.hpp"

namespace xinfu::storage {

using ObjectId = std::array<std::uint8_t, 16>;

// An object being written. Destroying it unfinished removes the file.
class ObjectWriter {
public:
    virtual ~ObjectWriter() = default;
    virtual Result<void> write(ByteView bytes) = 0;
    // Durable under its name on return: file synced, renamed, directory synced.
    virtual Result<void> finish() = 0;
    virtual std::uint64_t size_bytes() const = 0;  // plain bytes so far
};

class ObjectReader {
public:
    virtual ~ObjectReader() = default;
    // Plain bytes of the whole object, by the file's size.
    virtual std::uint64_t size_bytes() const = 0;
    // The next bytes, opened and authenticated; empty at the end, which is only reached when the whole object
    // was there. The view lives until the next call. After an error nothing more comes.
    virtual Result<ByteView> next() = 0;
};

class ObjectStore {
public:
    virtual ~ObjectStore() = default;

    // `data_key` is 32 bytes and seals this one object only. Errc::exists when the id is taken.
    virtual Result<std::unique_ptr<ObjectWriter>> create(const ObjectId& id, ByteView data_key) const = 0;
    virtual Result<std::unique_ptr<ObjectReader>> open(const ObjectId& id, ByteView data_key) const = 0;
    // Gone durably on return. Errc::not_found.
    virtual Result<void> erase(const ObjectId& id) const = 0;

    // A file without a name, on the same disk.
    virtual Result<std::unique_ptr<ScratchFile>> create_scratch() const = 0;

    // Finished objects, for the sweep of orphans; the visitor answers false to stop, and may erase what it is
    // shown.
    using Visitor = std::function<bool(const ObjectId& id, std::uint64_t file_size_bytes)>;
    virtual Result<void> visit(const Visitor& visitor) const = 0;
    // Removes files that were never finished; call at start, before the first create(). Answers how many.
    virtual Result<std::uint64_t> remove_unfinished() const = 0;
};

struct ObjectStoreOptions {
    std::uint64_t reserve_bytes = 0;  // free disk that objects and scratch files leave to others: Errc::store_full
    OnDamage on_damage = [](const std::string&) {};
    OnFailure on_failure = [](const std::string&) {};
};

// `directory` is relative to the current directory or absolute; made, mode 0700, when it is not there.
Result<std::unique_ptr<ObjectStore>> open_object_store(const std::string& directory, ObjectStoreOptions options = {});

}  // namespace xinfu::storage
