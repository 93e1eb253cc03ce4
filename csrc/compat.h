/* compat.h: the few calls that differ between Lua 5.1 and 5.5, under our names.
 * Everything else in csrc is the part of the C API that all of them share.
 * Not here: libcurl's differences (transfer.c) and any behaviour.
 * MIT, see LICENSE. */
#ifndef LEADPING_COMPAT_H
#define LEADPING_COMPAT_H

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h> /* LUA_JITLIBNAME */

#if defined(BUILT_FOR) && BUILT_FOR != LUA_VERSION_NUM
#error "these are not the headers of LUA_VERSION: set LUA_CFLAGS"
#endif

/* push_main_thread: the thread whose hook lua.c sets at Ctrl-C; no thread where
 * it can't be known. Lua 5.1 cannot name it: keep_main_thread keeps it where it
 * is the one that loads the module. The key stays interned, whatever its value,
 * so that pushing allocates nothing. */
#if LUA_VERSION_NUM >= 502
#define set_functions(L, list) luaL_setfuncs(L, list, 0)
#define keep_main_thread(L) ((void)(L))
#define push_main_thread(L)                                                    \
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD)
/* The FILE of an io file's userdata; NULL where it is closed. */
#define open_file(userdata)                                                    \
  (((luaL_Stream *)(userdata))->closef ? ((luaL_Stream *)(userdata))->f : NULL)
#else
#define set_functions(L, list) luaL_register(L, NULL, list)
#define keep_main_thread(L)                                                    \
  (lua_pushboolean(L, 0),                                                      \
   lua_pushthread(L) ? lua_replace(L, -2) : lua_pop(L, 1),                     \
   lua_setfield(L, LUA_REGISTRYINDEX, "leadping.main_thread"))
#define push_main_thread(L)                                                    \
  lua_getfield(L, LUA_REGISTRYINDEX, "leadping.main_thread")
#define open_file(userdata) (*(FILE **)(userdata))
#endif

#if LUA_VERSION_NUM >= 503 || defined(LUA_JITLIBNAME)
#define can_yield(L) lua_isyieldable(L)
#else
#define can_yield(L) ((void)(L), 1) /* not known */
#endif

#endif
