// Inspection: one body read by one inspector. The body flows from the gateway through the vault into the inspector,
// at most a window ahead of what it has consumed, while its findings come back.
//
// Threads: the vault's `io`. One inspection at a time on a connection.
// Trust:   the gateway may stop anywhere; every statement of the inspector is checked before it is passed on.
// Errors:  how it ended is InspectionEnd; `storage_failed` carries an error.
#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>

#include "crypto/envelope_reader.hpp"
#include "crypto/secret.hpp"
#include "daemon/boundary/descriptor.hpp"
#include "daemon/boundary/gateway.pb.h"
#include "daemon/boundary/inspector.pb.h"
#include "daemon/boundary/packet_channel.hpp"
#include "daemon/vault/armour.hpp"
#include "daemon/vault/body_tracker.hpp"
#include "daemon/vault/envelope_tracker.hpp"
#include "daemon/vault/inspector_replies.hpp"

namespace xinfu::vault {

namespace asio = boost::asio;

enum class InspectionEnd {
    verdict,          // there is one
    refused,          // the verdict is the vault's own: the armour is damaged, or the envelope is not for this node
    client_gone,      // the body never became complete
    inspector_gone,   // it died or hung
    inspector_wrong,  // it said what cannot be
    storage_failed,   // see error()
};

// Where a body's bytes and an inspector's findings go.
class InspectionSink {
public:
    virtual ~InspectionSink() = default;
    // The body as PUT. Views live until the awaitable resumes.
    virtual asio::awaitable<Result<void>> take_body(ByteView bytes) = 0;
    // The body is an envelope: what of it was taken is not worth keeping, the package is. Before take_package().
    virtual void begin_envelope() = 0;
    // Errors: crypto::Errc::envelope_other_recipient, envelope_key_replaced; storage::Errc::not_found: this node opens
    // no envelopes.
    virtual asio::awaitable<Result<crypto::Secret>> unwrap(const boundary::UnwrapContentKey& question) = 0;
    // The signed file inside, where it is not the body itself: without its armour and its envelope.
    virtual asio::awaitable<Result<void>> take_package(ByteView bytes) = 0;
    // Errors: boundary::Errc::unexpected for what no inspector in order says.
    virtual asio::awaitable<Result<void>> take_records(const boundary::RecordBatch& batch) = 0;
    virtual Result<void> take_defects(const boundary::DefectBatch& batch) = 0;
};

class Inspection : public std::enable_shared_from_this<Inspection> {
public:
    // What may be told of a body: so many octets, and so many more for each octet that was sent. Records name their
    // fields, and a workbook unpacks to a few hundred times its size; beyond that it is a flood.
    static constexpr std::uint64_t kToldSizeBytesMax = std::uint64_t{64} << 20;
    static constexpr std::uint64_t kToldPerOctetMax = 256;

    // `silence_max`: no word from an inspector that has something to read for so long means that it hangs.
    Inspection(asio::io_context& io, boundary::PacketChannel& channel, InspectorReplies& replies, BodyTracker& tracker,
               InspectionSink& sink, std::chrono::milliseconds silence_max);

    // A body that is here. `order` carries it. Precondition: at most kPartSizeBytesMax.
    asio::awaitable<InspectionEnd> run_whole(boundary::Inspect order);

    // A body that comes: `stream` is where the gateway writes it. `finish` waits for what the gateway says of its end
    // and `stop_waiting` wakes that.
    using Finish = std::function<asio::awaitable<Result<boundary::FinishSubmission>>()>;
    asio::awaitable<InspectionEnd> run_stream(boundary::Inspect order, boundary::Descriptor stream, Finish finish,
                                              std::function<void()> stop_waiting);

    const boundary::Verdict& verdict() const { return verdict_; }
    const std::optional<boundary::SignerFound>& signer(unsigned layer) const { return signers_[layer]; }
    // The whole body arrived and the inspector read all of it.
    bool read_to_the_end() const { return body_complete_ && all_consumed() && (!enveloped_ || envelope_.opened()); }
    bool enveloped() const { return enveloped_; }
    boost::system::error_code error() const { return error_; }

private:
    using Socket = asio::local::stream_protocol::socket;

    asio::awaitable<InspectionEnd> listen();
    asio::awaitable<std::optional<InspectionEnd>> take(const boundary::InspectorReply& reply);
    asio::awaitable<void> pump(Finish finish);
    enum class Passed { yes, no };
    asio::awaitable<Passed> pass(ByteView body);
    asio::awaitable<Result<ByteView>> disarm(ByteView body, bool last);
    void send_on(ByteView octets);
    bool all_consumed() const { return tracker_.all_consumed() && envelope_.all_consumed(); }
    asio::awaitable<Result<void>> take_progress(const boundary::Progress& progress);
    asio::awaitable<std::optional<InspectionEnd>> answer(const boundary::UnwrapContentKey& question);
    asio::awaitable<void> watch();
    void stop();
    InspectionEnd failed(boost::system::error_code error);

    asio::io_context& io_;
    boundary::PacketChannel& channel_;
    InspectorReplies& replies_;
    BodyTracker& tracker_;
    InspectionSink& sink_;
    std::chrono::milliseconds silence_max_;
    unsigned layers_ = 1;
    std::optional<Socket> from_gateway_;
    std::optional<Socket> to_inspector_;
    asio::steady_timer room_;        // cancelled when the window moves, and at the end
    asio::steady_timer pump_ended_;  // cancelled when the pump has ended
    asio::steady_timer silence_;
    bool pumping_ = false;
    bool taking_ = false;  // the silence is ours
    bool stopping_ = false;
    bool client_gone_ = false;
    bool body_complete_ = false;
    boost::system::error_code error_;
    boundary::Verdict verdict_;
    Armour armour_;
    std::uint64_t received_ = 0;  // octets of the body as PUT
    std::uint64_t sent_ = 0;      // without armour
    std::uint64_t told_size_bytes_ = 0;
    bool refused_ = false;  // verdict_ is the vault's own
    crypto::BodyKind kind_ = crypto::BodyKind::undecided;
    Bytes first_;  // octets that do not tell the kind yet
    Bytes held_;
    bool enveloped_ = false;
    EnvelopeTracker envelope_;
    Bytes package_;  // what one Progress opened
    std::array<std::optional<boundary::SignerFound>, 2> signers_;
};

}  // namespace xinfu::vault
