// Processes of the demo: starting supervisors in the background and finding them again by their configuration
// file.
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace xinfu::client {

// The directory of the running program: its siblings lie there.
std::string program_directory();

// Starts `program` with arguments in a session of its own, output appended to `log`. Returns its process id.
int start_detached(const std::vector<std::string>& command, const std::string& log);

// Ids of processes of program `name` one of whose arguments is exactly `argument`.
std::vector<int> find_processes(const std::string& name, const std::string& argument);

// SIGTERM, then SIGKILL after the time limit. Returns when they are gone.
void end_processes(const std::vector<int>& pids, std::chrono::seconds limit);
bool is_running(int pid);  // zombies are not

// Free TCP ports of 127.0.0.1, all different.
std::vector<int> free_ports(std::size_t count);

// Whether http://127.0.0.1:port/path answers 200.
bool answers_ok(int port, const std::string& path);

}  // namespace xinfu::client
