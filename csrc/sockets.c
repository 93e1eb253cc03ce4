/* sockets.c: the sockets that libcurl has open for one session.
 * Does no I/O on them.
 * MIT, see LICENSE. */
#define _POSIX_C_SOURCE 200809L

#include "sockets.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "descriptor.h"

/* libcurl 7.88.0 to 8.2.0 close a socket that was still connecting without
 * on_close (github.com/curl/curl/pull/11439). Its number may then be another
 * file's, of whoever in the program: what the number stood for is kept, and
 * compared before a socket is taken for ours. */
struct socket {
  curl_socket_t fd;
  dev_t device;
  ino_t inode;
  unsigned long id; /* a descriptor's number comes again, an id does not */
  int port;         /* local; 0: not yet looked up */
  unsigned users;   /* requests that wait for an answer on it */
  unsigned long heard;
  unsigned silences; /* requests in a row that timed out, nothing being heard */
  int used, multiplexed;
};

/* Requests that share a connection do not end it for the others where one of
 * them alone was too impatient; a second one says that it is silent. */
#define SILENCES_MAX 2

/* Not by realloc: a child that is forked off at any moment finds a whole list.
 */
static int reserve(struct sockets *s)
{
  size_t capacity = s->capacity ? s->capacity * 2 : 8;
  struct socket *list, *before = s->list;
  if (s->count < s->capacity) return 1;
  list = malloc(capacity * sizeof *list);
  if (!list) return 0;
  if (before) memcpy(list, before, s->count * sizeof *list);
  s->list = list;
  s->capacity = capacity;
  free(before);
  return 1;
}

static void forget(struct sockets *s, curl_socket_t fd)
{
  size_t i = 0;
  while (i < s->count && s->list[i].fd != fd) i++;
  if (i < s->count) s->list[i] = s->list[--s->count];
}

static int add(struct sockets *s, curl_socket_t fd)
{
  struct socket *added = &s->list[s->count];
  struct stat file;
  if (fstat(fd, &file) != 0) return 0;
  memset(added, 0, sizeof *added);
  added->fd = fd;
  added->device = file.st_dev;
  added->inode = file.st_ino;
  added->id = ++s->last_id;
  s->count++;
  return 1;
}

static int is_open(const struct socket *socket)
{
  struct stat file;
  return fstat(socket->fd, &file) == 0 && file.st_dev == socket->device &&
         file.st_ino == socket->inode;
}

/* A program that the process starts must not hold a connection open. libcurl
 * goes on with a socket that it could not make non-blocking, and then hangs in
 * recv beyond every timeout: so that is done, and checked, here. */
static curl_socket_t on_open(void *data, curlsocktype purpose,
                             struct curl_sockaddr *address)
{
  struct sockets *s = data;
  curl_socket_t fd;
  (void)purpose;
  s->is_full = 0;
  if (!reserve(s)) return CURL_SOCKET_BAD;
  fd = descriptor_socket(address->family, address->socktype, address->protocol);
  s->is_full = fd < 0 && (errno == EMFILE || errno == ENFILE);
  if (fd < 0) return fd; /* CURL_SOCKET_BAD too */
  forget(s, fd);
  if (descriptor_prepare(fd) && add(s, fd)) return fd;
  close(fd);
  return CURL_SOCKET_BAD;
}

static int on_close(void *data, curl_socket_t fd)
{
  forget(data, fd);
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

/* ---- who uses which ---- */

static int local_port(curl_socket_t fd)
{
  struct sockaddr_storage address;
  socklen_t length = sizeof address;
  const struct sockaddr_in *v4 = (const void *)&address;
  const struct sockaddr_in6 *v6 = (const void *)&address;
  if (getsockname(fd, (struct sockaddr *)&address, &length) != 0) return 0;
  return ntohs(address.ss_family == AF_INET6 ? v6->sin6_port : v4->sin_port);
}

static int is_at(struct socket *socket, int port)
{
  if (!socket->port) socket->port = local_port(socket->fd);
  return socket->port && socket->port == port;
}

/* An address of no family, which a socket without a peer has, has no text. */
static int has_peer(curl_socket_t fd, const char *ip)
{
  struct sockaddr_storage address;
  socklen_t length = sizeof address;
  char text[64] = "";
  memset(&address, 0, sizeof address);
  (void)getpeername(fd, (struct sockaddr *)&address, &length);
  (void)getnameinfo((struct sockaddr *)&address, length, text, sizeof text,
                    NULL, 0, NI_NUMERICHOST);
  text[strcspn(text, "%")] = '\0'; /* the interface, which libcurl leaves out */
  return strcmp(text, ip) == 0;
}

/* Several are at that port: to different peers, or closed by now. */
static struct socket *find_peer(struct sockets *s, int port, const char *ip)
{
  struct socket *found = NULL;
  size_t i;
  for (i = 0; i < s->count && !found; i++)
    if (is_at(&s->list[i], port) && is_open(&s->list[i]) &&
        has_peer(s->list[i].fd, ip))
      found = &s->list[i];
  return found;
}

/* The system is asked no more where the port alone tells, as nearly always. */
static struct socket *find(struct sockets *s, int port, const char *ip)
{
  struct socket *found = NULL;
  size_t i;
  for (i = 0; i < s->count; i++) {
    if (!is_at(&s->list[i], port)) continue;
    if (found) return find_peer(s, port, ip);
    found = &s->list[i];
  }
  return found;
}

static struct socket *find_id(struct sockets *s, unsigned long id)
{
  size_t i;
  for (i = 0; id && i < s->count; i++)
    if (s->list[i].id == id) return &s->list[i];
  return NULL;
}

void sockets_join(struct sockets *s, struct use *use, int port, const char *ip)
{
  struct socket *found = find(s, port, ip);
  s->requests++;
  use->id = 0;
  if (!found) return;
  use->id = found->id;
  use->heard = found->heard;
  found->used = 1;
  found->users++;
}

void sockets_hear(struct sockets *s, const struct use *use)
{
  struct socket *found = find_id(s, use->id);
  if (!found) return;
  found->heard++;
  found->silences = 0;
}

/* shutdown, not close: the descriptor is libcurl's to close. */
static void end(curl_socket_t fd) { shutdown(fd, SHUT_RDWR); }

void sockets_leave(struct sockets *s, struct use *use, int timed_out,
                   int multiplexed)
{
  struct socket *found = find_id(s, use->id);
  use->id = 0;
  if (!found) return;
  found->users--;
  if (multiplexed) found->multiplexed = 1;
  if (!timed_out) return;
  if (found->heard == use->heard) found->silences++;
  if (found->users == 0 || found->silences >= SILENCES_MAX) end(found->fd);
}

/* ---- idle ones ---- */

#define BATCH 64

static int is_idle(const struct socket *socket)
{
  return socket->used && !socket->users && !socket->multiplexed;
}

/* Fills the batch with the idle ones from the list's item *at on. */
static nfds_t next_idle(const struct sockets *s, size_t *at,
                        struct pollfd batch[BATCH])
{
  nfds_t count = 0;
  for (; *at < s->count && count < BATCH; ++*at) {
    if (!is_idle(&s->list[*at])) continue;
    batch[count].fd = s->list[*at].fd;
    batch[count++].events = POLLIN;
  }
  return count;
}

/* Where nothing is to be read, as nearly always, one poll says so of many. */
void sockets_end_readable(struct sockets *s)
{
  struct pollfd batch[BATCH];
  size_t at = 0;
  nfds_t i, count;
  char byte;
  while ((count = next_idle(s, &at, batch)) > 0) {
    if (poll(batch, count, 0) == 0) continue;
    for (i = 0; i < count; i++)
      if (recv(batch[i].fd, &byte, 1, MSG_PEEK) >= 0) end(batch[i].fd);
  }
}

void sockets_close(struct sockets *s)
{
  size_t i;
  for (i = 0; i < s->count; i++)
    if (is_open(&s->list[i])) close(s->list[i].fd);
  sockets_forget(s);
}

void sockets_forget(struct sockets *s)
{
  free(s->list);
  s->list = NULL;
  s->count = s->capacity = 0;
}
