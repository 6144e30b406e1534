// PlainReader: a table that nobody signed, for a check that hands nothing in. Everything of BodyReader that is about
// the package is absent.
//
// Threads: one strand.
// Trust:   every octet is hostile.
// Errors:  a Refusal in the verdict.
#pragma once

#include "crypto/bytes.hpp"
#include "daemon/inspector/content_reader.hpp"
#include "daemon/inspector/outbox.hpp"
#include "daemon/inspector/sheet.hpp"

namespace xinfu::inspector {

class PlainReader {
public:
    // `versions`: of the catalog, at least one; the header decides.
    PlainReader(std::vector<const policies::Catalog*> versions, const policies::WorkingDays& calendar,
                policies::Day today, Sheet::Catalogs catalogs, Outbox& outbox);

    // Whether these first octets of a body are those of no package: no SEQUENCE and no "-----BEGIN".
    static bool is_plain(ByteView beginning);

    // Answers false when the vault is gone.
    bool feed(ByteView piece);
    boundary::Verdict finish();
    std::uint64_t size() const { return size_; }

private:
    Outbox& outbox_;
    Sheet sheet_;
    ContentReader content_;
    std::uint64_t size_ = 0;
    std::optional<Refusal> refusal_;
};

}  // namespace xinfu::inspector
