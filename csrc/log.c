/* log.c: a file that is written at its end alone, flushed and locked.
 * For the journal of a run. Knows no lines and no JSON, never reopens its file:
 * POSIX gives up a lock when any descriptor of the file is closed.
 * MIT, see LICENSE. */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common.h"
#include "compat.h"
#include "core.h"

#define METATABLE "leadping.log"

struct log {
  int fd;        /* -1: not yet open, or closed */
  int is_listed; /* the directory that names the file has been flushed */
  char path[];
};

/* Repeats a call that a signal has interrupted. */
#define UNINTERRUPTED(result, call)                                            \
  do (result) = (call);                                                        \
  while ((result) < 0 && errno == EINTR)

static struct log *check_log(lua_State *L)
{
  struct log *log = luaL_checkudata(L, 1, METATABLE);
  if (log->fd < 0) luaL_error(L, "the file is closed");
  return log;
}

/* nil, message, and errno or 0. */
static int push_file_failure(lua_State *L, const char *path, const char *reason,
                             int error)
{
  lua_pushnil(L);
  lua_pushfstring(L, "%s: %s", path, reason);
  lua_pushinteger(L, error);
  return 3;
}

static int push_errno(lua_State *L, const char *path)
{
  int error = errno;
  return push_file_failure(L, path, strerror(error), error);
}

static int push_done(lua_State *L, const struct log *log, int failed)
{
  if (failed) return push_errno(L, log->path);
  lua_pushboolean(L, 1);
  return 1;
}

/* ---- reading and writing ---- */

/* Reads up to that many bytes from the file's beginning; -1 where that fails.
 */
static ssize_t read_bytes(int fd, char *bytes, size_t size)
{
  size_t done = 0;
  ssize_t count = 1;
  while (done < size && count > 0) {
    UNINTERRUPTED(count, pread(fd, bytes + done, size - done, (off_t)done));
    if (count > 0) done += (size_t)count;
  }
  return count < 0 ? -1 : (ssize_t)done;
}

/* log:read() -> all of its text | nil, message, errno */
static int log_read(lua_State *L)
{
  struct log *log = check_log(L);
  struct stat status;
  char *bytes;
  ssize_t length;
  if (fstat(log->fd, &status) != 0) return push_errno(L, log->path);
  bytes = lua_newuserdata(L, (size_t)status.st_size + 1);
  length = read_bytes(log->fd, bytes, (size_t)status.st_size);
  if (length < 0) return push_errno(L, log->path);
  lua_pushlstring(L, bytes, (size_t)length);
  return 1;
}

/* log:append(text) -> true | nil, message, errno: a part of it may be in the
 * file */
static int log_append(lua_State *L)
{
  struct log *log = check_log(L);
  size_t left;
  const char *text = luaL_checklstring(L, 2, &left);
  ssize_t count = 0;
  while (left > 0 && count >= 0) {
    UNINTERRUPTED(count, write(log->fd, text, left));
    if (count > 0) {
      text += count;
      left -= (size_t)count;
    }
  }
  return push_done(L, log, count < 0);
}

/* log:truncate(length) -> true | nil, message, errno */
static int log_truncate(lua_State *L)
{
  struct log *log = check_log(L);
  off_t length = (off_t)luaL_checknumber(L, 2);
  int failed;
  UNINTERRUPTED(failed, ftruncate(log->fd, length));
  return push_done(L, log, failed);
}

/* ---- flushing ---- */

static int sync_descriptor(int fd)
{
  int failed;
  UNINTERRUPTED(failed, fsync(fd));
  return failed;
}

/* Opens the directory that the file is in. The path is cut for that moment. */
static int open_directory(struct log *log)
{
  char *slash = strrchr(log->path, '/');
  char behind;
  int fd;
  if (!slash) return open(".", O_RDONLY | O_CLOEXEC);
  behind = slash[1];
  slash[1] = '\0';
  fd = open(log->path, O_RDONLY | O_CLOEXEC);
  slash[1] = behind;
  return fd;
}

/* What lets nobody read a directory, or cannot flush one, has no better way. */
static int sync_directory(struct log *log)
{
  int fd, failed, error;
  UNINTERRUPTED(fd, open_directory(log));
  if (fd < 0) return errno == EACCES ? 0 : -1;
  failed = sync_descriptor(fd);
  error = errno;
  close(fd);
  errno = error;
  return failed && error != EINVAL ? -1 : 0;
}

/* log:sync() -> true | nil, message, errno. What was appended is on disk then,
 * and so is the file's name, which may be a new one. */
static int log_sync(lua_State *L)
{
  struct log *log = check_log(L);
  int failed = sync_descriptor(log->fd);
  if (!failed && !log->is_listed) {
    failed = sync_directory(log);
    log->is_listed = !failed;
  }
  return push_done(L, log, failed);
}

/* ---- locking ---- */

/* For writing. The length 0 reaches the end of what the file grows to. */
static const struct flock whole_file = {.l_type = F_WRLCK,
                                        .l_whence = SEEK_SET};

/* The process that holds a lock; 0 where it cannot be told. */
static pid_t lock_holder(int fd)
{
  struct flock lock = whole_file;
  (void)fcntl(fd, F_GETLK, &lock); /* leaves l_pid where there is none */
  return lock.l_pid > 0 ? lock.l_pid : 0;
}

static int push_locked(lua_State *L, const struct log *log)
{
  pid_t pid = lock_holder(log->fd);
  const char *reason = "in use by another process";
  if (pid) reason = lua_pushfstring(L, "in use by process %d", (int)pid);
  return push_file_failure(L, log->path, reason, EAGAIN);
}

/* log:lock() -> true | nil, message, errno. Does not wait. The lock is this
 * process's until it closes the file. */
static int log_lock(lua_State *L)
{
  struct log *log = check_log(L);
  int failed;
  UNINTERRUPTED(failed, fcntl(log->fd, F_SETLK, &whole_file));
  if (failed && (errno == EACCES || errno == EAGAIN))
    return push_locked(L, log);
  return push_done(L, log, failed);
}

/* ---- opening and closing ---- */

/* log:close(); also __gc. Once is enough. */
static int log_close(lua_State *L)
{
  struct log *log = luaL_checkudata(L, 1, METATABLE);
  if (log->fd >= 0) close(log->fd);
  log->fd = -1;
  return 0;
}

/* A closed log of that path, on the stack. */
static struct log *push_log(lua_State *L, const char *path, size_t length)
{
  struct log *log = lua_newuserdata(L, sizeof *log + length + 1);
  log->fd = -1;
  log->is_listed = 0;
  memcpy(log->path, path, length + 1);
  luaL_getmetatable(L, METATABLE);
  lua_setmetatable(L, -2);
  return log;
}

/* NONBLOCK and NOCTTY: for what turns out to be a pipe or a terminal. */
#define OPEN_FLAGS (O_RDWR | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

/* open(path, create) -> log | nil, message, errno. create: makes the file where
 * there is none, for its owner alone. */
int system_open(lua_State *L)
{
  size_t length;
  const char *path = luaL_checklstring(L, 1, &length);
  int create = lua_toboolean(L, 2);
  struct log *log;
  struct stat status;
  if (strlen(path) != length)
    return luaL_argerror(L, 1, "a path without NUL expected");
  log = push_log(L, path, length);
  UNINTERRUPTED(log->fd, open(path, OPEN_FLAGS | (create ? O_CREAT : 0), 0600));
  if (log->fd < 0 || fstat(log->fd, &status) != 0) return push_errno(L, path);
  if (!S_ISREG(status.st_mode))
    return push_file_failure(L, path, "not an ordinary file", 0);
  return 1;
}

static const luaL_Reg methods[] = {
    {"append", log_append}, {"close", log_close}, {"lock", log_lock},
    {"read", log_read},     {"sync", log_sync},   {"truncate", log_truncate},
    {NULL, NULL},
};

void log_register(lua_State *L)
{
  register_class(L, METATABLE, log_close, methods);
}
