// LogExport: a log as files, so that it can be checked on a machine that has never heard of the node. The
// directory is laid out as the log is served, beside a list of digests; whoever has the log's key needs
// nothing else.
//
// Format:  C2SP tlog-tiles; docs/formats/log.md for the list, which `sha256sum --check` understands.
// Trust:   nothing is believed while exporting; checking an export is check_export(), then audit_log().
// Errors:  Stop; Exit::evidence with XF-8010 (an export's file), XF-8011 (a part the log lacks).
#pragma once

#include <cstdint>
#include <string>

#include "daemon/client/log_audit.hpp"

namespace xinfu::client {

inline constexpr std::string_view kExportList = "SHA256SUMS";

struct ExportResult {
    std::string origin;
    std::uint64_t size = 0;   // entries
    std::uint64_t files = 0;  // without the list
};

// Copies checkpoint, tiles and entry bundles from `source` into `directory`, which it makes, or which is empty. The
// list is written last: a directory without it is not a finished export.
ExportResult export_log(LogSource& source, const std::string& directory, const AuditProgress& progress);

// Every file the list names is there and unchanged, and no other file is. A directory without a list is not an
// export, and is left to audit_log() alone: answers false.
bool check_export(const std::string& directory);

}  // namespace xinfu::client
