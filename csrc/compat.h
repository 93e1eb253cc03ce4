/* compat.h: the few calls that differ between Lua 5.1 and 5.5, under our names.
 * Everything else in csrc is the part of the C API that all of them share.
 * Not here: libcurl's differences (transfer.c) and any behaviour.
 * MIT, see LICENSE. */
#ifndef LEADPING_COMPAT_H
#define LEADPING_COMPAT_H

#include <lauxlib.h>
#include <lua.h>

#if defined(BUILT_FOR) && BUILT_FOR != LUA_VERSION_NUM
#error "these are not the headers of LUA_VERSION: set LUA_CFLAGS"
#endif

#if LUA_VERSION_NUM >= 502
#define set_functions(L, list) luaL_setfuncs(L, list, 0)
/* The thread whose hook lua.c sets at Ctrl-C; nil where it can't be known. */
#define push_main_thread(L)                                                    \
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD)
/* The FILE of an io file's userdata; NULL where it is closed. */
#define open_file(userdata)                                                    \
  (((luaL_Stream *)(userdata))->closef ? ((luaL_Stream *)(userdata))->f : NULL)
#else
#define set_functions(L, list) luaL_register(L, NULL, list)
#define push_main_thread(L) lua_pushnil(L)
#define open_file(userdata) (*(FILE **)(userdata))
#endif

#endif
