// CatalogReader: reading a catalog from its pack. Inside policies/ only.
#pragma once

#include "policies/catalog.hpp"
#include "policies/pack_reader.hpp"

namespace xinfu::policies {

struct CatalogReader {
    PackReader& reader;
    Catalog catalog;

    void read(const YAML::Node& root);
    void read_field(const YAML::Node& node);
    void read_constraints(const YAML::Node& node, Field& field);
    void read_references(const YAML::Node& node, Field& field);
    void read_check_parameters(MapReader& map, Check& check);
    void read_check(const YAML::Node& node);
    void read_subject(const YAML::Node& node);
    void read_conditions(const YAML::Node& node, std::vector<Condition>& conditions);
    std::size_t field_named(const YAML::Node& node);
    std::size_t field_under(MapReader& map, std::string_view key, std::initializer_list<FieldType> types);
    void read_effective(const YAML::Node& node);
    void check_mask(const YAML::Node& node, const Field& field);
    void check_types(const YAML::Node& node, const Check& check);
};

}  // namespace xinfu::policies
