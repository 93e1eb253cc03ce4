/* multi.c: many transfers on one libcurl multi handle, driven by the caller or
 * by a thread of its own. In both the same functions drive; only who calls them
 * differs.
 * MIT, see LICENSE. */
#define _POSIX_C_SOURCE 200809L

#include "multi.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gate.h"
#include "sigpipe.h"

/* What a burst may open before the first answer says whether one connection
 * takes many requests. */
#define CONNECTIONS_FIRST 100L

/* What the thread waits at most; a wake-up ends the wait. */
#define THREAD_WAIT 60000

/* Milliseconds; see perform. */
#define WAIT_AFTER_MANY 1

/* Milliseconds for which a wake-up is tried again where it fails. */
#define WAKE_TRIES 1000

/* ---- lists ---- */

static struct transfer *locked_pop(struct multi *m, struct queue *queue,
                                   enum transfer_state state)
{
  struct transfer *t;
  pthread_mutex_lock(&m->lock);
  t = queue_pop(queue, state);
  pthread_mutex_unlock(&m->lock);
  return t;
}

/* Behind an addition to the finished, with the lock. */
static void ring_for_first(struct multi *m)
{
  if (m->finished.count == 1) doorbell_ring(&m->bell);
}

/* ---- driving: for who drives alone ---- */

static void finish(struct multi *m, struct transfer *t)
{
  pthread_mutex_lock(&m->lock);
  if (t->state != CANCELLED) { /* stop_cancelled has those */
    queue_push(&m->finished, t, FINISHED);
    ring_for_first(m);
  }
  pthread_mutex_unlock(&m->lock);
}

static void end_transfer(struct multi *m, struct transfer *t, CURLcode code)
{
  transfer_end(t, code);
  finish(m, t);
}

static void start_submitted(struct multi *m)
{
  struct transfer *t = locked_pop(m, &m->submitted, ACTIVE);
  if (t) sockets_end_readable(&m->sockets);
  for (; t; t = locked_pop(m, &m->submitted, ACTIVE)) {
    t->added = curl_multi_add_handle(m->curl, t->easy) == CURLM_OK;
    if (!t->added) end_transfer(m, t, CURLE_OUT_OF_MEMORY);
  }
}

static void remove_transfer(struct multi *m, struct transfer *t)
{
  if (t->added) curl_multi_remove_handle(m->curl, t->easy);
  t->added = 0;
}

static void stop_cancelled(struct multi *m)
{
  struct transfer *t;
  while ((t = locked_pop(m, &m->cancelled, HELD)) != NULL) {
    remove_transfer(m, t);
    transfer_stop(t);
    multi_give_spare(m, t);
  }
}

/* HTTP/1.1 takes as many connections as there are requests. */
static void end_connection_limit(struct multi *m, CURL *easy)
{
  long version = 0;
  curl_easy_getinfo(easy, CURLINFO_HTTP_VERSION, &version);
  if (m->unlimited || !version || version >= CURL_HTTP_VERSION_2_0) return;
  m->unlimited =
      curl_multi_setopt(m->curl, CURLMOPT_MAX_HOST_CONNECTIONS, 0L) == CURLM_OK;
}

/* Everything of a message is read before remove_handle, which frees it. */
static void collect_finished(struct multi *m)
{
  CURLMsg *message;
  int left;
  while ((message = curl_multi_info_read(m->curl, &left)) != NULL) {
    CURL *easy = message->easy_handle;
    CURLcode code = message->data.result;
    char *data = NULL;
    struct transfer *t;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &data);
    t = (struct transfer *)(void *)data;
    end_connection_limit(m, easy);
    remove_transfer(m, t);
    end_transfer(m, t, code);
  }
}

/* Cuts the wait that is to follow where libcurl may forget to end it: over
 * HTTP/2 a request that is sent may receive what is another's, which libcurl
 * then lets go on at once, unless a further request was begun in the same
 * perform: that makes it forget (seen with 7.88.1). The next perform runs them
 * all. */
static CURLMcode perform(struct multi *m, int *wait)
{
  unsigned long before = m->sockets.requests;
  int running;
  CURLMcode code;
  stop_cancelled(m);
  start_submitted(m);
  code = curl_multi_perform(m->curl, &running);
  collect_finished(m);
  if (m->sockets.requests - before > 1 && *wait > WAIT_AFTER_MANY)
    *wait = WAIT_AFTER_MANY;
  return code;
}

static CURLMcode drive(struct multi *m, int milliseconds)
{
  CURLMcode code = perform(m, &milliseconds);
  if (code || m->finished.count > 0 || milliseconds <= 0) return code;
  code = curl_multi_poll(m->curl, NULL, 0, milliseconds, NULL);
  return code ? code : perform(m, &milliseconds);
}

CURLMcode multi_drive(struct multi *m, int milliseconds)
{
  CURLMcode code;
  WITHOUT_SIGPIPE(code = drive(m, milliseconds));
  return code;
}

/* ---- the thread ---- */

static int is_closing(struct multi *m)
{
  int closing;
  pthread_mutex_lock(&m->lock);
  closing = m->closing;
  pthread_mutex_unlock(&m->lock);
  return closing;
}

/* What came before the loop had connected is rung for now. */
static void accept_bell(struct multi *m)
{
  pthread_mutex_lock(&m->lock);
  if (doorbell_accept(&m->bell) && m->finished.count > 0)
    doorbell_ring(&m->bell);
  pthread_mutex_unlock(&m->lock);
}

/* Outside the gate, where *m may be gone: waits on libcurl's handle alone.
 * *has_peer: somebody has connected to the listener. */
static CURLMcode wait_for_events(struct multi *m, int milliseconds,
                                 int *has_peer)
{
  struct curl_waitfd listener = {0, CURL_WAIT_POLLIN, 0};
  CURLM *curl = m->curl;
  CURLMcode code;
  pthread_mutex_lock(&m->lock);
  listener.fd = m->bell.listener;
  pthread_mutex_unlock(&m->lock);
  gate_leave();
  code = curl_multi_poll(curl, &listener, listener.fd >= 0, milliseconds, NULL);
  *has_peer = listener.revents != 0;
  gate_enter();
  return code;
}

static void *run_thread(void *data)
{
  struct multi *m = data;
  CURLMcode code = CURLM_OK;
  gate_enter();
  while (!code && !is_closing(m)) {
    int wait = THREAD_WAIT, has_peer = 0;
    code = perform(m, &wait);
    if (!code) code = wait_for_events(m, wait, &has_peer);
    if (has_peer) accept_bell(m);
  }
  pthread_mutex_lock(&m->lock);
  m->code = code;
  if (code) {
    doorbell_ring(&m->bell);
    doorbell_stop_listening(&m->bell); /* nobody accepts any more */
  }
  pthread_mutex_unlock(&m->lock);
  gate_leave();
  return NULL;
}

/* Signals are for the program's own threads. */
static int create_thread(struct multi *m)
{
  sigset_t all, before;
  int created;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  created = pthread_create(&m->thread, NULL, run_thread, m) == 0;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return created;
}

/* Where descriptors had run out, libcurl made a handle that nothing can wake.
 */
int multi_start_thread(struct multi *m)
{
  if (!m->threaded)
    m->threaded = gate_watch_exit() && curl_multi_wakeup(m->curl) == CURLM_OK &&
                  create_thread(m);
  return m->threaded;
}

/* ---- for its owner ---- */

static struct transfer *new_transfer(struct multi *m)
{
  struct transfer *t = transfer_new(&m->options, &m->sockets);
  if (!t) return NULL;
  t->state = HELD;
  t->next_owned = m->owned;
  m->owned = t;
  return t;
}

struct transfer *multi_take_spare(struct multi *m)
{
  struct transfer *t = locked_pop(m, &m->spare, HELD);
  return t ? t : new_transfer(m);
}

/* Forgotten now and not at the next use, which may be long in coming: a burst
 * would leave all its answers in memory. */
void multi_give_spare(struct multi *m, struct transfer *t)
{
  transfer_forget(t);
  pthread_mutex_lock(&m->lock);
  queue_push_first(&m->spare, t, SPARE);
  pthread_mutex_unlock(&m->lock);
}

static int wake_thread(struct multi *m)
{
  return !m->threaded || curl_multi_wakeup(m->curl) == CURLM_OK;
}

/* 0 where the thread has it already. */
static int take_back(struct multi *m, struct transfer *t)
{
  int waits;
  pthread_mutex_lock(&m->lock);
  waits = t->state == SUBMITTED;
  if (waits) queue_take(&m->submitted, t, HELD);
  pthread_mutex_unlock(&m->lock);
  return waits;
}

/* Those that the thread has not yet taken have it woken already. */
int multi_submit(struct multi *m, struct transfer *t)
{
  int is_first;
  pthread_mutex_lock(&m->lock);
  queue_push(&m->submitted, t, SUBMITTED);
  is_first = m->submitted.count == 1;
  pthread_mutex_unlock(&m->lock);
  return !is_first || wake_thread(m) || !take_back(m, t);
}

static int is_under_way(const struct transfer *t)
{
  return t->state == SUBMITTED || t->state == ACTIVE || t->state == FINISHED;
}

static struct transfer *find_transfer(struct multi *m, lua_Integer id)
{
  struct transfer *t = m->owned;
  while (t && (t->id != id || !is_under_way(t))) t = t->next_owned;
  return t;
}

/* Results, or the thread's end: once rung for, that goes on being so. */
static int has_news(const struct multi *m)
{
  return m->finished.count > 0 || m->code != CURLM_OK;
}

static void answer_bell(struct multi *m)
{
  if (!has_news(m)) doorbell_answer(&m->bell);
}

static void cancel(struct multi *m, struct transfer *t)
{
  if (t->state == SUBMITTED) queue_take(&m->submitted, t, HELD);
  if (t->state == FINISHED) queue_take(&m->finished, t, HELD);
  queue_push(&m->cancelled, t, CANCELLED);
  answer_bell(m);
}

int multi_cancel(struct multi *m, lua_Integer id)
{
  struct transfer *t;
  pthread_mutex_lock(&m->lock);
  t = find_transfer(m, id);
  if (t) cancel(m, t);
  pthread_mutex_unlock(&m->lock);
  wake_thread(m);
  if (t && !m->threaded) WITHOUT_SIGPIPE(stop_cancelled(m));
  return t != NULL;
}

CURLMcode multi_count_finished(struct multi *m, int *count)
{
  CURLMcode code;
  pthread_mutex_lock(&m->lock);
  *count = m->finished.count;
  code = m->code;
  pthread_mutex_unlock(&m->lock);
  return code;
}

struct transfer *multi_take_finished(struct multi *m)
{
  struct transfer *t;
  pthread_mutex_lock(&m->lock);
  t = queue_pop(&m->finished, HELD);
  if (t) answer_bell(m);
  pthread_mutex_unlock(&m->lock);
  return t;
}

void multi_put_back_finished(struct multi *m, struct transfer *t)
{
  pthread_mutex_lock(&m->lock);
  queue_push_first(&m->finished, t, FINISHED);
  ring_for_first(m);
  pthread_mutex_unlock(&m->lock);
}

int multi_open_pipe(struct multi *m)
{
  int opened;
  pthread_mutex_lock(&m->lock);
  opened = m->bell.reader >= 0;
  if (!opened) {
    opened = doorbell_open_pipe(&m->bell);
    if (opened && has_news(m)) doorbell_ring(&m->bell);
  }
  pthread_mutex_unlock(&m->lock);
  return opened;
}

int multi_listen(struct multi *m, const char *directory,
                 char path[DOORBELL_PATH])
{
  int listening;
  pthread_mutex_lock(&m->lock);
  errno = ECANCELED; /* the thread has ended: nobody would accept */
  listening = !m->code && doorbell_listen(&m->bell, directory);
  if (listening) memcpy(path, m->bell.path, strlen(m->bell.path) + 1);
  pthread_mutex_unlock(&m->lock);
  wake_thread(m);
  return listening;
}

void multi_ring(struct multi *m)
{
  pthread_mutex_lock(&m->lock);
  doorbell_ring(&m->bell);
  pthread_mutex_unlock(&m->lock);
}

void multi_hear(struct multi *m)
{
  pthread_mutex_lock(&m->lock);
  doorbell_hear(&m->bell);
  pthread_mutex_unlock(&m->lock);
}

int multi_hush(struct multi *m)
{
  int unheard;
  pthread_mutex_lock(&m->lock);
  unheard = doorbell_hush(&m->bell);
  pthread_mutex_unlock(&m->lock);
  return unheard;
}

/* ---- opening and closing ---- */

int multi_open(struct multi *m)
{
  queue_clear(&m->spare);
  queue_clear(&m->submitted);
  queue_clear(&m->cancelled);
  queue_clear(&m->finished);
  doorbell_init(&m->bell);
  m->has_lock = pthread_mutex_init(&m->lock, NULL) == 0;
  if (!m->has_lock) return 0;
  m->curl = curl_multi_init();
  return m->curl && curl_multi_setopt(m->curl, CURLMOPT_MAX_HOST_CONNECTIONS,
                                      CONNECTIONS_FIRST) == CURLM_OK;
}

static void end_thread(struct multi *m)
{
  static const struct timespec ms = {0, 1000000};
  int tries = 0;
  pthread_mutex_lock(&m->lock);
  m->closing = 1;
  pthread_mutex_unlock(&m->lock);
  while (!wake_thread(m) && tries++ < WAKE_TRIES) nanosleep(&ms, NULL);
  pthread_join(m->thread, NULL);
  m->threaded = 0;
}

static void free_transfers(struct multi *m)
{
  struct transfer *t;
  while ((t = m->owned) != NULL) {
    m->owned = t->next_owned;
    remove_transfer(m, t);
    transfer_stop(t);
    transfer_free(t);
  }
}

static void close_connections(struct multi *m)
{
  free_transfers(m);
  curl_multi_cleanup(m->curl);
}

static void release(struct multi *m)
{
  sockets_forget(&m->sockets);
  free(m->options.ca_file);
  free(m->options.ca_path);
  free(m->options.proxy);
  memset(m, 0, sizeof *m);
}

void multi_abandon(struct multi *m)
{
  sockets_close(&m->sockets);
  if (m->has_lock) doorbell_abandon(&m->bell);
  release(m);
}

static void end_all(struct multi *m)
{
  if (m->threaded) end_thread(m);
  if (m->curl) WITHOUT_SIGPIPE(close_connections(m));
  if (m->has_lock) {
    doorbell_close(&m->bell);
    pthread_mutex_destroy(&m->lock);
  }
  release(m);
}

/* A thread that exit() has stopped cannot be waited for, and what it was doing
 * is left as it is. */
void multi_close(struct multi *m)
{
  if (m->threaded && gate_is_closed()) multi_abandon(m);
  else end_all(m);
}
