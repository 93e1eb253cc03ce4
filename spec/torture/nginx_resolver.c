/* nginx_resolver.c: a look-up of names that hangs, to be preloaded: for as long
 * as nobody can wait where the name begins with "hang". Others are libc's.
 * MIT, see LICENSE. */
#define _GNU_SOURCE

#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

typedef int look_up(const char *, const char *, const struct addrinfo *,
                    struct addrinfo **);

int getaddrinfo(const char *name, const char *service,
                const struct addrinfo *hints, struct addrinfo **result)
{
  void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");
  look_up *next;
  if (name && strncmp(name, "hang", 4) == 0) sleep(3600);
  memcpy(&next, &symbol, sizeof next); /* a function's address, in C99 */
  return next(name, service, hints, result);
}
