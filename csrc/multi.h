/* multi.h: many transfers on one libcurl multi handle, driven by the caller or
 * by a thread of its own. Knows no Lua; what a transfer means is not known here
 * either.
 * MIT, see LICENSE. */
#ifndef LEADPING_MULTI_H
#define LEADPING_MULTI_H

#include <pthread.h>

#include <curl/curl.h>

#include "doorbell.h"
#include "queue.h"
#include "transfer.h"

/* Whoever drives has the multi handle, the sockets and the active transfers to
 * itself; everything below the lock is shared. All zeros is a closed one. */
struct multi {
  CURLM *curl; /* NULL: not yet open, or closed */
  struct transfer_options options;
  struct sockets sockets;
  int unlimited;          /* the number of connections to the host */
  struct transfer *owned; /* all there are; its owner's alone */
  int threaded;
  pthread_t thread;
  int has_lock; /* the lock was made */
  pthread_mutex_t lock;
  struct queue spare, submitted, cancelled, finished;
  struct doorbell bell;
  CURLMcode code; /* of the thread's end, if it came early */
  int closing;
};

/* Opens it; the options, whose strings become its own, are set before. 0 where
 * there is no memory; multi_close is to be called all the same. */
int multi_open(struct multi *multi);

/* Ends the thread and everything in flight. Once is enough. */
void multi_close(struct multi *multi);

/* For a forked child: closes its copies of descriptors, leaves all else; also
 * where the thread has been stopped by exit(). */
void multi_abandon(struct multi *multi);

/* A transfer to prepare, in no list; NULL where there is no memory. */
struct transfer *multi_take_spare(struct multi *multi);

/* Gives back what was taken: unused, or used. */
void multi_give_spare(struct multi *multi, struct transfer *transfer);

/* Sends it as soon as the multi is driven; 0 where the thread cannot be told,
 * and it is in no list. */
int multi_submit(struct multi *multi, struct transfer *transfer);

/* Stops the transfer of that id, whose result will not come; 0: none such. */
int multi_cancel(struct multi *multi, lua_Integer id);

/* Lets transfers go on. Where none has finished, waits for one, at most that
 * long; returns early for what it likes. */
CURLMcode multi_drive(struct multi *multi, int milliseconds);

/* The error is the thread's, which has ended. */
CURLMcode multi_count_finished(struct multi *multi, int *count);

/* The first that has finished, in no list; NULL for none. */
struct transfer *multi_take_finished(struct multi *multi);

/* Puts back what was taken, as the first. */
void multi_put_back_finished(struct multi *multi, struct transfer *transfer);

/* From now on a thread drives; 0 where none could be made. */
int multi_start_thread(struct multi *multi);

/* Have the thread ring: see doorbell.h. 0 where that fails (errno). */
int multi_open_pipe(struct multi *multi);
int multi_listen(struct multi *multi, const char *directory,
                 char path[DOORBELL_PATH]);

/* See doorbell.h. multi_ring does so though nothing has finished. */
void multi_ring(struct multi *multi);
void multi_hear(struct multi *multi);
int multi_hush(struct multi *multi);

#endif
