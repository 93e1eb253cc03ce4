/* terminal.c: what a terminal is asked and told, for Lua's io files.
 * Reads and writes nothing itself. What is no terminal has no width and no
 * echo, which is no error.
 * MIT, see LICENSE. */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <lualib.h> /* LUA_FILEHANDLE, in 5.1 */

#include "compat.h"
#include "core.h"

/* The descriptor of the io file that is the first argument. */
static int check_descriptor(lua_State *L)
{
  FILE *file = open_file(luaL_checkudata(L, 1, LUA_FILEHANDLE));
  if (!file) luaL_argerror(L, 1, "the file is closed");
  return fileno(file);
}

/* isatty(file) -> whether it is a terminal */
int system_isatty(lua_State *L)
{
  lua_pushboolean(L, isatty(check_descriptor(L)));
  return 1;
}

/* columns(file) -> how wide the terminal is | nil where that is not known */
int system_columns(lua_State *L)
{
  struct winsize size;
  int fd = check_descriptor(L);
  if (ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 0;
  lua_pushinteger(L, size.ws_col);
  return 1;
}

static int set_echo(int fd, int on)
{
  struct termios mode;
  if (tcgetattr(fd, &mode) != 0) return 0;
  if (on) mode.c_lflag |= (tcflag_t)ECHO;
  else mode.c_lflag &= ~(tcflag_t)ECHO;
  return tcsetattr(fd, TCSAFLUSH, &mode) == 0;
}

/* echo(file, on) -> whether it worked. Shows what is typed, or does not; what
 * was typed before is thrown away. */
int system_echo(lua_State *L)
{
  int fd = check_descriptor(L);
  lua_pushboolean(L, set_echo(fd, lua_toboolean(L, 2)));
  return 1;
}
