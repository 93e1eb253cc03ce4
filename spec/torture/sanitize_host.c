/* sanitize_host.c: a host for Lua programs with the C core linked in, which
 * offers what Lua lacks: fork, the process's sockets, states in two threads,
 * a full collection before allocations. It judges nothing: the programs do.
 * MIT, see LICENSE. */
#define _POSIX_C_SOURCE 200809L

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#define THREADS 2

int luaopen_leadping_core(lua_State *L);

/* ---- an allocator that makes Lua collect ----
 * Lua answers a first refusal with a full collection and asks once more: so
 * each refused allocation moves the collector to the worst moment there is.
 * Only for new objects, which have their type in before: a luaL_Buffer does
 * not ask twice. */

struct heap {
  long every, asked; /* every Nth time that memory is asked for; 0: never */
  long refused;
  int again; /* the next one is the second try */
};

static int refuses(struct heap *heap)
{
  int second = heap->again;
  heap->again = 0;
  if (second || heap->every == 0 || ++heap->asked % heap->every != 0) return 0;
  heap->again = 1;
  heap->refused++;
  return 1;
}

static void *allocate(void *data, void *block, size_t before, size_t after)
{
  struct heap *heap = data;
  if (after == 0) {
    free(block);
    return NULL;
  }
  if (!block && before != 0 && refuses(heap)) return NULL;
  return realloc(block, after);
}

/* collect_every(n) -> how many collections that has made so far */
static int host_collect_every(lua_State *L)
{
  void *data;
  struct heap *heap;
  lua_Integer every = luaL_checkinteger(L, 1);
  lua_getallocf(L, &data);
  heap = data;
  lua_pushinteger(L, heap->refused);
  heap->every = (long)every;
  return 1;
}

/* ---- processes ---- */

static int is_child;

/* LeakSanitizer asks at the end: what a child leaves to its parent is not
 * leaked. */
int __lsan_is_turned_off(void);
#if defined(__GNUC__)
__attribute__((visibility("default")))
#endif
int __lsan_is_turned_off(void)
{
  return is_child;
}

static int host_fork(lua_State *L)
{
  pid_t pid;
  (void)fflush(NULL);
  pid = fork();
  if (pid < 0) return luaL_error(L, "fork failed");
  if (pid == 0) is_child = 1;
  lua_pushinteger(L, pid);
  return 1;
}

/* wait(pid) -> exit status; 128 and more: ended by that signal less 128 */
static int host_wait(lua_State *L)
{
  int status = 0;
  if (waitpid((pid_t)luaL_checkinteger(L, 1), &status, 0) < 0)
    return luaL_error(L, "there is no such child");
  lua_pushinteger(L, WIFEXITED(status) ? WEXITSTATUS(status)
                                       : 128 + WTERMSIG(status));
  return 1;
}

/* Internet sockets only: libcurl's own pairs are none of anybody's business. */
static int is_connection(int fd)
{
  struct sockaddr_storage address;
  socklen_t length = sizeof address;
  if (getsockname(fd, (struct sockaddr *)&address, &length) != 0) return 0;
  return address.ss_family == AF_INET || address.ss_family == AF_INET6;
}

/* sockets() -> how many internet sockets this process has open */
static int host_sockets(lua_State *L)
{
  DIR *directory = opendir("/proc/self/fd");
  struct dirent *entry;
  int count = 0;
  if (!directory) return luaL_error(L, "there is no /proc/self/fd");
  while ((entry = readdir(directory)) != NULL)
    count += is_connection((int)strtol(entry->d_name, NULL, 10));
  closedir(directory);
  lua_pushinteger(L, count);
  return 1;
}

static const luaL_Reg functions[] = {
    {"collect_every", host_collect_every},
    {"fork", host_fork},
    {"sockets", host_sockets},
    {"wait", host_wait},
    {NULL, NULL},
};

/* ---- states ---- */

/* The global arg as lua(1) has it: arg[0] is the program. */
static void set_arguments(lua_State *L, char **arguments)
{
  int i;
  lua_newtable(L);
  for (i = 0; arguments[i]; i++) {
    lua_pushstring(L, arguments[i]);
    lua_rawseti(L, -2, i);
  }
  lua_setglobal(L, "arg");
}

static int trace(lua_State *L)
{
  luaL_traceback(L, L, lua_tostring(L, 1), 1);
  return 1;
}

static int open_host(lua_State *L)
{
  luaL_newlib(L, functions);
  return 1;
}

/* Host and core are modules that come from this program. */
static int prepare(lua_State *L)
{
  luaL_openlibs(L);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, open_host);
  lua_setfield(L, -2, "host");
  lua_pushcfunction(L, luaopen_leadping_core);
  lua_setfield(L, -2, "leadping.core");
  set_arguments(L, lua_touserdata(L, 1));
  return 0;
}

static int run_file(lua_State *L, char **arguments)
{
  lua_pushcfunction(L, prepare);
  lua_pushlightuserdata(L, arguments);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK) return 0;
  lua_pushcfunction(L, trace);
  return luaL_loadfile(L, arguments[0]) == LUA_OK &&
         lua_pcall(L, 0, 0, 1) == LUA_OK;
}

/* One state from its start to its end; whether the program ended well. */
static int run_state(char **arguments)
{
  struct heap heap = {0, 0, 0, 0};
  lua_State *L = lua_newstate(allocate, &heap);
  int done;
  if (!L) return 0;
  done = run_file(L, arguments);
  if (!done) (void)fprintf(stderr, "%s\n", lua_tostring(L, -1));
  lua_close(L);
  return done;
}

static pthread_barrier_t start;

static void *run_thread(void *data)
{
  pthread_barrier_wait(&start);
  return run_state(data) ? data : NULL;
}

static int run_threads(char **arguments)
{
  pthread_t threads[THREADS];
  int i, done = 1;
  pthread_barrier_init(&start, NULL, THREADS);
  for (i = 0; i < THREADS; i++)
    if (pthread_create(&threads[i], NULL, run_thread, arguments) != 0) return 0;
  for (i = 0; i < THREADS; i++) {
    void *result;
    pthread_join(threads[i], &result);
    done = done && result != NULL;
  }
  return done;
}

/* host [--threads] PROGRAM [ARGUMENT…] */
int main(int count, char **arguments)
{
  int threads = count > 1 && strcmp(arguments[1], "--threads") == 0;
  if (count < 2 + threads) return 2;
  if (threads) return run_threads(arguments + 2) ? 0 : 1;
  return run_state(arguments + 1) ? 0 : 1;
}
