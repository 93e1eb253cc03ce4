/* alloc.c: makes the Nth allocation fail, for N = 1, 2, … until none is left to
 * fail, in Lua, in libcurl or in csrc, and looks at what becomes of a scenario.
 * Neither acts nor judges: both are alloc.lua's.
 * MIT, see LICENSE. */
#define _GNU_SOURCE

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "alloc.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#endif

#define HANG 60        /* seconds until a run counts as hung */
#define SHOWN 5        /* failures of a row that are printed */
#define APART_SHARE 8  /* a row may leave out one point in so many */
#define SETTLE_MS 2000 /* for a resolver's thread to give its memory back */

int luaopen_leadping_core(lua_State *L);

/* "twice" also fails what Lua tries once more behind its own collection. */
static const struct mode {
  const char *name;
  long length;
} modes[] = {{"once", 1}, {"twice", 2}, {"on", LONG_MAX}};

enum { MODES = sizeof modes / sizeof modes[0] };

static const char *const allocator_names[] = {"lua", "curl", "csrc"};

/* ---- one run ---- */

struct run {
  const char *scenario, *script;
  int allocator, mode;
  long first;         /* the allocation to fail; 0 for none */
  const char *ending; /* a name of endings[], NULL where it went wrong */
  char wrong[512];    /* why */
  long leaked[ALLOCATORS], leaked_by_cjson;
};

static const char *const endings[] = {"answer", "error", "raised"};

enum { ENDINGS = sizeof endings / sizeof endings[0] };

static struct run run;       /* the one that is under way */
static char death_note[160]; /* what to say where it does not come back */

static void wait_a_moment(void)
{
  static const struct timespec ms = {0, 1000000};
  nanosleep(&ms, NULL);
}

static void set_wrong(const char *what)
{
  run.ending = NULL;
  (void)snprintf(run.wrong, sizeof run.wrong, "%s", what);
}

/* Loads the script for the scenario: leaves its judge and its act. */
static int prepare(lua_State *L)
{
  luaL_openlibs(L);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, luaopen_leadping_core);
  lua_setfield(L, -2, "leadping.core");
  lua_settop(L, 0);
  if (luaL_loadfile(L, run.script)) return 0;
  lua_pushstring(L, run.scenario);
  return lua_pcall(L, 1, 2, 0) == LUA_OK;
}

/* A session's thread may need a moment. */
static int gets_idle(int before)
{
  int i;
  for (i = 0; i < SETTLE_MS && in_flight() > before; i++) wait_a_moment();
  return in_flight() <= before;
}

/* Judge and act are on the stack; act's results are given to judge. */
static int act_and_judge(lua_State *L)
{
  int i, hit, status, before = in_flight();
  fault_arm(run.allocator, run.first, modes[run.mode].length);
  status = lua_pcall(L, 0, LUA_MULTRET, 0);
  hit = fault_disarm();
  if (!gets_idle(before)) set_wrong("a transfer was left in flight");
  lua_pushboolean(L, status == LUA_OK);
  lua_insert(L, 2);
  if (lua_pcall(L, lua_gettop(L) - 1, 2, 0)) {
    set_wrong(lua_tostring(L, -1));
    return hit;
  }
  for (i = 0; !run.wrong[0] && lua_isstring(L, 1) && i < ENDINGS; i++)
    if (strcmp(lua_tostring(L, 1), endings[i]) == 0) run.ending = endings[i];
  if (!run.ending && !run.wrong[0]) set_wrong(luaL_tolstring(L, 2, NULL));
  return hit;
}

static int is_settled(const long *before)
{
  long live[ALLOCATORS];
  copy_live(live);
  return memcmp(before, live, sizeof live) == 0;
}

static void count_leaks(const long *before, long cjson_before)
{
  long live[ALLOCATORS];
  int i;
  for (i = 0; i < SETTLE_MS && !is_settled(before); i++) wait_a_moment();
  copy_live(live);
  for (i = 0; i < ALLOCATORS; i++) run.leaked[i] = live[i] - before[i];
  run.leaked_by_cjson = cjson_blocks() - cjson_before;
}

static void set_leak(const char *what, long blocks)
{
  char text[80];
  (void)snprintf(text, sizeof text, "%ld blocks of %s leaked", blocks, what);
  set_wrong(text);
}

/* Blocks more or fewer than in the run without a failure. */
static void judge_leaks(const struct run *sound)
{
  int i;
  for (i = 0; run.ending && i < ALLOCATORS; i++)
    if (run.leaked[i] != sound->leaked[i])
      set_leak(allocator_names[i], run.leaked[i] - sound->leaked[i]);
}

static void set_death_note(void)
{
  (void)snprintf(death_note, sizeof death_note,
                 "  FAILED: %s, %s %s from %ld: crashed or hung\n",
                 run.scenario, allocator_names[run.allocator],
                 modes[run.mode].name, run.first);
}

/* Returns whether there was an allocation to fail. */
static int run_once(int allocator, int mode, long first)
{
  long before[ALLOCATORS], cjson_before = cjson_blocks();
  lua_State *L;
  int hit = 0, transfers = in_flight();
  copy_live(before);
  run.allocator = allocator;
  run.mode = mode;
  run.first = first;
  run.ending = NULL;
  run.wrong[0] = '\0';
  set_death_note();
  (void)alarm(HANG);
  L = lua_newstate(lua_memory, NULL);
  if (L && prepare(L)) hit = act_and_judge(L);
  else set_wrong(L ? lua_tostring(L, -1) : "no Lua state");
  watch_cjson();
  if (L) lua_close(L);
  if (in_flight() > transfers && run.ending)
    set_wrong("a transfer outlived its state");
  count_leaks(before, cjson_before);
  return hit;
}

/* ---- many runs ---- */

static long passed, failed, cjson_leaks, cjson_runs;

struct row {
  long points, tried, wrong, apart;
  long ended[ENDINGS];
};

static void add_run(struct row *row)
{
  int i;
  if (fault->spared) {
    row->apart++;
    return;
  }
  row->tried++;
  for (i = 0; i < ENDINGS; i++) row->ended[i] += run.ending == endings[i];
  cjson_leaks += run.leaked_by_cjson;
  cjson_runs += run.leaked_by_cjson != 0;
  if (run.ending) {
    passed++;
    return;
  }
  failed++;
  if (row->wrong++ < SHOWN)
    printf("  FAILED: %s, %s %s from %ld: %s\n", run.scenario,
           allocator_names[run.allocator], modes[run.mode].name, run.first,
           run.wrong);
}

/* Every point, or about as many as that, evenly spread; 0 is every point. */
static long stride_for(int allocator, long most)
{
  long points;
  run_once(allocator, MODES - 1, LONG_MAX);
  points = fault->seen;
  return most && points > most ? (points + most - 1) / most : 1;
}

/* Where libcurl alone fails too often, the rows say little. */
static void check_apart(const struct row *row)
{
  if (row->apart <= (row->tried + row->apart) / APART_SHARE) return;
  failed++;
  printf("  FAILED: %s: too many points left out\n", run.scenario);
}

static void print_row(const struct row *row)
{
  check_apart(row);
  printf("%-12s %-5s %-6s %6ld %6ld %7ld %7ld %7ld %6ld %6ld\n", run.scenario,
         allocator_names[run.allocator], modes[run.mode].name, row->points,
         row->tried, row->ended[0], row->ended[1], row->ended[2], row->wrong,
         row->apart);
}

static void run_row(const struct run *sound, int allocator, int mode, long most)
{
  struct row row = {0};
  long stride = stride_for(allocator, most), first = 1;
  while (run_once(allocator, mode, first)) {
    judge_leaks(sound);
    add_run(&row);
    first += stride;
  }
  if (!run.ending) { /* nothing was refused, and still it did not work */
    judge_leaks(sound);
    add_run(&row);
  }
  row.points = fault->seen;
  print_row(&row);
}

/* The run without a failure, behind one that fills what is kept for good. */
static int run_sound(struct run *sound)
{
  static const struct run nothing_leaked;
  run_once(IN_LUA, 0, 0);
  run_once(IN_LUA, 0, 0);
  *sound = run;
  judge_leaks(&nothing_leaked);
  if (run.ending) return 1;
  printf("  FAILED: %s, without a failure: %s\n", run.scenario, run.wrong);
  failed++;
  return 0;
}

/* libcurl starts once in a process, so there is one run. */
static void run_start(void)
{
  struct row row = {1, 0, 0, 0, {0}};
  fail_start = 1;
  run_once(IN_CURL, 0, 0);
  if (fail_start || run.ending == endings[0]) set_wrong("libcurl did start");
  add_run(&row);
  print_row(&row);
}

static void add_broken(void)
{
  failed++;
  printf("  FAILED: libcurl alone, without a failure\n");
}

/* Tries every point of libcurl alone and notes the sites that it can't bear. */
static void run_libcurl(int mode)
{
  long tried = 0, apart = 0;
  int borne = 1;
  run.first = 0;
  do {
    borne = libcurl_bears(++run.first, modes[mode].length, HANG);
    tried += fault->hit;
    if (!borne && fault->hit) apart++, spare_site(fault->at);
  } while (fault->hit);
  if (!borne) add_broken();
  printf("%-12s %-5s %-6s %6ld %6ld %38ld\n", run.scenario, "curl",
         modes[mode].name, fault->seen, tried, apart);
}

static void write_sites(const char *path)
{
  FILE *file = fopen(path, "w");
  int i;
  if (!file) return;
  for (i = 0; i < spared_count; i++) (void)fprintf(file, "%lx\n", spared[i]);
  (void)fclose(file);
}

static void read_sites(const char *path)
{
  char line[40];
  FILE *file = fopen(path, "r");
  if (!file) return;
  while (fgets(line, sizeof line, file)) spare_site(strtoul(line, NULL, 16));
  (void)fclose(file);
}

static void run_rows(long most)
{
  struct run sound;
  int allocator, mode;
  if (!run_sound(&sound)) return;
  for (allocator = 0; allocator < ALLOCATORS; allocator++)
    for (mode = 0; mode < MODES; mode++) run_row(&sound, allocator, mode, most);
}

/* ---- the program ---- */

/* The text is ready before: a signal's handler may not make one. */
static void on_death(void)
{
  size_t length = strlen(death_note);
  if (is_contained) return;
  if (write(STDOUT_FILENO, death_note, length) != (ssize_t)length) _exit(3);
}

static void on_signal(int number)
{
  on_death();
  _exit(128 + number);
}

static void watch_for_death(void)
{
  (void)signal(SIGALRM, on_signal);
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_set_death_callback(on_death);
#else
  (void)signal(SIGSEGV, on_signal);
  (void)signal(SIGBUS, on_signal);
  (void)signal(SIGABRT, on_signal);
#endif
}

static void run_scenario(long most, const char *sites)
{
  int mode;
  if (strcmp(run.scenario, "libcurl") == 0) {
    for (mode = 0; mode < MODES; mode++) run_libcurl(mode);
    write_sites(sites);
    return;
  }
  read_sites(sites);
  if (strcmp(run.scenario, "start") == 0) run_start();
  else run_rows(most);
}

/* alloc SCRIPT SCENARIO MOST SITES: MOST points of each row at most, 0 for all;
 * SITES is the file where the scenario libcurl says what is its own. The last
 * line is "counts" and: passed, failed, lua-cjson's blocks, in how many runs.
 */
int main(int argc, char **argv)
{
  if (argc != 5) return 2;
  run.script = argv[1];
  run.scenario = argv[2];
  (void)setvbuf(stdout, NULL, _IOLBF, 0);
  watch_for_death();
  if (!start_curl()) return 2;
  run_scenario(strtol(argv[3], NULL, 10), argv[4]);
  printf("counts %ld %ld %ld %ld\n", passed, failed, cjson_leaks, cjson_runs);
  return failed > 0;
}
