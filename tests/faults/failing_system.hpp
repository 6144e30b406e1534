// Failing system calls: our own open, write, sync and change of names, which LMDB and our code call instead of libc's.
// One planned call misbehaves; all others pass through. Linked into a test, or preloaded into the vault itself.
//
// Threads: internally locked. Only one plan at a time.
#pragma once

#include <cstdint>
#include <string>

namespace xinfu::faults {

enum class Call { any, open, write, sync, name };  // name: rename, remove, make a directory

enum class Fault {
    failed,       // returns the error, nothing done
    stored,       // done, and still returns the error
    torn,         // half of a write done, then the error; otherwise as failed
    power_cut,    // nothing is done any more: what was not synced is for lose_unsynced() to take back
    lying_syncs,  // from this call on syncs do nothing and say they did
};

struct Plan {
    Call call = Call::any;
    std::uint64_t at = 0;  // which of these calls from now on; 1 is the first
    Fault fault = Fault::failed;
    int error = 0;  // as errno
};

struct Surroundings {
    void (*before_call)() = [] {};  // may arm
    void (*fired)() = [] {};
    void (*power_cut)() = nullptr;  // ends the process; other threads get no further than their next call meanwhile
    bool syncs_take_time = false;   // the machine's real ones are made too
};

// Keeps what is not synced yet in this folder; without it, there is none to lose.
void watch(const std::string& folder, const Surroundings& surroundings);
void arm(const Plan& plan);
bool fired();

}  // namespace xinfu::faults
