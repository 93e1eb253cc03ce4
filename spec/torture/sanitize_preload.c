/* sanitize_preload.c: takes LD_PRELOAD out of the environment once it has had
 * its effect, so that what a sanitized Lua starts (sh, nginx, make) runs plain.
 * Preloaded behind the sanitizer's library; does nothing else.
 * MIT, see LICENSE. */
#define _POSIX_C_SOURCE 200809L

#include <stdlib.h>

__attribute__((constructor)) static void forget_preload(void)
{
  unsetenv("LD_PRELOAD");
}
