// LogAudit: reads a log from its first entry, or from an earlier checkpoint on, and recomputes everything
// that its newest checkpoint states: each entry against its tile, each tile against those below it, the root
// against the signature, and the old checkpoint against the new tree.
//
// Format:  C2SP tlog-tiles.
// Sources: RFC 6962 section 2.1.
// Trust:   every byte comes from whoever keeps the log, and is believed only where it leads to the signed
// root. Errors:  Stop with Exit::evidence and a code XF-80xx; those of the source.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "crypto/merkle.hpp"
#include "daemon/client/receipt.hpp"

namespace xinfu::client {

// Where a log is read from: "checkpoint" and tile paths. An empty optional: there is no such part.
class LogSource {
public:
    virtual ~LogSource() = default;
    virtual std::optional<std::string> read(const std::string& path) = 0;
};

class DirectorySource final : public LogSource {
public:
    explicit DirectorySource(std::string directory);
    std::optional<std::string> read(const std::string& path) override;

private:
    std::string directory_;
};

struct AuditResult {
    crypto::Checkpoint checkpoint;
    crypto::OpenedNote note;
    std::uint64_t first = 0;  // entries from this one on were read
    std::string first_time;   // of the entries read, as their leaves say; empty when there are none
    std::string last_time;
};

using AuditProgress = std::function<void(std::uint64_t read, std::uint64_t size)>;

// `from`: an earlier checkpoint of the same log, whole, as it was kept.
AuditResult audit_log(LogSource& source, const TrustedKeys& keys, const std::optional<std::string>& from,
                      const AuditProgress& progress);

}  // namespace xinfu::client
