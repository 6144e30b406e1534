// Packs: the catalogs and the calendar that an instance was given, and how they are described to the vault.
//
// Trust:   packs were approved by digest before the vault hands them out; they are still read strictly.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/boundary/inspector.pb.h"
#include "daemon/boundary/packet.hpp"
#include "policies/catalog.hpp"
#include "policies/working_days.hpp"

namespace xinfu::inspector {

class Packs {
public:
    static constexpr std::size_t kCatalogsMax = 256;

    using Catalogs = std::map<std::string, std::vector<policies::Catalog>>;  // by name; the newest version first

    // Keeps one pack. Answers the replies to send: what it says, or one problem. A catalog's pack of which the name is
    // known is read when somebody asks for that catalog: most of the time of a fresh instance would go into packs that
    // nobody needs.
    std::vector<boundary::InspectorReply> load(boundary::LoadPack::Kind kind, std::string yaml,
                                               const std::string& catalog);

    // The versions of a catalog that the order names, in its order; all of them, the newest first, when it names none.
    std::vector<const policies::Catalog*> find(const boundary::Inspect& order);
    // All of them. What find() answered stays where it is.
    const Catalogs& catalogs();
    const policies::WorkingDays& calendar() const { return calendar_; }

private:
    void read_catalog(const std::string& name);
    std::vector<boundary::InspectorReply> load_catalog(std::string_view yaml);
    std::vector<boundary::InspectorReply> load_access(std::string_view yaml);
    std::vector<boundary::InspectorReply> load_calendar(std::string_view yaml);

    Catalogs catalogs_;
    std::map<std::string, std::vector<std::string>> unread_;  // packs, by catalog
    std::size_t loaded_ = 0;
    policies::WorkingDays calendar_;  // until one is loaded: every Monday to Friday, provisionally
};

}  // namespace xinfu::inspector
