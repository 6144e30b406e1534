// Questions: how acts ask the vault, and read the JSON that a question is made of.
//
// Threads: the connection's strand.
// Errors:  an empty answer; the response then says why.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "daemon/gateway/connection.hpp"
#include "daemon/gateway/response.hpp"

namespace xinfu::gateway {

using Answer = std::optional<Response>;  // empty: written already, or nobody is there to be answered
using Call = RequestCaller::Call;

Response vault_gone();
// The vault said something that does not belong here.
Response disagreement();

// Asks, and takes the first reply; further ones come from `call`.
asio::awaitable<std::optional<boundary::Envelope<boundary::GatewayReply>>> ask(Connection& connection,
                                                                               boundary::GatewayRequest question,
                                                                               Call& call, Answer& response);
// The next part of an answer under way. Empty: it broke off.
asio::awaitable<std::optional<boundary::GatewayReply>> next_part(Call& call);

// The text parts that follow, together at most 16 MiB. Empty: something else came, or nothing.
asio::awaitable<std::optional<std::vector<std::string>>> collect_texts(Call& call, bool more);

// Whether Content-Type is this, whatever its parameters.
bool has_type(const Request& request, std::string_view type);
// A body of application/json, at most `gateway.limits.json_bytes`.
asio::awaitable<std::optional<std::string>> read_json_body(Connection& connection, Request& request, Answer& response);
// The same as one object of texts (parse_texts).
asio::awaitable<std::optional<std::map<std::string, std::string>>> read_json(Connection& connection, Request& request,
                                                                             std::vector<std::string> wanted,
                                                                             std::vector<std::string> optional,
                                                                             Answer& response);

}  // namespace xinfu::gateway
