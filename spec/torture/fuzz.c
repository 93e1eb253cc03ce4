/* fuzz.c: gives libFuzzer's inputs to one oracle, a Lua function, in a state
 * that lives for many inputs. Which oracle: the program's own name says it
 * ("url" runs fuzz_url.lua). Judges nothing itself but leaks.
 * MIT, see LICENSE. */
#define _POSIX_C_SOURCE 200809L

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lualib.h>

#define STATE_RUNS 10000  /* inputs that one Lua state sees */
#define GROWTH_MAX 262144 /* bytes that a state may hold more at its end */
#define EDGES 4096
#define COUNTS 32

/* The sanitizer's and libFuzzer's own interfaces, as their headers have them;
 * gcc's lack some. */
int __sanitizer_install_malloc_and_free_hooks(
    void (*on_malloc)(const volatile void *, size_t),
    void (*on_free)(const volatile void *));
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int luaopen_leadping_core(lua_State *L);
int luaopen_fuzz_curl(lua_State *L); /* fuzz_curl.c */

/* libFuzzer counts what it finds in this section as covered edges: it sees the
 * C code by itself, and the Lua code through these. */
__attribute__((
    section("__libfuzzer_extra_counters"))) static uint8_t edges[EDGES];

static struct {
  lua_State *L;
  char target[64];
  int oracle;            /* reference to the Lua function */
  unsigned runs;         /* of this state */
  size_t lua_bytes;      /* that the state holds */
  size_t baseline;       /* of them, when it was new */
  int in_lua;            /* Lua's allocator runs */
  int counting;          /* an input runs */
  long blocks;           /* of malloc that it holds outside Lua's allocator */
  unsigned last_line;    /* for edges */
  unsigned count_length; /* of counts */
  struct {
    char name[80];
    unsigned long value;
  } counts[COUNTS];
} fuzz;

static void finding(const char *message)
{
  (void)fprintf(stderr, "FINDING %s: %s\n", fuzz.target, message);
  abort();
}

/* ---- memory ---- */

static void on_malloc(const volatile void *block, size_t size)
{
  (void)size;
  if (block && fuzz.counting && !fuzz.in_lua) fuzz.blocks++;
}

static void on_free(const volatile void *block)
{
  if (block && fuzz.counting && !fuzz.in_lua) fuzz.blocks--;
}

/* Lua's objects are malloc's, so that ASan sees a read behind a string. */
static void *allocate(void *unused, void *block, size_t old, size_t size)
{
  void *result = NULL;
  (void)unused;
  fuzz.in_lua = 1;
  if (size) result = realloc(block, size);
  else free(block);
  fuzz.in_lua = 0;
  if (size && !result) return NULL;
  fuzz.lua_bytes += size;
  if (block) fuzz.lua_bytes -= old;
  return result;
}

/* ---- what the oracles call ---- */

static void on_line(lua_State *L, lua_Debug *at)
{
  unsigned line = (unsigned)at->currentline;
  (void)L;
  edges[(fuzz.last_line * 31 + line) % EDGES]++;
  fuzz.last_line = line;
}

/* covered(fn, …) -> what it returns; its lines count as covered. */
static int native_covered(lua_State *L)
{
  fuzz.last_line = 0;
  lua_sethook(L, on_line, LUA_MASKLINE, 0);
  lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
  lua_sethook(L, NULL, 0, 0);
  return lua_gettop(L);
}

/* count(name): one more input that went that way. */
static int native_count(lua_State *L)
{
  const char *name = luaL_checkstring(L, 1);
  unsigned i = 0;
  while (i < fuzz.count_length && strcmp(fuzz.counts[i].name, name) != 0) i++;
  if (i == fuzz.count_length) {
    if (i == COUNTS || strlen(name) >= sizeof fuzz.counts[i].name)
      return luaL_error(L, "too many names to count, or too long a one");
    fuzz.count_length++;
    (void)snprintf(fuzz.counts[i].name, sizeof fuzz.counts[i].name, "%s", name);
  }
  fuzz.counts[i].value++;
  return 0;
}

static int open_native(lua_State *L)
{
  static const luaL_Reg functions[] = {
      {"count", native_count},
      {"covered", native_covered},
      {NULL, NULL},
  };
  luaL_newlib(L, functions);
  return 1;
}

/* ---- the state ---- */

static void preload(lua_State *L, const char *name, lua_CFunction open)
{
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, open);
  lua_setfield(L, -2, name);
  lua_pop(L, 1);
}

static size_t collected_bytes(void)
{
  lua_gc(fuzz.L, LUA_GCCOLLECT);
  lua_gc(fuzz.L, LUA_GCCOLLECT);
  return fuzz.lua_bytes;
}

static int add_traceback(lua_State *L)
{
  luaL_traceback(L, L, luaL_tolstring(L, 1, NULL), 1);
  return 1;
}

static void call(int arguments, int results)
{
  int base = lua_gettop(fuzz.L) - arguments;
  lua_pushcfunction(fuzz.L, add_traceback);
  lua_insert(fuzz.L, base);
  if (lua_pcall(fuzz.L, arguments, results, base))
    finding(lua_tostring(fuzz.L, -1));
  lua_remove(fuzz.L, base);
}

static void open_state(void)
{
  lua_State *L = fuzz.L = lua_newstate(allocate, NULL);
  if (!L) finding("no memory for a Lua state");
  luaL_openlibs(L);
  preload(L, "leadping.core", luaopen_leadping_core);
  preload(L, "fuzz_native", open_native);
  preload(L, "fuzz_curl", luaopen_fuzz_curl);
  lua_getglobal(L, "package");
  lua_pushliteral(L, "lua/?.lua;lua/?/init.lua;spec/torture/?.lua");
  lua_setfield(L, -2, "path");
  lua_getglobal(L, "require");
  lua_pushfstring(L, "fuzz_%s", fuzz.target);
  call(1, 1);
  fuzz.oracle = luaL_ref(L, LUA_REGISTRYINDEX);
  lua_settop(L, 0);
  fuzz.runs = 0;
  fuzz.baseline = collected_bytes();
}

static void close_state(void)
{
  if (collected_bytes() > fuzz.baseline + GROWTH_MAX)
    finding("the Lua state has grown: one of the last inputs left something");
  lua_close(fuzz.L);
  fuzz.L = NULL;
  if (fuzz.lua_bytes) finding("the closed Lua state holds memory");
}

/* Gives the input to the oracle; how many blocks it left outside Lua. */
static long run_once(const uint8_t *data, size_t size)
{
  fuzz.blocks = 0;
  fuzz.counting = 1;
  lua_rawgeti(fuzz.L, LUA_REGISTRYINDEX, fuzz.oracle);
  lua_pushlstring(fuzz.L, (const char *)data, size);
  call(1, 0);
  fuzz.counting = 0;
  return fuzz.blocks;
}

/* ---- libFuzzer ---- */

static void at_exit(void)
{
  unsigned i;
  if (fuzz.L) close_state();
  for (i = 0; i < fuzz.count_length; i++)
    (void)fprintf(stderr, "COUNT %s %lu\n", fuzz.counts[i].name,
                  fuzz.counts[i].value);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
  const char *slash = strrchr((*argv)[0], '/');
  (void)argc;
  (void)snprintf(fuzz.target, sizeof fuzz.target, "%s",
                 slash ? slash + 1 : (*argv)[0]);
  __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
  open_state();
  if (atexit(at_exit)) finding("atexit failed");
  return 0;
}

/* A cache that is filled once is no leak: an input leaks that leaves blocks
 * each time. */
static int leaks(const uint8_t *data, size_t size)
{
  int tries = 0;
  while (tries < 3 && run_once(data, size) > 0) tries++;
  return tries == 3;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (fuzz.runs == STATE_RUNS) {
    close_state();
    open_state();
  }
  fuzz.runs++;
  if (leaks(data, size))
    finding("memory outside Lua is left at each run of this input");
  return 0;
}
