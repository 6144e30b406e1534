#include "daemon/inspector/outbox.hpp"

#include <algorithm>

#include "policies/identifiers.hpp"
#include "policies/mask.hpp"
#include "policies/text.hpp"

namespace xinfu::inspector {
namespace {

// A packet is sent before it would grow beyond this. The largest field value, 10 000 characters of four
// octets, and everything around it still fit.
constexpr std::size_t kBatchSizeBytes = 60 * 1024;
constexpr std::size_t kRecordOverhead = 64;  // tags, lengths, line, flags
constexpr std::size_t kFieldOverhead = 16;
constexpr std::size_t kShownCharacters = 40;
constexpr std::size_t kArgumentSizeBytesMax = 1024;

// The first characters of valid UTF-8.
std::string_view beginning(std::string_view text, std::size_t characters) {
    std::size_t at = 0;
    while (at < text.size()) {
        if ((static_cast<unsigned char>(text[at]) & 0xC0) != 0x80 && characters-- == 0) {
            break;
        }
        ++at;
    }
    return text.substr(0, at);
}

std::string shown_value(const policies::Catalog& catalog, const policies::CheckedRecord& record,
                        const policies::Finding& finding) {
    if (finding.field == policies::kNoField) {
        return {};
    }
    const auto& field = catalog.fields[finding.field];
    const auto value = policies::trim(finding.raw);
    if (const auto number = policies::find_identity_number(value); !number.empty()) {
        return policies::mask(policies::MaskRule{6, 4, {}, {}}, number);
    }
    const auto value_of = [&](std::string_view code) {
        const auto at = catalog.find(code);
        return at == policies::kNoField ? std::string_view{} : record.values[at];
    };
    return policies::mask_by(field.mask, beginning(value, kShownCharacters), value_of);
}

}  // namespace

void Outbox::send(const boundary::InspectorReply& reply) {
    if (!failed_ && !channel_.send(reply)) {
        failed_ = true;
    }
}

void Outbox::flush_records() {
    if (records_size_ != 0) {
        send(records_);
        records_.mutable_records()->Clear();
        records_size_ = 0;
    }
}

void Outbox::flush_defects() {
    if (defects_size_ != 0) {
        send(defects_);
        defects_.mutable_defects()->Clear();
        defects_size_ = 0;
    }
}

void Outbox::flush() {
    flush_records();
    flush_defects();
}

void Outbox::add_record(const policies::Catalog& catalog, std::uint64_t line, const policies::CheckedRecord& record,
                        const boundary::RecordOperation* operation) {
    const std::size_t closing = (operation == nullptr ? 0 : operation->ByteSizeLong() + kFieldOverhead) +
                                kRecordOverhead + 2 * record.subject.size() + record.deciding_unit.size() +
                                record.number.size() + 4 * kFieldOverhead;
    if (records_size_ + kRecordOverhead + closing > kBatchSizeBytes) {
        flush_records();
    }
    if (records_size_ == 0) {
        records_.mutable_records()->set_catalog_version(catalog.version);
        records_size_ += catalog.version.size() + kFieldOverhead;
    }
    auto* part = records_.mutable_records()->add_records();
    part->set_line(line);
    records_size_ += closing;
    for (std::size_t i = 0; i < record.values.size(); ++i) {
        const auto value = record.values[i];
        if (value.empty()) {
            continue;
        }
        const std::size_t size = value.size() + kFieldOverhead;
        if (records_size_ + size > kBatchSizeBytes) {
            // What does not fit goes on in the next packet; a value is never cut.
            part->set_continued(true);
            flush_records();
            records_.mutable_records()->set_catalog_version(catalog.version);
            part = records_.mutable_records()->add_records();
            part->set_line(line);
            records_size_ += closing;
        }
        part->add_fields(static_cast<std::uint32_t>(i));
        part->add_values(value.data(), value.size());
        records_size_ += size;
    }
    part->set_subject(record.subject.data(), record.subject.size());
    for (const std::string_view identity : {record.deciding_unit, record.number, record.subject}) {
        part->add_identity(identity.data(), identity.size());
    }
    part->set_warned(record.warned);
    if (record.due) {
        const auto days = [](policies::Day day) { return static_cast<std::int32_t>(day.time_since_epoch().count()); };
        part->set_due(days(record.due->last_day));
        if (record.due->provisional) {
            part->set_due_earliest(days(record.due->earliest));
        }
    }
    if (operation != nullptr) {
        *part->mutable_operation() = *operation;
    }
}

bool Outbox::room_for(policies::Severity severity) {
    if (severity == policies::Severity::error) {
        return ++errors_ <= kErrorsTold;
    }
    return ++warnings_ <= kWarningsTold;
}

void Outbox::add_defect(boundary::Defect defect) {
    const auto size = defect.ByteSizeLong() + 8;
    if (defects_size_ + size > kBatchSizeBytes) {
        flush_defects();
    }
    *defects_.mutable_defects()->add_defects() = std::move(defect);
    defects_size_ += size;
}

void Outbox::add_findings(const policies::Catalog& catalog, std::uint64_t line, const policies::CheckedRecord& record) {
    for (const auto& finding : record.findings) {
        if (!room_for(finding.severity)) {
            continue;
        }
        boundary::Defect defect;
        defect.set_line(line);
        if (finding.field != policies::kNoField) {
            defect.set_field(catalog.fields[finding.field].code);
        }
        defect.set_code(std::string{finding.code});
        defect.set_severity(finding.severity == policies::Severity::error ? boundary::SEVERITY_ERROR
                                                                          : boundary::SEVERITY_WARNING);
        for (const auto& argument : finding.arguments) {
            defect.add_arguments(std::string{beginning(argument, kArgumentSizeBytesMax / 4)});
        }
        defect.set_masked_value(shown_value(catalog, record, finding));
        add_defect(std::move(defect));
    }
}

void Outbox::add_row_defect(std::uint64_t line, std::string_view code, std::vector<std::string> arguments,
                            std::string_view field) {
    if (!room_for(policies::Severity::error)) {
        return;
    }
    boundary::Defect defect;
    defect.set_line(line);
    defect.set_code(std::string{code});
    defect.set_field(std::string{field});
    for (auto& argument : arguments) {
        defect.add_arguments(std::move(argument));
    }
    add_defect(std::move(defect));
}

}  // namespace xinfu::inspector
