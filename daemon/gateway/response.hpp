// Response: an answer as the rest of the gateway speaks of it; connection.cpp turns it into HTTP.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace xinfu::gateway {

struct Response {
    unsigned status = 200;
    std::string content_type;  // empty: no body
    std::string body;
    std::vector<std::pair<std::string, std::string>> headers;
    bool close = false;  // the connection ends after this answer
};

}  // namespace xinfu::gateway
