/* head.c: takes the head of an answer apart, line by line.
 * The head is what csrc/transfer.c kept: the header lines of the last answer.
 * Does not know what any header means.
 * MIT, see LICENSE. */
#include <string.h>

#include "compat.h"
#include "core.h"

static int is_space(char c) { return c == ' ' || c == '\t' || c == '\r'; }

/* ASCII's letters alone (RFC 9110, section 5.1), whatever the locale says. */
static char lower_case(char c)
{
  if (c >= 'A' && c <= 'Z') return (char)(c - 'A' + 'a');
  return c;
}

static void push_lower_case(lua_State *L, const char *name, size_t length)
{
  size_t i;
  luaL_Buffer out;
  luaL_buffinit(L, &out);
  for (i = 0; i < length; i++) {
    char c = lower_case(name[i]);
    luaL_addlstring(&out, &c, 1);
  }
  luaL_pushresult(&out);
}

/* Sets name -> value in the table at the top of the stack. Lines of one name
 * become one value, joined as RFC 9110, section 5.3 has it. */
static void set_header(lua_State *L, const char *name, size_t length,
                       const char *value, const char *end)
{
  while (value < end && is_space(*value)) value++;
  while (end > value && is_space(end[-1])) end--;
  push_lower_case(L, name, length);
  lua_pushvalue(L, -1);
  lua_rawget(L, -3);
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    lua_pushlstring(L, value, (size_t)(end - value));
  } else {
    lua_pushliteral(L, ", ");
    lua_pushlstring(L, value, (size_t)(end - value));
    lua_concat(L, 3);
  }
  lua_rawset(L, -3);
}

/* head(text) -> table: name in lower case -> value */
int core_head(lua_State *L)
{
  size_t length;
  const char *line = luaL_checklstring(L, 1, &length), *end = line + length;
  lua_createtable(L, 0, 8);
  while (line < end) {
    const char *line_end = memchr(line, '\n', (size_t)(end - line));
    const char *colon;
    if (!line_end) line_end = end;
    colon = memchr(line, ':', (size_t)(line_end - line));
    if (colon && !is_space(*line)) /* a folded line goes on with a value */
      set_header(L, line, (size_t)(colon - line), colon + 1, line_end);
    line = line_end + 1;
  }
  return 1;
}
