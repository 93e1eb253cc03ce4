/* hang.c: from LD_PRELOAD, has the look-up of one name hang for ten seconds.
 * All other names are looked up as ever.
 * MIT, see LICENSE. */
#define _GNU_SOURCE

#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

#define NAME "hangs.leadping.test"

typedef int lookup(const char *name, const char *service,
                   const struct addrinfo *hints, struct addrinfo **found);

int getaddrinfo(const char *name, const char *service,
                const struct addrinfo *hints, struct addrinfo **found)
{
  void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");
  lookup *next;
  memcpy(&next, &symbol, sizeof next);
  if (name && strcmp(name, NAME) == 0) sleep(10);
  return next(name, service, hints, found);
}
