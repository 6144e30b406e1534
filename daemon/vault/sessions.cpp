#include "daemon/vault/sessions.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "crypto/canonical_json.hpp"
#include "crypto/password.hpp"
#include "daemon/vault/active_policies.hpp"
#include "daemon/vault/counted_leaves.hpp"
#include "daemon/vault/keys.hpp"
#include "daemon/vault/metrics.hpp"
#include "storage/accounts.hpp"
#include "storage/error.hpp"

namespace xinfu::vault {
namespace {

constexpr std::string_view kOpenSession = "open_session";

std::int64_t to_ms(storage::Milliseconds time) {
    return time.time_since_epoch().count();
}
storage::Milliseconds from_ms(std::int64_t time) {
    return storage::Milliseconds{std::chrono::milliseconds{time}};
}

// The log's time never goes back: what has expired stays so when the clock is set.
storage::Milliseconds time_of_expiry(const Context& context) {
    return std::max(context.clock.now(), context.ledger.last_time());
}

// How much longer the account is locked; absent: it is not. A clock that was set back must not lock anybody out for
// longer.
std::optional<std::uint32_t> locked_seconds(const storage::Person& person, const policies::PasswordPolicy& rule,
                                            storage::Milliseconds now) {
    const auto since = from_ms(person.locked_ms);
    const auto until = since + std::chrono::minutes{rule.locked_minutes};
    if (person.locked_ms == 0 || now < since || now >= until) {
        return std::nullopt;
    }
    return static_cast<std::uint32_t>(std::chrono::ceil<std::chrono::seconds>(until - now).count());
}

// What others may know of the person: a password made of it is guessed first.
std::vector<std::string> own_words(const Context& context, const storage::Account& account) {
    std::string digits;  // of the phone
    std::ranges::copy_if(account.phone, std::back_inserter(digits), [](char c) { return c >= '0' && c <= '9'; });
    return {account.id,        account.name, account.phone, digits,      account.person,
            account.unit_name, account.unit, account.post,  context.node};
}

bool is_one_of(std::string_view password, const std::vector<std::string>& hashes) {
    return std::ranges::any_of(hashes, [password](const std::string& hash) {
        const auto same = crypto::verify_password(password, hash);
        return same && *same;
    });
}

// The password that was, into the history of a rule that compares with so many.
void remember(storage::Person& person, std::uint32_t history) {
    person.former_hashes.insert(person.former_hashes.begin(), std::move(person.password_hash));
    person.former_hashes.resize(std::min<std::size_t>(person.former_hashes.size(), history - 1));
}

}  // namespace

bool Sessions::is_over(const Session& session, const policies::PasswordPolicy& rule, storage::Milliseconds now) {
    return now - session.used > std::chrono::minutes{rule.idle_minutes} ||
           now - session.opened > std::chrono::hours{rule.session_hours} || now < session.opened;
}

std::optional<boundary::Problem> Sessions::check(const Context& context, const Principal& principal,
                                                 std::string_view token) {
    if (token.empty()) {
        return problem("XF-1006");
    }
    const auto found = open_.find(crypto::sha256(as_bytes(token)));
    if (found == open_.end()) {
        return problem("XF-1006");
    }
    const auto now = context.clock.now();
    const auto policies = context.policies.current();
    Session& session = found->second;
    const bool own = session.certificate == principal.certificate && session.account == principal.account;
    if (own) {
        session.roles = principal.roles;
    }
    if (is_over(session, policies::password_policy_of(policies->access, session.roles), now)) {
        open_.erase(found);
        return problem("XF-1006");
    }
    if (!own) {
        return problem("XF-1016");
    }
    session.used = now;
    return std::nullopt;
}

void Sessions::sweep(const Context& context) {
    const auto policies = context.policies.current();
    std::erase_if(open_, [&, now = context.clock.now()](const auto& entry) {
        return is_over(entry.second, policies::password_policy_of(policies->access, entry.second.roles), now);
    });
}

std::size_t Sessions::end_all(std::string_view account) {
    return std::erase_if(open_, [account](const auto& entry) { return entry.second.account == account; });
}

std::string Sessions::begin(Context& context, const Principal& principal) {
    const auto now = context.clock.now();
    sweep(context);
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
    open_[crypto::sha256(as_bytes(token))] =
        Session{principal.account, principal.roles, principal.certificate, now, now};
    return token;
}

asio::awaitable<void> Sessions::count_failure(Context& context, const Caller& caller) {
    const auto alarm = spraying_.failed(caller.source, caller.principal.account, context.clock.now());
    if (!alarm) {
        co_return;
    }
    context.metrics.add("xinfu_password_spraying_total");
    storage::Leaf leaf;
    leaf.action = "password_spraying";
    leaf.result = "refused";
    leaf.code = "XF-1022";
    leaf.source = caller.source;
    leaf.reason = "from " + PasswordSpraying::network_of(caller.source) + ": " + std::to_string(alarm->accounts) +
                  " accounts, " + std::to_string(alarm->failures) + " wrong passwords";
    auto recording = record(context, std::move(leaf), storage::LeafNotes{});
    // What cannot be told on the log is a disk that is full or failed, which has its own alarm.
    static_cast<void>((co_await std::move(recording)).has_value());
}

asio::awaitable<Result<Sessions::Confirmed>> Sessions::log_in(Context& context, const Caller& caller,
                                                              boundary::OpenSession said, std::string action) {
    const Principal& principal = caller.principal;
    const auto policies = context.policies.current();
    const auto rule = policies::password_policy_of(policies->access, principal.roles);
    std::optional<storage::Person> person;
    std::optional<storage::Account> account;
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
        auto enrolled = storage::find_account(**snapshot, principal.account);
        if (!enrolled) {
            co_return enrolled.error();
        }
        account = std::move(*enrolled);
    }
    if (!person || !account || person->account != principal.account) {
        co_return Confirmed{problem("XF-1007"), false};
    }
    const auto now = context.clock.now();
    if (const auto left = locked_seconds(*person, rule, now)) {
        co_return Confirmed{problem("XF-1009", {}, *left), false};
    }
    const bool opens = action == kOpenSession;
    // An administrator who last came from there, and has not failed there, has one try: somebody who fails on purpose
    // with others' keys must not keep all of them out.
    const bool spared =
        &policies::password_policy_of(policies->access, principal.roles) ==
            &policies->access.passwords.administrators &&
        !person->last_source.empty() &&
        PasswordSpraying::network_of(person->last_source) == PasswordSpraying::network_of(caller.source) &&
        !spraying_.has_failed(caller.source, principal.account, now);
    if (const auto left = spraying_.refused(caller.source, now); left && opens && !spared) {
        co_return Confirmed{problem("XF-1022", {}, *left), false};
    }
    const bool first = person->password_hash.empty();
    const std::string chosen = said.new_password().empty() && first ? said.password() : said.new_password();
    if (first && (!opens || chosen.empty())) {
        co_return Confirmed{problem("XF-1008"), false};
    }

    struct Work {
        bool right = false;
        std::optional<policies::PasswordFault> fault;  // of the new password
        std::string hash;                              // of the new password
    };
    std::vector<std::string> former = person->former_hashes;
    former.resize(std::min<std::size_t>(former.size(), rule.history - 1));
    std::function<Work()> work = [stored = person->password_hash, given = said.password(), chosen, rule,
                                  former = std::move(former), words = own_words(context, *account),
                                  &random = context.random]() {
        Work done;
        if (!stored.empty()) {
            const auto verified = crypto::verify_password(given, stored);
            done.right = verified && *verified;
        } else {
            done.right = true;
        }
        if (!done.right || chosen.empty()) {
            return done;
        }
        done.fault = policies::find_fault(rule, chosen, words);
        if (!done.fault && ((!stored.empty() && chosen == given) || is_one_of(chosen, former))) {
            done.fault = policies::PasswordFault{"XF-1025", {std::to_string(rule.history)}};
        }
        if (!done.fault) {
            done.hash = crypto::hash_password(chosen, random);
        }
        return done;
    };
    auto working = run_on_worker(context, std::move(work));
    const Work done = co_await std::move(working);

    // Others that were tried at the same time may have failed meanwhile: those after the third learn nothing.
    std::optional<boundary::Problem> suspended;
    if (const auto left = spraying_.refused(caller.source, context.clock.now());
        left && opens && !(done.right && spared)) {
        suspended = problem("XF-1022", {}, *left);
    }
    if (!done.right) {
        auto counting = count_failure(context, caller);
        co_await std::move(counting);
    }
    if (done.right && suspended) {
        co_return Confirmed{std::move(suspended), false};
    }
    if (done.right && done.fault) {
        co_return Confirmed{problem(done.fault->code, done.fault->arguments), false};
    }
    const std::chrono::days lasts{rule.days_max};
    if (done.right && done.hash.empty() && time_of_expiry(context) - from_ms(person->password_set_ms) > lasts) {
        co_return Confirmed{problem("XF-1021", {std::to_string(rule.days_max)}), false};
    }

    const bool right = done.right;
    auto next = std::make_shared<storage::Person>(*person);
    std::function<Result<void>(storage::Batch&)> apply = [&context, caller, next, right, opens, rule, hash = done.hash,
                                                          action, code = suspended ? "XF-1022" : "XF-1007",
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
            next->locked_ms = 0;
            if (!hash.empty()) {
                if (!read.empty()) {
                    remember(*next, rule.history);
                }
                next->password_hash = hash;
                next->password_set_ms = to_ms(batch.time());
            }
            if (opens) {
                next->last_login_ms = to_ms(batch.time());
                next->last_source = caller.source;
            }
        } else if (++next->failures >= rule.failures_max) {
            next->failures = 0;
            next->locked_ms = to_ms(context.clock.now());
        } else {
            next->locked_ms = 0;  // over
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
        leaf.code = right ? "" : code;
        context.leaves.append(batch, leaf);
        return Result<void>{};
    };
    auto running = execute(context, std::move(apply), 0, true);
    const auto committed = co_await std::move(running);
    if (!committed) {
        co_return committed.error();
    }
    if (!right) {
        if (next->locked_ms != 0) {
            end_all(principal.account);
        }
        co_return Confirmed{suspended ? std::move(*suspended) : problem("XF-1007"), true};
    }
    spraying_.succeeded(caller.source, principal.account);
    if (!done.hash.empty()) {
        end_all(principal.account);  // whoever knew the old password is out
    }
    co_return Confirmed{std::nullopt, true, from_ms(next->password_set_ms) + lasts};
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
    storage::Milliseconds expires{};
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
        expires = tried.expires;
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
    const auto policies = context.policies.current();
    const std::chrono::minutes idle{policies::password_policy_of(policies->access, principal.roles).idle_minutes};
    reply.mutable_session()->set_expires_ms(to_ms(context.clock.now() + idle));
    if (const auto left = expires - time_of_expiry(context); left < kWarnedBefore) {
        const auto days = std::max(std::chrono::floor<std::chrono::days>(left), std::chrono::days{0});
        reply.mutable_session()->set_password_change_needed(true);
        reply.mutable_session()->set_password_days_left(static_cast<std::uint32_t>(days.count()));
    }
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
