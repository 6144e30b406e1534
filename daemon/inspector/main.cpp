// xinfu-inspector: reads hostile bytes for one principal, and tells the vault what is in them. It has one
// socket, to the vault, and nothing else: no file, no network, no key.
#include <cstdio>
#include <cstdlib>
#include <new>

#include "crypto/digest.hpp"
#include "daemon/boundary/arguments.hpp"
#include "daemon/boundary/service.hpp"
#include "daemon/boundary/walls.hpp"
#include "daemon/config/loader.hpp"
#include "daemon/inspector/session.hpp"
#include "daemon/inspector/text_decoder.hpp"

namespace {

using namespace xinfu;

constexpr int kCannotStart = 1;
constexpr int kWrongUsage = 2;

std::uint64_t memory_size_bytes(const boundary::Arguments& arguments) {
    if (!arguments.config && arguments.config_path.empty()) {
        return config::Inspector{}.memory_bytes;
    }
    const auto loaded = arguments.config ? config::load_descriptor(arguments.config.get(), "xinfu.yaml")
                                         : config::load_file(arguments.config_path);
    for (const auto& mistake : loaded.mistakes) {
        std::fprintf(stderr, "%s\n", config::to_string(mistake).c_str());
    }
    return loaded.config ? loaded.config->inspector.memory_bytes : 0;
}

}  // namespace

int main(int argc, char** argv) {
    auto arguments = boundary::parse_arguments(boundary::Role::inspector, argc, argv);
    if (arguments.exit_code) {
        return *arguments.exit_code;
    }
    boundary::WallOptions options;
    options.memory_size_bytes_max = memory_size_bytes(arguments);
    if (options.memory_size_bytes_max == 0) {
        return kWrongUsage;
    }
    boundary::Service service("xinfu-inspector");

    // Libraries that look around at their first use do so now, not behind the walls.
    (void)crypto::sha256(ByteView{});
    if (!inspector::prepare_converters()) {
        service.log(boundary::Level::error, "ICU lacks its converters", {});
        return kCannotStart;
    }

    boundary::Connection connection;
    connection.descriptor = std::move(arguments.peer);
    connection.rules.uid = arguments.peer_uid;
    connection.rules.may_pass_descriptors = true;
    inspector::Session session(std::move(connection));

    if (const auto walls = boundary::raise_walls(boundary::Role::inspector, options); !walls) {
        service.log(boundary::Level::error, "walls: " + walls.error().message(), {});
        return kCannotStart;
    }
    try {
        if (const auto ended = session.run(); !ended) {
            service.log(boundary::Level::warning, "boundary: " + ended.error().message(), {});
            return kCannotStart;
        }
    } catch (const std::exception& failure) {
        // Out of memory, for instance: this instance ends, the vault notes it for its principal alone.
        service.log(boundary::Level::error, failure.what(), {});
        return kCannotStart;
    }
    return EXIT_SUCCESS;
}
