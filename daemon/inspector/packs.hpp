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

    // Reads one pack and keeps it. Answers the replies to send: what it says, or one problem.
    std::vector<boundary::InspectorReply> load(boundary::LoadPack::Kind kind, std::string_view yaml);

    // The versions of a catalog that the order names, in its order; all of them, the newest first, when it names none.
    std::vector<const policies::Catalog*> find(const boundary::Inspect& order) const;
    const std::map<std::string, std::vector<policies::Catalog>>& catalogs() const { return catalogs_; }
    const policies::WorkingDays& calendar() const { return calendar_; }

private:
    std::vector<boundary::InspectorReply> load_catalog(std::string_view yaml);
    std::vector<boundary::InspectorReply> load_access(std::string_view yaml);
    std::vector<boundary::InspectorReply> load_calendar(std::string_view yaml);

    std::map<std::string, std::vector<policies::Catalog>> catalogs_;  // by name; the newest version first
    std::size_t loaded_ = 0;
    policies::WorkingDays calendar_;  // until one is loaded: every Monday to Friday, provisionally
};

}  // namespace xinfu::inspector
