/* sigpipe.h: keeps SIGPIPE from ending the process inside libcurl.
 * CURLOPT_NOSIGNAL is on, as threads ask for it, and so libcurl does not do
 * this itself; some TLS libraries write without MSG_NOSIGNAL. The signal is
 * held back in the calling thread alone, never in the whole process.
 * MIT, see LICENSE. */
#ifndef LEADPING_SIGPIPE_H
#define LEADPING_SIGPIPE_H

#include <signal.h>

struct sigpipe_guard {
  sigset_t before;
  int was_pending; /* one that waits already is the caller's */
};

void sigpipe_hold(struct sigpipe_guard *guard);
void sigpipe_release(const struct sigpipe_guard *guard);

/* Has the call run with the signal held back. */
#define WITHOUT_SIGPIPE(call)                                                  \
  do {                                                                         \
    struct sigpipe_guard guard;                                                \
    sigpipe_hold(&guard);                                                      \
    call;                                                                      \
    sigpipe_release(&guard);                                                   \
  } while (0)

#endif
