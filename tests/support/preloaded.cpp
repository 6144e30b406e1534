// Stands in a program's place, becomes it, and has a library in it: of PROGRAM, PROGRAM-itself with PROGRAM-preload.so.
// For programs whose starter hands no environment on.
#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <unistd.h>

int main(int, char** argv) {
    std::array<char, 4096> own{};
    if (::readlink("/proc/self/exe", own.data(), own.size() - 1) < 0) {
        std::perror("/proc/self/exe");
        return 127;
    }
    const std::string program = own.data();
    ::setenv("LD_PRELOAD", (program + "-preload.so").c_str(), 1);
    ::execv((program + "-itself").c_str(), argv);
    std::perror((program + "-itself").c_str());
    return 127;
}
