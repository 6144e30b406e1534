// What the renderers of JSON share. Inside daemon/gateway only.
//
// Threads: functions without state.
#pragma once

#include <cstdint>
#include <string_view>

#include <boost/json.hpp>

#include "daemon/gateway/render.hpp"

namespace xinfu::gateway {

inline boost::json::string safe(std::string_view text) {
    return boost::json::string(text);
}

inline boost::json::value time_or_null(std::int64_t milliseconds) {
    if (milliseconds == 0) {
        return nullptr;
    }
    return safe(render_time(milliseconds));
}

inline Response json_response(const boost::json::object& object, unsigned status = 200) {
    return {.status = status,
            .content_type = "application/json",
            .body = boost::json::serialize(object) + "\n",
            .headers = {},
            .close = false};
}

}  // namespace xinfu::gateway
