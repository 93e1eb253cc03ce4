/* common.h: what several files of csrc do alike.
 * MIT, see LICENSE. */
#ifndef LEADPING_COMMON_H
#define LEADPING_COMMON_H

#include "compat.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* nil and the message: how a Lua function reports what it cannot do. */
int push_failure(lua_State *L, const char *message);

/* Sets them in the table at the top of the stack. */
void set_functions(lua_State *L, const luaL_Reg *functions);

/* Makes the metatable of that name. gc is the collector's and no method: called
 * within one, it would free what that uses. methods: NULL where there are none.
 */
void register_class(lua_State *L, const char *name, lua_CFunction gc,
                    const luaL_Reg *methods);

#endif
