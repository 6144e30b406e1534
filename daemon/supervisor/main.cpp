// xinfud: starts the four processes of a node and keeps them running, where systemd does not.
//
// Exit:    0 stopped as asked; 1 the configuration is wrong or the node cannot start; 2 wrong usage or an
//          unreadable path.
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "daemon/boundary/arguments.hpp"
#include "daemon/boundary/service.hpp"
#include "daemon/config/loader.hpp"
#include "daemon/supervisor/premises.hpp"
#include "daemon/supervisor/supervisor.hpp"

namespace {

constexpr const char* kUsage =
    "usage: xinfud run --config FILE [--pid-file FILE]\n"
    "       xinfud --check-config FILE\n"
    "       xinfud --help | --version\n"
    "\n"
    "run starts gateway, vault and courier, and inspectors as the vault needs them, each as its own user "
    "when\n"
    "started as root, and starts again whichever ends. SIGTERM lets open requests finish and stops the "
    "node;\n"
    "a second SIGTERM stops it at once. SIGHUP reads the configuration again.\n"
    "\n"
    "  --config FILE        the configuration, usually /etc/xinfu/xinfu.yaml\n"
    "  --pid-file FILE      keeps lines \"role pid\" of the running processes\n"
    "  --check-config FILE  says everything that is wrong with a configuration, and exits 1 then\n";

int refuse(const std::string& why) {
    std::fprintf(stderr, "xinfud: %s\n%s", why.c_str(), kUsage);
    return 2;
}

// 0: it is right. Prints what is not.
int check(const std::string& path, std::optional<xinfu::config::Config>& config) {
    if (::access(path.c_str(), R_OK) != 0) {
        std::fprintf(stderr, "xinfud: cannot read %s: %s\n", path.c_str(), std::strerror(errno));
        return 2;
    }
    auto loaded = xinfu::config::load_file(path);
    for (const auto& mistake : loaded.mistakes) {
        std::fprintf(stderr, "%s\n", xinfu::config::to_string(mistake).c_str());
    }
    config = std::move(loaded.config);
    return config ? 0 : 1;
}

int run(const std::string& config_path, const std::string& pid_file) {
    using namespace xinfu::supervisor;
    std::optional<xinfu::config::Config> config;
    if (const int wrong = check(config_path, config); wrong != 0) {
        return wrong;
    }
    xinfu::boundary::Service service("xinfud");
    try {
        auto premises = prepare(*config, account_of(xinfu::boundary::Role::vault));
        boost::asio::io_context io(1);
        Supervisor supervisor(io, service, std::filesystem::absolute(config_path).string(), std::move(*config),
                              std::move(premises), PidsFile(pid_file));
        supervisor.start();
        io.run();
    } catch (const CannotStart& why) {
        service.log(xinfu::boundary::Level::error, why.what());
        return 1;
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    const std::vector<std::string_view> words(argv + 1, argv + argc);
    std::string config_path;
    std::string pid_file;
    std::string to_check;
    bool runs = false;
    for (std::size_t n = 0; n < words.size(); ++n) {
        const auto word = words[n];
        const bool has_value = n + 1 < words.size();
        if (word == "--help") {
            std::fputs(kUsage, stdout);
            return 0;
        }
        if (word == "--version") {
            std::printf("xinfud %s\n", std::string(xinfu::boundary::version()).c_str());
            return 0;
        }
        if (word == "run" && !runs) {
            runs = true;
        } else if (word == "--config" && has_value) {
            config_path = words[++n];
        } else if (word == "--pid-file" && has_value) {
            pid_file = words[++n];
        } else if (word == "--check-config" && has_value) {
            to_check = words[++n];
        } else {
            return refuse("unknown option or missing value: " + std::string(word));
        }
    }
    if (!to_check.empty() && !runs && config_path.empty()) {
        std::optional<xinfu::config::Config> config;
        const int wrong = check(to_check, config);
        if (wrong == 0) {
            std::printf("%s: right\n", to_check.c_str());
        }
        return wrong;
    }
    if (!runs || config_path.empty() || !to_check.empty()) {
        return refuse("run --config FILE is expected");
    }
    return run(config_path, pid_file);
}
