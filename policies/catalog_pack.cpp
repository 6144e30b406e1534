// Reading a catalog from its pack: the catalog itself and its fields. Its checks: catalog_checks_pack.cpp.
#include <algorithm>

#include "policies/catalog_reader.hpp"
#include "policies/mask.hpp"

namespace xinfu::policies {
namespace {

constexpr std::size_t kFieldsMax = 200;
constexpr std::size_t kChecksMax = 200;
constexpr std::uint32_t kNumberLengthMax = 500;  // it is a part of the record's identity
constexpr std::size_t kMultiValuesMax = 64;      // they are gathered in one 64-bit set

}  // namespace

std::size_t CatalogReader::field_named(const YAML::Node& node) {
    std::string code;
    if (!reader.text(node, "a field's name", code)) {
        return kNoField;
    }
    const auto found = catalog.find(code);
    if (found == kNoField) {
        reader.mistake(node, "no such field: " + code);
    }
    return found;
}

std::size_t CatalogReader::field_under(MapReader& map, std::string_view key, std::initializer_list<FieldType> types) {
    const auto node = map.required(key);
    if (!node.IsDefined()) {
        return kNoField;
    }
    const auto field = field_named(node);
    if (field != kNoField && std::ranges::find(types, catalog.fields[field].type) == types.end()) {
        reader.mistake(node, std::string{key} + " must be a field of type " + std::string{name(*types.begin())});
    }
    return field;
}

void CatalogReader::read_conditions(const YAML::Node& node, std::vector<Condition>& conditions) {
    if (!reader.sequence(node, "conditions", 8)) {
        return;
    }
    for (const auto& item : node) {
        MapReader map{reader, item, "a condition"};
        Condition condition;
        if (const auto field = map.required("field"); field.IsDefined()) {
            condition.field = field_named(field);
        }
        int tests = 0;
        const auto values = [&](std::string_view key, Condition::Test test) {
            if (const auto list = map.optional(key); list.IsDefined()) {
                ++tests;
                condition.test = test;
                reader.texts(list, key, condition.values);
            }
        };
        values("is", Condition::Test::is);
        values("is_not", Condition::Test::is_not);
        values("has", Condition::Test::has);
        if (const auto flag = map.optional("filled"); flag.IsDefined()) {
            bool filled = true;
            ++tests;
            reader.boolean(flag, "filled", filled);
            condition.test = filled ? Condition::Test::filled : Condition::Test::empty;
        }
        if (tests != 1) {
            reader.mistake(item, "a condition has exactly one of is, is_not, has, filled");
        }
        if (condition.field != kNoField) {
            const auto& field = catalog.fields[condition.field];
            for (const auto& value : condition.values) {
                if (!field.values.empty() && std::ranges::find(field.values, value) == field.values.end() &&
                    std::ranges::find(field.former_values, value) == field.former_values.end()) {
                    reader.mistake(item, value + " is no value of " + field.code);
                }
            }
            conditions.push_back(std::move(condition));
        }
    }
}

void CatalogReader::read_constraints(const YAML::Node& node, Field& field) {
    MapReader map{reader, node, "constraints"};
    std::int64_t number = 0;
    bool required = false;
    if (const auto flag = map.optional("required"); flag.IsDefined() && reader.boolean(flag, "required", required)) {
        field.required = required ? Required::always : Required::optional;
    }
    if (const auto limit = map.optional("maxLength");
        limit.IsDefined() && reader.number(limit, "maxLength", 1, 10000, number)) {
        field.length_max = static_cast<std::uint32_t>(number);
    }
    if (const auto list = map.optional("enum"); list.IsDefined()) {
        reader.texts(list, "enum", field.values);
    }
    if (const auto digits = map.optional("precision");
        digits.IsDefined() && reader.number(digits, "precision", 1, 38, number)) {
        field.digits_max = static_cast<int>(number);
    }
    if (const auto digits = map.optional("scale");
        digits.IsDefined() && reader.number(digits, "scale", 0, 18, number)) {
        field.scale_max = static_cast<int>(number);
    }
    const bool listed = field.type == FieldType::enumeration || field.type == FieldType::multi_enumeration;
    if (listed == field.values.empty()) {
        reader.mistake(node, listed ? "an enumeration needs \"enum\"" : "\"enum\" is for enumerations");
    }
    if (field.type == FieldType::multi_enumeration && field.values.size() > kMultiValuesMax / 2) {
        reader.mistake(node, "at most " + std::to_string(kMultiValuesMax / 2) + " values");
    }
    if ((field.type == FieldType::decimal) != (field.digits_max != 0) || field.scale_max > field.digits_max) {
        reader.mistake(node, "decimals, and they alone, need precision and scale");
    }
    const bool sized =
        field.type == FieldType::text || field.type == FieldType::code || field.type == FieldType::personal;
    if (sized != (field.length_max != 0)) {
        reader.mistake(node, sized ? "\"maxLength\" is needed" : "\"maxLength\" is for texts and codes");
    }
}

void CatalogReader::read_field(const YAML::Node& node) {
    MapReader map{reader, node, "a field"};
    Field field;
    map.text("name", field.code);
    map.text("title", field.title);
    map.text("title_zh", field.title_zh);
    map.optional_text("rule", field.rule);
    map.optional_text("rule_zh", field.rule_zh);
    map.optional_text("mask", field.mask);
    if (const auto type = map.required("type"); type.IsDefined()) {
        reader.word<FieldType>(type, "type",
                               {{"text", FieldType::text},
                                {"code", FieldType::code},
                                {"date", FieldType::date},
                                {"timestamp", FieldType::timestamp},
                                {"decimal", FieldType::decimal},
                                {"enum", FieldType::enumeration},
                                {"multi_enum", FieldType::multi_enumeration},
                                {"personal", FieldType::personal}},
                               field.type);
    }
    if (const auto format = map.optional("format"); format.IsDefined()) {
        reader.word<CodeFormat>(format, "format",
                                {{"plain", CodeFormat::plain},
                                 {"uscc", CodeFormat::uscc},
                                 {"organisation_code", CodeFormat::organisation_code},
                                 {"registration_number", CodeFormat::registration_number},
                                 {"tax_number", CodeFormat::tax_number},
                                 {"subject", CodeFormat::subject},
                                 {"digest", CodeFormat::digest}},
                                field.format);
        const bool fits =
            field.type == FieldType::code || (field.type == FieldType::personal && field.format == CodeFormat::subject);
        if (!fits) {
            reader.mistake(format, "\"format\" is for codes");
        }
    }
    if (const auto severity = map.optional("organisation_part"); severity.IsDefined()) {
        reader.word<Severity>(severity, "organisation_part",
                              {{"error", Severity::error}, {"warning", Severity::warning}}, field.organisation_part);
        if (field.format != CodeFormat::uscc) {
            reader.mistake(severity, "\"organisation_part\" is for unified codes");
        }
    }
    if (const auto visibility = map.required("visibility"); visibility.IsDefined()) {
        reader.word<Visibility>(visibility, "visibility",
                                {{"public", Visibility::everyone},
                                 {"government", Visibility::government},
                                 {"authorised", Visibility::authorised},
                                 {"secret", Visibility::secret}},
                                field.visibility);
    }
    if (const auto constraints = map.required("constraints"); constraints.IsDefined()) {
        read_constraints(constraints, field);
    }
    // These name other fields, which may stand further down: read in a second pass.
    map.optional("required_when");
    map.optional("former");
    const bool shaped = !field.code.empty() && std::ranges::all_of(field.code, [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    });
    if (!shaped || field.code.size() > 64 || field.code.starts_with("XF_")) {
        reader.mistake(node, "a field's name has capitals, digits and underscores only, and does not begin with XF_");
    }
    if (catalog.find(field.code) != kNoField) {
        reader.mistake(node, "the field " + field.code + " is described twice");
    }
    catalog.fields.push_back(std::move(field));
}

void CatalogReader::read_references(const YAML::Node& node, Field& field) {
    if (!node.IsMap()) {
        return;
    }
    for (const auto& pair : node) {
        const std::string key = pair.first.IsScalar() ? pair.first.Scalar() : std::string{};
        if (key == "required_when") {
            MapReader map{reader, pair.second, "required_when"};
            if (const auto all = map.required("all"); all.IsDefined()) {
                read_conditions(all, field.when);
            }
            map.text("text", field.when_text);
            map.text("text_zh", field.when_text_zh);
            if (field.required == Required::always) {
                reader.mistake(pair.first, "a field that is always required has no condition");
            }
            field.required = Required::conditional;
        } else if (key == "former") {
            MapReader map{reader, pair.second, "former"};
            field.former_by = field_under(map, "by", {FieldType::date});
            if (const auto before = map.required("before"); before.IsDefined()) {
                reader.date(before, "before", field.former_before);
            }
            if (const auto list = map.required("enum"); list.IsDefined()) {
                reader.texts(list, "enum", field.former_values, kMultiValuesMax / 2);
            }
            if (field.values.empty()) {
                reader.mistake(pair.first, "\"former\" is for enumerations");
            }
        }
    }
    check_mask(node, field);
}

void CatalogReader::check_mask(const YAML::Node& node, const Field& field) {
    if (field.type == FieldType::personal && field.mask.empty()) {
        reader.mistake(node, "a personal field needs a mask");
    }
    if (field.mask.empty()) {
        return;
    }
    const auto rule = parse_mask(field.mask);
    if (!rule) {
        reader.mistake(node, "mask must be \"first,last\" or \"first,last when FIELD=VALUE\"");
    } else if (!rule->when_field.empty() && catalog.find(rule->when_field) == kNoField) {
        reader.mistake(node, "no such field: " + rule->when_field);
    }
}

void CatalogReader::read_subject(const YAML::Node& node) {
    MapReader map{reader, node, "subject"};
    catalog.subject_code = field_under(map, "code", {FieldType::code, FieldType::personal});
    if (map.has("person")) {
        catalog.subject_person = field_under(map, "person", {FieldType::personal, FieldType::code});
    }
    if (map.has("category")) {
        catalog.subject_category = field_under(map, "category", {FieldType::enumeration});
        map.text("natural_person", catalog.natural_person);
    }
    if (catalog.subject_category != kNoField) {
        const auto& values = catalog.fields[catalog.subject_category].values;
        if (std::ranges::find(values, catalog.natural_person) == values.end()) {
            reader.mistake(node, "natural_person is no value of the category");
        }
        if (catalog.subject_person == kNoField) {
            reader.mistake(node, "a category needs the field of natural persons");
        }
    }
}

void CatalogReader::read_effective(const YAML::Node& node) {
    MapReader map{reader, node, "effective"};
    const auto day = [&](std::string_view key, std::optional<Day>& out) {
        Day read{};
        if (const auto date = map.optional(key); date.IsDefined() && reader.date(date, key, read)) {
            out = read;
        }
    };
    day("from", catalog.effective_from);
    day("until", catalog.effective_until);
    if (catalog.effective_from && catalog.effective_until && *catalog.effective_until < *catalog.effective_from) {
        reader.mistake(node, "until lies before from");
    }
}

void CatalogReader::read(const YAML::Node& root) {
    MapReader map{reader, root, "the catalog"};
    std::string kind;
    std::string defective = "refuse_file";
    map.text("pack", kind);
    map.text("name", catalog.name);
    map.text("version", catalog.version);
    map.text("title", catalog.title);
    map.text("title_zh", catalog.title_zh);
    map.optional_text("basis", catalog.basis);
    if (kind != "catalog/1") {
        reader.mistake(root, "pack must be catalog/1");
    }
    const bool shaped = std::ranges::all_of(
        catalog.name, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
    if (!shaped || catalog.name.size() > 64) {
        reader.mistake(root, "the catalog's name has small letters, digits and hyphens only, at most 64");
    }
    if (const auto effective = map.optional("effective"); effective.IsDefined()) {
        read_effective(effective);
    }
    if (const auto word = map.optional("defective_records"); word.IsDefined()) {
        reader.word<bool>(word, "defective_records", {{"refuse_file", false}, {"accept_valid", true}},
                          catalog.accept_valid);
    }
    if (const auto list = map.optional("approvals"); list.IsDefined()) {
        reader.texts(list, "approvals", catalog.approvals, 16);
        for (const auto& named : catalog.approvals) {
            if (named != "submit" && named != "correct") {
                reader.mistake(list, "no such act to approve of: " + named + " (submit, correct)");
            }
        }
    }
    const auto fields = map.required("fields");
    if (fields.IsDefined() && reader.sequence(fields, "fields", kFieldsMax)) {
        for (const auto& field : fields) {
            read_field(field);
        }
        std::size_t index = 0;
        for (const auto& field : fields) {
            auto described = catalog.fields[index];
            read_references(field, described);
            catalog.fields[index++] = std::move(described);
        }
    }
    catalog.deciding_unit = field_under(map, "deciding_unit", {FieldType::code});
    catalog.source_unit = field_under(map, "source_unit", {FieldType::code});
    catalog.number = field_under(map, "number", {FieldType::text, FieldType::code});
    if (catalog.number != kNoField && catalog.fields[catalog.number].length_max > kNumberLengthMax) {
        reader.mistake(root, "the number has at most " + std::to_string(kNumberLengthMax) + " characters");
    }
    if (const auto subject = map.required("subject"); subject.IsDefined()) {
        read_subject(subject);
    }
    if (const auto checks = map.optional("checks");
        checks.IsDefined() && reader.sequence(checks, "checks", kChecksMax)) {
        for (const auto& check : checks) {
            read_check(check);
        }
    }
}

Loaded<Catalog> load_catalog(std::string_view yaml) try {
    PackReader reader;
    const auto root = reader.parse(yaml);
    CatalogReader catalog_reader{reader, {}};
    if (!reader.failed()) {
        catalog_reader.read(root);
    }
    if (reader.failed()) {
        return {std::nullopt, reader.take()};
    }
    return {std::move(catalog_reader.catalog), {}};
} catch (const YAML::Exception& refused) {
    return {std::nullopt, {{0, 0, refused.msg}}};
}

}  // namespace xinfu::policies
