/* session.c: a session, as a Lua userdata: many transfers on one multi handle.
 * The seam between mechanism and policy: requests go in by submit, results
 * come out by next, step drives what lies between. Holds no Lua reference:
 * transfers are known by integers, and what they mean is the caller's.
 * MIT, see LICENSE. */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"
#include "compat.h"
#include "core.h"
#include "gate.h"
#include "multi.h"

#define METATABLE "leadping.session"

/* The longest wait inside one step, in milliseconds. libcurl does not tell of
 * a signal that ends a wait, so step goes back to Lua this often, where the
 * hook that lua.c sets at Ctrl-C can run. */
#define SLICE 200

/* Bytes that a session takes from malloc, about as many as with a connection
 * over TLS. The collector is given as much garbage, never touched, for each: so
 * dropped ones do not pile up until there are no descriptors left. */
#define WEIGHT 100000

struct session {
  struct multi multi;
  int results;         /* under construction; see session_next */
  int close_wanted;    /* as soon as there are none of those */
  lua_Integer last_id; /* ids are never used twice */
  lua_Hook main_hook;  /* the main thread's when something was submitted */
  unsigned forks;      /* what the process's count was at the start */
};

static pthread_mutex_t start_lock = PTHREAD_MUTEX_INITIALIZER;

/* How often this process is a child of one that had loaded the module. */
static unsigned forks;

/* A thread that the child does not have may have held the lock. */
static void count_fork(void)
{
  forks++;
  pthread_mutex_init(&start_lock, NULL);
  gate_in_child();
}

/* Behind the gate: a child has no use for a libcurl that is half started. */
static int init_curl(void)
{
  int done;
  gate_enter();
  done = curl_global_init(CURL_GLOBAL_ALL) == CURLE_OK;
  gate_leave();
  return done;
}

/* Once for the process; where it failed, the next call tries again. Never
 * undone: other users of libcurl may live in the same process. */
static int start_curl(void)
{
  static int started, counting;
  int done;
  pthread_mutex_lock(&start_lock);
  if (!counting)
    counting =
        pthread_atfork(gate_before_fork, gate_after_fork, count_fork) == 0;
  if (counting && !started) started = init_curl();
  done = started;
  pthread_mutex_unlock(&start_lock);
  return done;
}

static struct session *check_session(lua_State *L)
{
  struct session *s = luaL_checkudata(L, 1, METATABLE);
  if (!s->multi.curl || s->close_wanted) luaL_error(L, "the session is closed");
  if (s->forks != forks)
    luaL_error(L,
               "the session was made before a fork: a child process, such as "
               "a worker of nginx, has to make a client of its own");
  return s;
}

/* ---- Ctrl-C ---- */

/* The hook of the main thread, the thread itself in *thread. */
static lua_Hook main_hook(lua_State *L, lua_State **thread)
{
  push_main_thread(L);
  *thread = lua_tothread(L, -1);
  lua_pop(L, 1);
  return *thread ? lua_gethook(*thread) : NULL;
}

/* lua.c sets its Ctrl-C hook on the main thread only. Where we wait in a
 * coroutine, a hook that came since the submit is moved here: taken there
 * first, as all threads of LuaJIT share one. */
static void move_hook(const struct session *s, lua_State *L)
{
  lua_State *thread;
  lua_Hook hook = main_hook(L, &thread);
  int mask, count;
  if (!hook || hook == s->main_hook || thread == L) return;
  mask = lua_gethookmask(thread);
  count = lua_gethookcount(thread);
  lua_sethook(thread, NULL, 0, 0);
  lua_sethook(L, hook, mask, count);
}

/* ---- methods ---- */

static int start_transfer(struct session *s, struct transfer *t,
                          const struct request *request)
{
  if (!transfer_prepare(t, request)) return 0;
  t->id = ++s->last_id;
  return multi_submit(&s->multi, t);
}

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
  t = multi_take_spare(&s->multi);
  if (t && !start_transfer(s, t, &request)) {
    multi_give_spare(&s->multi, t);
    t = NULL;
  }
  if (!t) return push_failure(L, "libcurl could not start the transfer");
  s->main_hook = main_hook(L, &thread);
  lua_pushinteger(L, s->last_id);
  return 1;
}

/* The thread that drives rings, where the pipe is open. */
static void wait_for_bell(struct multi *m, int milliseconds)
{
  struct pollfd bell = {0, POLLIN, 0};
  bell.fd = m->bell.reader;
  poll(&bell, 1, milliseconds); /* ignores what is negative, not open */
}

static CURLMcode drive(struct multi *m, lua_Number seconds)
{
  int ms = 0;
  if (seconds > 0)
    ms = seconds * 1000 < SLICE ? (int)(seconds * 1000) + 1 : SLICE;
  if (!m->threaded) return multi_drive(m, ms);
  if (ms > 0) wait_for_bell(m, ms);
  return CURLM_OK;
}

/* session:step(seconds) -> how many results wait | nil, message.
 * Lets transfers go on; where none has finished, waits for one, at most that
 * long and at most 0.2 s. */
static int session_step(lua_State *L)
{
  struct session *s = check_session(L);
  int count;
  CURLMcode code = drive(&s->multi, luaL_checknumber(L, 2));
  move_hook(s, L);
  if (!code) code = multi_count_finished(&s->multi, &count);
  if (code) return push_failure(L, curl_multi_strerror(code));
  lua_pushinteger(L, count);
  return 1;
}

static int push_result(lua_State *L)
{
  transfer_push_result(lua_touserdata(L, 1), L);
  return 1;
}

/* A forked child leaves libcurl's memory alone: libcurl would take leave of
 * the server on the parent's connections. */
static void close_session(struct session *s)
{
  if (s->forks == forks) multi_close(&s->multi);
  else multi_abandon(&s->multi);
}

/* session:next() -> id, result of one finished transfer | nil.
 * A result that memory does not suffice for stays the first one. While it is
 * made, a finalizer may use or close the session: the transfer is then in no
 * list, and closing waits. */
static int session_next(lua_State *L)
{
  struct session *s;
  struct transfer *t;
  int failed;
  lua_settop(L, 1);
  lua_pushcfunction(L, push_result); /* allocates, in Lua 5.1 */
  s = check_session(L);
  t = multi_take_finished(&s->multi);
  if (!t) return 0;
  s->results++;
  lua_pushlightuserdata(L, t);
  failed = lua_pcall(L, 1, 1, 0);
  s->results--;
  lua_pushinteger(L, t->id);
  lua_insert(L, -2);
  if (failed) multi_put_back_finished(&s->multi, t);
  else multi_give_spare(&s->multi, t);
  if (s->close_wanted && s->results == 0) close_session(s);
  return failed ? lua_error(L) : 2;
}

/* session:cancel(id) -> whether there was such a transfer.
 * Its result will not come; its connection is closed unless HTTP/2 lets the
 * stream end alone. */
static int session_cancel(lua_State *L)
{
  struct session *s = check_session(L);
  lua_pushboolean(L, multi_cancel(&s->multi, luaL_checkinteger(L, 2)));
  return 1;
}

/* session:close(). Closes all connections; once is enough. */
static int session_close(lua_State *L)
{
  struct session *s = luaL_checkudata(L, 1, METATABLE);
  s->close_wanted = 1;
  if (s->results == 0) close_session(s);
  return 0;
}

/* Does not wait for next(): where that has called what closes the state, it
 * does not go on, and the session's memory is freed behind this. */
static int session__gc(lua_State *L)
{
  close_session(luaL_checkudata(L, 1, METATABLE));
  return 0;
}

/* ---- methods for loops: a thread drives from then on ---- */

static const char no_thread[] = "no thread could be started";

/* session:start() -> true | nil, message. step(0) tells what has finished. */
static int session_start(lua_State *L)
{
  struct session *s = check_session(L);
  if (!multi_start_thread(&s->multi)) return push_failure(L, no_thread);
  lua_pushboolean(L, 1);
  return 1;
}

/* session:fd() -> descriptor | nil, message. It is readable exactly while
 * results wait, or the thread has ended (step then says why). Not to be read,
 * written or closed by the loop. */
static int session_fd(lua_State *L)
{
  struct session *s = check_session(L);
  if (!multi_open_pipe(&s->multi)) return push_failure(L, strerror(errno));
  if (!multi_start_thread(&s->multi)) return push_failure(L, no_thread);
  lua_pushinteger(L, s->multi.bell.reader);
  return 1;
}

/* session:listen(directory) -> path of a unix socket | nil, message. The first
 * connection that this process makes to it, which removes the path, gets a byte
 * when results begin to wait, and no other before hear(). Once more gives a new
 * one. */
static int session_listen(lua_State *L)
{
  struct session *s = check_session(L);
  const char *directory = luaL_checkstring(L, 2);
  char path[DOORBELL_PATH];
  if (!multi_listen(&s->multi, directory, path))
    return push_failure(L, strerror(errno));
  if (!multi_start_thread(&s->multi)) return push_failure(L, no_thread);
  lua_pushstring(L, path);
  return 1;
}

/* session:hear(): the next results are to be rung for. Those that are there
 * already are not: step(0) is to follow. */
static int session_hear(lua_State *L)
{
  struct session *s = check_session(L);
  multi_hear(&s->multi);
  return 0;
}

/* session:hush() -> whether a byte is still to be read; none follows it before
 * hear(). */
static int session_hush(lua_State *L)
{
  struct session *s = check_session(L);
  lua_pushboolean(L, multi_hush(&s->multi));
  return 1;
}

/* session:ring(): wakes who reads or polls, though no result waits. */
static int session_ring(lua_State *L)
{
  struct session *s = check_session(L);
  multi_ring(&s->multi);
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
  lua_newuserdata(L, WEIGHT);
  lua_pop(L, 1);
  s = lua_newuserdata(L, sizeof *s);
  memset(s, 0, sizeof *s);
  s->forks = forks;
  luaL_getmetatable(L, METATABLE);
  lua_setmetatable(L, -2);
  if (!start_curl()) return luaL_error(L, "not enough memory");
  s->multi.options.ca_file = copy_option(L, "ca_file");
  s->multi.options.ca_path = copy_option(L, "ca_path");
  s->multi.options.proxy = copy_option(L, "proxy");
  if (!multi_open(&s->multi)) return luaL_error(L, "not enough memory");
  return 1;
}

static const luaL_Reg methods[] = {
    {"cancel", session_cancel}, {"close", session_close},
    {"fd", session_fd},         {"hear", session_hear},
    {"hush", session_hush},     {"listen", session_listen},
    {"next", session_next},     {"ring", session_ring},
    {"start", session_start},   {"step", session_step},
    {"submit", session_submit}, {NULL, NULL},
};

void session_register(lua_State *L)
{
  keep_main_thread(L);
  register_class(L, METATABLE, session__gc, methods);
}
