/* gate.c: keeps our threads out of libcurl while the process exits or forks.
 * Does not end them: the process's end does.
 * MIT, see LICENSE. */
#define _POSIX_C_SOURCE 200809L

#include "gate.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

/* Seconds that a fork waits at most. */
#define FORK_WAIT 1

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t left = PTHREAD_COND_INITIALIZER;
static int watching, closed;
static int forking, inside; /* how many threads */

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
  while (closed || forking) pthread_cond_wait(&left, &lock);
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

/* A child forked off while a thread of ours holds a lock of OpenSSL's would
 * wait for it forever, in exit() at the latest. What keeps a thread inside for
 * long may be the fork itself, where another library has locked for it. The
 * gate's lock is held until the fork is done. */
void gate_before_fork(void)
{
  struct timespec until;
  int late = 0;
  pthread_mutex_lock(&lock);
  forking++;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += FORK_WAIT;
  while (inside > 0 && !late)
    late = pthread_cond_timedwait(&left, &lock, &until) != 0;
}

void gate_after_fork(void)
{
  forking--;
  pthread_cond_broadcast(&left);
  pthread_mutex_unlock(&lock);
}

void gate_in_child(void)
{
  pthread_mutex_init(&lock, NULL);
  pthread_cond_init(&left, NULL);
  forking = inside = 0;
}
