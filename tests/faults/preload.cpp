// The failing system inside the vault itself, preloaded. It looks into faults/ in the state directory, where the vault
// starts: `plan`, one line "CALL AT FAULT ERRNO", is taken away and followed whenever it is put there; `fired` appears
// when it was; `unsynced/` has what a power cut would undo.
#include <array>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/faults/failing_system.hpp"

namespace xinfu::faults {
namespace {

constexpr std::array<std::string_view, 5> kCalls{"any", "open", "write", "sync", "name"};
constexpr std::array<std::string_view, 5> kFaults{"failed", "stored", "torn", "power_cut", "lying_syncs"};
// What other threads were about to tell their peers when the disk stopped is still told: nothing may rely on what
// comes after.
constexpr int kLastWordsMilliseconds = 50;

int folder = -1;

template <class Value, std::size_t kCount>
Value value_of(const std::array<std::string_view, kCount>& names, std::string_view name) {
    for (std::size_t n = 0; n < kCount; ++n) {
        if (names[n] == name) {
            return static_cast<Value>(n);
        }
    }
    std::fprintf(stderr, "the failing system: what is %.*s\n", static_cast<int>(name.size()), name.data());
    std::abort();
}

void take_plan() {
    const auto file = static_cast<int>(::syscall(SYS_openat, folder, "plan", O_RDONLY | O_CLOEXEC));
    if (file < 0) {
        return;
    }
    std::array<char, 200> text{};
    if (::read(file, text.data(), text.size() - 1) < 0) {
        std::abort();
    }
    ::close(file);
    ::syscall(SYS_unlinkat, folder, "plan", 0);
    std::array<char, 20> call{};
    std::array<char, 20> fault{};
    unsigned long long at = 0;
    int error = 0;
    if (std::sscanf(text.data(), "%19s %llu %19s %d", call.data(), &at, fault.data(), &error) != 4) {
        std::abort();
    }
    arm({value_of<Call>(kCalls, call.data()), at, value_of<Fault>(kFaults, fault.data()), error});
}

void tell_fired() {
    ::close(static_cast<int>(::syscall(SYS_openat, folder, "fired", O_WRONLY | O_CREAT | O_CLOEXEC, 0600)));
}

// Stops where it is. Whoever planned it kills the node, all processes at once, and takes back what is unsynced.
void cut_power() {
    ::poll(nullptr, 0, kLastWordsMilliseconds);
    tell_fired();
    for (;;) {
        ::raise(SIGSTOP);
    }
}

__attribute__((constructor)) void begin() {
    ::syscall(SYS_mkdirat, AT_FDCWD, "faults", 0700);
    folder = static_cast<int>(::syscall(SYS_openat, AT_FDCWD, "faults", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    watch("faults/unsynced",
          {.before_call = take_plan, .fired = tell_fired, .power_cut = cut_power, .syncs_take_time = true});
}

}  // namespace
}  // namespace xinfu::faults
