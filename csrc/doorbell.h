/* doorbell.h: how a thread tells a loop that something waits.
 * Either a pipe, readable from the ring until it is answered; or, for loops
 * that can only connect, a unix socket that gets one byte for the ring, and
 * no other until that one was heard.
 * Does not know what waits; its user keeps the calls apart by a lock.
 * MIT, see LICENSE. */
#ifndef LEADPING_DOORBELL_H
#define LEADPING_DOORBELL_H

#include <stddef.h>
#include <sys/un.h>

/* Bytes of the longest path, with its end. */
#define DOORBELL_PATH sizeof(((struct sockaddr_un *)NULL)->sun_path)

/* -1 for what is not open. All are closed on exec and never block. */
struct doorbell {
  int reader, writer;       /* of the pipe */
  int listener, connection; /* of the unix socket */
  int unheard;              /* no ring is to go through it, one did */
  char *path;               /* the listener's, malloc's; NULL: none */
};

void doorbell_init(struct doorbell *bell);

/* Opens the pipe, once; 0 where that fails (errno). */
int doorbell_open_pipe(struct doorbell *bell);

/* Listens on a new unix socket within the directory, in place of an earlier
 * one; 0 where that fails (errno). bell->path says where, for as long as
 * nobody has connected. */
int doorbell_listen(struct doorbell *bell, const char *directory);

/* Takes the first connection of this very process and removes the path.
 * 1 where one was taken. Where none can be, it stops listening. */
int doorbell_accept(struct doorbell *bell);

/* Who has connected and was not taken is told by the connection's end. */
void doorbell_stop_listening(struct doorbell *bell);

void doorbell_ring(struct doorbell *bell);

/* The pipe is readable no more. */
void doorbell_answer(struct doorbell *bell);

/* The socket's reader listens, for a ring that is still to come. */
void doorbell_hear(struct doorbell *bell);

/* It does so no more; whether a byte is still on its way. */
int doorbell_hush(struct doorbell *bell);

void doorbell_close(struct doorbell *bell);

/* For a forked child: the path is its parent's. */
void doorbell_abandon(struct doorbell *bell);

#endif
