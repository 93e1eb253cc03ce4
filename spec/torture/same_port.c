/* same_port.c: from LD_PRELOAD, has all connections but the first come from one
 * local port. The system takes it where they go to different peers.
 * MIT, see LICENSE. */
#define _GNU_SOURCE

#include <dlfcn.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

/* Both families have their port at that place. */
static in_port_t port;

static int connections;

static void bind_to_port(int fd, sa_family_t family)
{
  struct sockaddr_in6 address;
  socklen_t length = sizeof address;
  int yes = 1;
  memset(&address, 0, sizeof address);
  address.sin6_family = family;
  address.sin6_port = port;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  bind(fd, (struct sockaddr *)&address, length);
  getsockname(fd, (struct sockaddr *)&address, &length);
  port = address.sin6_port;
}

int connect(int fd, __CONST_SOCKADDR_ARG to, socklen_t length)
{
  int (*next)(int, __CONST_SOCKADDR_ARG, socklen_t);
  void *symbol = dlsym(RTLD_NEXT, "connect");
  sa_family_t family = to.__sockaddr__->sa_family;
  memcpy(&next, &symbol, sizeof next);
  if ((family == AF_INET || family == AF_INET6) && connections++ > 0)
    bind_to_port(fd, family);
  return next(fd, to, length);
}
