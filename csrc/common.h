/* common.h: what several files of csrc do alike.
 * MIT, see LICENSE. */
#ifndef LEADPING_COMMON_H
#define LEADPING_COMMON_H

#include "compat.h"

/* nil and the message: how a Lua function reports what it cannot do. */
int push_failure(lua_State *L, const char *message);

#endif
