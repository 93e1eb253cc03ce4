/* json.c: reads JSON, value by value, onto Lua's stack.
 * MIT, see LICENSE. */
#include "json.h"

#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "utf8.h"

#define DEPTH_MAX 100 /* of arrays and objects inside one value */

/* A string as it stands in the text, between its quotes. */
struct raw_string {
  const char *start;
  size_t length;
  int escaped;
};

int json_fail(struct json *j, const char *error)
{
  j->error = error;
  j->got = NULL;
  return 0;
}

/* What a value that starts here would be; NULL where none can start. */
static const char *type_at(const struct json *j)
{
  switch (json_peek(j)) {
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

int json_fail_expected(struct json *j, const char *expected)
{
  json_fail(j, expected);
  j->got = type_at(j);
  if (!j->got)
    j->got = j->p == j->end ? "the end of the text" : "something not JSON";
  return 0;
}

static int read_word(struct json *j, const char *word, size_t length)
{
  if ((size_t)(j->end - j->p) < length || memcmp(j->p, word, length) != 0)
    return json_fail(j, "not a JSON value");
  j->p += length;
  return 1;
}

int json_read_null(struct json *j) { return read_word(j, "null", 4); }

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
static int skip_unicode_escape(struct json *j)
{
  long unit = hex4(j->p, j->end);
  if (unit < 0) return json_fail(j, "\\u without four hexadecimal digits");
  if (is_high_surrogate(unit)) {
    const char *next = j->p + 4;
    if (j->end - next < 6 || next[0] != '\\' || next[1] != 'u' ||
        !is_low_surrogate(hex4(next + 2, j->end)))
      return json_fail(j, "a lone surrogate");
    j->p += 6;
  } else if (is_low_surrogate(unit)) {
    return json_fail(j, "a lone surrogate");
  }
  j->p += 4;
  return 1;
}

/* p stands on the backslash. */
static int skip_escape(struct json *j)
{
  j->p++;
  switch (json_peek(j)) {
  case '"':
  case '\\':
  case '/':
  case 'b':
  case 'f':
  case 'n':
  case 'r':
  case 't': j->p++; return 1;
  case 'u': j->p++; return skip_unicode_escape(j);
  default: return json_fail(j, "not a JSON escape");
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
static void skip_plain(struct json *j)
{
  while (is_plain[(unsigned char)*j->p]) j->p++;
}

/* p stands on the opening quote; leaves it behind the closing one. */
static int read_raw_string(struct json *j, struct raw_string *raw)
{
  raw->start = ++j->p;
  raw->escaped = 0;
  for (;;) {
    unsigned char c;
    skip_plain(j);
    if (j->p == j->end) return json_fail(j, "a string without its end");
    c = (unsigned char)*j->p;
    if (c == '"') break;
    if (c == '\\') {
      raw->escaped = 1;
      if (!skip_escape(j)) return 0;
    } else if (c < 0x20) {
      return json_fail(j, "a control byte in a string");
    } else {
      size_t length = utf8_length(j->p, j->end);
      if (length == 0) return json_fail(j, "not UTF-8");
      j->p += length;
    }
  }
  raw->length = (size_t)(j->p++ - raw->start);
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

int json_read_string(struct json *j)
{
  struct raw_string raw;
  if (!read_raw_string(j, &raw)) return 0;
  if (raw.escaped) push_unescaped(j->L, &raw);
  else lua_pushlstring(j->L, raw.start, raw.length);
  return 1;
}

/* ---- numbers ---- */

static int skip_digits(struct json *j)
{
  const char *start = j->p;
  while (json_peek(j) >= '0' && json_peek(j) <= '9') j->p++;
  return j->p > start || json_fail(j, "a number without a digit");
}

static int skip_number(struct json *j)
{
  if (json_peek(j) == '-') j->p++;
  if (json_peek(j) == '0') j->p++;
  else if (!skip_digits(j)) return 0;
  if (json_peek(j) >= '0' && json_peek(j) <= '9')
    return json_fail(j, "a leading zero");
  if (json_peek(j) == '.') {
    j->p++;
    if (!skip_digits(j)) return 0;
  }
  if (json_peek(j) == 'e' || json_peek(j) == 'E') {
    j->p++;
    if (json_peek(j) == '+' || json_peek(j) == '-') j->p++;
    if (!skip_digits(j)) return 0;
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

static int read_number(struct json *j)
{
  const char *start = j->p;
  if (!skip_number(j)) return 0;
  if (!push_integer(j->L, start, j->p)) push_float(j->L, start, j->p);
  return 1;
}

/* ---- lists ---- */

void json_open_list(struct json *j, char close, int *more)
{
  j->p++;
  json_skip_space(j);
  *more = json_peek(j) != close;
  if (!*more) j->p++;
}

int json_next_in_list(struct json *j, char close, int *more)
{
  json_skip_space(j);
  *more = json_peek(j) == ',';
  if (!*more && json_peek(j) != close)
    return json_fail(j, close == ']' ? "',' or ']' expected"
                                     : "',' or '}' expected");
  j->p++;
  json_skip_space(j);
  return 1;
}

int json_read_name(struct json *j)
{
  if (json_peek(j) != '"') return json_fail_expected(j, "a field's name");
  if (!json_read_string(j)) return 0;
  json_skip_space(j);
  if (json_peek(j) != ':') return json_fail(j, "':' expected");
  j->p++;
  json_skip_space(j);
  return 1;
}

/* ---- values: each pushes one ---- */

int json_read_boolean(struct json *j)
{
  int value = json_peek(j) == 't';
  if (!(value ? read_word(j, "true", 4) : read_word(j, "false", 5))) return 0;
  lua_pushboolean(j->L, value);
  return 1;
}

static int read_value(struct json *j, int depth);

/* An array or an object, by its closing bracket. */
static int read_list(struct json *j, char close, int depth)
{
  lua_State *L = j->L;
  int more, i;
  if (depth == DEPTH_MAX) return json_fail(j, "nested deeper than 100 levels");
  luaL_checkstack(L, LUA_MINSTACK, "decode");
  lua_newtable(L);
  if (close == ']') {
    lua_pushvalue(L, j->array_metatable);
    lua_setmetatable(L, -2);
  }
  json_open_list(j, close, &more);
  for (i = 1; more; i++) {
    if (close == ']') lua_pushinteger(L, i);
    else if (!json_read_name(j)) return 0;
    if (!read_value(j, depth + 1)) return 0;
    lua_rawset(L, -3);
    if (!json_next_in_list(j, close, &more)) return 0;
  }
  return 1;
}

static int read_value(struct json *j, int depth)
{
  switch (json_peek(j)) {
  case '{': return read_list(j, '}', depth);
  case '[': return read_list(j, ']', depth);
  case '"': return json_read_string(j);
  case 't':
  case 'f': return json_read_boolean(j);
  case 'n': lua_pushlightuserdata(j->L, NULL); return json_read_null(j);
  default:
    if (!type_at(j)) return json_fail_expected(j, "a value");
    return read_number(j);
  }
}

int json_read_value(struct json *j) { return read_value(j, 0); }
