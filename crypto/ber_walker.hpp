// BerWalker: takes BER apart as it arrives, in pieces of any size. It knows lengths, nesting and bounds; what may stand
// where is its user's, CmsReader's and EnvelopeReader's.
//
// Sources: X.690 sections 8 and 10. Tags of one octet only.
// Threads: one strand.
// Trust:   every octet is hostile. Depth, lengths and the number of elements are bounded; nothing is held but the
//          element being collected, whose size its user bounds.
// Errors:  Errc::cms_*, final.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "crypto/bytes.hpp"
#include "crypto/error.hpp"
#include "crypto/result.hpp"

namespace xinfu::crypto {

class BerWalker {
public:
    static constexpr std::size_t kDepthMax = 16;

    // A piece of what is streamed: never empty, a part of the chunk just fed, valid for the call. `offset` counts as
    // the chunk's does. Pieces ascend and do not overlap. An error ends the reading and is returned by the feeding.
    using ContentSink = std::function<Result<void>(std::uint64_t offset, ByteView piece)>;

    // Octets taken so far; once complete, the size of the whole.
    std::uint64_t size() const { return size_; }
    bool complete() const { return phase_ == kComplete; }

protected:
    struct Header {
        std::uint8_t tag = 0;
        bool indefinite = false;
        bool minimal = true;
        std::uint64_t length = 0;
    };
    // Which element is expected next: the user's own numbers, from 1 on.
    using Phase = int;
    static constexpr Phase kComplete = -1;

    // `definite_only`: only definite, minimal lengths.
    BerWalker(Phase first, bool definite_only) : phase_(first), definite_only_(definite_only) {}
    ~BerWalker() = default;

    // An element begins in phase_: one of open(), collect(), stream(), skip(), or an error.
    virtual std::optional<Errc> on_header(const Header& header) = 0;
    // The element collected in collected_ is whole; sets phase_.
    virtual std::optional<Errc> on_collected() = 0;
    // The innermost frame ends in phase_: whether it may. Its own `then` is set afterwards.
    virtual std::optional<Errc> on_close() = 0;
    // The outermost frame has ended.
    virtual std::optional<Errc> on_complete() = 0;

    Result<std::size_t> walk(std::uint64_t chunk_offset, ByteView chunk, const ContentSink& sink, bool leave_trailing);
    Result<void> finish_walk();

    std::optional<Errc> open(const Header& header, Phase inside, Phase then);
    // A small element. With `whole` its header is kept too and must be DER's, for what is inside is read as DER.
    // Errors: `form` when it is not in that form, `large` when it is larger than `limit`.
    std::optional<Errc> collect(const Header& header, std::size_t limit, bool whole, Errc form = Errc::cms_malformed,
                                Errc large = Errc::cms_malformed);
    std::optional<Errc> stream(const Header& header, Phase then);
    std::optional<Errc> skip(const Header& header, Phase then);

    Phase phase_;
    Bytes collected_;
    std::uint64_t streamed_ = 0;

private:
    enum class Action { header, collect, stream, skip };
    struct Frame {
        std::uint64_t end;  // as size_ counts; all ones: until its end-of-contents
        Phase then;         // the phase once it is closed
    };
    std::optional<Errc> on_octet(std::uint8_t octet);
    std::optional<Errc> check_header(const Header& header);
    std::optional<Errc> on_element_end();
    std::optional<Errc> close_full_frames();
    std::optional<Errc> close_frame();
    Errc explain_first_octets() const;

    bool definite_only_;
    Action action_ = Action::header;
    std::optional<boost::system::error_code> failure_;
    std::vector<Frame> frames_;
    std::uint64_t size_ = 0;
    std::uint64_t elements_ = 0;
    std::uint64_t remaining_ = 0;  // octets of the element being collected, streamed or skipped
    Phase after_element_ = 0;      // of the element being streamed or skipped
    Bytes first_octets_;           // for a telling refusal of what is not CMS at all
    Bytes header_octets_;          // of the header being read, at most 10
    Bytes element_header_;         // of the element whose header was read last
};

}  // namespace xinfu::crypto
