/* gate.c: keeps our threads out of libcurl while the process exits.
 * Does not end them: the process's end does.
 * MIT, see LICENSE. */
#define _POSIX_C_SOURCE 200809L

#include "gate.h"

#include <pthread.h>
#include <stdlib.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t left = PTHREAD_COND_INITIALIZER;
static int watching, closed;
static int inside; /* how many threads */

static void close_gate(void)
{
  pthread_mutex_lock(&lock);
  closed = 1;
  while (inside > 0) pthread_cond_wait(&left, &lock);
  pthread_mutex_unlock(&lock);
}

/* What is registered last runs first: libcurl and OpenSSL, which have started
 * before a thread does, register theirs earlier. */
int gate_watch_exit(void)
{
  int done;
  pthread_mutex_lock(&lock);
  if (!watching) watching = atexit(close_gate) == 0;
  done = watching;
  pthread_mutex_unlock(&lock);
  return done;
}

void gate_enter(void)
{
  pthread_mutex_lock(&lock);
  while (closed) pthread_cond_wait(&left, &lock);
  inside++;
  pthread_mutex_unlock(&lock);
}

void gate_leave(void)
{
  pthread_mutex_lock(&lock);
  inside--;
  pthread_cond_broadcast(&left);
  pthread_mutex_unlock(&lock);
}

int gate_is_closed(void)
{
  int is_closed;
  pthread_mutex_lock(&lock);
  is_closed = closed;
  pthread_mutex_unlock(&lock);
  return is_closed;
}

void gate_reset(void)
{
  pthread_mutex_init(&lock, NULL);
  pthread_cond_init(&left, NULL);
  inside = 0;
}
