// CommandLine: what `xinfu` does with its arguments. main() is this and nothing else, so that tests can call
// it.
#pragma once

namespace xinfu::client {

// The exit code, contract.md section 2. Prints results on standard output and reasons on standard error.
int run_command_line(int argc, const char* const* argv);

}  // namespace xinfu::client
