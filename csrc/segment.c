/* segment.c: a conversation id becomes exactly one segment of a URL's path.
 * This is the wall between an id and the neighbouring operations of the API:
 * whatever the id holds, it cannot leave its place in the path.
 * MIT, see LICENSE. */
#include <string.h>

#include "common.h"
#include "compat.h"
#include "core.h"
#include "utf8.h"

#define ID_MAX 1024 /* bytes */

static const char hex[] = "0123456789ABCDEF";

/* RFC 3986, section 2.3: what needs no escape anywhere in a URL. Compared as
 * bytes, not by isalnum(), which follows the locale. */
static int is_unreserved(unsigned char c)
{
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
}

static int refuse_byte(lua_State *L, size_t at, unsigned char c,
                       const char *why)
{
  char text[] = {'0', 'x', hex[c >> 4], hex[c & 15], '\0'};
  lua_pushnil(L);
  lua_pushfstring(L, "its byte %d (%s) is %s", (int)at + 1, text, why);
  return 2;
}

/* Pushes what is wrong with the bytes of the id; 0 where nothing is. */
static int refuse_bytes(lua_State *L, const char *id, size_t length)
{
  const char *p = id, *end = id + length;
  while (p < end) {
    unsigned char c = (unsigned char)*p;
    size_t step = utf8_length(p, end);
    if (step == 0) return refuse_byte(L, (size_t)(p - id), c, "not UTF-8");
    if (c < 0x20 || c == 0x7F)
      return refuse_byte(L, (size_t)(p - id), c, "a control byte");
    p += step;
  }
  return 0;
}

static void push_escaped(lua_State *L, const char *id, size_t length)
{
  char out[3 * ID_MAX];
  size_t i, n = 0;
  for (i = 0; i < length; i++) {
    unsigned char c = (unsigned char)id[i];
    if (is_unreserved(c)) {
      out[n++] = id[i];
    } else {
      out[n++] = '%';
      out[n++] = hex[c >> 4];
      out[n++] = hex[c & 15];
    }
  }
  lua_pushlstring(L, out, n);
}

/* segment(id) -> percent-encoded segment | nil, what is wrong with the id.
 * "." and ".." are refused: RFC 3986, section 5.2.4 removes such segments, and
 * servers do so even where they are written %2E. */
int core_segment(lua_State *L)
{
  size_t length;
  const char *id = luaL_checklstring(L, 1, &length);
  int refused;
  if (length == 0) return push_failure(L, "it is empty");
  if (length > ID_MAX) return push_failure(L, "it is longer than 1024 bytes");
  if (length <= 2 && memcmp(id, "..", length) == 0)
    return push_failure(L, "\".\" and \"..\" are steps in a path, not names");
  refused = refuse_bytes(L, id, length);
  if (refused) return refused;
  push_escaped(L, id, length);
  return 1;
}
