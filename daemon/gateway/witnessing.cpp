// add-checkpoint of C2SP tlog-witness: "old <size>", proof lines, an empty line, the checkpoint.
#include <array>
#include <charconv>
#include <string>
#include <string_view>
#include <utility>

#include <boost/endian/conversion.hpp>

#include "crypto/note.hpp"
#include "crypto/tlog_proof.hpp"
#include "daemon/gateway/acts.hpp"
#include "daemon/gateway/questions.hpp"
#include "daemon/gateway/render.hpp"

namespace xinfu::gateway {
namespace {

constexpr std::size_t kBodyBytesMax = 32 * 1024;  // 63 hashes and a checkpoint with some dozens of lines
constexpr std::size_t kOriginBytesMax = 200;
constexpr std::size_t kLinesMax = 16;

// Takes the text's first line off, without its end. Empty: there is none.
std::optional<std::string_view> take_line(std::string_view& text) {
    const auto end = text.find('\n');
    if (end == text.npos) {
        return std::nullopt;
    }
    const auto line = text.substr(0, end);
    text.remove_prefix(end + 1);
    return line;
}

std::string octets(ByteView bytes) {
    return std::string{as_text(bytes)};
}

}  // namespace

std::optional<boundary::AddCheckpoint> parse_add_checkpoint(std::string_view body) {
    constexpr std::string_view kOld = "old ";
    boundary::AddCheckpoint asked;
    auto line = take_line(body);
    if (!line || !line->starts_with(kOld)) {
        return std::nullopt;
    }
    line->remove_prefix(kOld.size());
    std::uint64_t old_size = 0;
    const auto [end, error] = std::from_chars(line->data(), line->data() + line->size(), old_size);
    if (error != std::errc() || end != line->data() + line->size() || (line->front() == '0' && line->size() > 1)) {
        return std::nullopt;
    }
    asked.set_old_size(old_size);
    for (line = take_line(body); line && !line->empty(); line = take_line(body)) {
        const auto hash = from_base64(*line);
        if (!hash || hash->size() != sizeof(crypto::Digest) ||
            asked.proof_size() == static_cast<int>(crypto::kProofHashesMax)) {
            return std::nullopt;
        }
        asked.add_proof(octets(*hash));
    }
    const auto blank = body.rfind("\n\n");
    if (!line || blank == body.npos) {
        return std::nullopt;
    }
    const auto text = body.substr(0, blank + 1);
    const auto checkpoint = crypto::parse_checkpoint(text);
    const auto lines = crypto::parse_signature_lines(body.substr(blank + 2));
    // The vault makes the text again: one with further lines would not be the signed one.
    if (!checkpoint || crypto::encode_checkpoint(*checkpoint) != text || checkpoint->origin.size() > kOriginBytesMax ||
        !lines || lines->empty() || lines->size() > kLinesMax) {
        return std::nullopt;
    }
    asked.set_origin(checkpoint->origin);
    asked.set_size(checkpoint->size);
    asked.set_root(octets(checkpoint->root));
    for (const auto& one : *lines) {
        std::array<std::uint8_t, 4> key_id{};
        boost::endian::store_big_u32(key_id.data(), one.key_id);
        auto& told = *asked.add_lines();
        told.set_name(one.name);
        told.set_signature(octets(key_id) + octets(one.signature));
    }
    return asked;
}

asio::awaitable<std::optional<Response>> add_checkpoint(Connection& connection, Request& request) {
    BodyFailure failure;
    auto reading = connection.read_small_body(request, kBodyBytesMax, failure);
    auto body = co_await std::move(reading);
    if (!body) {
        co_return std::move(failure.answer);
    }
    auto asked = parse_add_checkpoint(*body);
    if (!asked) {
        co_return render_problem(make_problem("XF-7033", {"form"}));
    }
    auto question = connection.question(request);
    *question.mutable_add_checkpoint() = std::move(*asked);
    Call call;
    Answer response;
    auto asking = ask(connection, std::move(question), call, response);
    auto reply = co_await std::move(asking);
    if (!reply) {
        co_return response;
    }
    if (reply->message.has_checkpoint_refused()) {
        const auto& refused = reply->message.checkpoint_refused();
        if (refused.status() == 409) {
            co_return Response{.status = 409,
                               .content_type = "text/x.tlog.size",
                               .body = std::to_string(refused.size()) + "\n",
                               .headers = {},
                               .close = false};
        }
        co_return render_problem(refused.problem());
    }
    if (!reply->message.has_text() || reply->message.more()) {
        co_return disagreement();
    }
    co_return Response{.status = 200,
                       .content_type = "text/plain; charset=utf-8",
                       .body = reply->message.text().part(),
                       .headers = {},
                       .close = false};
}

}  // namespace xinfu::gateway
