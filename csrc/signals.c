/* signals.c: has a Lua function called at SIGINT (Ctrl-C) and SIGTERM.
 * The handler counts and arms a hook, as lua.c's does; the function runs in
 * Lua, at its next instruction. No signal mask is touched, nothing is queued.
 * MIT, see LICENSE. */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include "common.h"
#include "compat.h"
#include "core.h"

/* Of the guard; holds the function too. */
#define METATABLE "leadping.signals"

/* So many signals that Lua did not get to see, and the next one ends the
 * process, as without us: something in C hangs. */
#define UNSEEN_MAX 2

#define EVERY_EVENT (LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT)

static const struct {
  int number;
  const char *name;
} signals[] = {{SIGINT, "SIGINT"}, {SIGTERM, "SIGTERM"}};

/* Handlers belong to the process: one state at a time may have them. */
static struct {
  lua_State *state; /* its main thread, atomic; NULL: none catches */
  pthread_t thread; /* that runs it; read in handlers on any thread */
  struct sigaction before[COUNT(signals)];
  volatile sig_atomic_t last, times, seen;
} caught;

static const char *signal_name(int number)
{
  size_t i = 0;
  while (i + 1 < COUNT(signals) && signals[i].number != number) i++;
  return signals[i].name;
}

/* Pushes a field of the metatable that is nil or what was set below. */
static void push_field(lua_State *L, const char *name)
{
  luaL_getmetatable(L, METATABLE);
  lua_getfield(L, -1, name);
  lua_remove(L, -2);
}

/* Sets that field to the value at the top of the stack, and pops it. */
static void set_field(lua_State *L, const char *name)
{
  luaL_getmetatable(L, METATABLE);
  lua_insert(L, -2);
  lua_setfield(L, -2, name);
  lua_pop(L, 1);
}

/* The hook. It is taken off before the count is read: a signal that comes
 * between the two arms it again. */
static void tell(lua_State *L, lua_Debug *event)
{
  int times;
  (void)event;
  lua_sethook(L, NULL, 0, 0);
  times = caught.times;
  if (times == caught.seen) return;
  caught.seen = times;
  push_field(L, "function");
  if (lua_isnil(L, -1)) { /* released meanwhile */
    lua_pop(L, 1);
    return;
  }
  lua_pushstring(L, signal_name(caught.last));
  lua_pushinteger(L, times);
  lua_call(L, 2, 0);
}

/* While a handler runs, none of the others does. Without SA_RESTART, so that a
 * read from a terminal ends. */
static void set_handler(int number, void (*handler)(int))
{
  struct sigaction action;
  size_t i;
  action.sa_handler = handler;
  action.sa_flags = 0;
  sigemptyset(&action.sa_mask);
  for (i = 0; i < COUNT(signals); i++)
    sigaddset(&action.sa_mask, signals[i].number);
  sigaction(number, &action, NULL);
}

/* In a handler: delivered when the handler returns. */
static void end_process(int number)
{
  set_handler(number, SIG_DFL);
  (void)raise(number);
}

static void note(int number)
{
  lua_State *L = __atomic_load_n(&caught.state, __ATOMIC_ACQUIRE);
  caught.last = number;
  caught.times++;
  if (caught.times - caught.seen > UNSEEN_MAX) end_process(number);
  else lua_sethook(L, tell, EVERY_EVENT, 1);
}

/* A thread of libcurl's may be the one that gets the signal. It must not touch
 * Lua, so it passes the signal on. */
static void on_signal(int number)
{
  int error = errno;
  pthread_t thread;
  __atomic_load(&caught.thread, &thread, __ATOMIC_ACQUIRE);
  if (pthread_equal(pthread_self(), thread)) note(number);
  else pthread_kill(thread, number);
  errno = error;
}

/* What the parent process has ignored stays ignored. */
static void install(void)
{
  size_t i;
  for (i = 0; i < COUNT(signals); i++) {
    sigaction(signals[i].number, NULL, &caught.before[i]);
    if (caught.before[i].sa_handler != SIG_IGN)
      set_handler(signals[i].number, on_signal);
  }
}

static void uninstall(void)
{
  size_t i;
  for (i = 0; i < COUNT(signals); i++)
    sigaction(signals[i].number, &caught.before[i], NULL);
}

/* Makes that state the one that catches; 0 where there is one already. Without
 * a lock, which a forked child could inherit locked. */
static int claim(lua_State *L)
{
  pthread_t thread = pthread_self();
  lua_State *none = NULL;
  if (!__atomic_compare_exchange_n(&caught.state, &none, L, 0, __ATOMIC_ACQ_REL,
                                   __ATOMIC_ACQUIRE))
    return 0;
  __atomic_store(&caught.thread, &thread, __ATOMIC_RELEASE);
  caught.times = caught.seen = 0;
  return 1;
}

static void give_up_claim(void)
{
  __atomic_store_n(&caught.state, NULL, __ATOMIC_RELEASE);
}

static int is_catching(lua_State *L)
{
  int is_set;
  push_field(L, "function");
  is_set = !lua_isnil(L, -1);
  lua_pop(L, 1);
  return is_set;
}

/* catch(fn): from now on fn(name, times) is called at SIGINT and SIGTERM;
 * times: how many there were. Signals that come faster than Lua runs are told
 * in one call. Takes the place of another hook. Called where Lua's main thread
 * runs, by the thread of the process that goes on to run it. */
int system_catch(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  if (!lua_pushthread(L))
    return luaL_error(L, "catch: not in a coroutine, whose hooks are its own");
  lua_pop(L, 1);
  if (is_catching(L))
    return luaL_error(L, "catch: this state catches signals: release() first");
  set_field(L, "function");
  if (!claim(L)) {
    lua_pushnil(L);
    set_field(L, "function");
    return luaL_error(L, "catch: another Lua state of this process catches "
                         "signals");
  }
  install();
  return 0;
}

/* release(): puts the handlers from before back; nothing where catch was not
 * called. A signal that Lua has not seen yet is forgotten. Also the guard's
 * __gc, which is run when the state is closed. */
int system_release(lua_State *L)
{
  if (!is_catching(L)) return 0;
  uninstall();
  lua_pushnil(L);
  set_field(L, "function");
  give_up_claim();
  return 0;
}

/* ignore_sigpipe(): from now on a write that nobody reads fails, with EPIPE,
 * and does not end the process. */
int system_ignore_sigpipe(lua_State *L)
{
  (void)L;
  set_handler(SIGPIPE, SIG_IGN);
  return 0;
}

/* The guard is a userdata that lives as long as the state. */
void signals_register(lua_State *L)
{
  register_class(L, METATABLE, system_release, NULL);
  push_field(L, "guard");
  if (lua_isnil(L, -1)) {
    lua_newuserdata(L, 0);
    luaL_getmetatable(L, METATABLE);
    lua_setmetatable(L, -2);
    set_field(L, "guard");
  }
  lua_pop(L, 1);
}
