// Parcels: what goes up on each route, in which order, and what the levels above said; and what came in from below.
//
// Sequences start at 1 and have no gap: a sequence is taken in the commit that makes its parcel. A parcel's row
// holds everything random or time-dependent in it, so that sending it again sends the same bytes.
//
// Format:  docs/FORMATS.md, section on rows; storage/submission_rows.proto.
// Threads: functions on a transaction; the transaction's rules apply.
// Errors:  storage::Errc of the engine; `corrupt` for a row that does not parse.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "storage/engine.hpp"
#include "storage/submission_rows.pb.h"
#include "storage/submissions.hpp"

namespace xinfu::storage {

// "<node>.<route>.<sequence>", the name of a parcel's submission. Nodes and routes have no dot.
std::string parcel_name(std::string_view node, std::string_view route, std::uint64_t sequence);
std::optional<rows::ParcelName> parse_parcel_name(std::string_view name);

// ---- going up ----
// A route nothing was sent on yet has next_sequence 1.
Result<rows::RouteState> find_route(const ReadTransaction& transaction, std::string_view route);
Result<void> put_route(WriteTransaction& transaction, std::string_view route, const rows::RouteState& state);
// Parcels that the level above has neither taken nor refused.
std::uint64_t waiting_parcels(const rows::RouteState& state);

Result<std::optional<rows::Parcel>> find_parcel(const ReadTransaction& transaction, std::string_view route,
                                                std::uint64_t sequence);
Result<void> put_parcel(WriteTransaction& transaction, std::string_view route, std::uint64_t sequence,
                        const rows::Parcel& parcel);
// Ascending from `first` on; false stops.
Result<void> visit_parcels(const ReadTransaction& transaction, std::string_view route, std::uint64_t first,
                           const std::function<bool(std::uint64_t sequence, const rows::Parcel&)>& visitor);

Result<void> put_acknowledgement(WriteTransaction& transaction, const SubmissionId& id,
                                 const rows::Acknowledgement& acknowledgement);
Result<std::optional<rows::Acknowledgement>> find_acknowledgement(const ReadTransaction& transaction,
                                                                  const SubmissionId& id, std::string_view level);
// Of one submission, by level; false stops.
Result<void> visit_acknowledgements(const ReadTransaction& transaction, const SubmissionId& id,
                                    const std::function<bool(const rows::Acknowledgement&)>& visitor);

// ---- coming in ----
// The window: a sequence further than this beyond the next one is refused, so that a platform cannot make
// its list of gaps arbitrarily long.
inline constexpr std::uint64_t kIncomingWindow = 4096;

// What was taken of (node, route); an empty optional before the first parcel.
Result<std::optional<rows::IncomingRoute>> find_incoming_route(const ReadTransaction& transaction,
                                                               std::string_view node, std::string_view route);
// Every (node, route) that anything came from; false stops.
using IncomingVisitor =
    std::function<bool(std::string_view node, std::string_view route, const rows::IncomingRoute& row)>;
Result<void> visit_incoming_routes(const ReadTransaction& transaction, const IncomingVisitor& visitor);
Result<std::optional<rows::IncomingParcel>> find_incoming(const ReadTransaction& transaction,
                                                          const rows::ParcelName& name);
// Whether (node, route, sequence) may be taken now by this account: not beyond the window, and the node's name not
// in use by another account.
enum class IncomingFit { fits, beyond_window, other_account };
Result<IncomingFit> judge_incoming(const ReadTransaction& transaction, const rows::ParcelName& name,
                                   std::string_view account);
// Whether a parcel of a smaller number on the same route is still to come.
Result<bool> waits_for_earlier(const ReadTransaction& transaction, const rows::ParcelName& name);
// Takes the number. Precondition: judge_incoming answered `fits` in this transaction, and the number was free.
Result<void> take_incoming(WriteTransaction& transaction, const rows::ParcelName& name, std::string_view account,
                           const rows::IncomingParcel& parcel);

}  // namespace xinfu::storage
