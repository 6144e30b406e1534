// Paths: the ways that data may take, as the configuration has them: where the node listens, with which protocol, where
// its parcels go, and whose logs it co-signs. They are a part of xinfu.yaml that counts only once it was approved
// (docs/formats/paths.md).
//
// Threads: values.
#pragma once

#include <string>
#include <vector>

#include "daemon/config/config.hpp"
#include "daemon/config/loader.hpp"

namespace xinfu::config {

struct Paths {
    std::vector<std::string> listen;
    std::string metrics;
    bool tls12 = true;
    std::vector<Route> routes;
    std::vector<WitnessedLog> witnessed;

    bool operator==(const Paths&) const = default;
};

Paths paths_of(const Config& config);
void set_paths(Config& config, Paths paths);

// What the loader would say of a file with these paths for this node; without lines and columns.
std::vector<Mistake> mistakes_in(const Paths& paths, const std::string& node);

}  // namespace xinfu::config
