/* sockets.h: the sockets that libcurl has open for one session.
 * Known so that a child that was forked off can close its copies without
 * calling libcurl, which would speak on the parent's connections; and so that a
 * connection on which something is wrong is not used again.
 * MIT, see LICENSE. */
#ifndef LEADPING_SOCKETS_H
#define LEADPING_SOCKETS_H

#include <stddef.h>

#include <curl/curl.h>

struct socket;

struct sockets {
  struct socket *list; /* malloc's; NULL while there has been none */
  size_t count, capacity;
  unsigned long last_id;
  unsigned long requests; /* that went out, their socket known or not */
  int is_full;            /* there was no descriptor left for the last one */
};

/* A request's use of a socket, between sockets_join and sockets_leave. */
struct use {
  unsigned long id;    /* of the socket; 0: none */
  unsigned long heard; /* how often it had been heard when the use began */
};

/* Has the handle's sockets opened and closed through the list. */
CURLcode sockets_watch(struct sockets *sockets, CURL *easy);

/* A request goes out on the socket of that local port and that peer. */
void sockets_join(struct sockets *sockets, struct use *use, int port,
                  const char *ip);

/* A part of the answer came. */
void sockets_hear(struct sockets *sockets, const struct use *use);

/* The request is over. libcurl keeps an HTTP/2 connection whose stream timed
 * out: where no other request uses it, or it has gone silent, it is ended here,
 * or it would take each later request with it. multiplexed: requests share the
 * connection, HTTP/2's way. */
void sockets_leave(struct sockets *sockets, struct use *use, int timed_out,
                   int multiplexed);

/* Ends those that no request uses and on which something waits to be read.
 * Between two requests of HTTP/1.1 a server has nothing to say, and libcurl
 * (seen with 7.88) takes it for the answer to the next. */
void sockets_end_readable(struct sockets *sockets);

/* Closes those that are open and frees the list: where libcurl may not be
 * called. */
void sockets_close(struct sockets *sockets);

/* Frees the list: libcurl has closed them. */
void sockets_forget(struct sockets *sockets);

#endif
