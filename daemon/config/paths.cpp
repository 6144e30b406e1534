#include "daemon/config/paths.hpp"

#include <utility>

namespace xinfu::config {

Paths paths_of(const Config& config) {
    return {config.gateway.listen, config.gateway.metrics, config.gateway.tls12, config.routes, config.witnessed};
}

void set_paths(Config& config, Paths paths) {
    config.gateway.listen = std::move(paths.listen);
    config.gateway.metrics = std::move(paths.metrics);
    config.gateway.tls12 = paths.tls12;
    config.routes = std::move(paths.routes);
    config.witnessed = std::move(paths.witnessed);
}

}  // namespace xinfu::config
