/* doorbell.c: how a thread tells a loop that something waits.
 * MIT, see LICENSE. */
#define _GNU_SOURCE /* struct ucred */

#include "doorbell.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "descriptor.h"

static void close_one(int *fd)
{
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

void doorbell_init(struct doorbell *bell)
{
  bell->reader = bell->writer = bell->listener = bell->connection = -1;
  bell->unheard = 0;
  bell->path = NULL;
}

int doorbell_open_pipe(struct doorbell *bell)
{
  int ends[2];
  if (pipe(ends) != 0) return 0;
  bell->reader = ends[0];
  bell->writer = ends[1];
  if (descriptor_prepare(ends[0]) && descriptor_prepare(ends[1])) return 1;
  close_one(&bell->reader);
  close_one(&bell->writer);
  return 0;
}

/* ---- the unix socket ---- */

static void remove_path(struct doorbell *bell)
{
  char *slash;
  if (!bell->path) return;
  unlink(bell->path);
  slash = strrchr(bell->path, '/');
  *slash = '\0'; /* the directory that was made for it */
  rmdir(bell->path);
  free(bell->path);
  bell->path = NULL;
}

void doorbell_stop_listening(struct doorbell *bell)
{
  close_one(&bell->listener);
  remove_path(bell);
}

/* A directory that only this user can enter; the name of the socket in it. */
static char *make_path(const char *directory)
{
  static const char name[] = "/bell";
  size_t size = strlen(directory) + sizeof "/leadping-XXXXXX" + sizeof name;
  char *path = malloc(size);
  if (!path) return NULL;
  (void)snprintf(path, size, "%s/leadping-XXXXXX", directory);
  if (mkdtemp(path)) {
    memcpy(path + strlen(path), name, sizeof name);
    return path;
  }
  free(path);
  return NULL;
}

static int bind_to(int fd, const char *path)
{
  struct sockaddr_un address;
  memset(&address, 0, sizeof address);
  address.sun_family = AF_UNIX;
  if (strlen(path) >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return 0;
  }
  memcpy(address.sun_path, path, strlen(path));
  return bind(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
         listen(fd, 1) == 0;
}

int doorbell_listen(struct doorbell *bell, const char *directory)
{
  int error;
  doorbell_stop_listening(bell);
  close_one(&bell->connection);
  bell->unheard = 0;
  bell->path = make_path(directory);
  if (!bell->path) return 0;
  bell->listener = descriptor_socket(AF_UNIX, SOCK_STREAM, 0);
  if (bell->listener >= 0 && descriptor_prepare(bell->listener) &&
      bind_to(bell->listener, bell->path))
    return 1;
  error = errno;
  doorbell_stop_listening(bell);
  errno = error;
  return 0;
}

/* Another process of the same user could connect before the loop does, and the
 * loop would then wait for nothing. */
static int is_own_process(int fd)
{
#ifdef SO_PEERCRED
  struct ucred peer;
  socklen_t length = sizeof peer;
  return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
         peer.pid == getpid();
#else
  (void)fd;
  return 1; /* its directory is the user's alone */
#endif
}

/* Nobody has connected, or not for good. */
static int may_go_on(int error)
{
  return error == EAGAIN || error == EINTR || error == ECONNABORTED;
}

/* Where accept cannot take a connection, it stays readable for as long as that
 * lasts; so the listener is given up, which its peer sees. */
static int accept_one(struct doorbell *bell)
{
  int fd = descriptor_accept(bell->listener);
  if (fd < 0 && !may_go_on(errno)) doorbell_stop_listening(bell);
  return fd;
}

int doorbell_accept(struct doorbell *bell)
{
  int fd;
  if (bell->listener < 0) return 0;
  fd = accept_one(bell);
  if (fd < 0) return 0;
  if (!descriptor_prepare(fd) || !is_own_process(fd)) {
    close(fd);
    return 0;
  }
  bell->connection = fd;
  doorbell_stop_listening(bell);
  return 1;
}

/* ---- ringing ---- */

/* A full pipe rings already. A connection that cannot be rung through is ended,
 * as its reader would wait; to make it anew is the reader's. */
void doorbell_ring(struct doorbell *bell)
{
  static const char byte = 1;
  ssize_t done = 0;
  if (bell->writer >= 0) done = write(bell->writer, &byte, 1);
  if (bell->connection >= 0 && !bell->unheard) {
    bell->unheard = send(bell->connection, &byte, 1, MSG_NOSIGNAL) == 1;
    if (!bell->unheard) close_one(&bell->connection);
  }
  (void)done;
}

void doorbell_hear(struct doorbell *bell) { bell->unheard = 0; }

int doorbell_hush(struct doorbell *bell)
{
  int unheard = bell->unheard;
  bell->unheard = 1;
  return unheard;
}

void doorbell_answer(struct doorbell *bell)
{
  char bytes[8];
  if (bell->reader >= 0)
    while (read(bell->reader, bytes, sizeof bytes) > 0) continue;
}

void doorbell_abandon(struct doorbell *bell)
{
  close_one(&bell->reader);
  close_one(&bell->writer);
  close_one(&bell->connection);
  close_one(&bell->listener);
  free(bell->path);
  bell->path = NULL;
}

void doorbell_close(struct doorbell *bell)
{
  doorbell_stop_listening(bell);
  doorbell_abandon(bell);
}
