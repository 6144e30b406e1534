/* Makes every fdatasync and fsync take 5 milliseconds longer: a disk slower than this machine's. For LD_PRELOAD. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <poll.h>

static int slow(const char* name, int descriptor) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    (void)poll(0, 0, 5); /* a call that event loops make anyway, so that no wall is in its way */
    return real(descriptor);
}

int fdatasync(int descriptor) { return slow("fdatasync", descriptor); }
int fsync(int descriptor) { return slow("fsync", descriptor); }
