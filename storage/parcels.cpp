#include "storage/parcels.hpp"

#include <algorithm>
#include <charconv>

#include "storage/row_codec.hpp"

namespace xinfu::storage {
namespace {

Bytes route_prefix(std::string_view route) {
    Bytes key;
    codec::append_text(key, route);
    return key;
}

Bytes parcel_key(std::string_view route, std::uint64_t sequence) {
    Bytes key = route_prefix(route);
    codec::append_big(key, sequence);
    return key;
}

Bytes incoming_key(std::string_view node, std::string_view route) {
    Bytes key;
    codec::append_text(key, node);
    codec::append_text(key, route);
    return key;
}

Bytes incoming_key(const rows::ParcelName& name) {
    Bytes key = incoming_key(name.node(), name.route());
    codec::append_big(key, name.sequence());
    return key;
}

bool is_label(std::string_view text, std::size_t size_max) {
    return !text.empty() && text.size() <= size_max && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    });
}

}  // namespace

std::string parcel_name(std::string_view node, std::string_view route, std::uint64_t sequence) {
    std::string name(node);
    name += '.';
    name += route;
    name += '.';
    name += std::to_string(sequence);
    return name;
}

std::optional<rows::ParcelName> parse_parcel_name(std::string_view name) {
    const auto first = name.find('.');
    const auto second = first == std::string_view::npos ? first : name.find('.', first + 1);
    if (second == std::string_view::npos) {
        return std::nullopt;
    }
    const auto node = name.substr(0, first);
    const auto route = name.substr(first + 1, second - first - 1);
    const auto digits = name.substr(second + 1);
    std::uint64_t sequence = 0;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), sequence);
    if (!is_label(node, 63) || !is_label(route, 32) || parsed.ec != std::errc{} ||
        parsed.ptr != digits.data() + digits.size() || sequence == 0 ||
        parcel_name(node, route, sequence) != name) {  // no leading zeros: one name for one number
        return std::nullopt;
    }
    rows::ParcelName parsed_name;
    parsed_name.set_node(std::string(node));
    parsed_name.set_route(std::string(route));
    parsed_name.set_sequence(sequence);
    return parsed_name;
}

Result<rows::RouteState> find_route(const ReadTransaction& transaction, std::string_view route) {
    auto row = codec::read<rows::RouteState>(transaction, Table::routes, as_bytes(route));
    if (!row) {
        return row.error();
    }
    if (*row) {
        return std::move(**row);
    }
    rows::RouteState fresh;
    fresh.set_next_sequence(1);
    fresh.set_first_open(1);
    fresh.set_first_unsettled(1);
    return fresh;
}

Result<void> put_route(WriteTransaction& transaction, std::string_view route, const rows::RouteState& state) {
    return codec::write(transaction, Table::routes, as_bytes(route), state);
}

std::uint64_t waiting_parcels(const rows::RouteState& state) {
    return state.next_sequence() - 1 - state.delivered() - state.refused();
}

Result<std::optional<rows::Parcel>> find_parcel(const ReadTransaction& transaction, std::string_view route,
                                                std::uint64_t sequence) {
    return codec::read<rows::Parcel>(transaction, Table::parcels, parcel_key(route, sequence));
}

Result<void> put_parcel(WriteTransaction& transaction, std::string_view route, std::uint64_t sequence,
                        const rows::Parcel& parcel) {
    return codec::write(transaction, Table::parcels, parcel_key(route, sequence), parcel);
}

Result<void> visit_parcels(const ReadTransaction& transaction, std::string_view route, std::uint64_t first,
                           const std::function<bool(std::uint64_t, const rows::Parcel&)>& visitor) {
    const auto visit_one = [&](ByteView rest, const rows::Parcel& parcel) {
        return rest.size() == 8 && visitor(codec::load_big<std::uint64_t>(rest.data()), parcel);
    };
    return codec::visit<rows::Parcel>(transaction, Table::parcels, route_prefix(route), parcel_key(route, first),
                                      visit_one);
}

Result<void> put_acknowledgement(WriteTransaction& transaction, const SubmissionId& id,
                                 const rows::Acknowledgement& acknowledgement) {
    Bytes key(id.begin(), id.end());
    codec::append(key, as_bytes(acknowledgement.level()));
    return codec::write(transaction, Table::acknowledgements, key, acknowledgement);
}

Result<std::optional<rows::Acknowledgement>> find_acknowledgement(const ReadTransaction& transaction,
                                                                  const SubmissionId& id, std::string_view level) {
    Bytes key(id.begin(), id.end());
    codec::append(key, as_bytes(level));
    return codec::read<rows::Acknowledgement>(transaction, Table::acknowledgements, key);
}

Result<void> visit_acknowledgements(const ReadTransaction& transaction, const SubmissionId& id,
                                    const std::function<bool(const rows::Acknowledgement&)>& visitor) {
    const auto visit_one = [&](ByteView, const rows::Acknowledgement& row) { return visitor(row); };
    return codec::visit<rows::Acknowledgement>(transaction, Table::acknowledgements, id, {}, visit_one);
}

Result<std::optional<rows::IncomingRoute>> find_incoming_route(const ReadTransaction& transaction,
                                                               std::string_view node, std::string_view route) {
    return codec::read<rows::IncomingRoute>(transaction, Table::incoming, incoming_key(node, route));
}

Result<void> visit_incoming_routes(const ReadTransaction& transaction, const IncomingVisitor& visitor) {
    Bytes next;
    for (;;) {
        std::optional<std::pair<std::string, std::string>> seen;
        std::optional<rows::IncomingRoute> row;
        bool corrupt = false;
        const auto visit_one = [&](ByteView key, ByteView value) {
            const std::string_view text = as_text(key);
            const auto first = text.find('\0');
            const auto second = first == std::string_view::npos ? first : text.find('\0', first + 1);
            if (second == std::string_view::npos) {
                corrupt = true;
                return false;
            }
            seen.emplace(text.substr(0, first), text.substr(first + 1, second - first - 1));
            if (second + 1 == text.size()) {
                const auto parsed = codec::parse<rows::IncomingRoute>(value);
                corrupt = !parsed;
                if (parsed) {
                    row = *parsed;
                }
            }
            return false;
        };
        if (const auto visited = transaction.visit(Table::incoming, {}, next, visit_one); !visited) {
            return visited.error();
        }
        if (corrupt) {
            return Errc::corrupt;
        }
        if (!seen || (row && !visitor(seen->first, seen->second, *row))) {
            return {};
        }
        // Behind all sequences of this route, without reading them.
        next = incoming_key(seen->first, seen->second);
        next.insert(next.end(), 9, 0xff);
    }
}

Result<std::optional<rows::IncomingParcel>> find_incoming(const ReadTransaction& transaction,
                                                          const rows::ParcelName& name) {
    return codec::read<rows::IncomingParcel>(transaction, Table::incoming, incoming_key(name));
}

Result<IncomingFit> judge_incoming(const ReadTransaction& transaction, const rows::ParcelName& name,
                                   std::string_view account) {
    const auto row = find_incoming_route(transaction, name.node(), name.route());
    if (!row) {
        return row.error();
    }
    const std::uint64_t next = *row ? (*row)->next_sequence() : 1;
    if (*row && (*row)->account() != account) {
        return IncomingFit::other_account;
    }
    if (name.sequence() >= next && name.sequence() - next >= kIncomingWindow) {
        return IncomingFit::beyond_window;
    }
    return IncomingFit::fits;
}

Result<bool> waits_for_earlier(const ReadTransaction& transaction, const rows::ParcelName& name) {
    const auto row = find_incoming_route(transaction, name.node(), name.route());
    if (!row) {
        return Result<bool>(boost::system::in_place_error, row.error());
    }
    if (!*row) {
        return Result<bool>(name.sequence() > 1);
    }
    const bool waits = name.sequence() > (*row)->next_sequence() ||
                       ((*row)->missing_size() > 0 && (*row)->missing(0).first() < name.sequence());
    return Result<bool>(waits);
}

Result<void> take_incoming(WriteTransaction& transaction, const rows::ParcelName& name, std::string_view account,
                           const rows::IncomingParcel& parcel) {
    const auto found = find_incoming_route(transaction, name.node(), name.route());
    if (!found) {
        return found.error();
    }
    rows::IncomingRoute row;
    if (*found) {
        row = **found;
    } else {
        row.set_account(std::string(account));
        row.set_next_sequence(1);
    }
    const std::uint64_t sequence = name.sequence();
    if (sequence >= row.next_sequence()) {
        if (sequence > row.next_sequence()) {
            auto& gap = *row.add_missing();
            gap.set_first(row.next_sequence());
            gap.set_last(sequence - 1);
        }
        row.set_next_sequence(sequence + 1);
    } else {
        auto& missing = *row.mutable_missing();
        for (int i = 0; i < missing.size(); ++i) {
            auto& gap = missing[i];
            if (sequence < gap.first() || sequence > gap.last()) {
                continue;
            }
            if (gap.first() == gap.last()) {
                missing.erase(missing.begin() + i);
            } else if (sequence == gap.first()) {
                gap.set_first(sequence + 1);
            } else if (sequence == gap.last()) {
                gap.set_last(sequence - 1);
            } else {
                rows::IncomingRoute::Range upper;
                upper.set_first(sequence + 1);
                upper.set_last(gap.last());
                gap.set_last(sequence - 1);
                *missing.Add() = upper;
                std::sort(missing.begin(), missing.end(),
                          [](const auto& a, const auto& b) { return a.first() < b.first(); });
            }
            break;
        }
    }
    if (const auto put = codec::write(transaction, Table::incoming, incoming_key(name.node(), name.route()), row);
        !put) {
        return put.error();
    }
    return codec::write(transaction, Table::incoming, incoming_key(name), parcel);
}

}  // namespace xinfu::storage
