#include "daemon/boundary/error.hpp"

#include <string>

namespace xinfu::boundary {
namespace {

class BoundaryCategory final : public boost::system::error_category {
public:
    const char* name() const noexcept override { return "xinfu.boundary"; }
    std::string message(int value) const override {
        switch (static_cast<Errc>(value)) {
            case Errc::closed: return "the connection is closed";
            case Errc::truncated: return "a packet was larger than allowed";
            case Errc::wrong_peer: return "a packet came from another process than expected";
            case Errc::stray_descriptor: return "a descriptor came from a peer that may not pass one";
            case Errc::missing_descriptor: return "a descriptor was expected and did not come";
            case Errc::malformed: return "a packet is not the expected message";
            case Errc::unexpected: return "a message came out of its place";
            case Errc::too_large: return "the message does not fit a packet";
            case Errc::timed_out: return "the peer did not answer in time";
            case Errc::connection_lost: return "the peer went away; ask again";
            case Errc::overrun: return "replies piled up unread";
            case Errc::not_running: return "the peer is not running just now";
            case Errc::walls_failed: return "a wall could not be raised";
            case Errc::arguments_invalid: return "the command line is not valid";
        }
        return "unknown boundary error";
    }
};

}  // namespace

const boost::system::error_category& boundary_category() {
    static const BoundaryCategory category;
    return category;
}

bool is_retryable(const boost::system::error_code& error) {
    return error == Errc::connection_lost || error == Errc::timed_out || error == Errc::not_running ||
           error == Errc::overrun;
}

}  // namespace xinfu::boundary
