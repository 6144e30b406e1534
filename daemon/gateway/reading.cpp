// Every act but handing in: one question to the vault, its answer rendered.
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/string.hpp>

#include "daemon/gateway/acts.hpp"
#include "daemon/gateway/questions.hpp"
#include "daemon/gateway/render.hpp"

namespace xinfu::gateway {
namespace {

namespace http = boost::beast::http;
using boundary::GatewayReply;
using boundary::GatewayRequest;

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kWarningsBytesMax = std::size_t{4} << 20;  // kept until the errors are through
constexpr std::size_t kPieceBytes = 32 * 1024;
constexpr std::string_view kTextType = "text/plain; charset=utf-8";
// A full tile never changes; whoever is allowed to see it may keep it.
constexpr std::string_view kForever = "private, max-age=31536000, immutable";

// Text parts, passed on as they come.
asio::awaitable<Answer> relay_text(Connection& connection, Request& request, GatewayRequest question, Response head) {
    Call call;
    Answer response;
    auto asking = ask(connection, std::move(question), call, response);
    auto reply = co_await std::move(asking);
    if (!reply) {
        co_return response;
    }
    if (!reply->message.has_text()) {
        co_return disagreement();
    }
    if (!reply->message.more()) {
        head.body = reply->message.text().part();
        co_return head;
    }
    auto beginning = connection.begin_pieces(request, std::move(head), std::nullopt);
    bool writable = co_await std::move(beginning);
    std::optional<GatewayReply> part = std::move(reply->message);
    while (writable) {
        auto writing = connection.write_piece(part->text().part());
        writable = co_await std::move(writing);
        if (!part->more()) {
            auto ending = connection.end_pieces();
            co_await std::move(ending);
            co_return std::nullopt;
        }
        auto waiting = next_part(call);
        part = co_await std::move(waiting);
        if (!part || !part->has_text()) {
            break;
        }
    }
    connection.abort();  // without its last chunk the client knows it was cut short
    co_return std::nullopt;
}

asio::awaitable<Answer> read_original(Connection& connection, Request& request, GatewayRequest question) {
    Call call;
    Answer response;
    auto asking = ask(connection, std::move(question), call, response);
    auto reply = co_await std::move(asking);
    if (!reply) {
        co_return response;
    }
    if (!reply->message.has_original() || !reply->descriptor) {
        co_return disagreement();
    }
    asio::local::stream_protocol::socket source(connection.executor());
    boost::system::error_code error;
    source.assign(asio::local::stream_protocol(), reply->descriptor.get(), error);
    if (error) {
        co_return disagreement();
    }
    reply->descriptor.release();
    std::uint64_t left = reply->message.original().length();
    Response head{.status = 200,
                  .content_type = "application/pkcs7-mime",
                  .body = {},
                  .headers = {{"Content-Disposition", "attachment; filename=\"original.p7m\""}},
                  .close = false};
    auto beginning = connection.begin_pieces(request, std::move(head), left);
    bool writable = co_await std::move(beginning);
    std::vector<char> piece(kPieceBytes);
    while (writable && left != 0) {
        auto reading = source.async_read_some(asio::buffer(piece), kAsTuple);
        const auto [read_error, count] = co_await std::move(reading);
        if (read_error || count > left) {
            writable = false;
            break;
        }
        left -= count;
        auto writing = connection.write_piece({piece.data(), count});
        writable = co_await std::move(writing);
    }
    if (!writable) {
        connection.abort();
    }
    co_return std::nullopt;
}

asio::awaitable<std::optional<boundary::CatalogDescription>> find_catalog(Connection& connection, Request& request,
                                                                          std::string name, Answer& response) {
    auto question = connection.question(request);
    question.mutable_get_catalog()->set_name(std::move(name));
    Call call;
    auto asking = ask(connection, std::move(question), call, response);
    auto reply = co_await std::move(asking);
    if (!reply) {
        co_return std::nullopt;
    }
    boundary::CatalogDescription catalog = reply->message.catalog();
    bool more = reply->message.more();
    bool valid = reply->message.has_catalog();
    while (more && valid) {
        auto waiting = next_part(call);
        const auto part = co_await std::move(waiting);
        valid = part && part->has_catalog();
        if (valid) {
            catalog.mutable_fields()->MergeFrom(part->catalog().fields());
            more = part->more();
        }
    }
    if (!valid) {
        response = disagreement();
        co_return std::nullopt;
    }
    co_return catalog;
}

asio::awaitable<Answer> show_catalog(Connection& connection, Request& request, std::string name, bool as_template) {
    Answer response;
    auto finding = find_catalog(connection, request, std::move(name), response);
    const auto catalog = co_await std::move(finding);
    if (!catalog) {
        co_return response;
    }
    co_return as_template ? render_template(*catalog) : render_catalog(*catalog);
}

bool wants_csv(const Request& request) {
    const auto accept = request.parser.get()[http::field::accept];
    return std::string_view(accept.data(), accept.size()).find("text/csv") != std::string_view::npos;
}

// All defects, as JSON or as a sheet, in pieces: there may be millions.
asio::awaitable<Answer> read_defects(Connection& connection, Request& request, GatewayRequest question,
                                     std::string id) {
    Call call;
    Answer response;
    auto asking = ask(connection, std::move(question), call, response);
    auto reply = co_await std::move(asking);
    if (!reply) {
        co_return response;
    }
    if (!reply->message.has_defects()) {
        co_return disagreement();
    }
    const bool csv = wants_csv(request);
    std::map<std::string, std::string> titles;
    if (csv && !reply->message.defects().catalog().empty()) {
        Answer ignored;  // without titles the sheet shows field codes
        auto finding = find_catalog(connection, request, reply->message.defects().catalog(), ignored);
        if (const auto catalog = co_await std::move(finding)) {
            for (const auto& field : catalog->fields()) {
                titles[field.code()] = field.title_zh();
            }
        }
    }
    Response head{.status = 200,
                  .content_type = csv ? "text/csv; charset=utf-8" : "application/json",
                  .body = {},
                  .headers = {},
                  .close = false};
    if (csv) {
        head.headers.emplace_back("Content-Disposition", "attachment; filename=\"defects.csv\"");
    }
    auto beginning = connection.begin_pieces(request, std::move(head), std::nullopt);
    bool writable = co_await std::move(beginning);

    std::uint64_t errors = 0;
    std::uint64_t warnings = 0;
    std::string kept_warnings;
    std::string piece = csv ? defects_csv_head() : "{\"id\":" + quote_json(id) + ",\"defects\":[";
    std::optional<GatewayReply> part = std::move(reply->message);
    while (writable && part && part->has_defects()) {
        for (const auto& defect : part->defects().defects()) {
            const bool warning = defect.severity() == boundary::SEVERITY_WARNING;
            std::uint64_t& total = warning ? warnings : errors;
            if (csv) {
                piece += defect_csv_row(defect, titles);
            } else if (!warning) {
                piece += (total == 0 ? "" : ",") + render_defect(defect);
            } else if (kept_warnings.size() < kWarningsBytesMax) {
                kept_warnings += (total == 0 ? "" : ",") + render_defect(defect);
            }
            ++total;
            if (piece.size() >= kPieceBytes) {
                auto writing = connection.write_piece(piece);
                writable = co_await std::move(writing);
                piece.clear();
            }
        }
        if (!part->more()) {
            if (!csv) {
                piece += "],\"defects_total\":" + std::to_string(errors) + ",\"warnings\":[" + kept_warnings +
                         "],\"warnings_total\":" + std::to_string(warnings) + "}\n";
            }
            auto writing = connection.write_piece(piece);
            writable = co_await std::move(writing);
            auto ending = connection.end_pieces();
            co_await std::move(ending);
            co_return std::nullopt;
        }
        auto waiting = next_part(call);
        part = co_await std::move(waiting);
    }
    connection.abort();
    co_return std::nullopt;
}

asio::awaitable<Answer> query_records(Connection& connection, Request& request, std::string catalog) {
    Answer response;
    auto reading = read_json(connection, request, {"subject", "purpose"}, {"approval"}, response);
    auto members = co_await std::move(reading);
    if (!members) {
        co_return response;
    }
    auto question = connection.question(request);
    auto& query = *question.mutable_query_records();
    query.set_catalog(std::move(catalog));
    query.set_subject((*members)["subject"]);
    query.set_purpose((*members)["purpose"]);
    query.set_approval((*members)["approval"]);
    Call call;
    auto asking = ask(connection, std::move(question), call, response);
    auto reply = co_await std::move(asking);
    if (!reply) {
        co_return response;
    }
    if (!reply->message.has_records()) {
        co_return disagreement();
    }
    const boundary::RecordsResult result = reply->message.records();
    auto collecting = collect_texts(call, reply->message.more());
    const auto records = co_await std::move(collecting);
    co_return records ? render_records(result, *records) : disagreement();
}

asio::awaitable<Answer> read_quality(Connection& connection, GatewayRequest question) {
    Call call;
    Answer response;
    auto asking = ask(connection, std::move(question), call, response);
    auto reply = co_await std::move(asking);
    if (!reply) {
        co_return response;
    }
    if (!reply->message.has_quality()) {
        co_return disagreement();
    }
    auto collecting = collect_texts(call, reply->message.more());
    const auto parts = co_await std::move(collecting);
    if (!parts) {
        co_return disagreement();
    }
    std::string report;
    for (const auto& part : *parts) {
        report += part;
    }
    co_return render_quality(reply->message.quality(), report);
}

asio::awaitable<Answer> open_session(Connection& connection, Request& request) {
    Answer response;
    auto reading = read_json(connection, request, {"password"}, {"new_password"}, response);
    auto members = co_await std::move(reading);
    if (!members) {
        co_return response;
    }
    auto question = connection.question(request);
    question.mutable_open_session()->set_password((*members)["password"]);
    question.mutable_open_session()->set_new_password((*members)["new_password"]);
    Call call;
    auto asking = ask(connection, std::move(question), call, response);
    auto reply = co_await std::move(asking);
    if (!reply) {
        co_return response;
    }
    co_return reply->message.has_session() ? render_session(reply->message.session()) : disagreement();
}

asio::awaitable<Answer> list_catalogs(Connection& connection, GatewayRequest question) {
    Call call;
    Answer response;
    auto asking = ask(connection, std::move(question), call, response);
    auto reply = co_await std::move(asking);
    if (!reply) {
        co_return response;
    }
    std::vector<boundary::CatalogDescription> catalogs;
    std::optional<GatewayReply> part = std::move(reply->message);
    while (part && part->has_catalog_names()) {
        for (const auto& catalog : part->catalog_names().catalogs()) {
            catalogs.push_back(catalog);
        }
        if (!part->more()) {
            co_return render_catalogs(catalogs);
        }
        auto waiting = next_part(call);
        part = co_await std::move(waiting);
    }
    co_return disagreement();
}

// Questions whose answer is one reply.
asio::awaitable<Answer> ask_one(Connection& connection, GatewayRequest question) {
    Call call;
    Answer response;
    auto asking = ask(connection, std::move(question), call, response);
    const auto reply = co_await std::move(asking);
    if (!reply) {
        co_return response;
    }
    switch (reply->message.body_case()) {
        case GatewayReply::kSubmission: co_return render_submission(reply->message.submission());
        case GatewayReply::kRoute: co_return render_route(reply->message.route());
        case GatewayReply::kStatus: co_return render_status(reply->message.status());
        case GatewayReply::kDone: {
            // Only the end of a session is answered like this.
            Response done{.status = 204, .content_type = {}, .body = {}, .headers = {}, .close = false};
            done.headers.emplace_back("Set-Cookie",
                                      "__Host-xinfu=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0");
            co_return done;
        }
        default: co_return disagreement();
    }
}

Response text_head(std::string_view type, std::string_view cache = {}) {
    Response head{.status = 200, .content_type = std::string(type), .body = {}, .headers = {}, .close = false};
    if (!cache.empty()) {
        head.headers.emplace_back("Cache-Control", std::string(cache));
    }
    return head;
}

}  // namespace

asio::awaitable<Answer> read(Connection& connection, Request& request, Route route) {
    auto question = connection.question(request);
    const std::string_view cache = route.tile.width == 256 ? kForever : std::string_view{};
    switch (route.act) {
        case Act::get_submission:
            question.mutable_get_submission()->set_id(route.first);
            return ask_one(connection, std::move(question));
        case Act::get_receipt:
            question.mutable_get_receipt()->set_id(route.first);
            return relay_text(connection, request, std::move(question), text_head(kTextType));
        case Act::get_defects:
            question.mutable_get_defects()->set_id(route.first);
            return read_defects(connection, request, std::move(question), route.first);
        case Act::get_original:
            question.mutable_get_original()->set_id(route.first);
            return read_original(connection, request, std::move(question));
        case Act::list_catalogs:
            question.mutable_list_catalogs();
            return list_catalogs(connection, std::move(question));
        case Act::get_catalog: return show_catalog(connection, request, route.first, false);
        case Act::get_template: return show_catalog(connection, request, route.first, true);
        case Act::query_records: return query_records(connection, request, route.first);
        case Act::read_feed: return read_feed(connection, request, std::move(route));
        case Act::get_route:
            question.mutable_get_route()->set_route(route.first);
            return ask_one(connection, std::move(question));
        case Act::read_checkpoint:
            question.mutable_read_checkpoint();
            return relay_text(connection, request, std::move(question), text_head(kTextType));
        case Act::get_envelope_certificate:
            question.mutable_get_envelope_certificate()->set_rsa(route.first == "envelope-rsa");
            return relay_text(connection, request, std::move(question), text_head("application/pem-certificate-chain"));
        case Act::read_tile:
            question.mutable_read_tile()->set_level(route.tile.level);
            question.mutable_read_tile()->set_index(route.tile.index);
            question.mutable_read_tile()->set_width(route.tile.width);
            return relay_text(connection, request, std::move(question), text_head("application/octet-stream", cache));
        case Act::read_entries:
            question.mutable_read_entries()->set_index(route.tile.index);
            question.mutable_read_entries()->set_width(route.tile.width);
            return relay_text(connection, request, std::move(question), text_head("application/octet-stream", cache));
        case Act::get_policy:
            question.mutable_get_policy()->set_digest(route.first);
            return relay_text(connection, request, std::move(question), text_head("application/yaml"));
        case Act::get_paths:
            question.mutable_get_paths();
            return relay_text(connection, request, std::move(question), text_head("application/json"));
        case Act::search_log:
        case Act::trace_record: return search(connection, request, std::move(route));
        case Act::open_session: return open_session(connection, request);
        case Act::add_checkpoint: return add_checkpoint(connection, request);
        case Act::close_session: question.mutable_close_session(); return ask_one(connection, std::move(question));
        case Act::read_quality:
            question.mutable_read_quality()->set_month(parse_month(route.first).value_or(0));
            return read_quality(connection, std::move(question));
        default: break;
    }
    question.mutable_get_status();
    return ask_one(connection, std::move(question));
}

}  // namespace xinfu::gateway
