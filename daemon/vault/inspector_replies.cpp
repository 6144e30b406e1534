#include "daemon/vault/inspector_replies.hpp"

#include "daemon/boundary/packet.hpp"

namespace xinfu::vault {
namespace {

// How a packet of records begins: a field of a known length.
constexpr char kRecordsTag = boundary::InspectorReply::kRecordsFieldNumber << 3 | 2;
static_assert(boundary::InspectorReply::kRecordsFieldNumber < 16, "the tag is one octet");

}  // namespace

Result<const boundary::InspectorReply*> InspectorReplies::decode(const std::string& packet) {
    if (reply_.has_records()) {
        spare_.reset(reply_.release_records());
    }
    reply_.Clear();
    if (packet.empty() || packet.front() != kRecordsTag) {
        const auto decoded = boundary::decode(packet, reply_);
        return decoded ? Result<const boundary::InspectorReply*>(&reply_) : decoded.error();
    }
    if (!spare_) {
        spare_ = std::make_unique<boundary::RecordBatch>();
    }
    spare_->Clear();  // its records stay allocated
    reply_.set_allocated_records(spare_.release());
    if (packet.size() > boundary::kPacketSizeBytesMax || !reply_.MergeFromString(packet)) {
        reply_.Clear();
        return make_error_code(boundary::Errc::malformed);
    }
    return &reply_;
}

}  // namespace xinfu::vault
