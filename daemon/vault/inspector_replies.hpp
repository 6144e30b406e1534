// InspectorReplies: decodes what one inspector says and keeps the memory of its records for the next of them. A packet
// of records is some thousands of small objects; making and freeing them anew for each costs more than reading them.
//
// Threads: one strand, as the channel. One for each inspector, so that nobody's records lie in the memory of another's.
#pragma once

#include <memory>
#include <string>

#include "crypto/result.hpp"
#include "daemon/boundary/inspector.pb.h"

namespace xinfu::vault {

class InspectorReplies {
public:
    // What it answers lives until the next call. Errors: boundary::Errc::malformed.
    Result<const boundary::InspectorReply*> decode(const std::string& packet);

private:
    boundary::InspectorReply reply_;
    std::unique_ptr<boundary::RecordBatch> spare_;
};

}  // namespace xinfu::vault
