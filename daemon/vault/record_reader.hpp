// RecordReader: puts an inspector's records together and makes of them what the vault itself vouches for: canonical
// bytes, their digest, and the keys under which they are found. Units are read from the fields, never from a verdict.
//
// Threads: one strand.
// Trust:   records are claims; sizes, field codes and text are checked here.
// Errors:  boundary::Errc::unexpected for a record that no inspector in order would send.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "crypto/canonical_json.hpp"
#include "crypto/digest.hpp"
#include "crypto/result.hpp"
#include "daemon/boundary/common.pb.h"
#include "daemon/boundary/inspector.pb.h"
#include "storage/submissions.hpp"

namespace xinfu::vault {

// What a row asks for that changes a record: the record by its name, the version it replaces, and why.
struct RecordOperation {
    bool withdraw = false;
    storage::SubmissionId submission{};  // as the first node calls it
    std::uint64_t line = 0;
    std::uint64_t version = 0;
    std::string reason;
    bool identity_told = false;  // a withdrawal may leave its fields empty
};
// "<32 hexadecimal digits>-<line>".
std::string record_name(const storage::SubmissionId& submission, std::uint64_t line);

struct PreparedRecord {
    std::uint64_t line = 0;
    Bytes canonical;
    crypto::Digest digest{};
    crypto::Digest identity{};
    crypto::Digest subject_key{};
    std::string subject;
    std::optional<std::int32_t> due;                   // the last day in time, where a term may be over
    std::optional<std::int32_t> due_earliest;          // on a calendar that is not published yet
    std::shared_ptr<const RecordOperation> operation;  // null: a record to be stored as it is
};

class RecordReader {
public:
    static constexpr std::size_t kRecordSizeBytesMax = 256 * 1024;
    static constexpr int kIdentityPartsMax = 8;

    // `unit`: whose records they must be; empty for parcels: then the first record says it, and whoever compares the
    // manifest compares it. `may_speak_for`: for parcels, the platform's units.
    RecordReader(const boundary::CatalogDescription& catalog, ByteView index_key, std::string unit,
                 std::vector<std::string> may_speak_for);

    // Appends complete records to `records`, and a defect for each record of another unit.
    Result<void> read(const boundary::RecordBatch& batch, std::vector<PreparedRecord>& records,
                      std::vector<boundary::Defect>& defects);
    // Whether no record is left half told.
    bool complete() const { return !open_; }

    const std::string& unit() const { return unit_; }
    bool operations() const { return operations_; }       // the file changes records
    std::uint64_t received() const { return received_; }  // records told, those of other units too
    std::uint64_t of_other_units() const { return of_other_units_; }
    crypto::Digest records_digest() { return digests_.finish(); }  // once: over the records appended, in file order

private:
    Result<void> take(const boundary::Record& last, std::vector<PreparedRecord>& records,
                      std::vector<boundary::Defect>& defects);
    Result<std::shared_ptr<const RecordOperation>> read_operation(const boundary::Record& last) const;
    static constexpr std::size_t kNoField = static_cast<std::size_t>(-1);
    std::size_t find(std::string_view code) const;
    std::string_view value(std::size_t field) const { return field == kNoField ? std::string_view() : values_[field]; }
    void begin_record(std::uint64_t line);
    void keep_open_record();
    bool belongs(std::size_t field, const std::string& name, std::string_view code,
                 std::vector<boundary::Defect>& defects) const;

    const boundary::CatalogDescription& catalog_;
    crypto::HmacSha256 index_key_;
    std::string unit_;
    std::vector<std::string> may_speak_for_;
    std::vector<std::string> codes_;  // the catalog's fields in canonical order: places in it name a field below
    std::vector<std::size_t>
        places_;  // of the fields in the order of the catalog's description, as inspectors number them
    std::size_t source_unit_;
    std::size_t deciding_unit_;
    bool open_ = false;  // a record is being told in parts
    std::uint64_t line_ = 0;
    std::uint64_t last_line_ = 0;
    std::vector<std::string_view> values_;  // one for each field; empty: none. They lie in the batch at hand, or in
    std::deque<std::string> kept_;          // the parts of a record that goes on in the next batch
    std::size_t told_ = 0;
    std::vector<crypto::TextField> fields_;  // what take() works with
    std::vector<std::string_view> identity_;
    std::string canonical_;
    std::size_t size_bytes_ = 0;
    bool operations_ = false;
    std::uint64_t received_ = 0;
    std::uint64_t of_other_units_ = 0;
    crypto::Sha256 digests_;
};

}  // namespace xinfu::vault
