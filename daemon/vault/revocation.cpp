#include "daemon/vault/revocation.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "crypto/revocation_list.hpp"
#include "daemon/boundary/error.hpp"
#include "daemon/boundary/inspector.pb.h"
#include "daemon/boundary/packet_channel.hpp"
#include "daemon/vault/counted_leaves.hpp"
#include "storage/account_rows.pb.h"
#include "storage/error.hpp"

namespace xinfu::vault {
namespace {

constexpr std::size_t kFilesMax = 256;
constexpr std::size_t kSerialsMax = 1'000'000;
// A list from the future would outlive every honest one.
constexpr std::int64_t kAheadSecondsMax = 300;

struct ListFile {
    std::string name;
    Bytes bytes;
};

std::vector<ListFile> read_folder(const std::string& folder) {
    std::vector<ListFile> files;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
        if (files.size() == kFilesMax) {
            break;
        }
        std::error_code ignored;
        if (entry.path().extension() != ".crl" || !entry.is_regular_file(ignored)) {
            continue;
        }
        if (entry.file_size(ignored) > crypto::kRevocationListSizeBytesMax || ignored) {
            continue;
        }
        std::ifstream file(entry.path(), std::ios::binary);
        files.push_back(ListFile{entry.path().filename().string(),
                                 Bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()}});
    }
    std::ranges::sort(files, {}, &ListFile::name);
    return files;
}

struct ReadList {
    boundary::RevocationListRead claim;
    std::set<Bytes> serials;
};

// An inspector's words about one file. Errors: malformed when it says the file is no list.
asio::awaitable<Result<ReadList>> ask_inspector(Context& context, ByteView document) {
    auto dialling = context.dial_inspector();
    auto connection = co_await std::move(dialling);
    if (!connection) {
        co_return connection.error();
    }
    boundary::PacketChannel channel(context.io.get_executor(), std::move(*connection));
    do {
        const ByteView part = document.first(std::min(document.size(), boundary::kPartSizeBytesMax));
        document = document.subspan(part.size());
        boundary::InspectorRequest request;
        request.mutable_read_revocation_list()->set_part(part.data(), part.size());
        request.mutable_read_revocation_list()->set_last(document.empty());
        auto sending = channel.send(request);
        if (const auto sent = co_await std::move(sending); !sent) {
            co_return sent.error();
        }
    } while (!document.empty());
    ReadList list;
    for (bool first = true;; first = false) {
        auto receiving = channel.receive<boundary::InspectorReply>();
        auto envelope = co_await std::move(receiving);
        if (!envelope) {
            co_return envelope.error();
        }
        if (envelope->message.has_problem()) {
            co_return boundary::Errc::malformed;
        }
        if (!envelope->message.has_revocation_list()) {
            co_return boundary::Errc::unexpected;
        }
        auto& part = *envelope->message.mutable_revocation_list();
        for (const auto& serial : part.revoked_serials()) {
            list.serials.insert(to_bytes(serial));
        }
        if (list.serials.size() > kSerialsMax) {
            co_return boundary::Errc::unexpected;
        }
        const bool more = part.more();
        if (first) {
            list.claim = std::move(part);
            list.claim.clear_revoked_serials();
        }
        if (!more) {
            co_return list;
        }
    }
}

bool is_verified(const boundary::RevocationListRead& claim, const std::vector<crypto::Certificate>& anchors) {
    crypto::RevocationListClaim said;
    said.issuer = as_bytes(claim.issuer());
    said.to_be_signed = as_bytes(claim.to_be_signed());
    said.sha256 = as_bytes(claim.to_be_signed_sha256());
    said.sha384 = as_bytes(claim.to_be_signed_sha384());
    said.signature_algorithm = claim.signature_algorithm();
    said.signature = as_bytes(claim.signature());
    return std::ranges::any_of(anchors, [&](const crypto::Certificate& anchor) {
        return std::ranges::equal(anchor.subject_name(), said.issuer) &&
               crypto::verify_revocation_list(said, anchor).has_value();
    });
}

storage::Leaf list_leaf(const crypto::Digest& digest) {
    storage::Leaf leaf;
    leaf.action = "revocation_list";
    leaf.object.type = "revocation_list";
    leaf.object.digest = digest;
    return leaf;
}

}  // namespace

Result<void> Revocations::load(const storage::ReadTransaction& transaction) {
    bool corrupt = false;
    const auto visited = transaction.visit(storage::Table::revocations, {}, {}, [&](ByteView, ByteView value) {
        storage::rows::RevocationList row;
        if (!row.ParseFromArray(value.data(), static_cast<int>(value.size()))) {
            corrupt = true;
            return false;
        }
        List list{to_bytes(row.issuer()), row.this_update_s(), row.next_update_s(), {}};
        for (const auto& serial : row.serials()) {
            list.serials.insert(to_bytes(serial));
        }
        take(std::move(list));
        return true;
    });
    if (!visited) {
        return visited.error();
    }
    if (corrupt) {
        return storage::Errc::corrupt;
    }
    return Result<void>{};
}

std::shared_ptr<const Revocations::List> Revocations::list_of(const crypto::Certificate& certificate) const {
    const std::scoped_lock held(lock_);
    const auto found = lists_.find(crypto::sha256(certificate.issuer()));
    return found == lists_.end() ? nullptr : found->second;
}

bool Revocations::is_revoked(const crypto::Certificate& certificate) const {
    const auto list = list_of(certificate);
    return list && list->serials.contains(certificate.serial());
}

bool Revocations::is_unknown(const crypto::Certificate& certificate, storage::Milliseconds now) const {
    const auto list = list_of(certificate);
    return list && list->next_update_s != 0 &&
           now > storage::Milliseconds(std::chrono::seconds(list->next_update_s)) + grace_;
}

void Revocations::take(List list) {
    const crypto::Digest issuer = crypto::sha256(list.issuer);
    auto next = std::make_shared<const List>(std::move(list));
    const std::scoped_lock held(lock_);
    auto& current = lists_[issuer];
    if (!current || current->this_update_s <= next->this_update_s) {
        current = std::move(next);
    }
}

std::size_t Revocations::lists() const {
    const std::scoped_lock held(lock_);
    return lists_.size();
}

std::size_t Revocations::overdue(std::int64_t now_s) const {
    const std::scoped_lock held(lock_);
    return static_cast<std::size_t>(std::ranges::count_if(lists_, [now_s](const auto& entry) {
        return entry.second->next_update_s != 0 && entry.second->next_update_s < now_s;
    }));
}

asio::awaitable<void> Revocations::look(Context& context, const std::vector<crypto::Certificate>& anchors,
                                        std::string folder) {
    for (const ListFile& file : read_folder(folder)) {
        const crypto::Digest digest = crypto::sha256(file.bytes);
        const auto seen = seen_.find(file.name);
        if (seen != seen_.end() && seen->second == digest) {
            continue;
        }
        auto asking = ask_inspector(context, file.bytes);
        auto read = co_await std::move(asking);
        if (!read && read.error() != boundary::Errc::malformed) {
            continue;  // no inspector, or one that broke: the file is looked at again in a moment
        }
        seen_[file.name] = digest;
        const std::int64_t now_s =
            std::chrono::duration_cast<std::chrono::seconds>(context.clock.now().time_since_epoch()).count();
        const bool acceptable =
            read && is_verified(read->claim, anchors) && read->claim.this_update_s() <= now_s + kAheadSecondsMax;
        if (!acceptable) {
            storage::Leaf leaf = list_leaf(digest);
            leaf.result = "refused";
            leaf.code = "XF-1018";
            auto writing = context.counted_leaves.write(context, "revocation_list|" + to_hex(digest), std::move(leaf));
            const auto written = co_await std::move(writing);
            if (!written) {
                seen_.erase(file.name);
            }
            continue;
        }
        List list{to_bytes(read->claim.issuer()), read->claim.this_update_s(), read->claim.next_update_s(),
                  std::move(read->serials)};
        const crypto::Digest issuer = crypto::sha256(list.issuer);
        {
            // The same list after a restart, or an older one: nothing new, and no leaf for it.
            const std::scoped_lock held(lock_);
            const auto current = lists_.find(issuer);
            if (current != lists_.end() &&
                (current->second->this_update_s > list.this_update_s ||
                 (current->second->this_update_s == list.this_update_s && current->second->serials == list.serials))) {
                continue;
            }
        }
        storage::rows::RevocationList row;
        row.set_issuer(list.issuer.data(), list.issuer.size());
        row.set_this_update_s(list.this_update_s);
        row.set_next_update_s(list.next_update_s);
        row.set_file_digest(digest.data(), digest.size());
        for (const auto& serial : list.serials) {
            row.add_serials(serial.data(), serial.size());
        }
        // A revoked certificate stops here, before the leaf is on disk: late evidence is better than late refusal.
        take(std::move(list));
        std::function<Result<void>(storage::Batch&)> apply =
            [&leaves = context.leaves, issuer, bytes = row.SerializeAsString(), digest](storage::Batch& batch) {
                const auto put = batch.transaction().put(storage::Table::revocations, issuer, as_bytes(bytes));
                if (!put) {
                    return put;
                }
                storage::Leaf leaf = list_leaf(digest);
                leaf.result = "accepted";
                leaves.append(batch, leaf);
                return Result<void>{};
            };
        auto running = execute(context, std::move(apply), 0, true);
        const auto committed = co_await std::move(running);
        if (!committed) {
            seen_.erase(file.name);
        }
    }
}

}  // namespace xinfu::vault
