/* decode.c: JSON text to a Lua table, in one pass guided by the schema.
 * A field of the wrong type is refused; json.c refuses what is not JSON. Knows
 * no HTTP. Unknown fields are kept as they come.
 * MIT, see LICENSE. */
#include <stdio.h>
#include <string.h>

#include "compat.h"
#include "core.h"
#include "json.h"
#include "schema.h"

/* Lua's stack while decoding: 1 the text, 2 the metatable of arrays in unknown
 * fields, above them the tables under construction, outermost first. */
enum { TEXT = 1, ARRAY_METATABLE = 2 };

struct decoder {
  struct json json;
  const struct field *outer; /* where in the selection we are, for errors */
  const struct field *inner; /* the field of the array's item, or NULL */
  int item;                  /* 1-based, 0 outside the array */
};

/* As in json.h, functions that return int return 1, or 0 after json_fail(). */

/* ---- values of the schema: each pushes one value ---- */

static int read_object(struct decoder *d, const struct object *object);

static int read_array(struct decoder *d, const struct object *items)
{
  struct json *j = &d->json;
  int more;
  lua_newtable(j->L);
  json_open_list(j, ']', &more);
  for (d->item = 1; more; d->item++) {
    if (!read_object(d, items)) return 0;
    lua_rawseti(j->L, -2, d->item);
    if (!json_next_in_list(j, ']', &more)) return 0;
  }
  d->item = 0;
  return 1;
}

/* Pushes the value of a field the schema knows; nil for null. */
static int read_field(struct decoder *d, const struct field *field)
{
  struct json *j = &d->json;
  char c = json_peek(j);
  if (c == 'n') {
    lua_pushnil(j->L);
    return json_read_null(j);
  }
  switch (field->type) {
  case FIELD_BOOLEAN:
    if (c == 't' || c == 'f') return json_read_boolean(j);
    break;
  case FIELD_STRING:
    if (c == '"') return json_read_string(j);
    break;
  case FIELD_ARRAY:
    if (c == '[') return read_array(d, field->items);
    break;
  }
  return json_fail_expected(j, field_type_names[field->type]);
}

static const struct field *find_field(const struct object *object,
                                      const char *name, size_t length)
{
  unsigned i;
  for (i = 0; i < object->count; i++) {
    const struct field *field = &object->fields[i];
    if (field->length == length && memcmp(field->name, name, length) == 0)
      return field;
  }
  return NULL;
}

/* Steps over `"name":` where that is the name that stands here, without
 * escapes. Answers keep to the schema's order, so it mostly is. */
static int take_name(struct json *j, const struct field *field)
{
  const char *name = j->p + 1;
  if ((size_t)(j->end - j->p) < field->length + 3 || *j->p != '"' ||
      memcmp(name, field->name, field->length) != 0 ||
      name[field->length] != '"' || name[field->length + 1] != ':')
    return 0;
  j->p += field->length + 3;
  json_skip_space(j);
  return 1;
}

static void set_place(struct decoder *d, const struct field *field)
{
  if (d->item) d->inner = field;
  else d->outer = field;
}

/* The names are upvalues of core_decode, those of the array's items behind the
 * others: to push one spares Lua its search for the string. */
static void push_known_name(lua_State *L, const struct object *object,
                            const struct field *field)
{
  int before = object == &selection_object ? 0 : (int)selection_object.count;
  int place = before + (int)(field - object->fields) + 1;
  lua_pushvalue(L, lua_upvalueindex(place));
}

/* Reads a name and pushes it; *field is NULL where the schema has none such. */
static int read_member_name(struct decoder *d, const struct object *object,
                            const struct field *expected,
                            const struct field **field)
{
  struct json *j = &d->json;
  const char *text;
  size_t length;
  *field = expected;
  if (take_name(j, expected)) {
    push_known_name(j->L, object, expected);
    return 1;
  }
  if (!json_read_name(j)) return 0;
  text = lua_tolstring(j->L, -1, &length);
  *field = find_field(object, text, length);
  return 1;
}

/* Reads one member and sets it in the table at the top of the stack; a name
 * that comes twice keeps its last value, as with lua-cjson. *next is the field
 * to expect: behind this one, the one behind it. */
static int read_member(struct decoder *d, const struct object *object,
                       unsigned *next)
{
  const struct field *field;
  int done;
  set_place(d, NULL);
  if (!read_member_name(d, object, &object->fields[*next], &field)) return 0;
  set_place(d, field);
  if (field) *next = (unsigned)(field - object->fields + 1) % object->count;
  done = field ? read_field(d, field) : json_read_value(&d->json);
  if (!done) return 0;
  lua_rawset(d->json.L, -3);
  return 1;
}

/* Pushes a table. */
static int read_object(struct decoder *d, const struct object *object)
{
  struct json *j = &d->json;
  unsigned next = 0;
  int more;
  if (json_peek(j) != '{') return json_fail_expected(j, "object");
  lua_createtable(j->L, 0, (int)object->count);
  json_open_list(j, '}', &more);
  while (more)
    if (!read_member(d, object, &next) || !json_next_in_list(j, '}', &more))
      return 0;
  d->inner = NULL;
  return 1;
}

static int read_text(struct decoder *d)
{
  struct json *j = &d->json;
  json_skip_space(j);
  if (!read_object(d, &selection_object)) return 0;
  d->outer = NULL;
  json_skip_space(j);
  return j->p == j->end ||
         json_fail(j, "more text behind the end of the object");
}

/* ---- errors ---- */

/* "eligibleNumbers[2].canSend: ", or nothing outside a known field */
static void push_path(const struct decoder *d)
{
  lua_State *L = d->json.L;
  if (!d->outer) lua_pushliteral(L, "");
  else if (!d->item) lua_pushfstring(L, "%s: ", d->outer->name);
  else if (!d->inner) lua_pushfstring(L, "%s[%d]: ", d->outer->name, d->item);
  else
    lua_pushfstring(L, "%s[%d].%s: ", d->outer->name, d->item, d->inner->name);
}

/* "byte 312, eligibleNumbers[2].canSend: boolean expected, got string" */
static int push_refusal(const struct decoder *d)
{
  const struct json *j = &d->json;
  lua_State *L = j->L;
  char byte[32];
  (void)snprintf(byte, sizeof byte, "%lu",
                 (unsigned long)(j->p - j->start) + 1);
  lua_settop(L, ARRAY_METATABLE);
  lua_pushnil(L);
  push_path(d);
  lua_pushfstring(L, "byte %s%s%s%s%s%s", byte, d->outer ? ", " : ": ",
                  lua_tostring(L, -1), j->error,
                  j->got ? " expected, got " : "", j->got ? j->got : "");
  lua_remove(L, -2);
  return 2;
}

/* decode(text, array_metatable) -> table | nil, where and what is wrong.
 * array_metatable: for arrays of unknown fields, which may be empty. */
static int core_decode(lua_State *L)
{
  struct decoder d = {0};
  size_t length;
  d.json.start = d.json.p = luaL_checklstring(L, TEXT, &length);
  d.json.end = d.json.start + length;
  d.json.array_metatable = ARRAY_METATABLE;
  d.json.L = L;
  luaL_checktype(L, ARRAY_METATABLE, LUA_TTABLE);
  lua_settop(L, ARRAY_METATABLE);
  luaL_checkstack(L, 32, "decode");
  return read_text(&d) ? 1 : push_refusal(&d);
}

static int push_names(lua_State *L, const struct object *object)
{
  unsigned i;
  for (i = 0; i < object->count; i++)
    lua_pushlstring(L, object->fields[i].name, object->fields[i].length);
  return (int)object->count;
}

void push_decode(lua_State *L)
{
  int names;
  luaL_checkstack(L, 64, "decode");
  names = push_names(L, &selection_object);
  names += push_names(L, &eligible_number_object);
  lua_pushcclosure(L, core_decode, names);
}
