// Session: the one connection of an inspector's life. The vault asks, one thing after the other; the session
// answers, and ends with the connection.
//
// Threads: one.
// Trust:   the vault is trusted to be the vault (PeerRules); what it hands on is hostile.
// Errors:  a broken rule of the boundary ends the session; main then ends the process.
#pragma once

#include <optional>
#include <string>

#include "crypto/secret.hpp"
#include "daemon/boundary/blocking_channel.hpp"
#include "daemon/boundary/inspector.pb.h"
#include "daemon/inspector/packs.hpp"

namespace xinfu::inspector {

class Session {
public:
    explicit Session(boundary::Connection connection) : channel_(std::move(connection)) {}

    // Until the vault hangs up. Errors: what broke the connection.
    Result<void> run();

private:
    using Request = boundary::Envelope<boundary::InspectorRequest>;

    Result<void> serve(Request request);
    Result<void> load_pack(const boundary::LoadPack& part);
    Result<void> inspect(const boundary::Inspect& order, boundary::Descriptor body);
    Result<void> read_receipt(const boundary::ReadReceipt& order);
    Result<void> read_cosignatures(const boundary::ReadCosignatures& order);
    Result<void> read_signature(const boundary::ReadSignature& order);
    Result<void> read_onward(const boundary::ReadOnward& part);
    Result<void> read_revocation_list(const boundary::ReadRevocationList& part);
    Result<void> refuse(const std::string& code);
    std::optional<crypto::Secret> unwrap(const boundary::UnwrapContentKey& question);

    boundary::BlockingChannel channel_;
    Packs packs_;
    std::optional<boundary::FinishBody> body_finished_;  // said while the content key was waited for
    std::string gathered_;                               // parts of a pack, an answer or a list
};

}  // namespace xinfu::inspector
