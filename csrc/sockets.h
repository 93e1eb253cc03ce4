/* sockets.h: the sockets that libcurl has open for one session.
 * Known so that a child that was forked off can close its copies without
 * calling libcurl, which would speak on the parent's connections.
 * MIT, see LICENSE. */
#ifndef LEADPING_SOCKETS_H
#define LEADPING_SOCKETS_H

#include <stddef.h>

#include <curl/curl.h>

struct sockets {
  curl_socket_t *list; /* malloc's; NULL while there has been none */
  size_t count, capacity;
};

/* Has the handle's sockets opened and closed through the list. */
CURLcode sockets_watch(struct sockets *sockets, CURL *easy);

/* Ends all, so that libcurl finds them dead and uses none of them again. */
void sockets_end(struct sockets *sockets);

/* Ends those on which something waits to be read. Between two calls of
 * HTTP/1.1 a server has nothing to say, and libcurl (seen with 7.88) takes it
 * for the answer to the next. */
void sockets_end_readable(struct sockets *sockets);

/* Closes those that are open and frees the list. */
void sockets_close(struct sockets *sockets);

#endif
