// Loaded into a server (LD_PRELOAD): its machine's clock is so many seconds ahead.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

int clock_gettime(clockid_t clock, struct timespec *time) {
  int (*real)(clockid_t, struct timespec *) = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  int done = real(clock, time);
  if (clock == CLOCK_REALTIME) time->tv_sec += atol(getenv("CLOCK_AHEAD_SECS"));
  return done;
}
