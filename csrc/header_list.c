/* header_list.c: a request's header lines, as libcurl takes them.
 * Does not know which headers a request needs: that is Lua's.
 * MIT, see LICENSE. */
#include "header_list.h"

#include <stdlib.h>
#include <string.h>

#include "common.h"
#include "core.h"

#define METATABLE "leadping.header_list"

/* The Lua value, which holds the list. */
struct box {
  struct header_list *list; /* NULL once it is collected */
};

void header_list_hold(struct header_list *list) { list->holders++; }

void header_list_release(struct header_list *list)
{
  if (!list || --list->holders > 0) return;
  curl_slist_free_all(list->lines);
  free(list);
}

/* A header that ends early or goes on to a next line would be another one. */
static const char *check_text(lua_State *L, int index)
{
  size_t length;
  const char *text = luaL_checklstring(L, index, &length);
  if (strlen(text) != length || strpbrk(text, "\r\n"))
    luaL_error(L, "a request's header holds CR, LF or NUL");
  return text;
}

/* Appends the header whose name and value are on the top of the stack. An empty
 * value, which spaces alone are too (RFC 9110, section 5.5), is "name;" to
 * libcurl: it leaves out "name:". */
static void append(lua_State *L, struct header_list *list)
{
  struct curl_slist *longer;
  const char *name, *value, *line;
  int is_empty;
  lua_pushvalue(L, -2); /* a copy: a number would become a string in place */
  name = check_text(L, -1);
  value = check_text(L, -2);
  is_empty = value[strspn(value, " \t")] == '\0';
  line = is_empty ? lua_pushfstring(L, "%s;", name)
                  : lua_pushfstring(L, "%s: %s", name, value);
  longer = curl_slist_append(list->lines, line);
  if (!longer) luaL_error(L, "not enough memory");
  list->lines = longer;
  lua_pop(L, 2);
}

/* Pushes an empty list, which the collector releases. */
static struct header_list *push_list(lua_State *L)
{
  struct box *box = lua_newuserdata(L, sizeof *box);
  box->list = NULL;
  luaL_getmetatable(L, METATABLE);
  lua_setmetatable(L, -2);
  box->list = calloc(1, sizeof *box->list);
  if (box->list) header_list_hold(box->list);
  else luaL_error(L, "not enough memory");
  return box->list;
}

/* At the end of a Lua state, a finalizer may come upon a list whose own has
 * run. */
static struct header_list *check_made(lua_State *L, int index)
{
  const struct box *box = luaL_checkudata(L, index, METATABLE);
  if (!box->list) luaL_error(L, "the list of headers is closed");
  return box->list;
}

struct header_list *check_header_list(lua_State *L, int index)
{
  struct header_list *list;
  if (lua_isuserdata(L, index)) return check_made(L, index);
  luaL_checktype(L, index, LUA_TTABLE);
  luaL_checkstack(L, 8, "headers");
  list = push_list(L);
  lua_pushnil(L);
  while (lua_next(L, index)) { /* list, name, value */
    append(L, list);
    lua_pop(L, 1);
  }
  lua_replace(L, index);
  return list;
}

/* header_list(headers) -> the list of a table name -> value, for submit */
int core_header_list(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  check_header_list(L, 1);
  return 1;
}

static int header_list__gc(lua_State *L)
{
  struct box *box = luaL_checkudata(L, 1, METATABLE);
  header_list_release(box->list);
  box->list = NULL;
  return 0;
}

void header_list_register(lua_State *L)
{
  register_class(L, METATABLE, header_list__gc, NULL);
}
