#include "daemon/inspector/session.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "crypto/revocation_list.hpp"
#include "daemon/inspector/body_reader.hpp"
#include "daemon/inspector/evidence.hpp"
#include "daemon/inspector/plain_reader.hpp"

namespace xinfu::inspector {
namespace {

constexpr std::size_t kBodyReadSizeBytes = 128 * 1024;
constexpr std::size_t kOnwardSizeBytesMax = 1024 * 1024;

// Takes a part; false when the whole would be larger than `size_max`.
bool gather(std::string& gathered, const std::string& part, std::size_t size_max) {
    if (gathered.size() + part.size() > size_max) {
        return false;
    }
    gathered += part;
    return true;
}

}  // namespace

Result<void> Session::run() {
    for (;;) {
        auto request = channel_.receive<boundary::InspectorRequest>();
        if (!request) {
            if (request.error() == boundary::Errc::closed) {
                return {};
            }
            return request.error();
        }
        if (const auto served = serve(std::move(*request)); !served) {
            return served.error();
        }
    }
}

Result<void> Session::serve(Request request) {
    const auto& message = request.message;
    switch (message.body_case()) {
        case boundary::InspectorRequest::kLoadPack: return load_pack(message.load_pack());
        case boundary::InspectorRequest::kInspect: return inspect(message.inspect(), std::move(request.descriptor));
        case boundary::InspectorRequest::kFinishBody: return {};  // of a body whose verdict came before its end
        case boundary::InspectorRequest::kReadReceipt: return read_receipt(message.read_receipt());
        case boundary::InspectorRequest::kReadCosignatures: return read_cosignatures(message.read_cosignatures());
        case boundary::InspectorRequest::kReadSignature: return read_signature(message.read_signature());
        case boundary::InspectorRequest::kReadOnward: return read_onward(message.read_onward());
        case boundary::InspectorRequest::kReadRevocationList:
            return read_revocation_list(message.read_revocation_list());
        case boundary::InspectorRequest::kContentKey:  // nobody asked
        case boundary::InspectorRequest::BODY_NOT_SET: break;
    }
    return boundary::Errc::unexpected;
}

Result<void> Session::refuse(const std::string& code) {
    boundary::InspectorReply reply;
    reply.mutable_problem()->set_code(code);
    reply.mutable_problem()->add_arguments("size");
    return channel_.send(reply);
}

Result<void> Session::load_pack(const boundary::LoadPack& part) {
    if (!gather(gathered_, part.part(), policies::kPackSizeBytesMax)) {
        return boundary::Errc::unexpected;
    }
    if (!part.last()) {
        return {};
    }
    for (const auto& reply : packs_.load(part.kind(), std::exchange(gathered_, {}), part.catalog())) {
        if (const auto sent = channel_.send(reply); !sent) {
            return sent.error();
        }
    }
    return {};
}

Result<void> Session::inspect(const boundary::Inspect& order, boundary::Descriptor body) {
    boundary::InspectorReply reply;
    auto versions = packs_.find(order);
    if (versions.empty()) {
        reply.mutable_verdict()->mutable_problem()->set_code("XF-2003");
        return channel_.send(reply);
    }
    Outbox outbox(channel_);
    body_finished_.reset();
    BodyReader reader(
        versions, packs_.calendar(), policies::Day{std::chrono::days{order.today()}}, order.parcel(),
        [this](const boundary::UnwrapContentKey& question) { return unwrap(question); }, outbox);
    const auto catalogs = [this]() -> const Packs::Catalogs& { return packs_.catalogs(); };
    reader.know(catalogs);
    std::optional<PlainReader> plain;
    const auto feed = [&](ByteView piece) {
        if (order.plain() && !plain && reader.size() == 0 && PlainReader::is_plain(piece)) {
            plain.emplace(versions, packs_.calendar(), policies::Day{std::chrono::days{order.today()}}, catalogs,
                          outbox);
        }
        return plain ? plain->feed(piece) : reader.feed(piece);
    };
    bool going = true;
    if (order.has_body()) {
        if (!order.body().empty()) {
            going = feed(as_bytes(order.body()));
        }
    } else {
        if (!body) {
            return boundary::Errc::missing_descriptor;
        }
        std::vector<std::uint8_t> buffer(kBodyReadSizeBytes);
        while (going) {
            const auto size = ::read(body.get(), buffer.data(), buffer.size());
            if (size < 0 && errno == EINTR) {
                continue;
            }
            if (size <= 0) {
                break;  // how long the body was is the vault's word, below
            }
            going = feed(ByteView{buffer.data(), static_cast<std::size_t>(size)});
        }
        body.reset();
        if (going && !body_finished_) {
            auto finish = channel_.receive<boundary::InspectorRequest>();
            if (!finish) {
                return finish.error();
            }
            if (!finish->message.has_finish_body()) {
                return boundary::Errc::unexpected;
            }
            body_finished_ = finish->message.finish_body();
        }
        const auto length = plain ? plain->size() : reader.size();
        if (going && body_finished_->length() != length) {
            return boundary::Errc::unexpected;
        }
    }
    *reply.mutable_verdict() = plain ? plain->finish() : reader.finish();
    if (outbox.failed()) {
        return boundary::Errc::closed;
    }
    return channel_.send(reply);
}

// The one question that an inspector asks. Absent: the vault has gone, or says something else.
std::optional<crypto::Secret> Session::unwrap(const boundary::UnwrapContentKey& question) {
    boundary::InspectorReply reply;
    *reply.mutable_unwrap() = question;
    if (!channel_.send(reply)) {
        return std::nullopt;
    }
    for (;;) {
        const auto answer = channel_.receive<boundary::InspectorRequest>();
        if (!answer) {
            return std::nullopt;
        }
        if (answer->message.has_finish_body() && !body_finished_) {
            body_finished_ = answer->message.finish_body();
        } else if (answer->message.has_content_key()) {
            return crypto::Secret(as_bytes(answer->message.content_key().key()));
        } else {
            return std::nullopt;
        }
    }
}

Result<void> Session::read_receipt(const boundary::ReadReceipt& order) {
    boundary::InspectorReply reply;
    if (const auto refusal = inspector::read_receipt(order.text(), *reply.mutable_receipt())) {
        *reply.mutable_problem() = to_problem(*refusal);
    }
    return channel_.send(reply);
}

Result<void> Session::read_cosignatures(const boundary::ReadCosignatures& order) {
    boundary::InspectorReply reply;
    if (const auto refusal = inspector::read_cosignatures(order.text(), *reply.mutable_cosignatures())) {
        *reply.mutable_problem() = to_problem(*refusal);
    }
    return channel_.send(reply);
}

Result<void> Session::read_signature(const boundary::ReadSignature& order) {
    boundary::InspectorReply reply;
    if (const auto refusal =
            inspector::read_signature(as_bytes(order.cms()), as_bytes(order.statement()), *reply.mutable_signer())) {
        *reply.mutable_problem() = to_problem(*refusal);
    }
    return channel_.send(reply);
}

Result<void> Session::read_onward(const boundary::ReadOnward& part) {
    if (!gather(gathered_, part.part(), kOnwardSizeBytesMax)) {
        return boundary::Errc::unexpected;
    }
    if (!part.last()) {
        return {};
    }
    boundary::InspectorReply reply;
    if (const auto refusal = inspector::read_onward(gathered_, *reply.mutable_onward())) {
        *reply.mutable_problem() = to_problem(*refusal);
    }
    gathered_.clear();
    return channel_.send(reply);
}

Result<void> Session::read_revocation_list(const boundary::ReadRevocationList& part) {
    if (!gather(gathered_, part.part(), crypto::kRevocationListSizeBytesMax)) {
        gathered_.clear();
        return part.last() ? refuse("XF-1018") : Result<void>{boundary::Errc::unexpected};
    }
    if (!part.last()) {
        return {};
    }
    std::vector<boundary::RevocationListRead> parts;
    const auto refusal = inspector::read_revocation_list(as_bytes(gathered_), parts);
    gathered_.clear();
    if (refusal) {
        boundary::InspectorReply reply;
        *reply.mutable_problem() = to_problem(*refusal);
        return channel_.send(reply);
    }
    for (auto& read : parts) {
        boundary::InspectorReply reply;
        *reply.mutable_revocation_list() = std::move(read);
        if (const auto sent = channel_.send(reply); !sent) {
            return sent.error();
        }
    }
    return {};
}

}  // namespace xinfu::inspector
