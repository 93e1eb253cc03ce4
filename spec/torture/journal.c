/* journal.c: kills the process at the Nth call that a journal's file gets, or
 * has that call fail, from LD_PRELOAD. JOURNAL_FILE is the file; JOURNAL_FAULT
 * "CALL HOW N"; JOURNAL_COUNTS gets the number of calls. Flushes nothing.
 * MIT, see LICENSE. */
#define _GNU_SOURCE

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* open: of the file, for writing, or of its directory. */
#define CALLS(CALL)                                                            \
  CALL(open)                                                                   \
  CALL(fstat)                                                                  \
  CALL(fcntl)                                                                  \
  CALL(pread)                                                                  \
  CALL(ftruncate)                                                              \
  CALL(write)                                                                  \
  CALL(fsync)                                                                  \
  CALL(close)

enum call {
#define ENUMERATOR(name) CALL_##name,
  CALLS(ENUMERATOR)
#undef ENUMERATOR
      CALL_COUNT
};

#define STRING(name) #name,
static const char *const call_names[] = {CALLS(STRING) NULL};
#undef STRING

/* What is done at the Nth call:
 * before, after: the process is killed there; torn: half is written, then.
 * lost: killed before, and what is not flushed is gone, as when power fails.
 * short: half is written. full: half is written, and nothing from then on;
 * tight: the same, but from the second call on there is room again.
 * eintr, enospc and so on: the call fails so, once. */
#define WAYS(WAY)                                                              \
  WAY(none, 0)                                                                 \
  WAY(before, 0)                                                               \
  WAY(lost, 0)                                                                 \
  WAY(after, 0)                                                                \
  WAY(torn, 0)                                                                 \
  WAY(short, 0)                                                                \
  WAY(tight, 0)                                                                \
  WAY(full, 0)                                                                 \
  WAY(eintr, EINTR)                                                            \
  WAY(enospc, ENOSPC)                                                          \
  WAY(eio, EIO)                                                                \
  WAY(erofs, EROFS)                                                            \
  WAY(enolck, ENOLCK)                                                          \
  WAY(eacces, EACCES)                                                          \
  WAY(eagain, EAGAIN)                                                          \
  WAY(einval, EINVAL)

enum way {
#define ENUMERATOR(name, error) WAY_##name,
  WAYS(ENUMERATOR)
#undef ENUMERATOR
      WAY_COUNT
};

static const struct {
  const char *name;
  int error;
} ways[] = {
#define ROW(name, error) {#name, error},
    WAYS(ROW)
#undef ROW
};

static struct {
  const char *file;
  char directory[4096];
  int fds[2]; /* of the file and of its directory; 0: not open */
  int call, nth;
  enum way way;
  int full;      /* how many writes are still to fail for want of room */
  off_t flushed; /* bytes of the file that a flush has put on disk */
  int is_named;  /* so is its name */
  int counts[CALL_COUNT];
} plan;

static int find(const char *name, const char *const *names)
{
  int i = 0;
  while (names[i] && strcmp(names[i], name) != 0) i++;
  return i;
}

static enum way find_way(const char *name)
{
  int i = 0;
  while (i < WAY_COUNT && strcmp(ways[i].name, name) != 0) i++;
  return (enum way)i;
}

static void give_up(const char *why)
{
  fprintf(stderr, "journal.c: %s\n", why);
  abort();
}

/* An earlier run has flushed it. */
static void keep_what_is_there(void)
{
  struct stat status;
  if (stat(plan.file, &status) != 0) return;
  plan.flushed = status.st_size;
  plan.is_named = 1;
}

__attribute__((constructor)) static void read_plan(void)
{
  const char *fault = getenv("JOURNAL_FAULT"), *slash;
  char call[32], way[32];
  plan.file = getenv("JOURNAL_FILE");
  slash = plan.file ? strrchr(plan.file, '/') : NULL;
  if (!slash) give_up("JOURNAL_FILE is no path");
  keep_what_is_there();
  snprintf(plan.directory, sizeof plan.directory, "%.*s",
           (int)(slash - plan.file + 1), plan.file);
  if (!fault) return;
  if (sscanf(fault, "%31s %31s %d", call, way, &plan.nth) != 3)
    give_up("JOURNAL_FAULT is no fault");
  plan.call = find(call, call_names);
  plan.way = find_way(way);
  if (plan.call == CALL_COUNT || plan.way == WAY_COUNT)
    give_up("JOURNAL_FAULT names nothing");
}

__attribute__((destructor)) static void write_counts(void)
{
  const char *path = getenv("JOURNAL_COUNTS");
  FILE *out = path ? fopen(path, "w") : NULL;
  int i;
  if (!out) return;
  for (i = 0; i < CALL_COUNT; i++)
    fprintf(out, "%s %d\n", call_names[i], plan.counts[i]);
  fclose(out);
}

/* ---- faults ---- */

static void die(void) { kill(getpid(), SIGKILL); }

static void lose_unflushed(void)
{
  if (truncate(plan.file, plan.flushed) != 0 && errno != ENOENT)
    give_up("truncate failed");
  if (!plan.is_named) unlink(plan.file);
}

/* Counts a call, and kills in front of it; whether it is the one. */
static int is_it(enum call call)
{
  int n = ++plan.counts[call];
  int is = plan.way != WAY_none && plan.call == (int)call && plan.nth == n;
  if (is && plan.way == WAY_lost) lose_unflushed();
  if (is && (plan.way == WAY_before || plan.way == WAY_lost)) die();
  return is;
}

/* Sets errno and is true where the call has to fail. */
static int fails(int is)
{
  if (is && ways[plan.way].error) errno = ways[plan.way].error;
  return is && ways[plan.way].error != 0;
}

static void then(int is)
{
  if (is && plan.way == WAY_after) die();
}

/* ---- the calls ---- */

/* A copy of the bytes, as ISO C does not let a pointer to an object become one
 * to a function. */
static void find_next(const char *name, void *pointer)
{
  void *symbol = dlsym(RTLD_NEXT, name);
  memcpy(pointer, &symbol, sizeof symbol);
}

#define NEXT(type, name, parameters)                                           \
  type(*next) parameters;                                                      \
  find_next(#name, &next)

/* Which of plan.fds it is; -1: none. */
static int place_of(int fd)
{
  int i;
  for (i = 0; i < 2; i++)
    if (fd > 0 && plan.fds[i] == fd) return i;
  return -1;
}

#define WRAP(type, name, parameters, fd, arguments)                            \
  type name parameters                                                         \
  {                                                                            \
    NEXT(type, name, parameters);                                              \
    int is = place_of(fd) >= 0 && is_it(CALL_##name);                          \
    type result;                                                               \
    if (fails(is)) return -1;                                                  \
    result = next arguments;                                                   \
    then(is);                                                                  \
    return result;                                                             \
  }

WRAP(int, fstat, (int fd, struct stat *status), fd, (fd, status))
WRAP(ssize_t, pread, (int fd, void *bytes, size_t size, off_t at), fd,
     (fd, bytes, size, at))
WRAP(int, ftruncate, (int fd, off_t length), fd, (fd, length))

int open(const char *path, int flags, ...)
{
  NEXT(int, open, (const char *, int, ...));
  va_list arguments;
  mode_t mode;
  int place = strcmp(path, plan.file) == 0        ? 0
              : strcmp(path, plan.directory) == 0 ? 1
                                                  : -1;
  int is = place >= 0 && is_it(CALL_open);
  int fd;
  va_start(arguments, flags);
  mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  if (fails(is)) return -1;
  fd = next(path, flags, mode);
  if (place >= 0 && fd > 0) plan.fds[place] = fd;
  then(is);
  return fd;
}

/* The lock alone: to ask who holds it is not of interest. */
int fcntl(int fd, int command, ...)
{
  NEXT(int, fcntl, (int, int, ...));
  va_list arguments;
  long argument;
  int is = place_of(fd) >= 0 && command == F_SETLK && is_it(CALL_fcntl);
  int result;
  va_start(arguments, command);
  argument = va_arg(arguments, long);
  va_end(arguments);
  if (fails(is)) return -1;
  result = next(fd, command, argument);
  then(is);
  return result;
}

ssize_t write(int fd, const void *bytes, size_t length)
{
  NEXT(ssize_t, write, (int, const void *, size_t));
  int is = place_of(fd) >= 0 && is_it(CALL_write);
  ssize_t result;
  if (plan.full > 0 && place_of(fd) >= 0) {
    plan.full--;
    errno = ENOSPC;
    return -1;
  }
  if (fails(is)) return -1;
  if (is && plan.way >= WAY_torn && plan.way <= WAY_full) length /= 2;
  if (is && plan.way == WAY_tight) plan.full = 1;
  if (is && plan.way == WAY_full) plan.full = INT_MAX;
  result = next(fd, bytes, length);
  then(is);
  if (is && plan.way == WAY_torn) die();
  return result;
}

/* What a SIGKILL leaves is in the system's memory; a flush would only take
 * time. */
int fsync(int fd)
{
  int place = place_of(fd);
  int is = place >= 0 && is_it(CALL_fsync);
  struct stat status;
  if (fails(is)) return -1;
  if (place == 0 && stat(plan.file, &status) == 0)
    plan.flushed = status.st_size;
  if (place == 1) plan.is_named = 1;
  then(is);
  return 0;
}

int close(int fd)
{
  NEXT(int, close, (int));
  int place = place_of(fd);
  int is = place >= 0 && is_it(CALL_close);
  int result = next(fd);
  if (place >= 0) plan.fds[place] = 0;
  if (fails(is)) return -1;
  then(is);
  return result;
}
