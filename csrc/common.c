/* common.c: what several files of csrc do alike.
 * MIT, see LICENSE. */
#include "common.h"

int push_failure(lua_State *L, const char *message)
{
  lua_pushnil(L);
  lua_pushstring(L, message);
  return 2;
}
