#include "daemon/vault/paths_text.hpp"

#include <boost/asio/ip/address.hpp>

#include "daemon/config/endpoint.hpp"

namespace xinfu::vault {
namespace {

std::string array_of(const std::vector<crypto::JsonObject>& objects) {
    std::string text = "[";
    for (const auto& object : objects) {
        text += (text.size() == 1 ? "" : ",") + object.encode();
    }
    return text + "]";
}

// As the system writes it, however the configuration does.
std::string normal(const std::string& endpoint) {
    const auto parsed = config::parse_endpoint(endpoint);
    boost::system::error_code failed;
    const auto address = boost::asio::ip::make_address(parsed ? parsed->address : std::string(), failed);
    if (!parsed || failed) {
        return endpoint;
    }
    const std::string text = address.to_string();
    return (parsed->ipv6 ? "[" + text + "]" : text) + ":" + std::to_string(parsed->port);
}

}  // namespace

crypto::JsonObject json_of(const config::Paths& paths) {
    std::vector<crypto::JsonObject> routes;
    for (const auto& route : paths.routes) {
        std::vector<crypto::JsonObject> onward;
        for (const auto& beyond : route.onward) {
            onward.emplace_back().text("level", beyond.level).text("log_key", beyond.log_key).text("node", beyond.node);
        }
        routes.emplace_back()
            .text("anchors", route.anchors)
            .text_if("envelope", route.envelope)
            .text("level", route.level)
            .text("log_key", route.log_key)
            .text("name", route.name)
            .text("node", route.node)
            .raw("onward", array_of(onward))
            .text("url", route.url)
            .text_if("witness_key", route.witness_key);
    }
    std::vector<crypto::JsonObject> witnessed;
    for (const auto& log : paths.witnessed) {
        witnessed.emplace_back().text("log_key", log.log_key).text("node", log.node);
    }
    crypto::JsonObject json;
    json.texts("listen", paths.listen)
        .text("metrics", paths.metrics)
        .raw("routes", array_of(routes))
        .boolean("tls12", paths.tls12);
    if (!witnessed.empty()) {  // left out, so that paths approved before there were any keep their digest
        json.raw("witnessed", array_of(witnessed));
    }
    return json;
}

crypto::Digest digest_of(const config::Paths& paths) {
    return crypto::sha256(as_bytes(json_of(paths).encode()));
}

void add_listeners(PathLines& lines, const std::vector<std::string>& listen, const std::string& metrics) {
    for (const auto& endpoint : listen) {
        lines.insert("listen " + normal(endpoint));
    }
    if (!metrics.empty()) {
        lines.insert("metrics " + normal(metrics));
    }
}

void add_routes(PathLines& lines, const config::Paths& paths) {
    lines.insert(std::string("tls12 ") + (paths.tls12 ? "true" : "false"));
    for (const auto& route : paths.routes) {
        const std::string head = "route " + route.name + " ";
        lines.insert(head + "to " + route.level + " " + route.node + " " + route.url);
        lines.insert(head + "anchors " + route.anchors);
        lines.insert(head + "envelope " + route.envelope);
        lines.insert(head + "log_key " + route.log_key);
        if (!route.witness_key.empty()) {
            lines.insert(head + "witness_key " + route.witness_key);
        }
        for (const auto& beyond : route.onward) {
            lines.insert(head + "onward " + beyond.level + " " + beyond.node + " " + beyond.log_key);
        }
    }
    for (const auto& log : paths.witnessed) {
        lines.insert("witnessed " + log.node + " " + log.log_key);
    }
}

PathLines lines_of(const config::Paths& paths) {
    PathLines lines;
    add_listeners(lines, paths.listen, paths.metrics);
    add_routes(lines, paths);
    return lines;
}

}  // namespace xinfu::vault
