// Reading a catalog's checks from its pack.
#include <algorithm>

#include <re2/re2.h>

#include "policies/catalog_reader.hpp"
#include "policies/codes.hpp"
#include "policies/values.hpp"

namespace xinfu::policies {
namespace {

constexpr std::size_t kCheckFieldsMax = 200;

using Kind = Check::Kind;

}  // namespace

void CatalogReader::check_types(const YAML::Node& node, const Check& check) {
    const auto need = [&](std::size_t field, std::initializer_list<FieldType> types) {
        if (field != kNoField && std::ranges::find(types, catalog.fields[field].type) == types.end()) {
            reader.mistake(node, "this check does not suit the field " + catalog.fields[field].code);
        }
    };
    for (const auto field : check.fields) {
        switch (check.kind) {
            case Kind::not_future:
            case Kind::not_before:
            case Kind::order:
            case Kind::not_past:
            case Kind::stand_in_date:
            case Kind::at_most:
            case Kind::at_least:
            case Kind::reported_within: need(field, {FieldType::date}); break;
            case Kind::positive:
            case Kind::below: need(field, {FieldType::decimal}); break;
            case Kind::uscc_category:
            case Kind::organisation_inside: need(field, {FieldType::code}); break;
            case Kind::identity_number:
            case Kind::identity_document: need(field, {FieldType::personal}); break;
            case Kind::stand_in_text:
            case Kind::pattern:
            case Kind::characters:
            case Kind::no_identity_number: need(field, {FieldType::text, FieldType::code}); break;
            case Kind::determined_by: need(field, {FieldType::text, FieldType::code, FieldType::personal}); break;
            case Kind::one_of:
            case Kind::only_when:
            case Kind::explained: break;
        }
    }
    if (check.kind == Kind::order || check.kind == Kind::at_most || check.kind == Kind::at_least) {
        need(check.other, {FieldType::date});
    } else if (check.kind == Kind::uscc_category || check.kind == Kind::identity_document) {
        need(check.other, {FieldType::enumeration});
    } else if (check.kind == Kind::organisation_inside) {
        need(check.other, {FieldType::code});
    } else if (check.kind == Kind::determined_by) {
        need(check.other, {FieldType::text, FieldType::code, FieldType::personal});
        need(check.within, {FieldType::enumeration});
    }
}

void CatalogReader::read_check_parameters(MapReader& map, Check& check) {
    const auto one_of = [&](std::initializer_list<Kind> kinds) {
        return std::ranges::find(kinds, check.kind) != kinds.end();
    };
    if (one_of({Kind::order, Kind::at_most, Kind::at_least, Kind::uscc_category, Kind::organisation_inside,
                Kind::identity_document, Kind::determined_by})) {
        if (const auto other = map.required("other"); other.IsDefined()) {
            check.other = field_named(other);
        }
    }
    if (check.kind == Kind::determined_by) {
        if (const auto within = map.optional("within"); within.IsDefined()) {
            check.within = field_named(within);
        }
    }
    if (check.kind == Kind::not_before) {
        if (const auto date = map.required("date"); date.IsDefined()) {
            reader.date(date, "date", check.date);
        }
    }
    if (check.kind == Kind::stand_in_date) {
        if (const auto list = map.required("dates"); list.IsDefined() && reader.sequence(list, "dates", 64)) {
            for (const auto& item : list) {
                reader.date(item, "a date", check.dates.emplace_back());
            }
        }
    }
    if (check.kind == Kind::stand_in_text) {
        if (const auto list = map.required("words"); list.IsDefined()) {
            reader.texts(list, "words", check.words);
        }
    }
    if (one_of({Kind::reported_within, Kind::at_most, Kind::at_least})) {
        std::int64_t days = 1;
        if (const auto count = map.required("working_days"); count.IsDefined()) {
            reader.number(count, "working_days", 1, 250, days);
        }
        check.working_days = static_cast<int>(days);
    }
    if (check.kind == Kind::characters) {
        std::vector<std::string> kinds;
        if (const auto list = map.required("refuse"); list.IsDefined() && reader.texts(list, "refuse", kinds, 3)) {
            for (const auto& kind : kinds) {
                const unsigned bit = kind == "pictographs"   ? Check::kPictographs
                                     : kind == "full_width"  ? Check::kFullWidth
                                     : kind == "not_chinese" ? Check::kNotChinese
                                                             : 0;
                if (bit == 0) {
                    reader.mistake(list, "refuse is none of: pictographs, full_width, not_chinese");
                }
                check.refused |= bit;
            }
        }
    }
    if (check.kind == Kind::below) {
        std::string limit;
        if (const auto text = map.required("limit");
            text.IsDefined() && reader.text(text, "limit", limit, 40) && !read_decimal(limit, check.limit)) {
            reader.mistake(text, "limit must be a decimal number");
        }
    }
    if (check.kind == Kind::pattern) {
        std::string expression;
        map.text("example", check.example);
        if (const auto text = map.required("expression");
            text.IsDefined() && reader.text(text, "expression", expression, 1000)) {
            RE2::Options options;
            options.set_log_errors(false);
            options.set_never_capture(true);
            options.set_max_mem(1 << 20);
            auto compiled = std::make_shared<const RE2>(expression, options);
            if (!compiled->ok()) {
                reader.mistake(text, "expression: " + compiled->error());
            } else if (!RE2::FullMatch(check.example, *compiled)) {
                reader.mistake(text, "the example does not match the expression");
            }
            check.expression = std::move(compiled);
        }
    }
    if (check.kind == Kind::uscc_category) {
        if (const auto list = map.required("prefixes"); list.IsDefined() && reader.sequence(list, "prefixes", 64)) {
            for (const auto& item : list) {
                MapReader prefix{reader, item, "a prefix"};
                std::string begins;
                std::string means;
                prefix.optional_text("begins", begins);
                prefix.text("means", means);
                check.prefixes.emplace_back(begins, means);
            }
        }
    }
    if (one_of({Kind::only_when, Kind::explained})) {
        if (const auto list = map.required("when"); list.IsDefined()) {
            read_conditions(list, check.when);
        }
        map.text("text", check.when_text);
        map.text("text_zh", check.when_text_zh);
    }
}

void CatalogReader::read_check(const YAML::Node& node) {
    MapReader map{reader, node, "a check"};
    Check check;
    if (const auto kind = map.required("check"); kind.IsDefined()) {
        const bool known = reader.word<Kind>(kind, "check",
                                             {{"not_future", Kind::not_future},
                                              {"not_before", Kind::not_before},
                                              {"order", Kind::order},
                                              {"not_past", Kind::not_past},
                                              {"stand_in_date", Kind::stand_in_date},
                                              {"stand_in_text", Kind::stand_in_text},
                                              {"reported_within", Kind::reported_within},
                                              {"positive", Kind::positive},
                                              {"below", Kind::below},
                                              {"pattern", Kind::pattern},
                                              {"uscc_category", Kind::uscc_category},
                                              {"organisation_inside", Kind::organisation_inside},
                                              {"identity_document", Kind::identity_document},
                                              {"only_when", Kind::only_when},
                                              {"explained", Kind::explained},
                                              {"no_identity_number", Kind::no_identity_number},
                                              {"identity_number", Kind::identity_number},
                                              {"one_of", Kind::one_of},
                                              {"at_most", Kind::at_most},
                                              {"at_least", Kind::at_least},
                                              {"characters", Kind::characters},
                                              {"determined_by", Kind::determined_by}},
                                             check.kind);
        if (!known) {
            return;
        }
    }
    map.text("code", check.code);
    if (!check.code.starts_with("XF-4") || find_code(check.code) == nullptr) {
        reader.mistake(node, "no such code for records: " + check.code);
    }
    if (const auto word = map.required("class"); word.IsDefined()) {
        reader.word<CheckClass>(word, "class",
                                {{"completeness", CheckClass::completeness},
                                 {"accuracy", CheckClass::accuracy},
                                 {"reasonableness", CheckClass::reasonableness}},
                                check.check_class);
    }
    if (const auto word = map.required("severity"); word.IsDefined()) {
        reader.word<Severity>(word, "severity", {{"error", Severity::error}, {"warning", Severity::warning}},
                              check.severity);
    }
    if (const auto list = map.required("fields");
        list.IsDefined() && reader.sequence(list, "fields", kCheckFieldsMax)) {
        for (const auto& item : list) {
            check.fields.push_back(field_named(item));
        }
        std::erase(check.fields, kNoField);
    }
    read_check_parameters(map, check);
    check_types(node, check);
    catalog.checks.push_back(std::move(check));
}

}  // namespace xinfu::policies
