/* sockets.c: the sockets that libcurl has open for one session.
 * Does no I/O on them.
 * MIT, see LICENSE. */
#define _POSIX_C_SOURCE 200809L

#include "sockets.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static int reserve(struct sockets *s)
{
  size_t capacity = s->capacity ? s->capacity * 2 : 8;
  curl_socket_t *list;
  if (s->count < s->capacity) return 1;
  list = realloc(s->list, capacity * sizeof *list);
  if (!list) return 0;
  s->list = list;
  s->capacity = capacity;
  return 1;
}

/* Programs that the process starts must not hold a connection open. libcurl
 * goes on with a socket that it could not make non-blocking, and then hangs in
 * recv beyond every timeout: so that is done, and checked, here. */
static int set_flags(curl_socket_t fd)
{
  return fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 &&
         fcntl(fd, F_SETFL, O_NONBLOCK) == 0;
}

static curl_socket_t on_open(void *data, curlsocktype purpose,
                             struct curl_sockaddr *address)
{
  struct sockets *s = data;
  curl_socket_t fd;
  (void)purpose;
  if (!reserve(s)) return CURL_SOCKET_BAD;
  fd = socket(address->family, address->socktype, address->protocol);
  if (fd < 0) return fd; /* CURL_SOCKET_BAD too */
  if (!set_flags(fd)) {
    close(fd);
    return CURL_SOCKET_BAD;
  }
  s->list[s->count++] = fd;
  return fd;
}

static int on_close(void *data, curl_socket_t fd)
{
  struct sockets *s = data;
  size_t i = 0;
  while (i < s->count && s->list[i] != fd) i++;
  if (i < s->count) s->list[i] = s->list[--s->count];
  return close(fd);
}

CURLcode sockets_watch(struct sockets *s, CURL *easy)
{
  CURLcode code = curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
  if (!code) code = curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, s);
  if (!code)
    code = curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
  if (!code) code = curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, s);
  return code;
}

/* shutdown, not close: the descriptor is libcurl's to close. */
void sockets_end(struct sockets *s)
{
  size_t i;
  for (i = 0; i < s->count; i++) shutdown(s->list[i], SHUT_RDWR);
}

void sockets_end_readable(struct sockets *s)
{
  size_t i;
  char byte;
  for (i = 0; i < s->count; i++)
    if (recv(s->list[i], &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0)
      shutdown(s->list[i], SHUT_RDWR);
}

void sockets_close(struct sockets *s)
{
  while (s->count > 0) close(s->list[--s->count]);
  free(s->list);
  s->list = NULL;
  s->capacity = 0;
}
