// NodeApi: a node as the verbs use it. Logs a person in when the node asks for that, and turns problems into
// Stops.
//
// Threads: one at a time.
// Errors:  Stop: Exit::unreachable when there is no answer or the problem says "later" or "same", else
//          Exit::refused with the problem's code and sentences; Exit::usage for unreadable keys and
//          certificates.
#pragma once

#include <optional>
#include <string>

#include "daemon/client/https_client.hpp"
#include "daemon/client/json.hpp"
#include "daemon/client/text.hpp"

namespace CLI {
class App;
}

namespace xinfu::client {

struct NodeOptions {
    std::string url;
    std::string ca;
    std::string cert;
    std::string key;
    std::string password_file;
};
// --url --ca --cert --key --password-file, or XINFU_URL, XINFU_CA, XINFU_CERT, XINFU_KEY.
void add_node_options(CLI::App& verb, NodeOptions& options);

// First line of the file, or, without one, what a person types at the terminal. Stop with Exit::usage when
// neither.
std::string read_password(const std::string& file, const Text& prompt);

class NodeApi {
public:
    explicit NodeApi(const NodeOptions& options);

    json::object get(const std::string& path);
    json::object post(const std::string& path, const json::object& body);
    // Any successful answer.
    Answer get_answer(const std::string& path);
    // POST of a CMS.
    json::object post_cms(const std::string& path, ByteView cms);
    // Logs in, or sets a first password. Errors as the node's.
    void open_session(const std::string& password, const std::string& new_password);
    // The answer whatever it says: 4xx included.
    Answer upload(const std::string& method, const std::string& path, Headers headers, InputFile& body,
                  std::uint64_t from, const HttpsClient::Progress& progress);
    Answer request(const std::string& method, const std::string& path, const Headers& headers);
    bool reached() const { return client_.reached(); }

private:
    Answer ask(const std::string& method, const std::string& path, const std::string& body,
               const std::string& type = "application/json");

    NodeOptions options_;
    HttpsClient client_;
    std::string token_;
};

// What a refusal says. `answer.status` is 400 or above.
Stop stop_for(const Answer& answer);
json::object parse_answer(const Answer& answer);

// Percent-encoding of one path segment (RFC 3986).
std::string encode_segment(std::string_view text);

}  // namespace xinfu::client
