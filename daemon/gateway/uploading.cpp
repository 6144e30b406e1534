// Uploads that go on after a break: tus 1.0 with creation, termination, checksum and expiration.
//
// Sources: tus resumable upload protocol 1.0.0. What is particular here: Upload-Metadata must name `catalog`, `name`
// (or `filename`) and `sha256` (hex, of the whole body); the PATCH that makes the upload whole hands it in, and is
// answered with 204 and Location of the submission, or with the problem that refuses it. A PATCH without bytes at the
// end of a whole upload does the same again: for clients whose line broke before that answer.
#include <charconv>
#include <ctime>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "crypto/bytes.hpp"
#include "daemon/gateway/acts.hpp"
#include "daemon/gateway/body_flow.hpp"
#include "daemon/gateway/render.hpp"

namespace xinfu::gateway {
namespace {

using boundary::GatewayReply;
using boundary::GatewayRequest;
using Answer = std::optional<Response>;

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::string_view kVersion = "1.0.0";
constexpr std::string_view kPartType = "application/offset+octet-stream";
constexpr std::size_t kMetadataSizeBytesMax = 4096;

Response empty_response(unsigned status) {
    return {.status = status, .content_type = {}, .body = {}, .headers = {}, .close = false};
}

// Every answer of the protocol says its version.
Response with_version(Response response) {
    response.headers.emplace_back("Tus-Resumable", std::string(kVersion));
    return response;
}

std::string header(const Request& request, std::string_view name) {
    const auto value = request.parser.get()[boost::beast::string_view(name.data(), name.size())];
    return {value.data(), value.size()};
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
    std::uint64_t value = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size()) {
        return std::nullopt;
    }
    return value;
}

// RFC 9110 section 5.6.7.
std::string imf_date(std::int64_t time_ms) {
    const std::time_t seconds = time_ms / 1000;
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    char text[40];
    const std::size_t size = std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    return {text, size};
}

// "key base64,key base64": later keys of a name do not count.
std::map<std::string, std::string> parse_metadata(std::string_view text) {
    std::map<std::string, std::string> values;
    if (text.size() > kMetadataSizeBytesMax) {
        return values;
    }
    while (!text.empty()) {
        const auto comma = text.find(',');
        std::string_view pair = text.substr(0, comma);
        text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
        while (pair.starts_with(' ')) {
            pair.remove_prefix(1);
        }
        const auto space = pair.find(' ');
        if (space == std::string_view::npos) {
            continue;
        }
        if (const auto value = from_base64(pair.substr(space + 1))) {
            values.emplace(std::string(pair.substr(0, space)), std::string(as_text(*value)));
        }
    }
    return values;
}

// One question, its first reply. Empty: `response` says why there is none.
asio::awaitable<std::optional<boundary::Envelope<GatewayReply>>> ask(Connection& connection, GatewayRequest question,
                                                                     RequestCaller::Call& call, Answer& response) {
    response = closing(make_problem("XF-6003", {}, 1));
    const auto caller = connection.caller();
    if (!caller) {
        co_return std::nullopt;
    }
    auto starting = caller->start(std::move(question));
    auto started = co_await std::move(starting);
    if (!started) {
        co_return std::nullopt;
    }
    call = std::move(*started);
    auto waiting = call.next();
    auto reply = co_await std::move(waiting);
    if (!reply) {
        co_return std::nullopt;
    }
    if (reply->message.has_problem()) {
        response = render_problem(reply->message.problem());
        co_return std::nullopt;
    }
    response.reset();
    co_return std::move(*reply);
}

Response about(const boundary::UploadView& view, unsigned status) {
    Response response = empty_response(status);
    response.headers.emplace_back("Upload-Offset", std::to_string(view.offset()));
    response.headers.emplace_back("Upload-Expires", imf_date(view.expires_ms()));
    return response;
}

Response describe_protocol(std::uint64_t size_max) {
    Response response = empty_response(204);
    response.headers.emplace_back("Tus-Version", std::string(kVersion));
    response.headers.emplace_back("Tus-Extension", "creation,termination,checksum,expiration");
    response.headers.emplace_back("Tus-Checksum-Algorithm", "sha1,sha256");
    response.headers.emplace_back("Tus-Max-Size", std::to_string(size_max));
    return response;
}

asio::awaitable<Response> open_upload(Connection& connection, Request& request) {
    const std::uint64_t length_max = connection.services().limits.body_bytes;
    const auto length = parse_number(header(request, "Upload-Length"));
    const auto metadata = parse_metadata(header(request, "Upload-Metadata"));
    const auto find = [&](const char* name) {
        const auto found = metadata.find(name);
        return found == metadata.end() ? std::string() : found->second;
    };
    const std::string name = find("name").empty() ? find("filename") : find("name");
    const auto digest = from_hex(find("sha256"));
    if (!length) {
        co_return render_problem(make_problem("XF-1117", {"Upload-Length"}));
    }
    if (*length > length_max) {
        co_return render_problem(make_problem("XF-1102", {std::to_string(length_max)}));
    }
    if (!is_identifier(find("catalog"))) {
        co_return render_problem(make_problem("XF-1117", {"Upload-Metadata: catalog"}));
    }
    if (!is_submission_name(name)) {
        co_return render_problem(make_problem("XF-1110"));
    }
    if (!digest || digest->size() != 32) {
        co_return render_problem(make_problem("XF-1117", {"Upload-Metadata: sha256"}));
    }
    auto question = connection.question(request);
    auto& open = *question.mutable_open_upload();
    open.set_catalog(find("catalog"));
    open.set_name(name);
    open.set_length(*length);
    open.set_sha256(digest->data(), digest->size());
    RequestCaller::Call call;
    Answer refused;
    auto asking = ask(connection, std::move(question), call, refused);
    const auto reply = co_await std::move(asking);
    if (!reply) {
        co_return std::move(*refused);
    }
    if (!reply->message.has_upload()) {
        co_return closing(make_problem("XF-9002"));
    }
    Response response = about(reply->message.upload(), 201);
    response.headers.emplace_back("Location", "/v1/uploads/" + reply->message.upload().id());
    co_return response;
}

asio::awaitable<Response> show_upload(Connection& connection, Request& request, std::string id) {
    auto question = connection.question(request);
    question.mutable_get_upload()->set_id(std::move(id));
    RequestCaller::Call call;
    Answer refused;
    auto asking = ask(connection, std::move(question), call, refused);
    const auto reply = co_await std::move(asking);
    if (!reply) {
        refused->body.clear();  // an answer to HEAD has none
        refused->content_type.clear();
        co_return std::move(*refused);
    }
    Response response = about(reply->message.upload(), 200);
    response.headers.emplace_back("Upload-Length", std::to_string(reply->message.upload().length()));
    co_return response;
}

asio::awaitable<Response> drop_upload(Connection& connection, Request& request, std::string id) {
    auto question = connection.question(request);
    question.mutable_drop_upload()->set_id(std::move(id));
    RequestCaller::Call call;
    Answer refused;
    auto asking = ask(connection, std::move(question), call, refused);
    const auto reply = co_await std::move(asking);
    co_return reply ? empty_response(204) : std::move(*refused);
}

// The upload is whole: hands it in.
asio::awaitable<Response> finish_upload(Connection& connection, Request& request, const boundary::UploadView& view) {
    auto question = connection.question(request);
    question.mutable_finish_upload()->set_id(view.id());
    RequestCaller::Call call;
    Answer refused;
    auto asking = ask(connection, std::move(question), call, refused);
    auto reply = co_await std::move(asking);
    if (!reply) {
        co_return std::move(*refused);
    }
    auto rendering = render_reply(call, std::move(reply->message));
    auto rendered = co_await std::move(rendering);
    if (rendered->status >= 300) {
        co_return std::move(*rendered);
    }
    Response response = about(view, 204);
    for (auto& [name, value] : rendered->headers) {
        if (name == "Location") {
            response.headers.emplace_back(std::move(name), std::move(value));
        }
    }
    co_return response;
}

asio::awaitable<Answer> append_upload(Connection& connection, Request& request, std::string id) {
    const auto offset = parse_number(header(request, "Upload-Offset"));
    if (header(request, "Content-Type") != kPartType) {
        co_return closing(make_problem("XF-1106", {std::string(kPartType)}));
    }
    if (!offset) {
        co_return closing(make_problem("XF-1117", {"Upload-Offset"}));
    }
    auto question = connection.question(request);
    auto& append = *question.mutable_append_upload();
    append.set_id(std::move(id));
    append.set_offset(*offset);
    if (const std::string checksum = header(request, "Upload-Checksum"); !checksum.empty()) {
        const auto space = checksum.find(' ');
        const auto value =
            from_base64(space == std::string::npos ? std::string_view() : std::string_view(checksum).substr(space + 1));
        if (!value || value->empty() || value->size() > 64 || space > 16) {
            co_return closing(make_problem("XF-1117", {"Upload-Checksum"}));
        }
        append.set_checksum_algorithm(checksum.substr(0, space));
        append.set_checksum(value->data(), value->size());
    }
    RequestCaller::Call call;
    Answer refused;
    auto asking = ask(connection, std::move(question), call, refused);
    auto first = co_await std::move(asking);
    if (!first) {
        refused->close = true;  // the body was not read
        co_return refused;
    }
    if (!first->message.has_opened() || !first->descriptor || !first->message.more()) {
        co_return closing(make_problem("XF-9002"));
    }
    auto flow = std::make_shared<BodyFlow>(connection.executor(), std::move(call));
    boost::system::error_code error;
    flow->body.assign(asio::local::stream_protocol(), first->descriptor.get(), error);
    if (error) {
        co_return closing(make_problem("XF-9002"));
    }
    first->descriptor.release();
    asio::co_spawn(connection.executor(), watch(flow, connection.shared_from_this()), asio::detached);
    auto continuing = connection.send_continue(request);
    co_await std::move(continuing);
    flow->pumping = true;
    auto pumping = pump(connection, request, *flow, connection.services().limits.body_bytes);
    auto pumped = co_await std::move(pumping);
    flow->pumping = false;
    flow->body.close(error);  // what came is kept, whoever went away
    if (pumped.end == End::client_gone || pumped.end == End::client_fault) {
        if (!pumped.refusal) {
            connection.abort();
        }
        co_return std::move(pumped.refusal);
    }
    while (!flow->news) {
        auto arriving = flow->arrival.async_wait(kAsTuple);
        co_await std::move(arriving);
    }
    if (!*flow->news) {
        co_return closing(make_problem("XF-6003", {}, 1));
    }
    const GatewayReply& reply = (*flow->news)->message;
    if (!reply.has_upload()) {
        co_return closing(reply.has_problem() ? reply.problem() : make_problem("XF-9002"));
    }
    const boundary::UploadView view = reply.upload();
    if (view.offset() < view.length()) {
        co_return about(view, 204);
    }
    auto finishing = finish_upload(connection, request, view);
    co_return co_await std::move(finishing);
}

}  // namespace

asio::awaitable<Answer> upload(Connection& connection, Request& request, Route route) {
    if (route.act == Act::describe_uploads) {
        co_return with_version(describe_protocol(connection.services().limits.body_bytes));
    }
    if (header(request, "Tus-Resumable") != kVersion) {
        Response response = closing(make_problem("XF-1123"));
        response.headers.emplace_back("Tus-Version", std::string(kVersion));
        co_return with_version(std::move(response));
    }
    Answer answer;
    switch (route.act) {
        case Act::open_upload: {
            auto acting = open_upload(connection, request);
            answer = co_await std::move(acting);
            break;
        }
        case Act::get_upload: {
            auto acting = show_upload(connection, request, std::move(route.first));
            answer = co_await std::move(acting);
            break;
        }
        case Act::append_upload: {
            auto acting = append_upload(connection, request, std::move(route.first));
            answer = co_await std::move(acting);
            break;
        }
        default: {
            auto acting = drop_upload(connection, request, std::move(route.first));
            answer = co_await std::move(acting);
            break;
        }
    }
    if (answer) {
        answer = with_version(std::move(*answer));
    }
    co_return answer;
}

}  // namespace xinfu::gateway
