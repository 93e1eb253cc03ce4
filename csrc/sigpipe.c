/* sigpipe.c: keeps SIGPIPE from ending the process inside libcurl.
 * Only the calling thread's signal mask is touched, and put back.
 * MIT, see LICENSE. */
#define _POSIX_C_SOURCE 200809L

#include "sigpipe.h"

#include <stddef.h>

static int is_pending(void)
{
  sigset_t set;
  return sigpending(&set) == 0 && sigismember(&set, SIGPIPE) == 1;
}

static void only_sigpipe(sigset_t *set)
{
  sigemptyset(set);
  sigaddset(set, SIGPIPE);
}

/* Only where the caller holds SIGPIPE back itself can one be waiting already.
 */
void sigpipe_hold(struct sigpipe_guard *guard)
{
  sigset_t set;
  only_sigpipe(&set);
  pthread_sigmask(SIG_BLOCK, &set, &guard->before);
  guard->was_pending =
      sigismember(&guard->before, SIGPIPE) == 1 && is_pending();
}

/* A SIGPIPE that came meanwhile is taken out before it can be delivered. */
void sigpipe_release(const struct sigpipe_guard *guard)
{
  if (!guard->was_pending && is_pending()) {
    sigset_t set;
    int signal_number;
    only_sigpipe(&set);
    sigwait(&set, &signal_number);
  }
  pthread_sigmask(SIG_SETMASK, &guard->before, NULL);
}
