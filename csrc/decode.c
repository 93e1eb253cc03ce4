/* decode.c: JSON text to a Lua table, in one pass guided by the schema.
 * Strict RFC 8259: what is not JSON is refused, and so is a field of the wrong
 * type. Knows no HTTP. In unknown fields null is lua-cjson's, the NULL pointer,
 * and arrays have the metatable that the caller passes.
 * MIT, see LICENSE. */
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compat.h"
#include "core.h"
#include "schema.h"
#include "utf8.h"

#define DEPTH_MAX 100 /* of arrays and objects inside an unknown field */

/* Lua's stack while decoding: 1 the text, 2 the metatable of arrays in unknown
 * fields, above them the tables under construction, outermost first. */
enum { TEXT = 1, ARRAY_METATABLE = 2 };

struct decoder {
  lua_State *L;
  const char *start, *p, *end;
  const char *error;         /* what was expected, once something failed */
  const char *got;           /* what was there instead, or NULL */
  const struct field *outer; /* where in the selection we are, for errors */
  const struct field *inner; /* the field of the array's item, or NULL */
  int item;                  /* 1-based, 0 outside the array */
};

/* A string as it stands in the text, between its quotes. */
struct raw_string {
  const char *start;
  size_t length;
  int escaped;
};

/* All functions below that return int return 1, or 0 after fail(). */

static int fail(struct decoder *d, const char *error)
{
  d->error = error;
  d->got = NULL;
  return 0;
}

static char peek(const struct decoder *d)
{
  char c = '\0';
  if (d->p < d->end) c = *d->p;
  return c;
}

/* What a value that starts here would be; NULL where none can start. */
static const char *type_at(const struct decoder *d)
{
  switch (peek(d)) {
  case '{': return "object";
  case '[': return "array";
  case '"': return "string";
  case 't':
  case 'f': return "boolean";
  case 'n': return "null";
  case '-':
  case '0':
  case '1':
  case '2':
  case '3':
  case '4':
  case '5':
  case '6':
  case '7':
  case '8':
  case '9': return "number";
  default: return NULL;
  }
}

static int fail_expected(struct decoder *d, const char *expected)
{
  fail(d, expected);
  d->got = type_at(d);
  if (!d->got)
    d->got = d->p == d->end ? "the end of the text" : "something not JSON";
  return 0;
}

static void skip_space(struct decoder *d)
{
  while (d->p < d->end &&
         (*d->p == ' ' || *d->p == '\n' || *d->p == '\r' || *d->p == '\t'))
    d->p++;
}

static int read_word(struct decoder *d, const char *word, size_t length)
{
  if ((size_t)(d->end - d->p) < length || memcmp(d->p, word, length) != 0)
    return fail(d, "not a JSON value");
  d->p += length;
  return 1;
}

static int read_null(struct decoder *d) { return read_word(d, "null", 4); }

/* ---- strings ---- */

static int hex_digit(char c)
{
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/* The four hexadecimal digits at p; -1 where they are not there. */
static long hex4(const char *p, const char *end)
{
  long value = 0;
  int i;
  if (end - p < 4) return -1;
  for (i = 0; i < 4; i++) {
    int digit = hex_digit(p[i]);
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

static int is_high_surrogate(long unit)
{
  return unit >= 0xD800 && unit < 0xDC00;
}
static int is_low_surrogate(long unit)
{
  return unit >= 0xDC00 && unit < 0xE000;
}

/* p stands behind "\u". */
static int skip_unicode_escape(struct decoder *d)
{
  long unit = hex4(d->p, d->end);
  if (unit < 0) return fail(d, "\\u without four hexadecimal digits");
  if (is_high_surrogate(unit)) {
    const char *next = d->p + 4;
    if (d->end - next < 6 || next[0] != '\\' || next[1] != 'u' ||
        !is_low_surrogate(hex4(next + 2, d->end)))
      return fail(d, "a lone surrogate");
    d->p += 6;
  } else if (is_low_surrogate(unit)) {
    return fail(d, "a lone surrogate");
  }
  d->p += 4;
  return 1;
}

/* p stands on the backslash. */
static int skip_escape(struct decoder *d)
{
  d->p++;
  switch (peek(d)) {
  case '"':
  case '\\':
  case '/':
  case 'b':
  case 'f':
  case 'n':
  case 'r':
  case 't': d->p++; return 1;
  case 'u': d->p++; return skip_unicode_escape(d);
  default: return fail(d, "not a JSON escape");
  }
}

/* Bytes of a string that need no second look: ASCII without the controls, the
 * quote and the backslash. */
/* clang-format off */
static const unsigned char is_plain[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* 00 */
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* 10 */
    1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, /* 20 */
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, /* 30 */
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, /* 40 */
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, /* 50 */
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, /* 60 */
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, /* 70 */
};
/* clang-format on */

/* Needs no look at the end: Lua has a NUL there, which is not plain. */
static void skip_plain(struct decoder *d)
{
  while (is_plain[(unsigned char)*d->p]) d->p++;
}

/* p stands on the opening quote; leaves it behind the closing one. */
static int read_raw_string(struct decoder *d, struct raw_string *raw)
{
  raw->start = ++d->p;
  raw->escaped = 0;
  for (;;) {
    unsigned char c;
    skip_plain(d);
    if (d->p == d->end) return fail(d, "a string without its end");
    c = (unsigned char)*d->p;
    if (c == '"') break;
    if (c == '\\') {
      raw->escaped = 1;
      if (!skip_escape(d)) return 0;
    } else if (c < 0x20) {
      return fail(d, "a control byte in a string");
    } else {
      size_t length = utf8_length(d->p, d->end);
      if (length == 0) return fail(d, "not UTF-8");
      d->p += length;
    }
  }
  raw->length = (size_t)(d->p++ - raw->start);
  return 1;
}

static void add_utf8(luaL_Buffer *out, long code)
{
  if (code < 0x80) {
    luaL_addchar(out, (char)code);
    return;
  }
  if (code < 0x800) {
    luaL_addchar(out, (char)(0xC0 | code >> 6));
  } else {
    if (code < 0x10000) {
      luaL_addchar(out, (char)(0xE0 | code >> 12));
    } else {
      luaL_addchar(out, (char)(0xF0 | code >> 18));
      luaL_addchar(out, (char)(0x80 | (code >> 12 & 0x3F)));
    }
    luaL_addchar(out, (char)(0x80 | (code >> 6 & 0x3F)));
  }
  luaL_addchar(out, (char)(0x80 | (code & 0x3F)));
}

/* p stands behind "\u" of an escape that skip_unicode_escape has checked;
 * returns where the text goes on. */
static const char *add_unicode_escape(luaL_Buffer *out, const char *p,
                                      const char *end)
{
  long unit = hex4(p, end);
  if (!is_high_surrogate(unit)) {
    add_utf8(out, unit);
    return p + 4;
  }
  add_utf8(out, 0x10000 + ((unit - 0xD800) << 10) + hex4(p + 6, end) - 0xDC00);
  return p + 10;
}

static void push_unescaped(lua_State *L, const struct raw_string *raw)
{
  static const char escapes[] = "bfnrt", bytes[] = "\b\f\n\r\t";
  const char *p = raw->start, *end = p + raw->length;
  luaL_Buffer out;
  luaL_buffinit(L, &out);
  while (p < end) {
    const char *escape;
    if (*p != '\\') {
      luaL_addchar(&out, *p++);
    } else if (p[1] == 'u') {
      p = add_unicode_escape(&out, p + 2, end);
    } else {
      escape = strchr(escapes, p[1]);
      luaL_addchar(&out, escape ? bytes[escape - escapes] : p[1]);
      p += 2;
    }
  }
  luaL_pushresult(&out);
}

static void push_raw_string(lua_State *L, const struct raw_string *raw)
{
  if (raw->escaped) push_unescaped(L, raw);
  else lua_pushlstring(L, raw->start, raw->length);
}

/* ---- numbers ---- */

static int skip_digits(struct decoder *d)
{
  const char *start = d->p;
  while (peek(d) >= '0' && peek(d) <= '9') d->p++;
  return d->p > start || fail(d, "a number without a digit");
}

static int skip_number(struct decoder *d)
{
  if (peek(d) == '-') d->p++;
  if (peek(d) == '0') d->p++;
  else if (!skip_digits(d)) return 0;
  if (peek(d) >= '0' && peek(d) <= '9') return fail(d, "a leading zero");
  if (peek(d) == '.') {
    d->p++;
    if (!skip_digits(d)) return 0;
  }
  if (peek(d) == 'e' || peek(d) == 'E') {
    d->p++;
    if (peek(d) == '+' || peek(d) == '-') d->p++;
    if (!skip_digits(d)) return 0;
  }
  return 1;
}

/* Pushes a whole number as an integer, which in Lua 5.3 is a type of its own;
 * 0 where it does not fit into one, or is -0. */
static int push_integer(lua_State *L, const char *text, const char *end)
{
  char *stop;
  long long value;
  errno = 0;
  value = strtoll(text, &stop, 10);
  if (stop != end || errno || (lua_Integer)value != value) return 0;
  if (value == 0 && *text == '-') return 0;
  lua_pushinteger(L, (lua_Integer)value);
  return 1;
}

/* strtod follows the locale, which JSON does not. */
static void push_float(lua_State *L, const char *text, const char *end)
{
  lua_pushlstring(L, text, (size_t)(end - text));
  luaL_gsub(L, lua_tostring(L, -1), ".", localeconv()->decimal_point);
  lua_pushnumber(L, strtod(lua_tostring(L, -1), NULL));
  lua_replace(L, -3);
  lua_pop(L, 1);
}

static int read_number(struct decoder *d)
{
  const char *start = d->p;
  if (!skip_number(d)) return 0;
  if (!push_integer(d->L, start, d->p)) push_float(d->L, start, d->p);
  return 1;
}

/* ---- lists ---- */

/* Steps over the opening bracket. Sets *more to whether an element follows. */
static void open_list(struct decoder *d, char close, int *more)
{
  d->p++;
  skip_space(d);
  *more = peek(d) != close;
  if (!*more) d->p++;
}

/* Behind an element: steps over a comma or the closing bracket. */
static int next_in_list(struct decoder *d, char close, int *more)
{
  skip_space(d);
  *more = peek(d) == ',';
  if (!*more && peek(d) != close)
    return fail(d,
                close == ']' ? "',' or ']' expected" : "',' or '}' expected");
  d->p++;
  skip_space(d);
  return 1;
}

/* Reads `"name" :` and the space behind it; pushes the name. */
static int read_name(struct decoder *d)
{
  struct raw_string name;
  if (peek(d) != '"') return fail_expected(d, "a field's name");
  if (!read_raw_string(d, &name)) return 0;
  push_raw_string(d->L, &name);
  skip_space(d);
  if (peek(d) != ':') return fail(d, "':' expected");
  d->p++;
  skip_space(d);
  return 1;
}

/* ---- values of any field: each pushes one value ---- */

static int read_boolean(struct decoder *d)
{
  int value = peek(d) == 't';
  if (!(value ? read_word(d, "true", 4) : read_word(d, "false", 5))) return 0;
  lua_pushboolean(d->L, value);
  return 1;
}

static int read_string(struct decoder *d)
{
  struct raw_string raw;
  if (!read_raw_string(d, &raw)) return 0;
  push_raw_string(d->L, &raw);
  return 1;
}

/* ---- values of unknown fields: each pushes one value ---- */

static int read_unknown(struct decoder *d, int depth);

/* An array or an object, by its closing bracket. */
static int read_unknown_list(struct decoder *d, char close, int depth)
{
  lua_State *L = d->L;
  int more, i;
  if (depth == DEPTH_MAX) return fail(d, "nested deeper than 100 levels");
  luaL_checkstack(L, LUA_MINSTACK, "decode");
  lua_newtable(L);
  if (close == ']') {
    lua_pushvalue(L, ARRAY_METATABLE);
    lua_setmetatable(L, -2);
  }
  open_list(d, close, &more);
  for (i = 1; more; i++) {
    if (close == ']') lua_pushinteger(L, i);
    else if (!read_name(d)) return 0;
    if (!read_unknown(d, depth + 1)) return 0;
    lua_rawset(L, -3);
    if (!next_in_list(d, close, &more)) return 0;
  }
  return 1;
}

static int read_unknown(struct decoder *d, int depth)
{
  switch (peek(d)) {
  case '{': return read_unknown_list(d, '}', depth);
  case '[': return read_unknown_list(d, ']', depth);
  case '"': return read_string(d);
  case 't':
  case 'f': return read_boolean(d);
  case 'n': lua_pushlightuserdata(d->L, NULL); return read_null(d);
  default:
    if (!type_at(d)) return fail_expected(d, "a value");
    return read_number(d);
  }
}

/* ---- values of the schema: each pushes one value ---- */

static int read_object(struct decoder *d, const struct object *object);

static int read_array(struct decoder *d, const struct object *items)
{
  int more;
  lua_newtable(d->L);
  open_list(d, ']', &more);
  for (d->item = 1; more; d->item++) {
    if (!read_object(d, items)) return 0;
    lua_rawseti(d->L, -2, d->item);
    if (!next_in_list(d, ']', &more)) return 0;
  }
  d->item = 0;
  return 1;
}

/* Pushes the value of a field the schema knows; nil for null. */
static int read_field(struct decoder *d, const struct field *field)
{
  char c = peek(d);
  if (c == 'n') {
    lua_pushnil(d->L);
    return read_null(d);
  }
  switch (field->type) {
  case FIELD_BOOLEAN:
    if (c == 't' || c == 'f') return read_boolean(d);
    break;
  case FIELD_STRING:
    if (c == '"') return read_string(d);
    break;
  case FIELD_ARRAY:
    if (c == '[') return read_array(d, field->items);
    break;
  }
  return fail_expected(d, field_type_names[field->type]);
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
static int take_name(struct decoder *d, const struct field *field)
{
  const char *name = d->p + 1;
  if ((size_t)(d->end - d->p) < field->length + 3 || *d->p != '"' ||
      memcmp(name, field->name, field->length) != 0 ||
      name[field->length] != '"' || name[field->length + 1] != ':')
    return 0;
  d->p += field->length + 3;
  skip_space(d);
  return 1;
}

static void set_place(struct decoder *d, const struct field *field)
{
  if (d->item) d->inner = field;
  else d->outer = field;
}

/* The names are upvalues of core_decode, those of the array's items behind the
 * others: to push one spares Lua its search for the string. */
static void push_known_name(struct decoder *d, const struct object *object,
                            const struct field *field)
{
  int before = object == &selection_object ? 0 : (int)selection_object.count;
  int place = before + (int)(field - object->fields) + 1;
  lua_pushvalue(d->L, lua_upvalueindex(place));
}

/* Reads a name and pushes it; *field is NULL where the schema has none such. */
static int read_member_name(struct decoder *d, const struct object *object,
                            const struct field *expected,
                            const struct field **field)
{
  const char *text;
  size_t length;
  *field = expected;
  if (take_name(d, expected)) {
    push_known_name(d, object, expected);
    return 1;
  }
  if (!read_name(d)) return 0;
  text = lua_tolstring(d->L, -1, &length);
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
  done = field ? read_field(d, field) : read_unknown(d, 0);
  if (!done) return 0;
  lua_rawset(d->L, -3);
  return 1;
}

/* Pushes a table. */
static int read_object(struct decoder *d, const struct object *object)
{
  unsigned next = 0;
  int more;
  if (peek(d) != '{') return fail_expected(d, "object");
  lua_createtable(d->L, 0, (int)object->count);
  open_list(d, '}', &more);
  while (more)
    if (!read_member(d, object, &next) || !next_in_list(d, '}', &more))
      return 0;
  d->inner = NULL;
  return 1;
}

static int read_text(struct decoder *d)
{
  skip_space(d);
  if (!read_object(d, &selection_object)) return 0;
  d->outer = NULL;
  skip_space(d);
  return d->p == d->end || fail(d, "more text behind the end of the object");
}

/* ---- errors ---- */

/* "eligibleNumbers[2].canSend: ", or nothing outside a known field */
static void push_path(struct decoder *d)
{
  lua_State *L = d->L;
  if (!d->outer) lua_pushliteral(L, "");
  else if (!d->item) lua_pushfstring(L, "%s: ", d->outer->name);
  else if (!d->inner) lua_pushfstring(L, "%s[%d]: ", d->outer->name, d->item);
  else
    lua_pushfstring(L, "%s[%d].%s: ", d->outer->name, d->item, d->inner->name);
}

/* "byte 312, eligibleNumbers[2].canSend: boolean expected, got string" */
static int push_refusal(struct decoder *d)
{
  lua_State *L = d->L;
  char byte[32];
  (void)snprintf(byte, sizeof byte, "%lu",
                 (unsigned long)(d->p - d->start) + 1);
  lua_settop(L, ARRAY_METATABLE);
  lua_pushnil(L);
  push_path(d);
  lua_pushfstring(L, "byte %s%s%s%s%s%s", byte, d->outer ? ", " : ": ",
                  lua_tostring(L, -1), d->error,
                  d->got ? " expected, got " : "", d->got ? d->got : "");
  lua_remove(L, -2);
  return 2;
}

/* decode(text, array_metatable) -> table | nil, where and what is wrong.
 * array_metatable: for arrays of unknown fields, which may be empty. */
static int core_decode(lua_State *L)
{
  struct decoder d = {0};
  size_t length;
  d.start = d.p = luaL_checklstring(L, TEXT, &length);
  d.end = d.start + length;
  luaL_checktype(L, ARRAY_METATABLE, LUA_TTABLE);
  lua_settop(L, ARRAY_METATABLE);
  d.L = L;
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
