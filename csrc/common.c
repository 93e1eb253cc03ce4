/* common.c: what several files of csrc do alike.
 * MIT, see LICENSE. */
#include "common.h"

int push_failure(lua_State *L, const char *message)
{
  lua_pushnil(L);
  lua_pushstring(L, message);
  return 2;
}

void set_functions(lua_State *L, const luaL_Reg *functions)
{
  for (; functions->name; functions++) {
    lua_pushcfunction(L, functions->func);
    lua_setfield(L, -2, functions->name);
  }
}

void register_class(lua_State *L, const char *name, lua_CFunction gc,
                    const luaL_Reg *methods)
{
  luaL_newmetatable(L, name); /* or the one there is: of a module loaded anew */
  lua_pushcfunction(L, gc);
  lua_setfield(L, -2, "__gc");
  if (methods) {
    lua_newtable(L);
    set_functions(L, methods);
    lua_setfield(L, -2, "__index");
  }
  lua_pop(L, 1);
}
