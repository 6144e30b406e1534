#include "daemon/vault/claims.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <unordered_map>

namespace xinfu::vault {
namespace {

enum class Owner { counts, in_flight, void_ };

// How the submissions that claims name stand, each asked once.
class Owners {
public:
    explicit Owners(const storage::ReadTransaction& transaction) : transaction_(transaction) {}

    Result<Owner> find(const storage::SubmissionId& id) {
        if (const auto known = known_.find(id); known != known_.end()) {
            return known->second;
        }
        const auto row = storage::find_submission(transaction_, id);
        if (!row) {
            return row.error();
        }
        Owner owner = Owner::in_flight;
        if (*row && storage::claims_count(**row)) {
            owner = Owner::counts;
        } else if (*row && (*row)->state() == storage::rows::Submission::REFUSED) {
            owner = Owner::void_;  // left behind by a refusal, about to be swept
        }
        known_.emplace(id, owner);
        return owner;
    }

private:
    const storage::ReadTransaction& transaction_;
    std::map<storage::SubmissionId, Owner> known_;
};

// Keyed digests are as good as random, and nobody outside knows them.
struct FirstOctets {
    std::size_t operator()(const crypto::Digest& digest) const {
        std::size_t octets = 0;
        std::memcpy(&octets, digest.data(), sizeof octets);
        return octets;
    }
};

template <class Record>
Result<Judged> judge_all(const storage::ReadTransaction& transaction, const storage::RecordSealer& sealer,
                         const storage::SubmissionId& self, std::span<const Record> records) {
    Judged judged;
    judged.fates.reserve(records.size());
    Owners owners(transaction);
    // identity -> the first of these records that has it
    std::unordered_map<crypto::Digest, std::size_t, FirstOctets> here;
    here.reserve(records.size());
    std::vector<storage::Claim> claims;
    for (std::size_t i = 0; i < records.size(); ++i) {
        const Record& record = records[i];
        Fate fate = Fate::fresh;
        std::uint64_t earlier_line = 0;
        if (const auto first = here.find(record.identity); first != here.end()) {
            const Record& other = records[first->second];
            fate = other.digest == record.digest ? Fate::duplicate : Fate::twice_otherwise;
            earlier_line = other.line;
        } else {
            claims.clear();
            const auto collect = [&claims](const storage::Claim& claim) {
                claims.push_back(claim);
                return true;
            };
            if (const auto visited = storage::visit_claims(transaction, record.identity, collect); !visited) {
                return visited.error();
            }
            for (const auto& claim : claims) {
                const bool same = claim.record == record.digest;
                if (claim.submission == self) {
                    fate = same ? Fate::duplicate : Fate::twice_otherwise;
                    if (!same) {
                        const auto earlier = storage::find_record(transaction, sealer, self, claim.slot);
                        if (!earlier) {
                            return earlier.error();
                        }
                        earlier_line = *earlier ? (*earlier)->line() : 0;
                    }
                    break;
                }
                const auto owner = owners.find(claim.submission);
                if (!owner) {
                    return owner.error();
                }
                if (*owner == Owner::counts) {
                    const bool gone = claim.record == crypto::Digest{};  // daemon/vault/operations.hpp
                    fate = gone ? Fate::withdrawn : same ? Fate::duplicate : Fate::known_otherwise;
                    break;
                }
            }
            if (fate == Fate::fresh) {
                here.emplace(record.identity, i);
                for (const auto& claim : claims) {
                    const auto owner = owners.find(claim.submission);
                    if (owner && *owner == Owner::in_flight) {
                        judged.rivals.push_back({i, claim});
                    }
                }
            }
        }
        judged.fates.push_back(fate);
        judged.fresh += fate == Fate::fresh;
        judged.duplicates += fate == Fate::duplicate;
        if (fate == Fate::twice_otherwise) {
            judged.earlier_lines.push_back(earlier_line);
        }
    }
    return judged;
}

template <class Record>
void append_all_defects(const Judged& judged, std::span<const Record> records, std::vector<boundary::Defect>& defects) {
    auto earlier = judged.earlier_lines.begin();
    for (std::size_t i = 0; i < records.size(); ++i) {
        if (judged.fates[i] == Fate::fresh || judged.fates[i] == Fate::duplicate) {
            continue;
        }
        boundary::Defect defect;
        defect.set_line(records[i].line);
        if (judged.fates[i] == Fate::known_otherwise) {
            defect.set_code("XF-5003");
        } else if (judged.fates[i] == Fate::withdrawn) {
            defect.set_code("XF-5025");
        } else {
            defect.set_code("XF-5004");
            defect.add_arguments(std::to_string(*earlier++));
        }
        defects.push_back(std::move(defect));
    }
}

// `digest` and `slot`: of this submission's record.
Result<void> put_notes(storage::WriteTransaction& transaction, const storage::SubmissionId& self,
                       const Judged::Rival& rival, const crypto::Digest& identity, const crypto::Digest& digest,
                       std::uint32_t slot, bool ours_too) {
    storage::ClashNote theirs{identity, rival.claim.slot, self, {}};
    theirs.clash.set_digest(rival.claim.record.data(), rival.claim.record.size());
    theirs.clash.set_other_digest(digest.data(), digest.size());
    if (const auto put = storage::put_clash(transaction, rival.claim.submission, theirs); !put || !ours_too) {
        return put;
    }
    storage::ClashNote ours{identity, slot, rival.claim.submission, {}};
    ours.clash.set_digest(digest.data(), digest.size());
    ours.clash.set_other_digest(rival.claim.record.data(), rival.claim.record.size());
    return storage::put_clash(transaction, self, ours);
}

}  // namespace

bool StagedClaim::operator<(const StagedClaim& other) const {
    const int order = std::memcmp(identity.data(), other.identity.data(), identity.size());
    return order < 0 || (order == 0 && slot < other.slot);
}

Result<Judged> judge(const storage::ReadTransaction& transaction, const storage::RecordSealer& sealer,
                     const storage::SubmissionId& self, std::span<const PreparedRecord> records) {
    return judge_all(transaction, sealer, self, records);
}

void append_defects(const Judged& judged, std::span<const PreparedRecord> records,
                    std::vector<boundary::Defect>& defects) {
    append_all_defects(judged, records, defects);
}

void append_defects(const Judged& judged, std::span<const StagedClaim> claims, std::vector<boundary::Defect>& defects) {
    append_all_defects(judged, claims, defects);
}

Result<Judged> put_staged_claims(storage::WriteTransaction& transaction, const storage::RecordSealer& sealer,
                                 const storage::SubmissionId& self, std::span<const StagedClaim> claims) {
    auto judged = judge_all(transaction, sealer, self, claims);
    if (!judged) {
        return judged;
    }
    for (std::size_t i = 0; i < claims.size(); ++i) {
        if (judged->fates[i] != Fate::fresh) {
            continue;
        }
        const storage::Claim claim{self, claims[i].slot, claims[i].digest};
        if (const auto put = storage::put_claim(transaction, claims[i].identity, claim); !put) {
            return put.error();
        }
    }
    for (const auto& rival : judged->rivals) {
        const StagedClaim& ours = claims[rival.record];
        const auto put = put_notes(transaction, self, rival, ours.identity, ours.digest, ours.slot, true);
        if (!put) {
            return put.error();
        }
    }
    return judged;
}

void append_row(const PreparedRecord& record, storage::rows::RecordBlock& block) {
    const auto position = static_cast<std::uint32_t>(block.records_size());
    auto& row = *block.add_records();
    row.set_position(position);
    row.set_line(record.line);
    row.set_canonical(record.canonical.data(), record.canonical.size());
    row.set_subject(record.subject);
    if (record.due) {
        row.set_due(*record.due);
    }
    if (record.due_earliest) {
        row.set_due_earliest(*record.due_earliest);
    }
    row.set_identity(record.identity.data(), record.identity.size());
}

Result<void> store_records(storage::WriteTransaction& transaction, const storage::RecordSealer& sealer,
                           const storage::SubmissionId& self, std::span<const PreparedRecord> records,
                           const Judged& judged, bool pending, std::uint32_t& next_block) {
    storage::rows::RecordBlock block;
    std::vector<std::uint32_t> slots(records.size(), 0);
    const auto flush = [&]() -> Result<void> {
        const auto put = storage::put_record_block(transaction, self, next_block, sealer.seal_block(next_block, block));
        block.Clear();
        ++next_block;
        return put;
    };
    for (std::size_t i = 0; i < records.size(); ++i) {
        if (judged.fates[i] != Fate::fresh) {
            continue;
        }
        const PreparedRecord& record = records[i];
        const auto position = static_cast<std::uint32_t>(block.records_size());
        slots[i] = next_block * storage::kRecordsPerBlock + position;
        append_row(record, block);
        const storage::Claim claim{self, slots[i], record.digest};
        if (const auto put = storage::put_claim(transaction, record.identity, claim); !put) {
            return put.error();
        }
        const storage::RecordPlace place{self, slots[i]};
        if (const auto put = storage::put_subject_entry(transaction, record.subject_key, place); !put) {
            return put.error();
        }
        if (position + 1 == storage::kRecordsPerBlock) {
            if (const auto flushed = flush(); !flushed) {
                return flushed.error();
            }
        }
    }
    if (block.records_size() > 0) {
        if (const auto flushed = flush(); !flushed) {
            return flushed.error();
        }
    }
    for (const auto& rival : judged.rivals) {
        const PreparedRecord& record = records[rival.record];
        // Of a submission that is committed with this very transaction nothing is left to look at later.
        const auto put =
            put_notes(transaction, self, rival, record.identity, record.digest, slots[rival.record], pending);
        if (!put) {
            return put.error();
        }
    }
    return {};
}

Result<Overtaken> look_at_clashes(const storage::ReadTransaction& transaction, const storage::SubmissionId& self) {
    Overtaken overtaken;
    Owners owners(transaction);
    std::map<std::uint32_t, bool> same_by_slot;
    std::optional<boost::system::error_code> failed;
    const auto look = [&](const storage::ClashNote& note) {
        const auto owner = owners.find(note.other);
        if (!owner) {
            failed = owner.error();
            return false;
        }
        if (*owner != Owner::counts) {
            return true;
        }
        if (same_by_slot.size() == kClashesMax && !same_by_slot.contains(note.slot)) {
            overtaken.more = true;
            return false;
        }
        same_by_slot.emplace(note.slot, note.clash.digest() == note.clash.other_digest());
        overtaken.notes.push_back(note);
        return true;
    };
    if (const auto visited = storage::visit_clashes(transaction, self, look); !visited) {
        return visited.error();
    }
    if (failed) {
        return *failed;
    }
    for (const auto& [slot, same] : same_by_slot) {
        (same ? overtaken.duplicates : overtaken.known_otherwise).push_back(slot);
    }
    return overtaken;
}

Result<std::vector<boundary::Defect>> take_back(storage::WriteTransaction& transaction, ByteView index_key,
                                                std::string_view catalog, const storage::RecordSealer& sealer,
                                                const storage::SubmissionId& self, const Overtaken& overtaken,
                                                TermCounts& terms) {
    std::vector<boundary::Defect> defects;
    for (const auto* slots : {&overtaken.duplicates, &overtaken.known_otherwise}) {
        for (const std::uint32_t slot : *slots) {
            const auto record = storage::find_record(transaction, sealer, self, slot);
            if (!record) {
                return record.error();
            }
            if (*record) {
                terms.remove(**record);
            }
            if (slots == &overtaken.known_otherwise) {
                boundary::Defect defect;
                defect.set_line(*record ? (*record)->line() : 0);
                defect.set_code("XF-5003");
                defects.push_back(std::move(defect));
            }
            if (const auto removed = storage::remove_record(transaction, index_key, catalog, sealer, self, slot);
                !removed) {
                return removed.error();
            }
        }
    }
    for (const auto& note : overtaken.notes) {
        if (const auto erased = storage::erase_clash(transaction, self, note); !erased) {
            return erased.error();
        }
    }
    return defects;
}

}  // namespace xinfu::vault
