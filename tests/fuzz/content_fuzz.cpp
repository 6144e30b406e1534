// Whatever the signed content, JSON Lines, XML or separated values: it is read the same in any pieces; what is told of
// it fits together; and what is told of a record are values in UTF-8 without characters that no record may have.
#include <poll.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include "daemon/boundary/blocking_channel.hpp"
#include "daemon/inspector/content_reader.hpp"
#include "policies/codes.hpp"
#include "policies/text.hpp"

namespace {

using namespace xinfu;

void require(bool condition) {
    if (!condition) {
        std::abort();
    }
}

const policies::Catalog& catalog() {
    static const auto loaded = [] {
        std::ifstream file(std::string{XINFU_SOURCE_DIR} + "/policies/packs/administrative-penalty.yaml");
        std::ostringstream text;
        text << file.rdbuf();
        return policies::load_catalog(text.str());
    }();
    return loaded.value.value();
}

struct Told {
    std::string text;  // one line for everything
    std::uint64_t last_line = 0;
    std::uint64_t records = 0;
};

void take(const boundary::InspectorReply& reply, Told& told) {
    for (const auto& record : reply.records().records()) {
        told.text += std::to_string(record.line());
        require(record.fields_size() == record.values_size());
        for (int i = 0; i < record.fields_size(); ++i) {
            const std::string& value = record.values(i);
            require(record.fields(i) < catalog().fields.size() && !value.empty());
            require(policies::find_malformed_utf8(value) == std::string_view::npos);
            require(policies::find_forbidden(value, true) == 0);
            told.text += "|" + catalog().fields[record.fields(i)].code + "=" + value;
        }
        if (!record.continued()) {
            require(record.line() > told.last_line);
            told.last_line = record.line();
            ++told.records;
        }
    }
    for (const auto& defect : reply.defects().defects()) {
        require(policies::find_code(defect.code()) != nullptr);
        require(policies::find_malformed_utf8(defect.masked_value()) == std::string_view::npos);
        told.text += "!" + std::to_string(defect.line()) + defect.field() + defect.code();
    }
}

std::string read(std::string_view content, std::size_t piece_size) {
    static const policies::WorkingDays kCalendar;
    const policies::Day today{std::chrono::days{20779}};
    auto pair = boundary::make_packet_pair();
    require(pair.has_value());
    boundary::BlockingChannel from(boundary::Connection{std::move(pair->first), {::getuid(), false, 0}});
    boundary::BlockingChannel to(boundary::Connection{std::move(pair->second), {::getuid(), false, 0}});
    Told told;
    const auto drain = [&] {
        pollfd ready{to.fd(), POLLIN, 0};
        while (::poll(&ready, 1, 0) == 1) {
            const auto reply = to.receive<boundary::InspectorReply>();
            require(reply.has_value());
            take(reply->message, told);
        }
    };
    inspector::Outbox outbox(from);
    inspector::Sheet sheet({&catalog()}, kCalendar, today, false, outbox);
    inspector::ContentReader reader(sheet);
    std::optional<inspector::Refusal> refusal;
    for (std::size_t at = 0; at < content.size() && !refusal; at += piece_size) {
        refusal = reader.feed(content.substr(at, piece_size));
        if (at % 4096 < piece_size) {
            drain();
        }
    }
    if (!refusal) {
        refusal = reader.finish();
    }
    outbox.flush();
    drain();
    require(!refusal || policies::find_code(refusal->code) != nullptr);
    require(told.records + sheet.defective() == sheet.records());
    return told.text + (refusal ? refusal->code : "");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr std::size_t kSizeMax = 64 * 1024;  // what the socket between the two ends holds
    const std::string_view content{reinterpret_cast<const char*>(data), size < kSizeMax ? size : kSizeMax};
    const auto whole = read(content, content.size() + 1);
    require(read(content, 1) == whole);
    require(read(content, 7) == whole);
    return 0;
}
