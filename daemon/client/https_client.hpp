// HttpsClient: HTTP/1.1 requests to one node over a kept connection.
//
// Threads: one at a time.
// Trust:   answers are the authenticated node's, and still bounded: head 64 KiB, body 64 MiB.
// Errors:  Stop with Exit::unreachable when there is no answer.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "daemon/client/files.hpp"
#include "daemon/client/tls_connection.hpp"

namespace xinfu::client {

struct Answer {
    unsigned status = 0;
    std::string body;
    std::string content_type;
    std::string location;
    unsigned retry_after_seconds = 0;
    std::optional<std::uint64_t> upload_offset;  // tus 1.0
};

using Headers = std::vector<std::pair<std::string, std::string>>;

class HttpsClient {
public:
    HttpsClient(Endpoint endpoint, std::shared_ptr<const tls::ClientContext> context);
    ~HttpsClient();

    // A request that may be sent twice without harm: on a kept connection that turns out to be dead it is.
    Answer request(const std::string& method, const std::string& target, const Headers& headers = {},
                   const std::string& body = {});

    // Sends the file from `from` on as the body. An answer that comes early (a refusal) ends the sending.
    using Progress = std::function<void(std::uint64_t sent, std::uint64_t size)>;
    Answer upload(const std::string& method, const std::string& target, Headers headers, InputFile& body,
                  std::uint64_t from, const Progress& progress);

    // Whether the node was ever reached: then a failure is a break, and worth another attempt.
    bool reached() const { return reached_; }

private:
    void connect();
    std::string head(const std::string& method, const std::string& target, const Headers& headers,
                     std::uint64_t length) const;
    boost::system::error_code read_answer(Answer& answer, bool& interim);
    Answer finish(boost::system::error_code error, Answer answer);

    Endpoint endpoint_;
    std::shared_ptr<const tls::ClientContext> context_;
    std::unique_ptr<TlsConnection> connection_;
    bool reached_ = false;
    struct Buffer;
    std::unique_ptr<Buffer> buffer_;  // bytes of the next answer that came with the last
};

}  // namespace xinfu::client
