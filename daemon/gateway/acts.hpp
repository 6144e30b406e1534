// Acts: what each route does. Every one asks the vault and renders what it says; nothing is decided here.
//
// Threads: the connection's strand.
// Errors:  an answer, or empty when the answer was written in pieces already (or could not be).
#pragma once

#include <optional>

#include <boost/asio/awaitable.hpp>

#include "daemon/gateway/connection.hpp"
#include "daemon/gateway/response.hpp"
#include "daemon/gateway/routes.hpp"

namespace xinfu::gateway {

// PUT of a submission and POST of a check: the vault is asked before the body is read.
asio::awaitable<std::optional<Response>> submit(Connection& connection, Request& request, Route route);

// Uploads in parts, tus 1.0.
asio::awaitable<std::optional<Response>> upload(Connection& connection, Request& request, Route route);

// Accounts and approval requests.
asio::awaitable<std::optional<Response>> manage(Connection& connection, Request& request, Route route);

// C2SP tlog-witness: a lower node has its log's checkpoint co-signed.
std::optional<boundary::AddCheckpoint> parse_add_checkpoint(std::string_view body);  // empty: not in the form
asio::awaitable<std::optional<Response>> add_checkpoint(Connection& connection, Request& request);

// The log by what its leaves say, and what it says of one record.
asio::awaitable<std::optional<Response>> search(Connection& connection, Request& request, Route route);

// A page of a feed, at once or when there is something to be on it.
asio::awaitable<std::optional<Response>> read_feed(Connection& connection, Request& request, Route route);

// Everything else.
asio::awaitable<std::optional<Response>> read(Connection& connection, Request& request, Route route);

}  // namespace xinfu::gateway
