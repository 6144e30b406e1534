#include "daemon/inspector/plain_reader.hpp"

namespace xinfu::inspector {

PlainReader::PlainReader(std::vector<const policies::Catalog*> versions, const policies::WorkingDays& calendar,
                         policies::Day today, Sheet::Catalogs catalogs, Outbox& outbox)
    : outbox_(outbox), sheet_(std::move(versions), calendar, today, false, outbox), content_(sheet_) {
    sheet_.know(std::move(catalogs));
}

bool PlainReader::is_plain(ByteView beginning) {
    constexpr std::uint8_t kSequence = 0x30;
    return !beginning.empty() && beginning.front() != kSequence && beginning.front() != '-';
}

bool PlainReader::feed(ByteView piece) {
    if (!refusal_) {
        refusal_ = content_.feed(as_text(piece));
    }
    size_ += piece.size();
    boundary::InspectorReply reply;
    reply.mutable_progress()->set_consumed(size_);
    outbox_.send(reply);
    return !outbox_.failed();
}

boundary::Verdict PlainReader::finish() {
    if (!refusal_) {
        refusal_ = content_.finish();
    }
    if (!refusal_) {
        refusal_ = sheet_.finish();
    }
    outbox_.flush();
    boundary::Verdict verdict;
    if (refusal_) {
        *verdict.mutable_problem() = to_problem(*refusal_);
    }
    sheet_.tell_counts(verdict);
    return verdict;
}

}  // namespace xinfu::inspector
