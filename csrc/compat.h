/* compat.h: the few calls that differ between Lua 5.1 and 5.5, under our names.
 * All else in csrc is what their C APIs share; no behaviour is here.
 * MIT, see LICENSE. */
#ifndef LEADPING_COMPAT_H
#define LEADPING_COMPAT_H

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h> /* LUA_JITLIBNAME */

#if defined(BUILT_FOR) && BUILT_FOR != LUA_VERSION_NUM
#error "these are not the headers of LUA_VERSION: set LUA_CFLAGS"
#endif

/* The thread whose hook lua.c sets at Ctrl-C. Lua 5.1 cannot name it: it is
 * kept where it is the one that loads the module, and false elsewhere, so that
 * the key stays interned and pushing allocates nothing. */
#if LUA_VERSION_NUM >= 502
#define keep_main_thread(L) ((void)(L))
#define push_main_thread(L)                                                    \
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD)
/* The FILE of an io file's userdata; NULL where it is closed. */
#define open_file(u) (((luaL_Stream *)(u))->closef ? *(FILE **)(u) : NULL)
#else
#define keep_main_thread(L)                                                    \
  (lua_pushthread(L) ? (void)0 : (lua_pop(L, 1), lua_pushboolean(L, 0)),       \
   lua_setfield(L, LUA_REGISTRYINDEX, "leadping.main_thread"))
#define push_main_thread(L)                                                    \
  lua_getfield(L, LUA_REGISTRYINDEX, "leadping.main_thread")
#define open_file(u) (*(FILE **)(u))
#endif

#if LUA_VERSION_NUM >= 503 || defined(LUA_JITLIBNAME)
#define can_yield(L) lua_isyieldable(L)
#else
#define can_yield(L) ((void)(L), 1) /* not known */
#endif

#endif
