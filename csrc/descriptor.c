/* descriptor.c: how our descriptors are made, whatever they stand for.
 * MIT, see LICENSE. */
#define _POSIX_C_SOURCE 200809L

#include "descriptor.h"

#include <fcntl.h>

int descriptor_prepare(int fd)
{
  return fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 &&
         fcntl(fd, F_SETFL, O_NONBLOCK) == 0;
}
