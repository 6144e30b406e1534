// ResumableUpload: a body sent in parts by tus 1.0, which goes on after a break of the line or of this program.
//
// Trust:   the node is authenticated; the receipt is checked by the caller.
// Errors:  Stop of the connection (Exit::unreachable: call send() again), of the node's refusals to begin.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "crypto/digest.hpp"
#include "daemon/client/node_api.hpp"

namespace xinfu::client {

struct UploadPlan {
    std::string catalog;
    std::string name;
    std::string body;         // path
    crypto::Digest digest{};  // SHA-256 of the body
    std::string kept_at;      // path: where the upload's place is kept until there is an answer
};

class ResumableUpload {
public:
    // Takes up an upload of this body that was begun earlier, if the plan's file says of one.
    ResumableUpload(NodeApi& node, UploadPlan plan);

    // Sends what is missing. Answers as PUT of the body would: with the receipt, or the refusal. An answer whose
    // status asks for a repetition is one, and send() may be called again.
    Answer send(const HttpsClient::Progress& progress);
    // After send(): the node knows no uploads in parts; the answer is its refusal.
    bool unsupported() const { return unsupported_; }
    // Bytes the node is known to have.
    std::uint64_t offset() const { return offset_; }

private:
    std::optional<Answer> open();
    bool find();
    Answer settle(Answer answer);

    NodeApi& node_;
    UploadPlan plan_;
    std::string place_;  // path at the node; empty: not begun
    std::uint64_t offset_ = 0;
    bool unsupported_ = false;
};

}  // namespace xinfu::client
