#include "daemon/vault/log_search.hpp"

#include <charconv>
#include <memory>
#include <utility>
#include <vector>

#include "crypto/canonical_json.hpp"
#include "daemon/vault/counted_leaves.hpp"
#include "daemon/vault/log_indexer.hpp"
#include "daemon/vault/receipt.hpp"
#include "daemon/vault/records_query.hpp"
#include "policies/identifiers.hpp"
#include "policies/mask.hpp"
#include "storage/error.hpp"

namespace xinfu::vault {
namespace {

using storage::LogField;

constexpr std::size_t kTermSizeBytesMax = 256;

// Digits of exactly this many places.
std::optional<int> number(std::string_view text, std::size_t places) {
    int value = 0;
    if (text.size() < places || text.find_first_not_of("0123456789") < places) {
        return std::nullopt;
    }
    const auto [end, error] = std::from_chars(text.data(), text.data() + places, value);
    return error == std::errc{} ? std::optional(value) : std::nullopt;
}

std::optional<std::chrono::sys_days> parse_day(std::string_view text) {
    const auto year = number(text, 4);
    const auto month = text.size() == 10 ? number(text.substr(5), 2) : std::nullopt;
    const auto day = text.size() == 10 ? number(text.substr(8), 2) : std::nullopt;
    if (!year || !month || !day || text[4] != '-' || text[7] != '-') {
        return std::nullopt;
    }
    const std::chrono::year_month_day date(std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                           std::chrono::day(static_cast<unsigned>(*day)));
    return date.ok() ? std::optional<std::chrono::sys_days>(date) : std::nullopt;
}

// "Z", "+08:00"
std::optional<std::chrono::minutes> parse_offset(std::string_view text) {
    if (text == "Z" || text == "z") {
        return std::chrono::minutes{0};
    }
    if (text.size() != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':') {
        return std::nullopt;
    }
    const auto hours = number(text.substr(1), 2);
    const auto minutes = number(text.substr(4), 2);
    if (!hours || !minutes || *hours > 23 || *minutes > 59) {
        return std::nullopt;
    }
    const std::chrono::minutes offset = std::chrono::hours{*hours} + std::chrono::minutes{*minutes};
    return text[0] == '-' ? -offset : offset;
}

// The query, or why it is none.
struct Asked {
    storage::LogQuery query;
    std::string subject;
    std::string words;  // canonical, without the subject
    std::optional<boundary::Problem> problem;
};

Asked read_query(const boundary::SearchLog& said) {
    Asked asked;
    crypto::JsonObject words;
    const auto refuse = [&asked](std::string_view member) {
        if (!asked.problem) {
            asked.problem = problem("XF-1130", {std::string(member)});
        }
    };
    const std::pair<LogField, std::pair<std::string_view, const std::string*>> terms[] = {
        {LogField::subject, {"subject", &said.subject()}}, {LogField::approval, {"approval", &said.approval()}},
        {LogField::object, {"object", &said.object()}},    {LogField::actor, {"actor", &said.actor()}},
        {LogField::unit, {"unit", &said.unit()}},          {LogField::action, {"action", &said.action()}},
        {LogField::catalog, {"catalog", &said.catalog()}}, {LogField::result, {"result", &said.result()}},
        {LogField::role, {"role", &said.role()}},
    };
    for (const auto& [field, member] : terms) {
        const auto& [name, value] = member;
        if (value->empty()) {
            continue;
        }
        if (value->size() > kTermSizeBytesMax || !crypto::is_utf8(*value)) {
            refuse(name);
            continue;
        }
        if (field == LogField::subject) {
            const auto subject = normalised_subject(*value);
            if (!subject) {
                asked.problem = problem("XF-2007");
                return asked;
            }
            asked.subject = *subject;
            asked.query.terms.push_back({field, *subject});
            continue;
        }
        words.text(name, *value);
        asked.query.terms.push_back({field, *value});
    }
    const auto time = [&](std::string_view name, const std::string& text, bool last) {
        std::optional<storage::Milliseconds> parsed;
        if (!text.empty()) {
            parsed = parse_search_time(text, last);
            if (parsed) {
                words.text(name, text);
            } else {
                refuse(name);
            }
        }
        return parsed;
    };
    asked.query.from = time("from", said.from(), false);
    asked.query.until = time("until", said.until(), true);
    if (said.limit() > kLogPageMax) {
        refuse("limit");
    }
    asked.query.limit = said.limit() == 0 ? kLogPageMax : said.limit();
    if (said.has_before()) {
        asked.query.before = said.before();
        words.text("before", std::to_string(said.before()));
    }
    asked.words = words.encode();
    return asked;
}

asio::awaitable<void> refuse(Context& context, ExchangePointer exchange, boundary::Problem why) {
    auto recording = record_refusal(context, exchange->caller(), "search_log", why.code());
    if (const auto recorded = co_await std::move(recording); !recorded) {
        why = problem_of(recorded.error());
    }
    auto answering = answer_problem(exchange, std::move(why));
    static_cast<void>((co_await std::move(answering)).has_value());
}

}  // namespace

std::optional<storage::Milliseconds> parse_search_time(std::string_view text, bool last) {
    const auto day = parse_day(text.substr(0, 10));
    if (!day) {
        return std::nullopt;
    }
    if (text.size() == 10) {  // Asia/Shanghai has no summer time
        const storage::Milliseconds begin = *day - std::chrono::hours{8};
        return last ? begin + std::chrono::days{1} - std::chrono::milliseconds{1} : begin;
    }
    const std::string_view clock = text.substr(10);
    const auto hours = clock.size() > 9 ? number(clock.substr(1), 2) : std::nullopt;
    const auto minutes = clock.size() > 9 ? number(clock.substr(4), 2) : std::nullopt;
    const auto seconds = clock.size() > 9 ? number(clock.substr(7), 2) : std::nullopt;
    if (!hours || !minutes || !seconds || *hours > 23 || *minutes > 59 || *seconds > 59 ||
        (clock[0] != 'T' && clock[0] != 't') || clock[3] != ':' || clock[6] != ':') {
        return std::nullopt;
    }
    std::string_view rest = clock.substr(9);
    int milliseconds = last ? 999 : 0;  // of a whole second, with `last`, all of it
    if (rest.front() == '.') {
        const std::size_t digits = std::min(rest.find_first_not_of("0123456789", 1), rest.size()) - 1;
        if (digits < 1 || digits > 3) {
            return std::nullopt;
        }
        milliseconds = *number(rest.substr(1), digits);
        for (std::size_t i = digits; i < 3; ++i) {
            milliseconds *= 10;
        }
        rest.remove_prefix(1 + digits);
    }
    const auto offset = parse_offset(rest);
    if (!offset) {
        return std::nullopt;
    }
    return storage::Milliseconds(*day) + std::chrono::hours{*hours} + std::chrono::minutes{*minutes} +
           std::chrono::seconds{*seconds} + std::chrono::milliseconds{milliseconds} - *offset;
}

std::string describe_found(const storage::LogPage::Found& found) {
    policies::MaskRule of_persons;
    of_persons.first = 6;
    of_persons.last = 4;
    crypto::JsonObject notes;
    notes.text_if("name", found.notes.name)
        .text_if("purpose", found.notes.purpose)
        .text_if("detail", found.notes.detail)
        .text_if("subject", policies::is_identity_number(found.notes.subject)
                                ? policies::mask(of_persons, found.notes.subject)
                                : found.notes.subject);
    crypto::JsonObject object;
    object.number("index", static_cast<std::int64_t>(found.index)).raw("leaf", std::string(as_text(found.entry)));
    if (!notes.empty()) {
        object.object("notes", notes);
    }
    return object.encode();
}

asio::awaitable<void> search_log(Context& context, LogIndexer& indexer, ExchangePointer exchange) {
    auto asked = std::make_shared<const Asked>(read_query(exchange->request().search_log()));
    if (asked->problem) {
        auto refusing = refuse(context, exchange, *asked->problem);
        co_await std::move(refusing);
        co_return;
    }
    const storage::Engine& engine = context.ledger.engine();
    const storage::LogIndex& index = indexer.index();
    std::function<Result<storage::LogPage>()> look = [&engine, &index, asked]() -> Result<storage::LogPage> {
        const auto snapshot = engine.snapshot();
        if (!snapshot) {
            return snapshot.error();
        }
        return index.search(**snapshot, asked->query);
    };
    auto looking = run_on_worker(context, std::move(look));
    const auto page = co_await std::move(looking);
    if (!page) {
        auto refusing = refuse(context, exchange, problem_of(page.error()));
        co_await std::move(refusing);
        co_return;
    }
    indexer.renew(page->unindexed);

    storage::Leaf leaf = leaf_of(exchange->caller(), "search_log");
    leaf.result = "done";
    leaf.counts.emplace().records = page->found.size();
    storage::LeafNotes notes;
    notes.subject = asked->subject;
    notes.purpose = asked->words;
    auto recording = record(context, std::move(leaf), std::move(notes));
    const auto recorded = co_await std::move(recording);
    auto receipt = recorded ? make_receipt(context.ledger, recorded->index, recorded->entry, recorded->committed)
                            : Result<std::string>(boost::system::in_place_error, recorded.error());
    if (!receipt) {
        auto answering = answer_error(exchange, receipt.error());
        co_await std::move(answering);
        co_return;
    }
    std::string entries = "[";
    for (const auto& found : page->found) {
        entries += (entries.size() == 1 ? "" : ",") + describe_found(found);
    }
    entries += "]";
    boundary::GatewayReply reply;
    reply.set_more(true);
    reply.mutable_log_page()->set_receipt(std::move(*receipt));
    if (page->next) {
        reply.mutable_log_page()->set_next(*page->next);
    }
    auto answering = exchange->reply(std::move(reply), boundary::Descriptor{});
    if (const auto answered = co_await std::move(answering); !answered) {
        co_return;
    }
    auto telling = answer_text(exchange, std::move(entries));
    static_cast<void>((co_await std::move(telling)).has_value());
}

}  // namespace xinfu::vault
