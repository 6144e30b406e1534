// Outbox: what an inspection finds, gathered into packets and sent to the vault in order.
//
// Threads: one strand. Sending blocks while the vault is behind: that is the back-pressure.
// Errors:  a failed send is kept; nothing more is sent, and failed() says so.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "daemon/boundary/blocking_channel.hpp"
#include "daemon/boundary/inspector.pb.h"
#include "policies/catalog.hpp"

namespace xinfu::inspector {

class Outbox {
public:
    // So many findings are told one by one; further ones only counted.
    static constexpr std::uint64_t kErrorsTold = 40000;
    static constexpr std::uint64_t kWarningsTold = 10000;

    explicit Outbox(boundary::BlockingChannel& channel) : channel_(channel) {}

    // `operation`: what the row asks for, when it changes a record.
    void add_record(const policies::Catalog& catalog, std::uint64_t line, const policies::CheckedRecord& record,
                    const boundary::RecordOperation* operation = nullptr);
    void add_findings(const policies::Catalog& catalog, std::uint64_t line, const policies::CheckedRecord& record);
    // A finding about a row that could not become a record.
    void add_row_defect(std::uint64_t line, std::string_view code, std::vector<std::string> arguments,
                        std::string_view field = {});
    void flush();
    void send(const boundary::InspectorReply& reply);

    bool failed() const { return failed_; }
    std::uint64_t errors() const { return errors_; }
    std::uint64_t warnings() const { return warnings_; }

private:
    void flush_records();
    void flush_defects();
    bool room_for(policies::Severity severity);
    void add_defect(boundary::Defect defect);

    boundary::BlockingChannel& channel_;
    boundary::InspectorReply records_;  // kept and cleared, so that its strings stop allocating
    boundary::InspectorReply defects_;
    std::size_t records_size_ = 0;  // an upper bound of the encoding
    std::size_t defects_size_ = 0;
    std::uint64_t errors_ = 0;
    std::uint64_t warnings_ = 0;
    bool failed_ = false;
};

}  // namespace xinfu::inspector
