#include "daemon/client/https_client.hpp"

#include <charconv>

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>

#include "daemon/client/text.hpp"

namespace xinfu::client {
namespace http = boost::beast::http;

namespace {

constexpr std::uint32_t kHeadBytesMax = 64 * 1024;
constexpr std::uint64_t kBodyBytesMax = 64u << 20;
constexpr std::size_t kPieceBytes = 64 * 1024;
// How long a node may take to ask for the body; after it, it is sent anyway (RFC 9110 section 10.1.1).
constexpr std::chrono::milliseconds kContinueWait{3000};
// A big file is inspected while it arrives, but its commit and its last checks come after its last byte.
constexpr std::chrono::seconds kAnswerWait{600};
constexpr std::chrono::seconds kOrdinaryWait{60};

}  // namespace

struct HttpsClient::Buffer {
    boost::beast::flat_buffer bytes;
};

HttpsClient::HttpsClient(Endpoint endpoint, std::shared_ptr<const tls::ClientContext> context)
    : endpoint_(std::move(endpoint)), context_(std::move(context)) {}
HttpsClient::~HttpsClient() = default;

void HttpsClient::connect() {
    connection_ = TlsConnection::open(endpoint_, context_);
    reached_ = true;
    buffer_ = std::make_unique<Buffer>();
}

std::string HttpsClient::head(const std::string& method, const std::string& target, const Headers& headers,
                              std::uint64_t length) const {
    std::string text = method + " " + target + " HTTP/1.1\r\nHost: " + endpoint_.authority() +
                       "\r\nUser-Agent: xinfu/" XINFU_VERSION "\r\n";
    for (const auto& [name, value] : headers) {
        text += name + ": " + value + "\r\n";
    }
    if (length != 0 || method != "GET") {
        text += "Content-Length: " + std::to_string(length) + "\r\n";
    }
    return text + "\r\n";
}

boost::system::error_code HttpsClient::read_answer(Answer& answer, bool& interim) {
    http::response_parser<http::string_body> parser;
    parser.header_limit(kHeadBytesMax);
    parser.body_limit(kBodyBytesMax);
    boost::system::error_code error;
    http::read(*connection_, buffer_->bytes, parser, error);
    if (error) {
        return error;
    }
    auto& message = parser.get();
    interim = message.result_int() / 100 == 1;
    answer.status = message.result_int();
    answer.body = std::move(message.body());
    answer.content_type = std::string(message[http::field::content_type]);
    answer.location = std::string(message[http::field::location]);
    if (const auto offset = message["Upload-Offset"]; !offset.empty()) {
        std::uint64_t value = 0;
        if (std::from_chars(offset.data(), offset.data() + offset.size(), value).ec == std::errc{}) {
            answer.upload_offset = value;
        }
    }
    const auto retry = message[http::field::retry_after];
    std::from_chars(retry.data(), retry.data() + retry.size(), answer.retry_after_seconds);
    if (!interim && !message.keep_alive()) {
        connection_.reset();
    }
    return {};
}

Answer HttpsClient::finish(boost::system::error_code error, Answer answer) {
    if (error) {
        connection_.reset();
        throw Stop{Exit::unreachable,
                   {"the connection to " + endpoint_.authority() + " broke: " + error.message(),
                    "与 " + endpoint_.authority() + " 的连接中断：" + error.message()},
                   {}};
    }
    return answer;
}

Answer HttpsClient::request(const std::string& method, const std::string& target, const Headers& headers,
                            const std::string& body) {
    const std::string message = head(method, target, headers, body.size()) + body;
    for (bool kept = connection_ != nullptr;; kept = false) {
        if (!connection_) {
            connect();
        }
        connection_->set_time_limit(kOrdinaryWait);
        Answer answer;
        bool interim = false;
        auto error = connection_->write(as_bytes(message));
        if (!error) {
            error = read_answer(answer, interim);
        }
        if (error && kept) {
            connection_.reset();  // closed while it was idle
            continue;
        }
        return finish(error, std::move(answer));
    }
}

Answer HttpsClient::upload(const std::string& method, const std::string& target, Headers headers, InputFile& body,
                           std::uint64_t from, const Progress& progress) {
    connection_.reset();
    connect();
    connection_->set_time_limit(kOrdinaryWait);
    headers.emplace_back("Expect", "100-continue");
    body.seek(from);
    Answer answer;
    bool interim = false;
    auto error = connection_->write(as_bytes(head(method, target, headers, body.size() - from)));
    bool answered = false;
    if (!error && connection_->wait_for_peer(kContinueWait)) {
        error = read_answer(answer, interim);
        answered = !error && !interim;
    }
    Bytes piece(kPieceBytes);
    std::uint64_t sent = from;
    while (!error && !answered) {
        const std::size_t size = body.read(piece);
        if (size == 0) {
            break;
        }
        error = connection_->write(ByteView(piece).first(size));
        sent += size;
        progress(sent, body.size());
        if (!error && connection_->wait_for_peer(std::chrono::milliseconds(0))) {
            break;
        }
    }
    if (!answered) {
        // Also after a failed write: the reason may lie in the answer that was on its way.
        connection_->set_time_limit(kAnswerWait);
        const auto read_error = read_answer(answer, interim);
        if (!read_error && interim) {
            error = read_answer(answer, interim);
        } else {
            error = read_error && error && error != boost::asio::error::operation_aborted ? error : read_error;
        }
    }
    if (sent != body.size()) {
        connection_.reset();  // the rest of the body was not sent: the connection has no next request
    }
    return finish(error, std::move(answer));
}

}  // namespace xinfu::client
