// OriginalReader: a stored original, opened piece by piece. Small ones lie sealed in the submission's row, large ones
// in a sealed object.
//
// Threads: one at a time; the vault's `io`.
// Errors:  storage::Errc: not_found when nothing was kept, corrupt when a piece does not open.
#pragma once

#include <memory>
#include <optional>

#include "crypto/pem_stream.hpp"
#include "daemon/boundary/descriptor.hpp"
#include "daemon/vault/exchange.hpp"
#include "storage/object_store.hpp"
#include "storage/submissions.hpp"

namespace xinfu::vault {

class OriginalReader {
public:
    OriginalReader(Bytes whole, std::uint64_t length) : whole_(std::move(whole)), length_(length) {}
    OriginalReader(std::unique_ptr<storage::ObjectReader> object, std::uint64_t length)
        : object_(std::move(object)), length_(length) {}

    std::uint64_t length() const { return length_; }
    // The next bytes; empty at the end. The view lives until the next call.
    Result<ByteView> next();
    // From here on next() answers the CMS inside, without armour. Before the first next().
    void take_off_armour() { armour_.emplace(); }

private:
    Result<ByteView> next_stored();
    Bytes whole_;
    bool given_ = false;
    std::unique_ptr<storage::ObjectReader> object_;
    std::uint64_t length_ = 0;
    std::optional<crypto::PemStream> armour_;
    Bytes package_;
};

// The body as PUT.
Result<OriginalReader> open_original(Context& context, const storage::SubmissionId& id,
                                     const storage::rows::Submission& row);
// The CMS inside it, which the row's original_offset and original_length count in.
Result<OriginalReader> open_package(Context& context, const storage::SubmissionId& id,
                                    const storage::rows::Submission& row);

// Writes it into the stream until it is complete, the reader has gone, or nobody reads for a minute. A stream that
// ends early is how the other side learns of an error: it knows the length.
asio::awaitable<void> pour_original(Context& context, OriginalReader original, boundary::Descriptor stream,
                                    ExchangePointer exchange);

}  // namespace xinfu::vault
