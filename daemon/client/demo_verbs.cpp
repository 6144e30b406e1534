#include <CLI/CLI.hpp>

#include "daemon/client/demo.hpp"
#include "daemon/client/files.hpp"
#include "daemon/client/verbs.hpp"

namespace xinfu::client {
namespace {

Exit up(const std::string& directory) {
    demo_up(directory);
    const std::string environment = absolute(directory) + "/env";
    say({"city, province and nation are up; addresses, keys and passwords: . " + environment,
         "市、省、国家三级节点已启动；地址、密钥与口令见：. " + environment});
    return Exit::done;
}

Exit down(const std::string& directory) {
    demo_down(directory);
    say({"stopped; the files stay in " + absolute(directory), "已停止；文件保留在 " + absolute(directory)});
    return Exit::done;
}

}  // namespace

void add_demo_verbs(CLI::App& app, Chosen& chosen) {
    CLI::App* demo = app.add_subcommand("demo", "three nodes on this machine, to try things with");
    demo->require_subcommand(1);
    const auto add = [&](const char* name, const char* help, Exit (*act)(const std::string&)) {
        auto directory = std::make_shared<std::string>();
        CLI::App* verb = demo->add_subcommand(name, help);
        verb->add_option("--dir", *directory, "the demo's directory")->required();
        verb->callback([&chosen, directory, act] { chosen = {[directory, act] { return act(*directory); }, false}; });
    };
    add("up", "make and start them", up);
    add("down", "stop them", down);
}

}  // namespace xinfu::client
