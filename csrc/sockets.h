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

/* Closes those that are open and frees the list. */
void sockets_close(struct sockets *sockets);

#endif
