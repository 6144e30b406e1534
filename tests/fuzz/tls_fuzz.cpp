// TLS between our own two engines with an attacker on the line, or the attacker alone: nothing is handed out before the
// handshake is complete, what is handed out is what the other side sent, in order and from the beginning, a failure is
// final, and queues stay bounded.
//
// The input: one octet of settings, then edits of six octets each: which of the two directions and what is done, the
// feed at which it is done (u8), the place in its bytes (u16 BE), and an octet (u8) with its repetitions (u8).
// With the settings' top bit everything else is fed to the server as it is.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

#include "daemon/tls/engine.hpp"
#include "tests/unit/tls/pki.hpp"

namespace {

using namespace xinfu;
using tls::Engine;

constexpr std::size_t kEditSize = 6;
constexpr std::size_t kEditsMax = 8;
constexpr unsigned kTurnsMax = 64;

void require(bool condition) {
    if (!condition) {
        std::abort();
    }
}

struct Edit {
    bool to_server = false;
    unsigned what = 0;  // change, insert, remove, repeat the whole, drop the whole
    unsigned feed = 0;
    std::size_t place = 0;
    std::uint8_t octet = 0;
    std::size_t count = 0;
};

std::vector<Edit> read_edits(ByteView input) {
    std::vector<Edit> edits;
    for (; input.size() >= kEditSize && edits.size() < kEditsMax; input = input.subspan(kEditSize)) {
        edits.push_back({.to_server = (input[0] & 1) != 0,
                         .what = (input[0] >> 1) % 5U,
                         .feed = input[1],
                         .place = static_cast<std::size_t>(input[2]) << 8 | input[3],
                         .octet = input[4],
                         .count = input[5]});
    }
    return edits;
}

void apply(const Edit& edit, Bytes& bytes) {
    if (bytes.empty()) {
        return;
    }
    const auto at = bytes.begin() + static_cast<std::ptrdiff_t>(edit.place % bytes.size());
    switch (edit.what) {
        case 0: *at ^= edit.octet; break;
        case 1: bytes.insert(at, edit.count, edit.octet); break;
        case 2: {
            const auto some = std::min<std::ptrdiff_t>(static_cast<std::ptrdiff_t>(edit.count), bytes.end() - at);
            bytes.erase(at, at + some);
            break;
        }
        case 3: {
            const Bytes copy = bytes;
            bytes.insert(bytes.end(), copy.begin(), copy.end());
            break;
        }
        default: bytes.clear();
    }
}

struct Side {
    std::unique_ptr<Engine> engine;
    Bytes sent;
    Bytes got;
    unsigned fed = 0;
};

// One flight from one side to the other, with the edits that hit it.
void carry(Side& from, Side& to, bool to_server, const std::vector<Edit>& edits) {
    Bytes bytes;
    from.engine->take_output(bytes);
    for (const auto& edit : edits) {
        if (edit.to_server == to_server && edit.feed == to.fed) {
            apply(edit, bytes);
        }
    }
    ++to.fed;
    for (ByteView left = bytes; !left.empty();) {
        const auto some = left.first(std::min(left.size(), tls::kFeedBytesMax));
        left = left.subspan(some.size());
        Bytes target(100);
        std::size_t delivered = 0;
        const auto error = to.engine->feed(some, target, delivered);
        require(delivered <= target.size() && (delivered == 0 || to.engine->complete()));
        to.got.insert(to.got.end(), target.begin(), target.begin() + static_cast<std::ptrdiff_t>(delivered));
        while (const std::size_t more = to.engine->read(target)) {
            require(to.engine->complete());
            to.got.insert(to.got.end(), target.begin(), target.begin() + static_cast<std::ptrdiff_t>(more));
        }
        require(to.engine->output_size() <= tls::kOutputBytesMax + tls::kFeedBytesMax);
        if (error) {
            require(to.engine->failure() == error && to.engine->feed(some, target, delivered) == error);
            require(to.engine->send(Bytes(1)) == error);
            break;
        }
    }
}

void require_prefix(const Bytes& got, const Bytes& sent) {
    require(got.size() <= sent.size() && std::equal(got.begin(), got.end(), sent.begin()));
}

void send_some(Side& side, std::uint8_t mark) {
    if (side.engine->complete() && !side.engine->failure() && side.sent.size() < 4096) {
        const Bytes bytes(257, mark);
        if (!side.engine->send(bytes)) {
            side.sent.insert(side.sent.end(), bytes.begin(), bytes.end());
        }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const auto& pki = test::Pki::get();
    static const auto server_context = pki.server();
    static const std::shared_ptr<const tls::ClientContext> contexts[] = {pki.client("dept", false),
                                                                         pki.client("dept", true)};
    if (size == 0) {
        return 0;
    }
    const ByteView input(data + 1, size - 1);
    Side server{Engine::server(server_context, pki.signer("server.key", true)), {}, {}, 0};
    if ((data[0] & 0x80) != 0) {
        for (std::size_t at = 0; at < input.size(); at += tls::kFeedBytesMax) {
            Bytes target(100);
            std::size_t delivered = 0;
            const auto error = server.engine->feed(input.subspan(at, std::min(input.size() - at, tls::kFeedBytesMax)),
                                                   target, delivered);
            require(delivered == 0 && server.engine->read(target) == 0 && !server.engine->complete());
            require(server.engine->output_size() <= tls::kOutputBytesMax + tls::kFeedBytesMax);
            if (error) {
                break;
            }
        }
        return 0;
    }
    Side client{Engine::client(contexts[data[0] & 1], "city.test", 443).value(), {}, {}, 0};
    const auto edits = read_edits(input);
    for (unsigned turn = 0; turn < kTurnsMax && server.engine->output_size() + client.engine->output_size() != 0;
         ++turn) {
        carry(client, server, true, edits);
        carry(server, client, false, edits);
        send_some(client, 'c');
        send_some(server, 's');
    }
    require_prefix(server.got, client.sent);
    require_prefix(client.got, server.sent);
    if (edits.empty()) {
        require(server.engine->complete() && client.engine->complete() && !server.got.empty());
    }
    require(!server.engine->complete() || server.engine->peer_proof().has_value());
    return 0;
}
