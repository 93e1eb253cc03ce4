/* syscalls.c: makes the Nth system call of a kind fail, from LD_PRELOAD.
 * The same file is a Lua module that arms it and gives each case a process.
 * Calls that libc makes by itself (inside getaddrinfo, say) are not reached.
 * MIT, see LICENSE. */
#define _GNU_SOURCE

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lua.h>

/* In place of an error: the call goes through, with one byte at most. */
#define SHORT 1000000

/* A name that resolves to 127.0.0.1: libcurl does not ask for "localhost". */
#define NAME "leadping.test"

#define CALLS(CALL)                                                            \
  CALL(accept4)                                                                \
  CALL(bind)                                                                   \
  CALL(clock_gettime)                                                          \
  CALL(close)                                                                  \
  CALL(connect)                                                                \
  CALL(fcntl)                                                                  \
  CALL(fopen)                                                                  \
  CALL(fstat)                                                                  \
  CALL(getaddrinfo)                                                            \
  CALL(getpeername)                                                            \
  CALL(getrandom)                                                              \
  CALL(getsockname)                                                            \
  CALL(getsockopt)                                                             \
  CALL(listen)                                                                 \
  CALL(mkdtemp)                                                                \
  CALL(open)                                                                   \
  CALL(pipe)                                                                   \
  CALL(poll)                                                                   \
  CALL(pthread_create)                                                         \
  CALL(read)                                                                   \
  CALL(recv)                                                                   \
  CALL(recvfrom)                                                               \
  CALL(recvmsg)                                                                \
  CALL(rmdir)                                                                  \
  CALL(send)                                                                   \
  CALL(sendmsg)                                                                \
  CALL(sendto)                                                                 \
  CALL(setsockopt)                                                             \
  CALL(socket)                                                                 \
  CALL(socketpair)                                                             \
  CALL(stat)                                                                   \
  CALL(unlink)                                                                 \
  CALL(write)

enum call {
#define ENUMERATOR(name) CALL_##name,
  CALLS(ENUMERATOR)
#undef ENUMERATOR
      CALL_COUNT
};

#define STRING(name) #name,
static const char *const call_names[] = {CALLS(STRING) NULL};
#undef STRING

#define ERROR(name)                                                            \
  {                                                                            \
#name, name                                                                \
  }
static const struct {
  const char *name;
  int value;
} errors[] = {
    ERROR(EACCES),     ERROR(EADDRINUSE), ERROR(ECONNABORTED),
    ERROR(ENFILE),     ERROR(ENOSPC),     ERROR(EINTR),
    ERROR(EAGAIN),     ERROR(ECONNRESET), ERROR(EPIPE),
    ERROR(EMFILE),     ERROR(ENOMEM),     ERROR(ENETUNREACH),
    ERROR(EIO),        ERROR(ENOSYS),     ERROR(EPERM),
    ERROR(EAI_AGAIN),  ERROR(EAI_NONAME), ERROR(EAI_MEMORY),
    ERROR(EAI_SYSTEM), ERROR(SHORT),
};

/* libcurl's resolver thread and a session's own make calls too: hence the lock.
 */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
  int armed, call, error, nth, onward;
  int faults;
  int seen[CALL_COUNT];
} plan;

/* The thread makes calls that belong to none of the cases. */
static __thread int exempt;

/* Counts a call; the error to give it, SHORT, or 0 to let it through. */
static int fault(enum call call)
{
  int error = 0;
  pthread_mutex_lock(&lock);
  if (plan.armed && !exempt) {
    int seen = ++plan.seen[call];
    if (plan.call == (int)call &&
        (seen == plan.nth || (plan.onward && seen > plan.nth))) {
      error = plan.error;
      plan.faults++;
    }
  }
  pthread_mutex_unlock(&lock);
  return error;
}

static int is_armed(void)
{
  int armed;
  pthread_mutex_lock(&lock);
  armed = plan.armed;
  pthread_mutex_unlock(&lock);
  return armed;
}

/* Sets errno and is true where the call has to fail. */
static int fails(enum call call)
{
  int error = fault(call);
  if (error) errno = error;
  return error != 0;
}

/* The same for a transfer, whose length a short one cuts. */
static int fails_or_cuts(enum call call, size_t *length)
{
  int error = fault(call);
  if (error == SHORT && *length > 1) *length = 1;
  if (error == SHORT) return 0;
  if (error) errno = error;
  return error != 0;
}

/* What the wrapped function is without us. A copy of the bytes, as ISO C does
 * not let a pointer to an object become one to a function. */
static void find_next(const char *name, void *pointer)
{
  void *symbol = dlsym(RTLD_NEXT, name);
  memcpy(pointer, &symbol, sizeof symbol);
}

#define NEXT(type, name, parameters)                                           \
  type(*next) parameters;                                                      \
  find_next(#name, &next)

/* ---- calls that only fail ---- */

#define WRAP(type, name, parameters, arguments)                                \
  type name parameters                                                         \
  {                                                                            \
    NEXT(type, name, parameters);                                              \
    return fails(CALL_##name) ? -1 : next arguments;                           \
  }

WRAP(int, accept4, (int fd, __SOCKADDR_ARG peer, socklen_t *size, int flags),
     (fd, peer, size, flags))
WRAP(int, bind, (int fd, __CONST_SOCKADDR_ARG own, socklen_t size),
     (fd, own, size))
WRAP(int, clock_gettime, (clockid_t id, struct timespec *now), (id, now))
WRAP(int, connect, (int fd, __CONST_SOCKADDR_ARG to, socklen_t size),
     (fd, to, size))
WRAP(int, fstat, (int fd, struct stat *status), (fd, status))
WRAP(int, getpeername, (int fd, __SOCKADDR_ARG peer, socklen_t *size),
     (fd, peer, size))
WRAP(int, getsockname, (int fd, __SOCKADDR_ARG own, socklen_t *size),
     (fd, own, size))
WRAP(int, getsockopt,
     (int fd, int level, int name, void *value, socklen_t *size),
     (fd, level, name, value, size))
WRAP(int, listen, (int fd, int backlog), (fd, backlog))
WRAP(int, pipe, (int fds[2]), (fds))
WRAP(int, poll, (struct pollfd * fds, nfds_t count, int ms), (fds, count, ms))
WRAP(int, rmdir, (const char *path), (path))
WRAP(int, setsockopt,
     (int fd, int level, int name, const void *value, socklen_t size),
     (fd, level, name, value, size))
WRAP(int, socket, (int domain, int type, int protocol),
     (domain, type, protocol))
WRAP(int, socketpair, (int domain, int type, int protocol, int fds[2]),
     (domain, type, protocol, fds))
WRAP(int, stat, (const char *path, struct stat *status), (path, status))
WRAP(int, unlink, (const char *path), (path))

char *mkdtemp(char *path)
{
  NEXT(char *, mkdtemp, (char *));
  return fails(CALL_mkdtemp) ? NULL : next(path);
}

/* The descriptor is gone even where close fails, as on Linux. */
int close(int fd)
{
  NEXT(int, close, (int));
  int error = fault(CALL_close);
  int result = next(fd);
  if (!error) return result;
  errno = error;
  return -1;
}

int fcntl(int fd, int command, ...)
{
  NEXT(int, fcntl, (int, int, ...));
  va_list arguments;
  long argument;
  va_start(arguments, command);
  argument = va_arg(arguments, long);
  va_end(arguments);
  return fails(CALL_fcntl) ? -1 : next(fd, command, argument);
}

int open(const char *path, int flags, ...)
{
  NEXT(int, open, (const char *, int, ...));
  va_list arguments;
  mode_t mode;
  va_start(arguments, flags);
  mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  return fails(CALL_open) ? -1 : next(path, flags, mode);
}

/* These return the error itself. */

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                   void *(*start)(void *), void *argument)
{
  NEXT(int, pthread_create,
       (pthread_t *, const pthread_attr_t *, void *(*)(void *), void *));
  int error = fault(CALL_pthread_create);
  return error ? error : next(thread, attributes, start, argument);
}

int getaddrinfo(const char *name, const char *service,
                const struct addrinfo *hints, struct addrinfo **found)
{
  NEXT(int, getaddrinfo,
       (const char *, const char *, const struct addrinfo *,
        struct addrinfo **));
  int error = fault(CALL_getaddrinfo);
  if (error == EAI_SYSTEM) errno = EIO;
  if (error) return error;
  if (name && strcmp(name, NAME) == 0) name = "127.0.0.1";
  return next(name, service, hints, found);
}

/* OpenSSL tries getentropy, then the system call, then /dev/urandom. */

int getentropy(void *bytes, size_t length)
{
  NEXT(int, getentropy, (void *, size_t));
  return fails(CALL_getrandom) ? -1 : next(bytes, length);
}

long syscall(long number, ...)
{
  NEXT(long, syscall, (long, ...));
  va_list arguments;
  long a[6];
  int i;
  va_start(arguments, number);
  for (i = 0; i < 6; i++) a[i] = va_arg(arguments, long);
  va_end(arguments);
  if (number == SYS_getrandom && fails(CALL_getrandom)) return -1;
  return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* ---- transfers ---- */

/* As the kernel does, for a pipe that nobody reads. */
static void signal_broken_pipe(int flags)
{
  if (errno != EPIPE || flags & MSG_NOSIGNAL) return;
  raise(SIGPIPE);
  errno = EPIPE;
}

ssize_t send(int fd, const void *bytes, size_t length, int flags)
{
  NEXT(ssize_t, send, (int, const void *, size_t, int));
  if (!fails_or_cuts(CALL_send, &length)) return next(fd, bytes, length, flags);
  signal_broken_pipe(flags);
  return -1;
}

ssize_t sendto(int fd, const void *bytes, size_t length, int flags,
               __CONST_SOCKADDR_ARG to, socklen_t size)
{
  NEXT(ssize_t, sendto,
       (int, const void *, size_t, int, __CONST_SOCKADDR_ARG, socklen_t));
  if (!fails_or_cuts(CALL_sendto, &length))
    return next(fd, bytes, length, flags, to, size);
  signal_broken_pipe(flags);
  return -1;
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
  NEXT(ssize_t, sendmsg, (int, const struct msghdr *, int));
  if (!fails(CALL_sendmsg)) return next(fd, message, flags);
  signal_broken_pipe(flags);
  return -1;
}

ssize_t write(int fd, const void *bytes, size_t length)
{
  NEXT(ssize_t, write, (int, const void *, size_t));
  if (!fails_or_cuts(CALL_write, &length)) return next(fd, bytes, length);
  signal_broken_pipe(0);
  return -1;
}

ssize_t recv(int fd, void *bytes, size_t size, int flags)
{
  NEXT(ssize_t, recv, (int, void *, size_t, int));
  return fails_or_cuts(CALL_recv, &size) ? -1 : next(fd, bytes, size, flags);
}

ssize_t recvfrom(int fd, void *bytes, size_t size, int flags,
                 __SOCKADDR_ARG from, socklen_t *from_size)
{
  NEXT(ssize_t, recvfrom,
       (int, void *, size_t, int, __SOCKADDR_ARG, socklen_t *));
  if (fails_or_cuts(CALL_recvfrom, &size)) return -1;
  return next(fd, bytes, size, flags, from, from_size);
}

WRAP(ssize_t, recvmsg, (int fd, struct msghdr *message, int flags),
     (fd, message, flags))

ssize_t read(int fd, void *bytes, size_t size)
{
  NEXT(ssize_t, read, (int, void *, size_t));
  return fails_or_cuts(CALL_read, &size) ? -1 : next(fd, bytes, size);
}

/* ---- files: streams whose reads come through our own read ---- */

static ssize_t stream_read(void *cookie, char *bytes, size_t size)
{
  return read((int)(intptr_t)cookie, bytes, size);
}

static int stream_seek(void *cookie, off64_t *offset, int whence)
{
  off64_t place = lseek64((int)(intptr_t)cookie, *offset, whence);
  if (place >= 0) *offset = place;
  return place < 0 ? -1 : 0;
}

static int stream_close(void *cookie) { return close((int)(intptr_t)cookie); }

static FILE *open_stream(const char *path)
{
  static const cookie_io_functions_t functions = {stream_read, NULL,
                                                  stream_seek, stream_close};
  NEXT(int, open, (const char *, int, ...));
  int fd = next(path, O_RDONLY | O_CLOEXEC);
  return fd < 0 ? NULL : fopencookie((void *)(intptr_t)fd, "r", functions);
}

FILE *fopen(const char *path, const char *mode)
{
  NEXT(FILE *, fopen, (const char *, const char *));
  if (fails(CALL_fopen)) return NULL;
  return is_armed() && *mode == 'r' ? open_stream(path) : next(path, mode);
}

FILE *fopen64(const char *path, const char *mode) { return fopen(path, mode); }

/* ---- the Lua module ---- */

static int error_value(lua_State *L, int index)
{
  const char *name = luaL_checkstring(L, index);
  size_t i;
  for (i = 0; i < sizeof errors / sizeof errors[0]; i++)
    if (strcmp(errors[i].name, name) == 0) return errors[i].value;
  return luaL_error(L, "unknown error %s", name);
}

/* arm(call, error, nth, onward) */
static int faults_arm(lua_State *L)
{
  int call = luaL_checkoption(L, 1, NULL, call_names);
  int error = error_value(L, 2);
  int nth = (int)luaL_checkinteger(L, 3);
  int onward = lua_toboolean(L, 4);
  pthread_mutex_lock(&lock);
  memset(&plan, 0, sizeof plan);
  plan.call = call;
  plan.error = error;
  plan.nth = nth;
  plan.onward = onward;
  plan.armed = 1;
  pthread_mutex_unlock(&lock);
  return 0;
}

/* disarm() -> how many calls were made to fail, call -> how many there were */
static int faults_disarm(lua_State *L)
{
  int seen[CALL_COUNT], faults, i;
  pthread_mutex_lock(&lock);
  plan.armed = 0;
  faults = plan.faults;
  memcpy(seen, plan.seen, sizeof seen);
  pthread_mutex_unlock(&lock);
  lua_pushinteger(L, faults);
  lua_createtable(L, 0, CALL_COUNT);
  for (i = 0; i < CALL_COUNT; i++) {
    lua_pushinteger(L, seen[i]);
    lua_setfield(L, -2, call_names[i]);
  }
  return 2;
}

/* descriptors() -> how many are open */
static int faults_descriptors(lua_State *L)
{
  DIR *directory = opendir("/proc/self/fd");
  int count = 0;
  if (!directory) return luaL_error(L, "/proc/self/fd: %s", strerror(errno));
  while (readdir(directory)) count++;
  closedir(directory);
  lua_pushinteger(L, count - 3); /* ".", ".." and the directory itself */
  return 1;
}

/* connect(path) -> descriptor of a unix socket | nil */
static int faults_connect(lua_State *L)
{
  const char *path = luaL_checkstring(L, 1);
  struct sockaddr_un to;
  int fd;
  memset(&to, 0, sizeof to);
  to.sun_family = AF_UNIX;
  strncpy(to.sun_path, path, sizeof to.sun_path - 1);
  exempt = 1;
  fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
    close(fd);
    fd = -1;
  }
  exempt = 0;
  if (fd < 0) return 0;
  lua_pushinteger(L, fd);
  return 1;
}

/* hear(fd, seconds) -> whether a byte came in that time | nil: none will */
static int faults_hear(lua_State *L)
{
  struct pollfd bell = {(int)luaL_checkinteger(L, 1), POLLIN, 0};
  int ms = (int)(luaL_checknumber(L, 2) * 1000) + 1;
  int readable;
  ssize_t length = 1;
  char byte;
  exempt = 1;
  readable = poll(&bell, 1, ms) > 0;
  if (readable) length = recv(bell.fd, &byte, 1, MSG_DONTWAIT);
  exempt = 0;
  if (length != 1) return 0;
  lua_pushboolean(L, readable);
  return 1;
}

/* hang_up(fd) */
static int faults_hang_up(lua_State *L)
{
  exempt = 1;
  close((int)luaL_checkinteger(L, 1));
  exempt = 0;
  return 0;
}

/* limit(seconds): SIGALRM ends the process then, unless limit comes again. */
static int faults_limit(lua_State *L)
{
  alarm((unsigned)luaL_checkinteger(L, 1));
  return 0;
}

/* pause(seconds) */
static int faults_pause(lua_State *L)
{
  usleep((useconds_t)(luaL_checknumber(L, 1) * 1e6));
  return 0;
}

/* In the child: the function's error goes to stderr, then it is over. */
static void run_child(lua_State *L)
{
  int failed = lua_pcall(L, 0, 0, 0);
  if (failed) fprintf(stderr, "%s\n", lua_tostring(L, -1));
  exit(failed ? 1 : 0); /* not _exit: what counts coverage writes at exit */
}

/* apart(function) -> nil | how a process of its own ended that ran it */
static int faults_apart(lua_State *L)
{
  pid_t child;
  int status = 0;
  fflush(NULL);
  child = fork();
  if (child == 0) run_child(L);
  if (child < 0 || waitpid(child, &status, 0) != child)
    return luaL_error(L, "no child process: %s", strerror(errno));
  if (status == 0) return 0;
  if (WIFSIGNALED(status))
    lua_pushfstring(L, "died of signal %d (%s)", WTERMSIG(status),
                    strsignal(WTERMSIG(status)));
  else lua_pushfstring(L, "ended with status %d", WEXITSTATUS(status));
  return 1;
}

/* note(integer): kept where the parent finds it, also after a death. */
static volatile int *noted;

static int faults_note(lua_State *L)
{
  *noted = (int)luaL_checkinteger(L, 1);
  return 0;
}

static int faults_noted(lua_State *L)
{
  lua_pushinteger(L, *noted);
  return 1;
}

static const luaL_Reg functions[] = {
    {"apart", faults_apart},     {"arm", faults_arm},
    {"connect", faults_connect}, {"descriptors", faults_descriptors},
    {"disarm", faults_disarm},   {"hang_up", faults_hang_up},
    {"hear", faults_hear},       {"limit", faults_limit},
    {"note", faults_note},       {"noted", faults_noted},
    {"pause", faults_pause},     {NULL, NULL},
};

int luaopen_syscalls(lua_State *L);

int luaopen_syscalls(lua_State *L)
{
  void *shared = mmap(NULL, sizeof *noted, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return luaL_error(L, "mmap: %s", strerror(errno));
  noted = shared;
  luaL_newlib(L, functions);
  return 1;
}
