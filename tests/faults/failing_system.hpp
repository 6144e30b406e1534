// Failing system calls: the test program's own write, sync and rename, which LMDB and our code call instead
// of libc's. One planned call misbehaves; all others pass through.
//
// Threads: internally locked. Only one plan at a time.
#pragma once

#include <cstdint>

namespace xinfu::faults {

enum class Fault {
    failed,           // returns the error, nothing done
    stored,           // done, and still returns the error
    torn,             // half of a write done, then the error; otherwise as failed
    power_cut,        // everything written or renamed and not synced is undone; the process ends
    power_cut_mixed,  // the same, but every second such change had reached the disk
};

inline constexpr int kPowerCutStatus = 99;  // exit status after a power cut

// The `at`-th call from now on (1 is the first) misbehaves, with `error` as errno.
void arm(std::uint64_t at, Fault fault, int error);
void disarm();
bool fired();

}  // namespace xinfu::faults
