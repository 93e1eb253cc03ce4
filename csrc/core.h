/* core.h: what the files of csrc offer to core.c, and the version.
 * LEADPING_VERSION is the only place where the version is written in code;
 * the rockspec repeats it in its name and a spec holds the two together.
 * MIT, see LICENSE. */
#ifndef LEADPING_CORE_H
#define LEADPING_CORE_H

#include <lua.h>

#define LEADPING_VERSION "0.1.0"

/* Lua functions; each is described where it is defined. */
int core_base_url(lua_State *L);
int core_ca_path(lua_State *L);
int core_head(lua_State *L);
int core_header_list(lua_State *L);
int core_is_utf8(lua_State *L);
int core_schema(lua_State *L);
int core_segment(lua_State *L);
int core_session(lua_State *L);
int system_catch(lua_State *L);
int system_columns(lua_State *L);
int system_echo(lua_State *L);
int system_ignore_sigpipe(lua_State *L);
int system_isatty(lua_State *L);
int system_open(lua_State *L);
int system_release(lua_State *L);

/* Pushes the function decode, which is described in decode.c. */
void push_decode(lua_State *L);

/* Make the metatables; called once when the module is loaded. */
void header_list_register(lua_State *L);
void log_register(lua_State *L);
void session_register(lua_State *L);
void signals_register(lua_State *L);

#endif
