#include "storage/records.hpp"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "crypto/seal.hpp"
#include "crypto/secret.hpp"
#include "storage/row_codec.hpp"

namespace xinfu::storage {
namespace {

constexpr std::size_t kIdSize = std::tuple_size_v<SubmissionId>;
constexpr char kBlockPurpose = 'r';
constexpr char kBodyPurpose = 'b';

Bytes block_key(const SubmissionId& id, std::uint32_t block) {
    Bytes key(id.begin(), id.end());
    codec::append_big(key, block);
    return key;
}

// Keys of claims and subject entries: digest, submission, slot.
Bytes place_key(const crypto::Digest& digest, const SubmissionId& submission, std::uint32_t slot) {
    Bytes key(digest.begin(), digest.end());
    codec::append(key, submission);
    codec::append_big(key, slot);
    return key;
}

std::optional<RecordPlace> place_from_key(ByteView rest) {
    if (rest.size() != kIdSize + 4) {
        return std::nullopt;
    }
    RecordPlace place;
    std::copy_n(rest.begin(), kIdSize, place.submission.begin());
    place.slot = codec::load_big<std::uint32_t>(rest.data() + kIdSize);
    return place;
}

std::optional<crypto::Digest> digest_from_bytes(ByteView bytes) {
    crypto::Digest digest{};
    if (bytes.size() != digest.size()) {
        return std::nullopt;
    }
    std::copy(bytes.begin(), bytes.end(), digest.begin());
    return digest;
}

}  // namespace

RecordSealer::RecordSealer(const SubmissionId& submission, ByteView data_key)
    : submission_(submission),
      sealer_(std::make_shared<const crypto::Sealer>(data_key)),
      object_key_(new crypto::Digest(crypto::hmac_sha256(data_key, as_bytes("xinfu-object-key-v1"))),
                  [](crypto::Digest* key) {
                      crypto::wipe(*key);
                      delete key;
                  }) {}

Bytes RecordSealer::associated_data(char purpose, std::uint32_t place) const {
    Bytes data = to_bytes("xinfu-submission-v1");
    data.push_back(0);
    data.push_back(static_cast<std::uint8_t>(purpose));
    codec::append(data, submission_);
    codec::append_big(data, place);
    return data;
}

Bytes RecordSealer::seal_block(std::uint32_t block, const rows::RecordBlock& records) const {
    const std::string plain = records.SerializeAsString();
    return sealer_->seal(as_bytes(plain), associated_data(kBlockPurpose, block));
}

Result<rows::RecordBlock> RecordSealer::open_block(std::uint32_t block, ByteView sealed) const {
    const auto plain = sealer_->open(sealed, associated_data(kBlockPurpose, block));
    if (!plain) {
        return Errc::corrupt;
    }
    return codec::parse<rows::RecordBlock>(*plain);
}

Bytes RecordSealer::seal_body(ByteView body) const {
    return sealer_->seal(body, associated_data(kBodyPurpose, 0));
}

Result<Bytes> RecordSealer::open_body(ByteView sealed) const {
    auto plain = sealer_->open(sealed, associated_data(kBodyPurpose, 0));
    if (!plain) {
        return Errc::corrupt;
    }
    return plain;
}

Result<void> put_record_block(WriteTransaction& transaction, const SubmissionId& id, std::uint32_t block,
                              ByteView sealed) {
    return transaction.put(Table::record_blocks, block_key(id, block), sealed);
}

Result<void> erase_record_block(WriteTransaction& transaction, const SubmissionId& id, std::uint32_t block) {
    return transaction.erase(Table::record_blocks, block_key(id, block));
}

Result<std::optional<Bytes>> find_record_block(const ReadTransaction& transaction, const SubmissionId& id,
                                               std::uint32_t block) {
    return transaction.get(Table::record_blocks, block_key(id, block));
}

Result<std::optional<rows::RecordBlock::Record>> find_record(const ReadTransaction& transaction,
                                                             const RecordSealer& sealer, const SubmissionId& id,
                                                             std::uint32_t slot) {
    using Found = std::optional<rows::RecordBlock::Record>;
    const std::uint32_t number = slot / kRecordsPerBlock;
    const auto sealed = find_record_block(transaction, id, number);
    if (!sealed) {
        return sealed.error();
    }
    if (!*sealed) {
        return Found{};
    }
    const auto block = sealer.open_block(number, **sealed);
    if (!block) {
        return block.error();
    }
    for (const auto& record : block->records()) {
        if (record.position() == slot % kRecordsPerBlock) {
            return Found{record};
        }
    }
    return Found{};
}

namespace {

// What is digested; the view lives until the next call on this thread.
template <class Text>
ByteView identity_message(std::string_view catalog, std::string_view unit, std::span<const Text> identity) {
    thread_local Bytes message;
    message.clear();
    codec::append_part(message, as_bytes("identity"));
    codec::append_part(message, as_bytes(catalog));
    codec::append_part(message, as_bytes(unit));
    for (const auto& value : identity) {
        codec::append_part(message, as_bytes(value));
    }
    return message;
}

ByteView subject_message(std::string_view catalog, std::string_view subject) {
    thread_local Bytes message;
    message.clear();
    for (const auto part : {std::string_view("subject"), catalog, subject}) {
        codec::append_part(message, as_bytes(part));
    }
    return message;
}

}  // namespace

crypto::Digest identity_key(ByteView index_key, std::string_view catalog, std::string_view unit,
                            std::span<const std::string> identity) {
    return crypto::hmac_sha256(index_key, identity_message(catalog, unit, identity));
}
crypto::Digest identity_key(crypto::HmacSha256& index_key, std::string_view catalog, std::string_view unit,
                            std::span<const std::string_view> identity) {
    return index_key.of(identity_message(catalog, unit, identity));
}

crypto::Digest subject_key(ByteView index_key, std::string_view catalog, std::string_view subject) {
    return crypto::hmac_sha256(index_key, subject_message(catalog, subject));
}
crypto::Digest subject_key(crypto::HmacSha256& index_key, std::string_view catalog, std::string_view subject) {
    return index_key.of(subject_message(catalog, subject));
}

Result<void> put_claim(WriteTransaction& transaction, const crypto::Digest& identity, const Claim& claim) {
    return transaction.put(Table::identity_claims, place_key(identity, claim.submission, claim.slot), claim.record);
}

Result<void> erase_claim(WriteTransaction& transaction, const crypto::Digest& identity, const Claim& claim) {
    return transaction.erase(Table::identity_claims, place_key(identity, claim.submission, claim.slot));
}

Result<void> visit_claims(const ReadTransaction& transaction, const crypto::Digest& identity,
                          const std::function<bool(const Claim&)>& visitor) {
    bool corrupt = false;
    const auto visit_one = [&](ByteView key, ByteView value) {
        const auto place = place_from_key(key.subspan(identity.size()));
        const auto digest = digest_from_bytes(value);
        if (!place || !digest) {
            corrupt = true;
            return false;
        }
        return visitor(Claim{place->submission, place->slot, *digest});
    };
    const auto visited = transaction.visit(Table::identity_claims, identity, {}, visit_one);
    if (!visited) {
        return visited.error();
    }
    if (corrupt) {
        return Errc::corrupt;
    }
    return {};
}

Result<void> put_subject_entry(WriteTransaction& transaction, const crypto::Digest& subject, const RecordPlace& place) {
    return transaction.put(Table::subject_index, place_key(subject, place.submission, place.slot), {});
}

Result<void> erase_subject_entry(WriteTransaction& transaction, const crypto::Digest& subject,
                                 const RecordPlace& place) {
    return transaction.erase(Table::subject_index, place_key(subject, place.submission, place.slot));
}

Result<void> visit_subject(const ReadTransaction& transaction, const crypto::Digest& subject,
                           const std::function<bool(const RecordPlace&)>& visitor) {
    bool corrupt = false;
    const auto visit_one = [&](ByteView key, ByteView) {
        const auto place = place_from_key(key.subspan(subject.size()));
        if (!place) {
            corrupt = true;
            return false;
        }
        return visitor(*place);
    };
    const auto visited = transaction.visit(Table::subject_index, subject, {}, visit_one);
    if (!visited) {
        return visited.error();
    }
    if (corrupt) {
        return Errc::corrupt;
    }
    return {};
}

Result<std::optional<RecordInLine>> find_record_in_line(const ReadTransaction& transaction, const RecordSealer& sealer,
                                                        const SubmissionId& id, std::uint32_t blocks,
                                                        std::uint64_t line) {
    using Found = std::optional<RecordInLine>;
    // Lines ascend from block to block. A block may have lost its records: then the one before it is looked at.
    std::uint32_t first = 0;
    std::uint32_t end = blocks;
    while (first < end) {
        const std::uint32_t middle = first + (end - first) / 2;
        std::uint32_t number = middle;
        rows::RecordBlock block;
        for (;;) {
            const auto sealed = find_record_block(transaction, id, number);
            if (!sealed) {
                return sealed.error();
            }
            if (*sealed) {
                auto opened = sealer.open_block(number, **sealed);
                if (!opened) {
                    return opened.error();
                }
                block = std::move(*opened);
            }
            if (block.records_size() > 0 || number == first) {
                break;
            }
            --number;
        }
        if (block.records_size() == 0 || block.records(block.records_size() - 1).line() < line) {
            first = middle + 1;
        } else if (block.records(0).line() > line) {
            end = number;
        } else {
            for (auto& record : *block.mutable_records()) {
                if (record.line() == line) {
                    return Found{{number * kRecordsPerBlock + record.position(), std::move(record)}};
                }
            }
            return Found{};
        }
    }
    return Found{};
}

namespace {

Bytes version_key(const crypto::Digest& identity, std::uint64_t version) {
    Bytes key(identity.begin(), identity.end());
    codec::append_big(key, version);
    return key;
}

}  // namespace

Result<std::optional<rows::RecordHead>> find_head(const ReadTransaction& transaction, const crypto::Digest& identity) {
    return codec::read<rows::RecordHead>(transaction, Table::record_versions, identity);
}

Result<std::optional<RecordVersion>> find_version(const ReadTransaction& transaction, const crypto::Digest& identity,
                                                  std::uint64_t version) {
    using Found = std::optional<RecordVersion>;
    const auto row =
        codec::read<rows::RecordVersion>(transaction, Table::record_versions, version_key(identity, version));
    if (!row) {
        return row.error();
    }
    if (!*row) {
        return Found{};
    }
    RecordVersion found;
    const auto submission = submission_id_from_bytes(as_bytes((*row)->submission()));
    const auto digest = digest_from_bytes(as_bytes((*row)->digest()));
    if (!submission || (!digest && !(*row)->digest().empty())) {
        return Errc::corrupt;
    }
    found.place = {*submission, (*row)->slot()};
    found.withdrawal = !digest;
    found.digest = digest.value_or(crypto::Digest{});
    found.time_ms = (*row)->time_ms();
    return Found{found};
}

Result<void> put_version(WriteTransaction& transaction, const crypto::Digest& identity, std::uint64_t version,
                         const RecordVersion& what) {
    rows::RecordVersion row;
    row.set_submission(what.place.submission.data(), what.place.submission.size());
    row.set_slot(what.place.slot);
    if (!what.withdrawal) {
        row.set_digest(what.digest.data(), what.digest.size());
    }
    row.set_time_ms(what.time_ms);
    const auto put = codec::write(transaction, Table::record_versions, version_key(identity, version), row);
    if (!put) {
        return put.error();
    }
    rows::RecordHead head;
    head.set_version(version);
    head.set_withdrawn(what.withdrawal);
    return codec::write(transaction, Table::record_versions, identity, head);
}

namespace {

Bytes clash_key(const SubmissionId& id, const ClashNote& note) {
    Bytes key(id.begin(), id.end());
    codec::append(key, note.identity);
    codec::append_big(key, note.slot);
    codec::append(key, note.other);
    return key;
}

}  // namespace

Result<void> put_clash(WriteTransaction& transaction, const SubmissionId& id, const ClashNote& note) {
    return codec::write(transaction, Table::staged, clash_key(id, note), note.clash);
}

Result<void> erase_clash(WriteTransaction& transaction, const SubmissionId& id, const ClashNote& note) {
    return transaction.erase(Table::staged, clash_key(id, note));
}

Result<void> visit_clashes(const ReadTransaction& transaction, const SubmissionId& id,
                           const std::function<bool(const ClashNote&)>& visitor) {
    bool corrupt = false;
    const auto visit_one = [&](ByteView key, ByteView value) {
        const ByteView rest = key.subspan(id.size());
        if (rest.empty()) {
            return true;  // the staging row itself
        }
        const auto clash = codec::parse<rows::Clash>(value);
        if (!clash || rest.size() != 32 + 4 + kIdSize) {
            corrupt = true;
            return false;
        }
        ClashNote note;
        std::copy_n(rest.begin(), 32, note.identity.begin());
        note.slot = codec::load_big<std::uint32_t>(rest.data() + 32);
        std::copy_n(rest.begin() + 36, kIdSize, note.other.begin());
        note.clash = *clash;
        return visitor(note);
    };
    const auto visited = transaction.visit(Table::staged, id, {}, visit_one);
    if (!visited) {
        return visited.error();
    }
    if (corrupt) {
        return Errc::corrupt;
    }
    return {};
}

namespace {

Result<void> unindex(WriteTransaction& transaction, ByteView index_key, std::string_view catalog,
                     const SubmissionId& id, std::uint32_t block, const rows::RecordBlock::Record& record) {
    const std::uint32_t slot = block * kRecordsPerBlock + record.position();
    const auto identity = digest_from_bytes(as_bytes(record.identity()));
    if (!identity) {
        return Errc::corrupt;
    }
    if (const auto erased = erase_claim(transaction, *identity, Claim{id, slot, {}}); !erased) {
        return erased.error();
    }
    return erase_subject_entry(transaction, subject_key(index_key, catalog, record.subject()), RecordPlace{id, slot});
}

}  // namespace

Result<void> remove_record(WriteTransaction& transaction, ByteView index_key, std::string_view catalog,
                           const RecordSealer& sealer, const SubmissionId& id, std::uint32_t slot) {
    const std::uint32_t number = slot / kRecordsPerBlock;
    const auto sealed = find_record_block(transaction, id, number);
    if (!sealed) {
        return sealed.error();
    }
    if (!*sealed) {
        return Errc::not_found;
    }
    auto block = sealer.open_block(number, **sealed);
    if (!block) {
        return block.error();
    }
    auto& records = *block->mutable_records();
    const auto found = std::find_if(records.begin(), records.end(), [slot](const auto& record) {
        return record.position() == slot % kRecordsPerBlock;
    });
    if (found == records.end()) {
        return Errc::not_found;
    }
    if (const auto removed = unindex(transaction, index_key, catalog, id, number, *found); !removed) {
        return removed.error();
    }
    records.erase(found);
    return put_record_block(transaction, id, number, sealer.seal_block(number, *block));
}

Result<std::vector<rows::RecordBlock::Record>> drop_unindexed(WriteTransaction& transaction, const RecordSealer& sealer,
                                                              const SubmissionId& id, std::uint32_t block,
                                                              std::span<const std::uint32_t> slots) {
    const auto sealed = find_record_block(transaction, id, block);
    if (!sealed) {
        return sealed.error();
    }
    if (!*sealed) {
        return Errc::not_found;
    }
    auto opened = sealer.open_block(block, **sealed);
    if (!opened) {
        return opened.error();
    }
    auto& records = *opened->mutable_records();
    std::vector<rows::RecordBlock::Record> dropped;
    const auto taken = [&](const auto& record) {
        return std::ranges::binary_search(slots, block * kRecordsPerBlock + record.position());
    };
    std::copy_if(records.begin(), records.end(), std::back_inserter(dropped), taken);
    records.erase(std::remove_if(records.begin(), records.end(), taken), records.end());
    if (const auto put = put_record_block(transaction, id, block, sealer.seal_block(block, *opened)); !put) {
        return put.error();
    }
    return dropped;
}

Result<Sweep> sweep_staged(WriteTransaction& transaction, ByteView index_key, std::string_view catalog,
                           const RecordSealer& sealer, const SubmissionId& id, std::size_t blocks_max) {
    std::vector<std::pair<Bytes, Bytes>> blocks;  // key, sealed
    const auto collect_block = [&](ByteView key, ByteView value) {
        blocks.emplace_back(Bytes(key.begin(), key.end()), Bytes(value.begin(), value.end()));
        return blocks.size() < blocks_max;
    };
    if (const auto visited = transaction.visit(Table::record_blocks, id, {}, collect_block); !visited) {
        return visited.error();
    }
    for (const auto& [key, sealed] : blocks) {
        if (key.size() != kIdSize + 4) {
            return Errc::corrupt;
        }
        const auto number = codec::load_big<std::uint32_t>(key.data() + kIdSize);
        const auto block = sealer.open_block(number, sealed);
        if (!block) {
            return block.error();
        }
        for (const auto& record : block->records()) {
            if (const auto removed = unindex(transaction, index_key, catalog, id, number, record); !removed) {
                return removed.error();
            }
        }
        if (const auto erased = transaction.erase(Table::record_blocks, key); !erased) {
            return erased.error();
        }
    }
    if (blocks.size() == blocks_max) {
        return Sweep::more;
    }
    return sweep_notes(transaction, id, blocks_max * kRecordsPerBlock);
}

Result<Sweep> sweep_notes(WriteTransaction& transaction, const SubmissionId& id, std::size_t max) {
    std::vector<Bytes> keys;
    const auto collect_key = [&](ByteView key, ByteView) {
        if (key.size() > id.size()) {  // the staging row goes last: it is what finds the rest after a crash
            keys.emplace_back(key.begin(), key.end());
        }
        return keys.size() < max;
    };
    if (const auto visited = transaction.visit(Table::staged, id, {}, collect_key); !visited) {
        return visited.error();
    }
    const bool finished = keys.size() < max;
    if (finished) {
        keys.emplace_back(id.begin(), id.end());
    }
    for (const auto& key : keys) {
        if (const auto erased = transaction.erase(Table::staged, key); !erased) {
            return erased.error();
        }
    }
    return finished ? Sweep::finished : Sweep::more;
}

}  // namespace xinfu::storage
