#include "daemon/boundary/arguments.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>

namespace xinfu::boundary {
namespace {

std::string usage(Role role) {
    const std::string program = program_name(role);
    std::string text = "usage: " + program +
                       " --config FILE\n"
                       "Part of Xinfu; started by xinfud or by " +
                       program + (role == Role::inspector ? "@.service" : ".service") +
                       ", not by hand.\n\n"
                       "  --config FILE      the configuration\n"
                       "  --config-fd N      the configuration, already open\n";
    if (role == Role::inspector) {
        text += "  --peer-fd N        the connection to serve (otherwise: standard input)\n";
    } else {
        text += "  --control-fd N     socket to the supervisor\n";
    }
    if (role != Role::vault) {
        text += "  --peer-uid N       whom the vault runs as\n";
    }
    if (role == Role::gateway) {
        text +=
            "  --listen-fd N      a listening TCP socket; may be repeated\n"
            "  --metrics-fd N     the listening socket of /metrics, /healthz and /readyz\n";
    }
    if (role == Role::vault) {
        text += "  --key-fd N         the key-wrapping key, 32 bytes\n";
    }
    return text + "  --help, --version\n";
}

struct Usage {
    std::string text;  // what is wrong
};

std::uint32_t read_number(std::string_view option, std::string_view value) {
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error != std::errc{} || end != value.data() + value.size()) {
        throw Usage{std::string(option) + " needs a number"};
    }
    return number;
}

Descriptor take(std::string_view option, std::string_view value) {
    const auto number = read_number(option, value);
    const int fd = static_cast<int>(number);
    if (number > 1'000'000 || ::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
        throw Usage{std::string(option) + ": no such descriptor"};
    }
    return Descriptor(fd);
}

uid_t uid_or_usage(Role role) {
    const auto uid = find_role_uid(role);
    if (!uid) {
        throw Usage{"there is no user " + program_name(role)};
    }
    return *uid;
}

// One option and its value taken off the command line.
void read_option(Role role, std::string_view option, std::string_view value, Arguments& arguments) {
    const bool serves = role == Role::gateway || role == Role::courier;
    if (option == "--config") {
        arguments.config_path = value;
    } else if (option == "--config-fd") {
        arguments.config = take(option, value);
    } else if (option == "--control-fd" && role != Role::inspector) {
        arguments.control = take(option, value);
    } else if (option == "--peer-fd" && role == Role::inspector) {
        arguments.peer = take(option, value);
    } else if (option == "--peer-uid" && (serves || role == Role::inspector)) {
        arguments.peer_uid = read_number(option, value);
    } else if (option == "--listen-fd" && role == Role::gateway) {
        arguments.listeners.push_back(take(option, value));
    } else if (option == "--metrics-fd" && role == Role::gateway) {
        arguments.metrics = take(option, value);
    } else if (option == "--key-fd" && role == Role::vault) {
        arguments.key = take(option, value);
    } else {
        throw Usage{"unknown option " + std::string(option)};
    }
}

// Sockets by the names their units give them (FileDescriptorName=).
void take_from_systemd(Role role, Arguments& arguments) {
    char** names = nullptr;
    const int count = ::sd_listen_fds_with_names(1, &names);
    for (int n = 0; n < count; ++n) {
        Descriptor descriptor(SD_LISTEN_FDS_START + n);
        ::fcntl(descriptor.get(), F_SETFD, FD_CLOEXEC);
        const std::string_view name = names[n];
        if (name == "https" && role == Role::gateway) {
            arguments.listeners.push_back(std::move(descriptor));
        } else if (name == "metrics" && role == Role::gateway) {
            arguments.metrics = std::move(descriptor);
        } else if (name == "vault") {
            arguments.vault_listener = std::move(descriptor);
        }
        std::free(names[n]);
    }
    std::free(names);
}

void take_inspector_connection(Arguments& arguments) {
    int type = 0;
    socklen_t size = sizeof type;
    if (::getsockopt(STDIN_FILENO, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_SEQPACKET) {
        throw Usage{"standard input is not a connection; --peer-fd names one"};
    }
    arguments.peer = Descriptor(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3));
    // Standard input stays open, on nothing, so that its number is never given to something else.
    const Descriptor nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (nothing) {
        ::dup2(nothing.get(), STDIN_FILENO);
    }
}

void take_key(Arguments& arguments) {
    const char* folder = std::getenv("CREDENTIALS_DIRECTORY");
    if (folder == nullptr) {
        throw Usage{"no --key-fd, and CREDENTIALS_DIRECTORY is not set"};
    }
    const std::string path = std::string(folder) + "/key-wrapping-key";
    arguments.key = Descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!arguments.key) {
        throw Usage{"cannot open the credential key-wrapping-key"};
    }
}

// Precondition: no --control-fd and no --peer-fd.
void take_without_supervisor(Role role, Arguments& arguments) {
    take_from_systemd(role, arguments);
    switch (role) {
        case Role::inspector:
            take_inspector_connection(arguments);
            arguments.peer_uid = uid_or_usage(Role::vault);
            break;
        case Role::gateway:
            if (arguments.listeners.empty()) {
                throw Usage{"no listening socket named https was passed"};
            }
            [[fallthrough]];
        case Role::courier:
            if (!arguments.vault_listener) {
                throw Usage{"no listening socket named vault was passed"};
            }
            arguments.peer_uid = uid_or_usage(Role::vault);
            break;
        case Role::vault:
            arguments.uids.gateway = uid_or_usage(Role::gateway);
            arguments.uids.courier = uid_or_usage(Role::courier);
            arguments.uids.inspector = uid_or_usage(Role::inspector);
            break;
    }
}

void read_command_line(Role role, int argc, char** argv, Arguments& arguments) {
    bool peer_uid_given = false;
    for (int n = 1; n < argc; ++n) {
        std::string_view option = argv[n];
        if (option == "--help") {
            std::fputs(usage(role).c_str(), stdout);
            arguments.exit_code = 0;
            return;
        }
        if (option == "--version") {
            std::printf("%s %s\n", program_name(role).c_str(), std::string(version()).c_str());
            arguments.exit_code = 0;
            return;
        }
        std::string_view value;
        if (const auto equals = option.find('='); equals != std::string_view::npos) {
            value = option.substr(equals + 1);
            option = option.substr(0, equals);
        } else if (n + 1 < argc && option.starts_with("--")) {
            value = argv[++n];
        } else {
            throw Usage{"unknown option or missing value: " + std::string(option)};
        }
        read_option(role, option, value, arguments);
        peer_uid_given = peer_uid_given || option == "--peer-uid";
    }
    const bool supervised = arguments.control || arguments.peer;
    if (arguments.config_path.empty() && !arguments.config && role != Role::inspector) {
        throw Usage{"--config or --config-fd is missing"};
    }
    if (!supervised) {
        take_without_supervisor(role, arguments);
    } else if (role != Role::vault && !peer_uid_given) {
        throw Usage{"--peer-uid is missing"};
    }
    if (role == Role::vault && !arguments.key) {
        take_key(arguments);
    }
}

}  // namespace

std::string_view version() {
    return XINFU_VERSION;
}

Arguments parse_arguments(Role role, int argc, char** argv) {
    Arguments arguments;
    try {
        read_command_line(role, argc, argv, arguments);
    } catch (const Usage& wrong) {
        std::fprintf(stderr, "%s: %s\n%s", program_name(role).c_str(), wrong.text.c_str(), usage(role).c_str());
        arguments.exit_code = 2;
    }
    return arguments;
}

}  // namespace xinfu::boundary
