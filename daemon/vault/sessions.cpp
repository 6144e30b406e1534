#include "daemon/vault/sessions.hpp"

#include <algorithm>
#include <utility>

#include "crypto/canonical_json.hpp"
#include "crypto/password.hpp"
#include "daemon/vault/counted_leaves.hpp"
#include "daemon/vault/keys.hpp"
#include "storage/accounts.hpp"
#include "storage/error.hpp"

namespace xinfu::vault {
namespace {

constexpr std::string_view kOpenSession = "open_session";

std::size_t characters(std::string_view utf8) {
    return static_cast<std::size_t>(
        std::ranges::count_if(utf8, [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }));
}

// Long enough, and not one character over and over.
bool is_acceptable(std::string_view password) {
    return characters(password) >= Sessions::kPasswordCharactersMin &&
           password.find_first_not_of(password.front()) != std::string_view::npos;
}

std::int64_t to_ms(storage::Milliseconds time) {
    return time.time_since_epoch().count();
}

}  // namespace

bool Sessions::is_over(const Session& session, storage::Milliseconds now) {
    return now - session.used > kIdle || now - session.opened > kLongest || now < session.opened;
}

std::optional<boundary::Problem> Sessions::check(const Principal& principal, std::string_view token,
                                                 storage::Milliseconds now) {
    if (token.empty()) {
        return problem("XF-1006");
    }
    const auto found = open_.find(crypto::sha256(as_bytes(token)));
    if (found == open_.end()) {
        return problem("XF-1006");
    }
    if (is_over(found->second, now)) {
        open_.erase(found);
        return problem("XF-1006");
    }
    if (found->second.certificate != principal.certificate || found->second.account != principal.account) {
        return problem("XF-1016");
    }
    found->second.used = now;
    return std::nullopt;
}

void Sessions::sweep(storage::Milliseconds now) {
    std::erase_if(open_, [now](const auto& entry) { return is_over(entry.second, now); });
}

std::size_t Sessions::end_all(std::string_view account) {
    return std::erase_if(open_, [account](const auto& entry) { return entry.second.account == account; });
}

std::string Sessions::begin(Context& context, const Principal& principal) {
    const auto now = context.clock.now();
    sweep(now);
    std::size_t count = 0;
    auto oldest = open_.end();
    for (auto entry = open_.begin(); entry != open_.end(); ++entry) {
        if (entry->second.account == principal.account) {
            ++count;
            if (oldest == open_.end() || entry->second.used < oldest->second.used) {
                oldest = entry;
            }
        }
    }
    if (count >= kPerAccountMax) {
        open_.erase(oldest);
    }
    const std::string token = to_hex(context.random.array<32>());
    open_[crypto::sha256(as_bytes(token))] = Session{principal.account, principal.certificate, now, now};
    return token;
}

asio::awaitable<Result<Sessions::Confirmed>> Sessions::log_in(Context& context, const Caller& caller,
                                                              boundary::OpenSession said, std::string action) {
    const Principal& principal = caller.principal;
    std::optional<storage::Person> person;
    {
        const auto snapshot = context.ledger.engine().snapshot();
        if (!snapshot) {
            co_return snapshot.error();
        }
        auto found = storage::find_person(**snapshot, context.keys.index(), principal.person);
        if (!found) {
            co_return found.error();
        }
        person = std::move(*found);
    }
    if (!person || person->account != principal.account) {
        co_return Confirmed{problem("XF-1007"), false};
    }
    const auto now = context.clock.now();
    const auto locked_ms = person->locked_until_ms - to_ms(now);
    // A clock that was set back must not lock anybody out for longer.
    if (locked_ms > 0 && locked_ms <= std::chrono::milliseconds(kLocked).count()) {
        const auto left = (locked_ms + 999) / 1000;
        co_return Confirmed{problem("XF-1009", {}, static_cast<std::uint32_t>(left)), false};
    }
    const bool first = person->password_hash.empty();
    if (first && action != kOpenSession) {
        co_return Confirmed{problem("XF-1008"), false};
    }
    const std::string chosen = said.new_password().empty() && first ? said.password() : said.new_password();
    if (!chosen.empty() && !is_acceptable(chosen)) {
        co_return Confirmed{problem("XF-1010", {std::to_string(kPasswordCharactersMin)}), false};
    }
    if (first && chosen.empty()) {
        co_return Confirmed{problem("XF-1008"), false};
    }

    struct Work {
        bool right = false;
        std::string hash;  // of the new password
    };
    std::function<Work()> work = [stored = person->password_hash, given = said.password(), chosen,
                                  &random = context.random]() {
        Work done;
        if (!stored.empty()) {
            const auto verified = crypto::verify_password(given, stored);
            done.right = verified && *verified;
        } else {
            done.right = true;
        }
        if (done.right && !chosen.empty()) {
            done.hash = crypto::hash_password(chosen, random);
        }
        return done;
    };
    auto working = run_on_worker(context, std::move(work));
    const Work done = co_await std::move(working);

    const bool right = done.right;
    auto next = std::make_shared<storage::Person>(*person);
    std::function<Result<void>(storage::Batch&)> apply = [&context, caller, next, right, hash = done.hash, action,
                                                          read = person->password_hash](storage::Batch& batch) {
        // Read again: the row may have changed since the snapshot.
        const auto current = storage::find_person(batch.transaction(), context.keys.index(), caller.principal.person);
        if (!current) {
            return Result<void>{current.error()};
        }
        if (!*current || (*current)->password_hash != read) {
            return Result<void>{storage::Errc::busy};
        }
        *next = **current;
        if (right) {
            next->failures = 0;
            next->locked_until_ms = 0;
            if (!hash.empty()) {
                next->password_hash = hash;
                next->password_set_ms = to_ms(batch.time());
            }
        } else if (++next->failures >= kFailuresMax) {
            next->failures = 0;
            next->locked_until_ms = to_ms(context.clock.now() + kLocked);
        }
        if (const auto put = storage::put_person(batch.transaction(), context.keys.index(), *next); !put) {
            return put;
        }
        if (right && !hash.empty()) {
            storage::Leaf leaf = leaf_of(caller, "set_password");
            leaf.result = "done";
            context.leaves.append(batch, leaf);
        }
        storage::Leaf leaf = leaf_of(caller, action);
        leaf.result = right ? "accepted" : "refused";
        leaf.code = right ? "" : "XF-1007";
        context.leaves.append(batch, leaf);
        return Result<void>{};
    };
    auto running = execute(context, std::move(apply), 0, true);
    const auto committed = co_await std::move(running);
    if (!committed) {
        co_return committed.error();
    }
    if (!right) {
        if (next->locked_until_ms > to_ms(now)) {
            end_all(principal.account);
        }
        co_return Confirmed{problem("XF-1007"), true};
    }
    if (!done.hash.empty()) {
        end_all(principal.account);  // whoever knew the old password is out
    }
    co_return Confirmed{std::nullopt, true};
}

asio::awaitable<Sessions::Confirmed> Sessions::try_password(Context& context, Caller caller, boundary::OpenSession said,
                                                            std::string action) {
    const std::string account = caller.principal.account;
    if (under_way_.size() >= kUnderWayMax || under_way_.contains(account)) {
        co_return Confirmed{problem("XF-6001", {}, 1), false};
    }
    under_way_.insert(account);
    auto logging_in = log_in(context, caller, std::move(said), std::move(action));
    auto outcome = co_await std::move(logging_in);
    under_way_.erase(account);
    if (!outcome) {
        co_return Confirmed{problem_of(outcome.error()), false};
    }
    co_return std::move(*outcome);
}

asio::awaitable<Sessions::Confirmed> Sessions::confirm(Context& context, Caller caller, std::string password) {
    if (caller.principal.kind != storage::AccountKind::person || password.size() > kPasswordBytesMax ||
        !crypto::is_utf8(password)) {
        co_return Confirmed{problem("XF-1007"), false};
    }
    boundary::OpenSession said;
    said.set_password(std::move(password));
    auto trying = try_password(context, std::move(caller), std::move(said), "confirm_password");
    co_return co_await std::move(trying);
}

asio::awaitable<void> Sessions::open(Context& context, ExchangePointer exchange) {
    const Caller caller = exchange->caller();
    const Principal& principal = caller.principal;
    const auto& said = exchange->request().open_session();
    std::optional<boundary::Problem> refusal;
    bool recorded = false;
    if (principal.kind != storage::AccountKind::person) {
        refusal = problem("XF-1014");
    } else if (said.password().size() > kPasswordBytesMax || said.new_password().size() > kPasswordBytesMax ||
               !crypto::is_utf8(said.password()) || !crypto::is_utf8(said.new_password())) {
        refusal = problem("XF-1007");
    } else {
        auto trying = try_password(context, caller, said, std::string(kOpenSession));
        auto tried = co_await std::move(trying);
        refusal = std::move(tried.problem);
        recorded = tried.recorded;
    }
    if (refusal) {
        if (!recorded) {
            auto writing = record_refusal(context, caller, "open_session", refusal->code());
            if (const auto written = co_await std::move(writing); !written) {
                refusal = problem_of(written.error());
            }
        }
        auto answering = answer_problem(exchange, std::move(*refusal));
        const auto answered = co_await std::move(answering);
        static_cast<void>(answered.has_value());
        co_return;
    }
    boundary::GatewayReply reply;
    reply.mutable_session()->set_token(begin(context, principal));
    reply.mutable_session()->set_expires_ms(to_ms(context.clock.now() + kIdle));
    auto answering = exchange->reply(std::move(reply), boundary::Descriptor{});
    const auto answered = co_await std::move(answering);
    static_cast<void>(answered.has_value());
}

asio::awaitable<void> Sessions::close(Context& context, ExchangePointer exchange) {
    const Caller caller = exchange->caller();
    const auto found = open_.find(crypto::sha256(as_bytes(exchange->request().token())));
    boundary::GatewayReply reply;
    if (found == open_.end() || found->second.certificate != caller.principal.certificate) {
        *reply.mutable_problem() = problem("XF-1006");
    } else {
        open_.erase(found);
        storage::Leaf leaf = leaf_of(caller, "close_session");
        leaf.result = "done";
        auto recording = record(context, std::move(leaf), storage::LeafNotes{});
        const auto recorded = co_await std::move(recording);
        if (recorded) {
            reply.mutable_done();
        } else {
            *reply.mutable_problem() = problem_of(recorded.error());
        }
    }
    auto answering = exchange->reply(std::move(reply), boundary::Descriptor{});
    const auto answered = co_await std::move(answering);
    static_cast<void>(answered.has_value());
}

}  // namespace xinfu::vault
