/* descriptor.c: how our descriptors are made, whatever they stand for.
 * MIT, see LICENSE. */
#define _GNU_SOURCE /* accept4 */

#include "descriptor.h"

#include <fcntl.h>
#include <stddef.h>
#include <sys/socket.h>

#ifdef SOCK_CLOEXEC

int descriptor_socket(int family, int type, int protocol)
{
  return socket(family, type | SOCK_CLOEXEC, protocol);
}

int descriptor_accept(int listener)
{
  return accept4(listener, NULL, NULL, SOCK_CLOEXEC);
}

#else

int descriptor_socket(int family, int type, int protocol)
{
  return socket(family, type, protocol);
}

int descriptor_accept(int listener) { return accept(listener, NULL, NULL); }

#endif

int descriptor_prepare(int fd)
{
  return fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 &&
         fcntl(fd, F_SETFL, O_NONBLOCK) == 0;
}
