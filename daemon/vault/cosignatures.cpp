#include "daemon/vault/cosignatures.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include <boost/endian/conversion.hpp>

#include "crypto/bytes.hpp"
#include "crypto/error.hpp"
#include "daemon/config/config.hpp"
#include "daemon/vault/ask_inspector.hpp"
#include "daemon/vault/exchange.hpp"
#include "storage/error.hpp"
#include "storage/witness.hpp"

namespace xinfu::vault {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::string_view kPath = "/v1/log/witness/add-checkpoint";
constexpr std::size_t kKeyIdBytes = 4;
constexpr std::size_t kTimeBytes = 8;

std::string text_of(std::string_view note) {
    return std::string(note.substr(0, note.rfind("\n\n") + 1));
}

}  // namespace

Cosignatures::Cosignatures(Context& context) : context_(context) {}

Result<void> Cosignatures::start() {
    at_start_ = context_.ledger.head();
    const auto snapshot = context_.ledger.engine().snapshot();
    if (!snapshot) {
        return snapshot.error();
    }
    for (const auto& route : context_.config.routes) {
        if (route.witness_key.empty()) {
            continue;
        }
        auto key = crypto::NoteVerifier::parse(route.witness_key);
        if (!key || !key->is_witness()) {
            return key ? make_error_code(crypto::Errc::key_wrong_algorithm) : key.error();
        }
        const auto row = storage::find_cosignature(**snapshot, key->name());
        if (!row) {
            return row.error();
        }
        const std::uint64_t cosigned = *row ? (*row)->size() : 0;
        Witness witness{.key = std::move(*key), .cosigned = cosigned};
        witness.answered = at_start_.tree_size == 0;  // there is nothing that could be older
        witnesses_.emplace(route.name, std::move(witness));
    }
    const auto verdict = storage::find_rolled_back(**snapshot);
    if (!verdict) {
        return verdict.error();
    }
    if (*verdict) {
        rolled_back_ = problem("XF-6012", {(*verdict)->witness(), std::to_string((*verdict)->size())}, 60);
    }
    return {};
}

std::optional<boundary::Post> Cosignatures::next(const std::string& route) {
    const auto found = witnesses_.find(route);
    if (found == witnesses_.end() || found->second.under_way || SteadyClock::now() < found->second.due) {
        return std::nullopt;
    }
    Witness& witness = found->second;
    // Over what the last run left nothing new has to be signed; what the witness has beyond it came of this run.
    const bool about_start = !witness.answered && witness.cosigned <= at_start_.tree_size;
    const auto head = about_start ? at_start_ : context_.ledger.head();
    if (head.tree_size == 0 || (witness.answered && !rolled_back_ && head.tree_size == witness.cosigned)) {
        witness.due = SteadyClock::now() + kAskedEvery;
        return std::nullopt;
    }
    // A size that is beyond what is here cannot be proven from; the witness says so itself.
    const auto old = std::min(witness.cosigned, head.tree_size);
    std::vector<crypto::Digest> proof;
    if (old != 0 && old != head.tree_size) {
        auto hashes = context_.ledger.tree().consistency_proof(old, head.tree_size);
        if (!hashes) {
            witness.last_problem = problem("XF-7021", {hashes.error().message()});
            witness.due = SteadyClock::now() + kAfterRefusal;
            return std::nullopt;
        }
        proof = std::move(*hashes);
    }
    boundary::Post post;
    post.set_path(std::string(kPath));
    std::string body = "old " + std::to_string(old) + "\n";
    for (const auto& hash : proof) {
        body += to_base64(hash) + "\n";
    }
    post.set_body(body + "\n" + *head.checkpoint);
    witness.under_way = Asked{head.tree_size, text_of(*head.checkpoint), *head.checkpoint};
    witness.due = SteadyClock::now() + kAskedEvery;
    return post;
}

Cosignatures::SteadyTime Cosignatures::due(const std::string& route) const {
    const auto found = witnesses_.find(route);
    return found == witnesses_.end() || found->second.under_way ? SteadyTime::max() : found->second.due;
}

void Cosignatures::give_up(const std::string& route) {
    if (const auto found = witnesses_.find(route); found != witnesses_.end()) {
        found->second.under_way.reset();
        found->second.due = SteadyClock::now() + kAskedEvery / 10;
    }
}

asio::awaitable<Result<Cosignatures::Link>> Cosignatures::take(std::string route, boundary::TaskResult result) {
    const auto found = witnesses_.find(route);
    if (found == witnesses_.end() || !found->second.under_way) {
        co_return Link::sound;
    }
    Witness& witness = found->second;
    const Asked asked = std::move(*witness.under_way);
    witness.under_way.reset();
    const std::uint32_t status = result.http_status();
    if (status == 0 || status >= 500 || status == 429) {
        // At the start the answer is waited for, and the way may only just be coming up.
        if (status != 0 && !witness.reached) {
            witness.reached = SteadyClock::now();
        }
        const auto wait = objection() ? kAskedEveryAtStart : std::chrono::milliseconds(kAfterFailure);
        witness.due = SteadyClock::now() + (status == 0 ? std::chrono::milliseconds{0} : wait);
        co_return status == 0 ? Link::at_fault : Link::sound;
    }
    if (status != 200 && status != 409 && status != 422) {
        refuse(witness, "HTTP " + std::to_string(status));
        co_return Link::sound;
    }
    std::vector<boundary::InspectorRequest> parts(1);
    parts.front().mutable_read_cosignatures()->set_text(result.body());
    auto asking = ask_inspector(context_, "route/" + route, std::move(parts));
    auto reply = co_await std::move(asking);
    if (!reply) {
        co_return reply.error();
    }
    const auto& read = reply->cosignatures();
    const bool not_a_continuation = reply->has_cosignatures() && !read.has_size() && read.lines().empty();
    if (!reply->has_cosignatures() || read.has_size() != (status == 409) || not_a_continuation != (status == 422)) {
        refuse(witness, "form");
        co_return Link::sound;
    }
    if (status == 422) {
        auto finding = found_ahead(witness, witness.cosigned);
        if (const auto found_so = co_await std::move(finding); !found_so) {
            co_return found_so.error();
        }
        co_return Link::sound;
    }
    if (status == 409) {
        const std::uint64_t size = reply->cosignatures().size();
        if (size > context_.ledger.head().tree_size) {
            auto finding = found_ahead(witness, size);
            if (const auto found_so = co_await std::move(finding); !found_so) {
                co_return found_so.error();
            }
        } else {
            witness.cosigned = size;
            const bool again = std::exchange(witness.corrected, true);
            witness.due = SteadyClock::now() + (again ? kAskedEvery : std::chrono::milliseconds{0});
        }
        co_return Link::sound;
    }
    std::optional<std::pair<std::string, std::uint64_t>> line;  // and its time, seconds
    for (const auto& told : reply->cosignatures().lines()) {
        const ByteView bytes = as_bytes(told.signature());
        if (told.name() != witness.key.name() || bytes.size() <= kKeyIdBytes + kTimeBytes ||
            boost::endian::load_big_u32(bytes.data()) != witness.key.key_id() ||
            !witness.key.verify(asked.text, bytes.subspan(kKeyIdBytes))) {
            continue;
        }
        line.emplace(crypto::encode_signature_line(told.name(), witness.key.key_id(), bytes.subspan(kKeyIdBytes)),
                     boost::endian::load_big_u64(bytes.data() + kKeyIdBytes));
        break;
    }
    if (!line) {
        refuse(witness, "signature");
        co_return Link::sound;
    }
    storage::rows::Cosignature row;
    row.set_size(asked.size);
    row.set_note(asked.note + line->first);
    row.set_time_s(static_cast<std::int64_t>(line->second));
    auto keeping = keep(witness, std::move(row));
    if (const auto kept = co_await std::move(keeping); !kept) {
        co_return kept.error();
    }
    co_return Link::sound;
}

// Answered, but not signed: it is asked again later, and the node goes on.
void Cosignatures::refuse(Witness& witness, std::string why) {
    witness.answered = true;
    witness.last_problem = problem("XF-7021", {std::move(why)});
    witness.due = SteadyClock::now() + kAfterRefusal;
}

asio::awaitable<Result<void>> Cosignatures::keep(Witness& witness, storage::rows::Cosignature row) {
    const std::string name = witness.key.name();
    const std::uint64_t size = row.size();
    const std::size_t bytes = row.note().size();
    // A signature proves that nothing was put back, whatever was said before.
    const bool acquitted = rolled_back_.has_value();
    std::function<Result<void>(storage::Batch&)> apply = [name, row = std::move(row),
                                                          acquitted](storage::Batch& batch) -> Result<void> {
        if (acquitted) {
            if (const auto erased = storage::erase_rolled_back(batch.transaction()); !erased) {
                return erased.error();
            }
        }
        return storage::put_cosignature(batch.transaction(), name, row);
    };
    auto executing = execute(context_, std::move(apply), bytes, true);
    const auto done = co_await std::move(executing);
    if (!done) {
        co_return done.error();
    }
    witness.cosigned = size;
    witness.answered = true;
    witness.corrected = false;
    witness.last_problem.reset();
    rolled_back_.reset();
    co_return Result<void>{};
}

asio::awaitable<Result<void>> Cosignatures::found_ahead(Witness& witness, std::uint64_t size) {
    const bool serving = !objection();
    witness.answered = true;
    witness.due = SteadyClock::now() + kAfterRolledBack;
    if (rolled_back_) {
        co_return Result<void>{};
    }
    rolled_back_ = problem("XF-6012", {witness.key.name(), std::to_string(size)}, 60);
    // Kept, or the next start would go on with it when nobody can be asked.
    storage::rows::RolledBack row;
    row.set_witness(witness.key.name());
    row.set_size(size);
    std::function<Result<void>(storage::Batch&)> apply = [row](storage::Batch& batch) {
        return storage::put_rolled_back(batch.transaction(), row);
    };
    auto executing = execute(context_, std::move(apply), 256, true);
    const auto done = co_await std::move(executing);
    on_rolled_back(*rolled_back_, serving);
    if (!done) {
        co_return done.error();
    }
    co_return Result<void>{};
}

Cosignatures::SteadyTime Cosignatures::held_until(const std::string& route) const {
    if (rolled_back_) {
        return SteadyTime::max();
    }
    const auto found = witnesses_.find(route);
    if (found == witnesses_.end() || found->second.answered) {
        return SteadyTime::min();
    }
    if (!began_) {
        return SteadyTime::max();
    }
    const auto longest = *began_ + kHoldWithoutAnyMax;
    return found->second.reached ? std::min(longest, *found->second.reached + kHoldMax) : longest;
}

std::optional<boundary::Problem> Cosignatures::objection() const {
    if (rolled_back_) {
        return rolled_back_;
    }
    const bool waits = std::ranges::any_of(witnesses_, [](const auto& one) { return !one.second.answered; });
    if (waits && (!began_ || SteadyClock::now() < *began_ + kStartWaitMax)) {
        return problem("XF-6013", {}, 1);
    }
    return std::nullopt;
}

std::optional<boundary::Problem> Cosignatures::warning() const {
    for (const auto& [route, witness] : witnesses_) {
        if (witness.last_problem) {
            return witness.last_problem;
        }
    }
    return std::nullopt;
}

std::optional<std::uint64_t> Cosignatures::cosigned_size() const {
    std::optional<std::uint64_t> size;
    for (const auto& [route, witness] : witnesses_) {
        if (witness.cosigned > 0) {
            size = std::max(size.value_or(0), witness.cosigned);
        }
    }
    return size;
}

}  // namespace xinfu::vault
