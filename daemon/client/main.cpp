// xinfu: the command. Every verb is in its own file.
#include "daemon/client/command_line.hpp"

int main(int argc, char** argv) {
    return xinfu::client::run_command_line(argc, argv);
}
