#include "daemon/vault/uploads.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include "crypto/digest.hpp"
#include "crypto/seal.hpp"
#include "daemon/boundary/packet.hpp"
#include "daemon/config/config.hpp"
#include "daemon/vault/active_policies.hpp"
#include "daemon/vault/authorisation.hpp"
#include "daemon/vault/backlog.hpp"
#include "daemon/vault/counted_leaves.hpp"
#include "daemon/vault/hand_in_upload.hpp"
#include "daemon/vault/keys.hpp"
#include "policies/access.hpp"
#include "storage/error.hpp"

namespace xinfu::vault {
namespace {

using storage::rows::Upload;

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kPieceBytes = 256 * 1024;
constexpr std::size_t kNameSizeBytesMax = 200;

boundary::UploadView view_of(const storage::UploadId& id, const Upload& row) {
    boundary::UploadView view;
    view.set_id(storage::to_text(id));
    view.set_offset(row.offset());
    view.set_length(row.length());
    view.set_expires_ms(row.expires_ms());
    return view;
}

asio::awaitable<void> tell(ExchangePointer exchange, boundary::Problem what) {
    auto answering = answer_problem(exchange, std::move(what));
    static_cast<void>((co_await std::move(answering)).has_value());
}

asio::awaitable<void> show(ExchangePointer exchange, const storage::UploadId& id, const Upload& row) {
    boundary::GatewayReply reply;
    *reply.mutable_upload() = view_of(id, row);
    auto answering = exchange->reply(std::move(reply), boundary::Descriptor{});
    static_cast<void>((co_await std::move(answering)).has_value());
}

storage::Leaf leaf_about(const Caller& caller, std::string action, const storage::UploadId& id, const Upload& row) {
    storage::Leaf leaf = leaf_of(caller, std::move(action));
    leaf.result = "done";
    leaf.catalog = row.catalog();
    leaf.object.type = "upload";
    leaf.object.id = storage::to_text(id);
    leaf.object.digest.emplace();
    std::ranges::copy(as_bytes(row.sha256()), leaf.object.digest->begin());
    return leaf;
}

// Marks an upload as worked on for as long as it lives.
class InUse {
public:
    InUse(std::set<storage::UploadId>& all, const storage::UploadId& id) : all_(all), id_(id) { all_.insert(id_); }
    ~InUse() { all_.erase(id_); }
    InUse(const InUse&) = delete;
    InUse& operator=(const InUse&) = delete;

private:
    std::set<storage::UploadId>& all_;
    storage::UploadId id_;
};

}  // namespace

// One part on its way: gathered into sealed objects, each named by a commit of its own.
class Uploads::Appending {
public:
    Appending(Uploads& uploads, Mine& mine) : uploads_(uploads), context_(uploads.context_), mine_(mine) {}

    std::uint64_t gathered() const { return part_.length(); }
    asio::awaitable<Result<void>> write(ByteView bytes);
    // What was gathered becomes part of the upload, durably.
    asio::awaitable<Result<void>> commit();
    asio::awaitable<void> discard();

private:
    Uploads& uploads_;
    Context& context_;
    Mine& mine_;
    Upload::Part part_;
    storage::ObjectId object_{};
    std::shared_ptr<std::unique_ptr<storage::ObjectWriter>> writer_ =
        std::make_shared<std::unique_ptr<storage::ObjectWriter>>();
};

asio::awaitable<Result<void>> Uploads::Appending::write(ByteView bytes) {
    if (!*writer_) {
        part_.Clear();
        object_ =
            storage::make_submission_id(context_.clock.now().time_since_epoch().count(), context_.random.array<10>());
        const crypto::Secret key = context_.random.secret(crypto::kSealKeySizeBytes);
        const auto wrapped = context_.keys.wrap_data_key(mine_.row.unit(), object_, key.view());
        if (!wrapped) {
            co_return wrapped.error();
        }
        auto created = context_.objects.create(object_, key.view());
        if (!created) {
            co_return created.error();
        }
        *writer_ = std::move(*created);
        part_.set_object(object_.data(), object_.size());
        part_.set_wrapped_key(wrapped->data(), wrapped->size());
    }
    // The view stays valid: the caller waits.
    std::function<Result<void>()> work = [bytes, writer = writer_]() { return (*writer)->write(bytes); };
    auto working = run_on_worker<Result<void>>(context_, std::move(work));
    const auto written = co_await std::move(working);
    if (written) {
        part_.set_length(part_.length() + bytes.size());
    }
    co_return written;
}

asio::awaitable<Result<void>> Uploads::Appending::commit() {
    if (!*writer_) {
        co_return Result<void>{};
    }
    uploads_.being_written_.insert(object_);
    std::function<Result<void>()> work = [writer = writer_]() {
        const auto finished = (*writer)->finish();
        writer->reset();
        return finished;
    };
    auto working = run_on_worker<Result<void>>(context_, std::move(work));
    auto outcome = co_await std::move(working);
    if (outcome) {
        const auto expires = (context_.clock.now() + kLifetime).time_since_epoch().count();
        std::function<Result<void>(storage::Batch&)> apply = [id = mine_.id, row = mine_.row, part = part_,
                                                              expires](storage::Batch& batch) {
            return storage::append_upload_part(batch.transaction(), id, row, part, expires);
        };
        auto executing = execute(context_, std::move(apply), 1024);
        const auto committed = co_await std::move(executing);
        if (committed) {
            *mine_.row.add_parts() = part_;
            mine_.row.set_offset(mine_.row.offset() + part_.length());
            mine_.row.set_expires_ms(expires);
        } else {
            outcome = committed.error();
            uploads_.on_leftovers();
        }
    }
    uploads_.being_written_.erase(object_);
    part_.Clear();
    co_return outcome;
}

asio::awaitable<void> Uploads::Appending::discard() {
    std::function<Result<void>()> work = [writer = writer_]() {
        writer->reset();
        return Result<void>{};
    };
    auto working = run_on_worker<Result<void>>(context_, std::move(work));
    static_cast<void>((co_await std::move(working)).has_value());
}

Result<std::optional<Upload>> Uploads::read(const storage::UploadId& id) const {
    const auto snapshot = context_.ledger.engine().snapshot();
    if (!snapshot) {
        return snapshot.error();
    }
    return storage::find_upload(**snapshot, id);
}

asio::awaitable<std::optional<Uploads::Mine>> Uploads::find(ExchangePointer exchange, const std::string& id_text,
                                                            std::string action, bool exclusive) {
    boundary::Problem why = problem("XF-2005");
    if (const auto id = storage::submission_id_from_text(id_text)) {
        auto row = read(*id);
        if (!row) {
            why = problem_of(row.error());
        } else if (*row && (*row)->account() == exchange->caller().principal.account &&
                   (*row)->expires_ms() > context_.clock.now().time_since_epoch().count()) {
            Caller caller = exchange->caller();
            auto role = possibly_permitting_role(context_.policies.current()->access, caller.principal,
                                                 policies::verb::submit, (*row)->catalog());
            if (!role) {
                why = problem("XF-2001");
            } else if (exclusive && in_use_.contains(*id)) {
                why = problem("XF-1125");
            } else {
                caller.role = std::move(*role);
                co_return Mine{*id, std::move(**row), std::move(caller)};
            }
        }
    }
    if (why.code() != "XF-1125") {
        auto recording = record_refusal(context_, exchange->caller(), std::move(action), why.code());
        if (const auto recorded = co_await std::move(recording); !recorded) {
            why = problem_of(recorded.error());
        }
    }
    auto telling = tell(exchange, std::move(why));
    co_await std::move(telling);
    co_return std::nullopt;
}

asio::awaitable<void> Uploads::open(ExchangePointer exchange) {
    const auto& said = exchange->request().open_upload();
    const Caller& caller = exchange->caller();
    const auto now = context_.clock.now();
    Upload row;
    row.set_account(caller.principal.account);
    row.set_unit(caller.principal.unit);
    row.set_catalog(said.catalog());
    row.set_name(said.name());
    row.set_length(said.length());
    row.set_sha256(said.sha256());
    row.set_created_ms(now.time_since_epoch().count());
    row.set_expires_ms((now + kLifetime).time_since_epoch().count());

    std::optional<boundary::Problem> why;
    std::size_t mine = 0;
    const auto snapshot = context_.ledger.engine().snapshot();
    const auto counted = !snapshot ? Result<void>(snapshot.error())
                                   : storage::visit_uploads(**snapshot, [&](const auto&, const Upload& other) {
                                         mine += other.account() == row.account();
                                         return true;
                                     });
    if (!counted) {
        why = problem_of(counted.error());
    } else if (said.sha256().size() != sizeof(crypto::Digest)) {
        why = problem("XF-1117", {"sha256"});
    } else if (said.name().empty() || said.name().size() > kNameSizeBytesMax) {
        why = problem("XF-1110");
    } else if (mine >= kPerAccountMax) {
        why = problem("XF-1124", {std::to_string(kPerAccountMax)}, 60);
    } else {
        // Every byte is there twice for a moment, in its part and in the original.
        const std::uint64_t free = context_.ledger.engine().disk_free_bytes();
        if (free < context_.config.vault.disk_reserve_bytes ||
            (free - context_.config.vault.disk_reserve_bytes) / 2 < row.length()) {
            why = problem("XF-6002", {}, 60);
        } else if (auto refusal = backlog_refusal(context_, **snapshot); !refusal) {
            why = problem_of(refusal.error());
        } else {
            why = std::move(*refusal);
        }
    }
    if (why) {
        if (!why->code().starts_with("XF-6")) {
            auto recording = record_refusal(context_, caller, "open_upload", why->code(), row.catalog());
            if (const auto recorded = co_await std::move(recording); !recorded) {
                why = problem_of(recorded.error());
            }
        }
        auto telling = tell(exchange, std::move(*why));
        co_await std::move(telling);
        co_return;
    }
    const auto id = storage::make_submission_id(now.time_since_epoch().count(), context_.random.array<10>());
    storage::LeafNotes notes;
    notes.name = row.name();
    std::function<Result<void>(storage::Batch&)> apply =
        [&leaves = context_.leaves, id, row, leaf = leaf_about(caller, "open_upload", id, row),
         notes = std::move(notes)](storage::Batch& batch) -> Result<void> {
        if (const auto put = storage::put_upload(batch.transaction(), id, row); !put) {
            return put.error();
        }
        leaves.append(batch, leaf, notes);
        return {};
    };
    auto executing = execute(context_, std::move(apply), 4096);
    const auto committed = co_await std::move(executing);
    auto answering = committed ? show(exchange, id, row) : tell(exchange, problem_of(committed.error()));
    co_await std::move(answering);
}

asio::awaitable<void> Uploads::get(ExchangePointer exchange) {
    auto finding = find(exchange, exchange->request().get_upload().id(), "read_upload", false);
    const auto mine = co_await std::move(finding);
    if (mine) {
        auto showing = show(exchange, mine->id, mine->row);
        co_await std::move(showing);
    }
}

asio::awaitable<void> Uploads::append(ExchangePointer exchange) {
    const auto& said = exchange->request().append_upload();
    auto finding = find(exchange, said.id(), "append_upload", true);
    auto mine = co_await std::move(finding);
    if (!mine) {
        co_return;
    }
    const InUse guard(in_use_, mine->id);
    std::optional<boundary::Problem> why;
    std::optional<crypto::Checksum> checksum;
    if (said.offset() != mine->row.offset()) {
        why = problem("XF-1120", {std::to_string(said.offset()), std::to_string(mine->row.offset())});
    } else if (!said.checksum_algorithm().empty() &&
               !(checksum = crypto::Checksum::create(said.checksum_algorithm()))) {
        why = problem("XF-1117", {"Upload-Checksum"});
    } else if (context_.ledger.engine().disk_free_bytes() < context_.config.vault.disk_reserve_bytes) {
        why = problem("XF-6002", {}, 60);
    }
    auto pair = why ? Result<boundary::DescriptorPair>(storage::Errc::busy) : boundary::make_stream_pair();
    if (!why && !pair) {
        why = problem_of(pair.error());
    }
    asio::local::stream_protocol::socket stream(context_.io);
    if (!why) {
        boost::system::error_code failed;
        stream.assign(asio::local::stream_protocol(), pair->first.release(), failed);
        if (failed) {
            why = problem_of(failed);
        }
    }
    if (why) {
        auto telling = tell(exchange, std::move(*why));
        co_await std::move(telling);
        co_return;
    }
    boundary::GatewayReply opened;
    opened.mutable_opened();
    opened.set_more(true);
    auto opening = exchange->reply(std::move(opened), std::move(pair->second));
    if (const auto told = co_await std::move(opening); !told) {
        co_return;
    }

    Appending appending(*this, *mine);
    std::vector<std::uint8_t> piece(kPieceBytes);
    for (;;) {
        auto reading = stream.async_read_some(asio::buffer(piece), kAsTuple);
        const auto [ended, count] = co_await std::move(reading);
        if (ended || count == 0) {
            break;  // the part's end, or the client's, or the gateway's: what came is kept either way
        }
        if (mine->row.length() - mine->row.offset() - appending.gathered() < count) {
            why = problem("XF-1127", {std::to_string(mine->row.length())});
            break;
        }
        const ByteView bytes(piece.data(), count);
        if (checksum) {
            checksum->update(bytes);
        }
        auto writing = appending.write(bytes);
        auto written = co_await std::move(writing);
        if (written && !checksum && appending.gathered() >= kPartSizeBytesMax) {
            auto committing = appending.commit();
            written = co_await std::move(committing);
        }
        if (!written) {
            why = problem_of(written.error());
            break;
        }
    }
    if (!why && checksum && !std::ranges::equal(checksum->finish(), as_bytes(said.checksum()))) {
        why = problem("XF-1121");
    }
    if (why) {
        auto discarding = appending.discard();
        co_await std::move(discarding);
    } else {
        auto committing = appending.commit();
        if (const auto committed = co_await std::move(committing); !committed) {
            why = problem_of(committed.error());
        }
    }
    boost::system::error_code ignored;
    stream.close(ignored);
    auto answering = why ? tell(exchange, std::move(*why)) : show(exchange, mine->id, mine->row);
    co_await std::move(answering);
}

asio::awaitable<void> Uploads::finish(ExchangePointer exchange) {
    auto finding = find(exchange, exchange->request().finish_upload().id(), "submit", true);
    auto mine = co_await std::move(finding);
    if (!mine) {
        co_return;
    }
    if (mine->row.offset() != mine->row.length()) {
        auto telling = tell(
            exchange, problem("XF-1126", {std::to_string(mine->row.offset()), std::to_string(mine->row.length())}));
        co_await std::move(telling);
        co_return;
    }
    const InUse guard(in_use_, mine->id);
    auto hand_in = std::make_shared<HandInUpload>(context_, exchange, mine->caller, mine->row);
    auto handing_in = hand_in_(hand_in);
    co_await std::move(handing_in);
    if (!hand_in->settled()) {
        co_return;  // the same again is useful, and everything is still here
    }
    auto erasing = erase(mine->id, std::move(mine->row), storage::Leaf{});
    static_cast<void>((co_await std::move(erasing)).has_value());  // else it expires
}

asio::awaitable<void> Uploads::drop(ExchangePointer exchange) {
    auto finding = find(exchange, exchange->request().drop_upload().id(), "drop_upload", true);
    auto mine = co_await std::move(finding);
    if (!mine) {
        co_return;
    }
    const InUse guard(in_use_, mine->id);
    storage::Leaf leaf = leaf_about(mine->caller, "drop_upload", mine->id, mine->row);
    auto erasing = erase(mine->id, std::move(mine->row), std::move(leaf));
    const auto erased = co_await std::move(erasing);
    boundary::GatewayReply reply;
    if (erased) {
        reply.mutable_done();
    } else {
        *reply.mutable_problem() = problem_of(erased.error());
    }
    auto answering = exchange->reply(std::move(reply), boundary::Descriptor{});
    static_cast<void>((co_await std::move(answering)).has_value());
}

// A leaf without action is none: what was handed in has its own.
asio::awaitable<Result<void>> Uploads::erase(storage::UploadId id, Upload row, storage::Leaf leaf) {
    std::function<Result<void>(storage::Batch&)> apply = [&leaves = context_.leaves, id, row = std::move(row),
                                                          leaf =
                                                              std::move(leaf)](storage::Batch& batch) -> Result<void> {
        if (const auto erased = storage::erase_upload(batch.transaction(), id, row); !erased) {
            return erased.error();
        }
        if (!leaf.action.empty()) {
            leaves.append(batch, leaf);
        }
        return {};
    };
    auto executing = execute(context_, std::move(apply), 4096, true);
    const auto committed = co_await std::move(executing);
    if (!committed) {
        co_return committed.error();
    }
    on_leftovers();
    co_return Result<void>{};
}

asio::awaitable<Result<void>> Uploads::expire() {
    std::vector<std::pair<storage::UploadId, Upload>> expired;
    {
        const auto now = context_.clock.now().time_since_epoch().count();
        const auto snapshot = context_.ledger.engine().snapshot();
        if (!snapshot) {
            co_return snapshot.error();
        }
        const auto visited = storage::visit_uploads(**snapshot, [&](const storage::UploadId& id, const Upload& row) {
            if (row.expires_ms() <= now) {
                expired.emplace_back(id, row);
            }
            return true;
        });
        if (!visited) {
            co_return visited.error();
        }
    }
    for (auto& [id, row] : expired) {
        if (in_use_.contains(id)) {
            continue;
        }
        const InUse guard(in_use_, id);
        Caller node;
        node.principal.account = row.account();
        node.principal.unit = row.unit();
        storage::Leaf leaf = leaf_about(node, "expire_upload", id, row);
        auto erasing = erase(id, std::move(row), std::move(leaf));
        if (const auto erased = co_await std::move(erasing); !erased) {
            co_return erased.error();
        }
    }
    co_return Result<void>{};
}

}  // namespace xinfu::vault
