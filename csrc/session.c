/* session.c: many transfers on one libcurl multi handle, as a Lua userdata.
 * The seam between mechanism and policy: requests go in by submit, results
 * come out by next, step drives what lies between. Holds no Lua reference:
 * transfers are known by integers, and what they mean is the caller's.
 * MIT, see LICENSE. */
#define _POSIX_C_SOURCE 200809L

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "compat.h"
#include "core.h"
#include "sigpipe.h"
#include "transfer.h"

#define METATABLE "leadping.session"

/* The longest wait inside one step, in milliseconds. libcurl does not tell of
 * a signal that ends a wait, so step goes back to Lua this often, where the
 * hook that lua.c sets at Ctrl-C can run. */
#define SLICE 200

/* What a burst may open before the first answer says that one connection takes
 * many requests. clear_overrides has no more requests in flight. */
#define CONNECTIONS_MAX 100L

struct session {
  CURLM *multi; /* NULL: not yet open, or closed */
  struct transfer_options options;
  struct transfer *owned;
  struct transfer *spare;
  struct transfer *first_finished, **last_finished;
  int active, finished; /* how many */
  int results;          /* under construction; see session_next */
  int close_wanted;     /* as soon as there are none of those */
  lua_Integer last_id;  /* ids are never used twice */
  lua_Hook main_hook;   /* the main thread's when something was submitted */
  struct sockets sockets;
  unsigned forks; /* what the process's count was at the start */
};

static pthread_mutex_t start_lock = PTHREAD_MUTEX_INITIALIZER;

/* How often this process is a child of one that had loaded the module. */
static unsigned forks;

static void count_fork(void) { forks++; }

/* Once for the process; where it failed, the next call tries again. Never
 * undone: other users of libcurl may live in the same process. */
static int start_curl(void)
{
  static int started, counting;
  int done;
  pthread_mutex_lock(&start_lock);
  if (!started) started = curl_global_init(CURL_GLOBAL_ALL) == CURLE_OK;
  if (!counting) counting = pthread_atfork(NULL, NULL, count_fork) == 0;
  done = started && counting;
  pthread_mutex_unlock(&start_lock);
  return done;
}

static struct session *check_session(lua_State *L)
{
  struct session *s = luaL_checkudata(L, 1, METATABLE);
  if (!s->multi || s->close_wanted) luaL_error(L, "the session is closed");
  if (s->forks != forks)
    luaL_error(L, "the session was made before a fork: a child process has to "
                  "make a client of its own");
  return s;
}

/* The one way in which methods report what they cannot do. */
static int push_failure(lua_State *L, const char *message)
{
  lua_pushnil(L);
  lua_pushstring(L, message);
  return 2;
}

/* ---- lists ---- */

static void add_spare(struct session *s, struct transfer *t)
{
  t->state = SPARE;
  t->next = s->spare;
  s->spare = t;
}

static void add_finished(struct session *s, struct transfer *t)
{
  t->state = FINISHED;
  t->next = NULL;
  *s->last_finished = t;
  s->last_finished = &t->next;
  s->finished++;
}

static void add_first_finished(struct session *s, struct transfer *t)
{
  t->state = FINISHED;
  t->next = s->first_finished;
  if (!t->next) s->last_finished = &t->next;
  s->first_finished = t;
  s->finished++;
}

static void remove_finished(struct session *s, struct transfer *t)
{
  struct transfer **link = &s->first_finished;
  while (*link != t) link = &(*link)->next;
  *link = t->next;
  if (!*link) s->last_finished = link;
  s->finished--;
}

/* Makes sure that there is a spare transfer and returns it, still spare; NULL
 * where there is no memory. */
static struct transfer *get_spare(struct session *s)
{
  struct transfer *t = s->spare;
  if (t) return t;
  t = transfer_new(&s->options, &s->sockets);
  if (!t) return NULL;
  t->next_owned = s->owned;
  s->owned = t;
  add_spare(s, t);
  return t;
}

/* The active or finished transfer of that id, or NULL. */
static struct transfer *find_transfer(struct session *s, lua_Integer id)
{
  struct transfer *t = s->owned;
  while (t && (t->id != id || t->state == SPARE || t->state == HELD))
    t = t->next_owned;
  return t;
}

/* ---- driving ---- */

static void remove_transfer(struct session *s, struct transfer *t)
{
  curl_multi_remove_handle(s->multi, t->easy);
  s->active--;
}

static void stop_transfer(struct session *s, struct transfer *t)
{
  remove_transfer(s, t);
  transfer_stop(t);
}

/* Everything of a message is read before remove_handle, which frees it. */
static void collect_finished(struct session *s)
{
  CURLMsg *message;
  int left;
  while ((message = curl_multi_info_read(s->multi, &left)) != NULL) {
    CURL *easy = message->easy_handle;
    CURLcode code = message->data.result;
    char *data = NULL;
    struct transfer *t;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &data);
    t = (struct transfer *)(void *)data;
    remove_transfer(s, t);
    transfer_end(t, code);
    add_finished(s, t);
  }
}

static CURLMcode perform(struct session *s)
{
  int running;
  CURLMcode code = curl_multi_perform(s->multi, &running);
  collect_finished(s);
  return code;
}

static CURLMcode drive(struct session *s, lua_Number seconds)
{
  struct sigpipe_guard guard;
  CURLMcode code;
  sigpipe_hold(&guard);
  code = perform(s);
  if (!code && !s->finished && seconds > 0) {
    int ms = seconds * 1000 < SLICE ? (int)(seconds * 1000) + 1 : SLICE;
    code = curl_multi_poll(s->multi, NULL, 0, ms, NULL);
    if (!code) code = perform(s);
  }
  sigpipe_release(&guard);
  return code;
}

/* The hook of the main thread, the thread itself in *thread. */
static lua_Hook main_hook(lua_State *L, lua_State **thread)
{
  push_main_thread(L);
  *thread = lua_tothread(L, -1);
  lua_pop(L, 1);
  return *thread ? lua_gethook(*thread) : NULL;
}

/* lua.c sets its Ctrl-C hook on the main thread only. Where we wait in a
 * coroutine, a hook that came since the submit is moved here. */
static void move_hook(const struct session *s, lua_State *L)
{
  lua_State *thread;
  lua_Hook hook = main_hook(L, &thread);
  if (!hook || hook == s->main_hook || thread == L) return;
  lua_sethook(L, hook, lua_gethookmask(thread), lua_gethookcount(thread));
  lua_sethook(thread, NULL, 0, 0);
}

/* ---- closing ---- */

static void free_transfers(struct session *s)
{
  struct transfer *t;
  while ((t = s->owned) != NULL) {
    s->owned = t->next_owned;
    if (t->state == ACTIVE) stop_transfer(s, t);
    transfer_free(t);
  }
}

static void close_connections(struct session *s)
{
  struct sigpipe_guard guard;
  sigpipe_hold(&guard);
  free_transfers(s);
  if (s->multi) curl_multi_cleanup(s->multi);
  sigpipe_release(&guard);
}

/* A forked child closes its copies of the sockets and leaves libcurl's memory
 * alone: libcurl would take leave of the server on the parent's connections. */
static void close_session(struct session *s)
{
  if (s->forks == forks) close_connections(s);
  sockets_close(&s->sockets);
  free(s->options.ca_file);
  free(s->options.ca_path);
  free(s->options.proxy);
  memset(s, 0, sizeof *s);
}

/* ---- methods ---- */

/* session:submit(request) -> id | nil, message. request: transfer.h.
 * Lua may run finalizers while it allocates, and those may use or close this
 * very session: all allocation is over before the session is looked at. */
static int session_submit(lua_State *L)
{
  struct request request;
  struct session *s;
  struct transfer *t;
  lua_State *thread;
  check_session(L);
  transfer_check_request(&request, L, 2);
  s = check_session(L);
  t = get_spare(s);
  sockets_end_readable(&s->sockets);
  if (!t || !transfer_prepare(t, &request, L) ||
      curl_multi_add_handle(s->multi, t->easy) != CURLM_OK)
    return push_failure(L, "libcurl could not start the transfer");
  s->main_hook = main_hook(L, &thread);
  s->spare = t->next;
  t->state = ACTIVE;
  s->active++;
  t->id = ++s->last_id;
  lua_pushinteger(L, t->id);
  return 1;
}

/* session:step(seconds) -> how many results wait | nil, message.
 * Lets transfers go on; where none has finished, waits for one, at most that
 * long and at most 0.2 s. */
static int session_step(lua_State *L)
{
  struct session *s = check_session(L);
  CURLMcode code = drive(s, luaL_checknumber(L, 2));
  move_hook(s, L);
  if (code) return push_failure(L, curl_multi_strerror(code));
  lua_pushinteger(L, s->finished);
  return 1;
}

static int push_result(lua_State *L)
{
  transfer_push_result(lua_touserdata(L, 1), L);
  return 1;
}

/* session:next() -> id, result of one finished transfer | nil.
 * A result that memory does not suffice for stays the first one. While it is
 * made, a finalizer may use or close the session: the transfer is then in no
 * list, and closing waits. */
static int session_next(lua_State *L)
{
  struct session *s = check_session(L);
  struct transfer *t;
  int failed;
  lua_pushcfunction(L, push_result);
  t = s->first_finished;
  if (!t) return 0;
  remove_finished(s, t);
  t->state = HELD;
  s->results++;
  lua_pushlightuserdata(L, t);
  failed = lua_pcall(L, 1, 1, 0);
  s->results--;
  if (failed) add_first_finished(s, t);
  else add_spare(s, t);
  lua_pushinteger(L, t->id);
  lua_insert(L, -2);
  if (s->close_wanted && s->results == 0) close_session(s);
  return failed ? lua_error(L) : 2;
}

/* session:cancel(id) -> whether there was such a transfer.
 * Its result will not come; its connection is closed unless HTTP/2 lets the
 * stream end alone. */
static int session_cancel(lua_State *L)
{
  struct session *s = check_session(L);
  struct transfer *t = find_transfer(s, luaL_checkinteger(L, 2));
  struct sigpipe_guard guard;
  lua_pushboolean(L, t != NULL);
  if (!t) return 1;
  sigpipe_hold(&guard);
  if (t->state == ACTIVE) stop_transfer(s, t);
  else remove_finished(s, t);
  sigpipe_release(&guard);
  add_spare(s, t);
  return 1;
}

/* session:close(); also __gc. Closes all connections; once is enough. */
static int session_close(lua_State *L)
{
  struct session *s = luaL_checkudata(L, 1, METATABLE);
  s->close_wanted = 1;
  if (s->results == 0) close_session(s);
  return 0;
}

/* ---- making one ---- */

/* A copy of the string options[name], NULL where it is nil. */
static char *copy_option(lua_State *L, const char *name)
{
  char *copy = NULL;
  lua_getfield(L, 1, name);
  if (!lua_isnil(L, -1)) {
    copy = strdup(luaL_checkstring(L, -1));
    if (!copy) luaL_error(L, "not enough memory");
  }
  lua_pop(L, 1);
  return copy;
}

/* session { ca_file, ca_path, proxy } -> session.
 * The userdata is closed and collectable before it acquires anything. */
int core_session(lua_State *L)
{
  struct session *s;
  luaL_checktype(L, 1, LUA_TTABLE);
  s = lua_newuserdata(L, sizeof *s);
  memset(s, 0, sizeof *s);
  s->forks = forks;
  luaL_getmetatable(L, METATABLE);
  lua_setmetatable(L, -2);
  if (!start_curl()) return luaL_error(L, "not enough memory");
  s->options.ca_file = copy_option(L, "ca_file");
  s->options.ca_path = copy_option(L, "ca_path");
  s->options.proxy = copy_option(L, "proxy");
  s->last_finished = &s->first_finished;
  s->multi = curl_multi_init();
  if (!s->multi || curl_multi_setopt(s->multi, CURLMOPT_MAX_HOST_CONNECTIONS,
                                     CONNECTIONS_MAX) != CURLM_OK)
    return luaL_error(L, "not enough memory");
  return 1;
}

static const luaL_Reg methods[] = {
    {"cancel", session_cancel},
    {"close", session_close},
    {"next", session_next},
    {"step", session_step},
    {"submit", session_submit},
    {"__gc", session_close},
    {NULL, NULL},
};

void session_register(lua_State *L)
{
  luaL_newmetatable(L, METATABLE);
  set_functions(L, methods);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}
