// Stands for all four programs in the supervisor's tests: told by its own name which it is, it raises its
// walls and does the least a role must: gateway, courier and inspector answer every packet with who they are;
// the vault dials all three, over and over, and writes what it hears into `heard` in its state directory.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "daemon/boundary/arguments.hpp"
#include "daemon/boundary/blocking_channel.hpp"
#include "daemon/boundary/endpoints.hpp"
#include "daemon/boundary/packet_channel.hpp"
#include "daemon/boundary/service.hpp"
#include "daemon/boundary/walls.hpp"

namespace {

using namespace xinfu::boundary;
constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);

std::string who(Role role) {
    return std::string(role_name(role)) + " " + std::to_string(::getpid()) + " " + std::to_string(::getuid());
}

asio::awaitable<void> answer(Role role, Connection connection) {
    PacketChannel channel(co_await asio::this_coro::executor, std::move(connection));
    for (;;) {
        auto receiving = channel.receive_bytes();
        const auto packet = co_await std::move(receiving);
        if (!packet) {
            co_return;
        }
        auto sending = channel.send_bytes(who(role));
        static_cast<void>((co_await std::move(sending)).has_value());
    }
}

asio::awaitable<void> serve(Role role, Acceptor acceptor) {
    for (;;) {
        auto accepting = acceptor.accept();
        auto connection = co_await std::move(accepting);
        if (!connection) {
            std::exit(3);
        }
        asio::co_spawn(co_await asio::this_coro::executor, answer(role, std::move(*connection)), asio::detached);
    }
}

void note(const std::string& line) {
    const int file = ::open("heard", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (file < 0 || ::write(file, line.data(), line.size()) < 0) {
        std::exit(4);
    }
    ::close(file);
}

// Dials one role, asks who it is every few milliseconds, and dials again when it goes away.
asio::awaitable<void> visit(Dialer& dialer, Role role) {
    asio::steady_timer pause(co_await asio::this_coro::executor);
    for (;;) {
        pause.expires_after(std::chrono::milliseconds{20});
        co_await pause.async_wait(kAsTuple);
        auto dialling = dialer.dial(role);
        auto connection = co_await std::move(dialling);
        if (!connection) {
            continue;
        }
        PacketChannel channel(co_await asio::this_coro::executor, std::move(*connection));
        std::string last;
        for (;;) {
            auto sending = channel.send_bytes("who?");
            auto sent = co_await std::move(sending);
            auto receiving = channel.receive_bytes();
            const auto packet = co_await std::move(receiving);
            if (!sent || !packet) {
                note(std::string(role_name(role)) + " lost\n");
                break;
            }
            if (packet->bytes != last) {
                last = packet->bytes;
                note(who(Role::vault) + " hears " + last + "\n");
            }
            pause.expires_after(std::chrono::milliseconds{20});
            co_await pause.async_wait(kAsTuple);
        }
    }
}

int serve_one(Arguments& arguments) {
    Connection connection;
    connection.descriptor = std::move(arguments.peer);
    connection.rules.uid = arguments.peer_uid;
    connection.rules.may_pass_descriptors = true;
    BlockingChannel channel(std::move(connection));
    while (channel.receive_bytes()) {
        if (!channel.send_bytes(who(Role::inspector))) {
            break;
        }
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    const std::string name = argv[0];
    Role role = Role::gateway;
    for (const Role each : {Role::gateway, Role::inspector, Role::vault, Role::courier}) {
        if (name.ends_with(program_name(each))) {
            role = each;
        }
    }
    Arguments arguments = parse_arguments(role, argc, argv);
    if (arguments.exit_code) {
        return *arguments.exit_code;
    }
    Service service(program_name(role));
    WallOptions options;
    options.state_directory_fd = role == Role::vault ? ::open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (!raise_walls(role, options)) {
        return 5;
    }
    if (role == Role::inspector) {
        return serve_one(arguments);
    }
    asio::io_context io(1);
    asio::signal_set leaving(io, SIGTERM);
    leaving.async_wait([&](const boost::system::error_code&, int) {
        service.log(Level::info, "leaving");
        io.stop();
    });
    std::optional<Dialer> dialer;
    if (role == Role::vault) {
        char key[32];
        if (::read(arguments.key.get(), key, sizeof key) != sizeof key) {
            return 6;
        }
        dialer = Dialer::through_supervisor(io.get_executor(), std::move(arguments.control));
        for (const Role each : {Role::gateway, Role::inspector, Role::courier}) {
            asio::co_spawn(io, visit(*dialer, each), asio::detached);
        }
    } else {
        auto acceptor = Acceptor::from_supervisor(io.get_executor(), std::move(arguments.control), arguments.peer_uid);
        asio::co_spawn(io, serve(role, std::move(acceptor)), asio::detached);
    }
    io.run();
    return 0;
}
