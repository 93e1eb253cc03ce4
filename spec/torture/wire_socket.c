/* wire_socket.c: what wire_server.lua needs of sockets and cqueues does not
 * have: a close that resets, and a queue that fills up. A Lua module.
 * Does no I/O.
 * MIT, see LICENSE. */
#define _POSIX_C_SOURCE 200809L

#include <lauxlib.h>
#include <sys/socket.h>

int luaopen_wire_socket(lua_State *L);

/* reset_at_close(fd): whether close will send a RST and drop what is unsent. */
static int reset_at_close(lua_State *L)
{
  struct linger now = {1, 0};
  int fd = (int)luaL_checkinteger(L, 1);
  lua_pushboolean(L,
                  setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now) == 0);
  return 1;
}

/* backlog(fd, length): whether a listening socket's queue has that length. */
static int backlog(lua_State *L)
{
  int fd = (int)luaL_checkinteger(L, 1);
  lua_pushboolean(L, listen(fd, (int)luaL_checkinteger(L, 2)) == 0);
  return 1;
}

static const luaL_Reg functions[] = {
    {"backlog", backlog},
    {"reset_at_close", reset_at_close},
    {NULL, NULL},
};

int luaopen_wire_socket(lua_State *L)
{
  luaL_newlib(L, functions);
  return 1;
}
