/* coverage_end.c: linked into the module under coverage, has gcov's counts
 * written where a signal ends the process, which csrc leaves to the system
 * then. The linker gives csrc's calls of sigaction to it. MIT, see LICENSE. */
#define _POSIX_C_SOURCE 200809L

#include <signal.h>

void __gcov_dump(void);
int __real_sigaction(int, const struct sigaction *, struct sigaction *);
int __wrap_sigaction(int, const struct sigaction *, struct sigaction *);

/* The default action is back by now. */
static void write_counts(int number)
{
  __gcov_dump();
  (void)raise(number);
}

int __wrap_sigaction(int number, const struct sigaction *action,
                     struct sigaction *before)
{
  struct sigaction own;
  if (!action || action->sa_handler != SIG_DFL)
    return __real_sigaction(number, action, before);
  own = *action;
  own.sa_handler = write_counts;
  own.sa_flags = (int)(SA_RESETHAND | SA_NODEFER);
  return __real_sigaction(number, &own, before);
}
