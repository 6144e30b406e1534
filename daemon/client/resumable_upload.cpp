#include "daemon/client/resumable_upload.hpp"

#include <unistd.h>

#include <optional>

#include "daemon/client/files.hpp"
#include "daemon/client/text.hpp"

namespace xinfu::client {
namespace {

const std::pair<std::string, std::string> kVersion{"Tus-Resumable", "1.0.0"};

std::string pair(const std::string& key, std::string_view value) {
    return key + " " + to_base64(as_bytes(value));
}

}  // namespace

ResumableUpload::ResumableUpload(NodeApi& node, UploadPlan plan) : node_(node), plan_(std::move(plan)) {
    // Two lines: the body's digest and the place. Another body begins anew.
    if (exists(plan_.kept_at)) {
        const std::string kept = read_file(plan_.kept_at, 4096);
        const std::size_t end = kept.find('\n');
        if (end != std::string::npos && kept.ends_with('\n') && kept.substr(0, end) == to_hex(plan_.digest)) {
            place_ = kept.substr(end + 1, kept.size() - end - 2);
        }
    }
}

// Where the node is. False: it has no such upload any more.
bool ResumableUpload::find() {
    const Answer answer = node_.request("HEAD", place_, {kVersion});
    if (answer.status == 404) {
        return false;
    }
    if (answer.status != 200 || !answer.upload_offset) {
        throw stop_for(answer);
    }
    offset_ = *answer.upload_offset;
    return true;
}

// Empty: begun. Else the refusal of a node that has no such service.
std::optional<Answer> ResumableUpload::open() {
    const std::uint64_t size = InputFile(plan_.body).size();
    Answer answer = node_.request("POST", "/v1/uploads",
                                  {kVersion,
                                   {"Upload-Length", std::to_string(size)},
                                   {"Upload-Metadata", pair("catalog", plan_.catalog) + "," + pair("name", plan_.name) +
                                                           "," + pair("sha256", to_hex(plan_.digest))}});
    unsupported_ =
        answer.status == 405 || answer.status == 501 || (answer.status == 404 && stop_for(answer).code == "XF-1105");
    if (unsupported_) {
        return answer;
    }
    if (answer.status != 201 || answer.location.empty()) {
        throw stop_for(answer);
    }
    place_ = answer.location;
    offset_ = 0;
    write_file(plan_.kept_at, to_hex(plan_.digest) + "\n" + place_ + "\n", 0600);
    return std::nullopt;
}

Answer ResumableUpload::send(const HttpsClient::Progress& progress) {
    if (place_.empty() || !find()) {
        if (auto refused = open()) {
            return std::move(*refused);
        }
    }
    InputFile body(plan_.body);
    return settle(node_.upload(
        "PATCH", place_,
        {kVersion, {"Upload-Offset", std::to_string(offset_)}, {"Content-Type", "application/offset+octet-stream"}},
        body, offset_, progress));
}

Answer ResumableUpload::settle(Answer answer) {
    if (answer.status == 204 && !answer.location.empty()) {
        Answer receipt = node_.get_answer(answer.location + "/receipt");
        receipt.status = 201;
        receipt.location = answer.location;
        ::unlink(plan_.kept_at.c_str());
        return receipt;
    }
    if (answer.status >= 400 && stop_for(answer).exit != Exit::unreachable) {
        ::unlink(plan_.kept_at.c_str());
    }
    return answer;
}

}  // namespace xinfu::client
