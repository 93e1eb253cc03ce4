/* utf8.c: checks UTF-8, for ids, answers and what is shown on a terminal.
 * The ranges are those of the table in RFC 3629, section 4.
 * Does not decode or repair.
 * MIT, see LICENSE. */
#include "utf8.h"

#include "compat.h"
#include "core.h"

static int in_range(unsigned char c, unsigned char low, unsigned char high)
{
  return c >= low && c <= high;
}

/* The second byte's range is narrower behind E0, ED, F0 and F4: that is what
 * keeps out overlong forms, surrogates and what lies above U+10FFFF. */
static int is_second(unsigned char first, unsigned char second)
{
  switch (first) {
  case 0xE0: return in_range(second, 0xA0, 0xBF);
  case 0xED: return in_range(second, 0x80, 0x9F);
  case 0xF0: return in_range(second, 0x90, 0xBF);
  case 0xF4: return in_range(second, 0x80, 0x8F);
  default: return in_range(second, 0x80, 0xBF);
  }
}

size_t utf8_length(const char *p, const char *end)
{
  const unsigned char *s = (const unsigned char *)p;
  size_t length, i;
  if (p == end) return 0;
  if (s[0] < 0x80) return 1;
  if (in_range(s[0], 0xC2, 0xDF)) length = 2;
  else if (in_range(s[0], 0xE0, 0xEF)) length = 3;
  else if (in_range(s[0], 0xF0, 0xF4)) length = 4;
  else return 0;
  if ((size_t)(end - p) < length || !is_second(s[0], s[1])) return 0;
  for (i = 2; i < length; i++)
    if (!in_range(s[i], 0x80, 0xBF)) return 0;
  return length;
}

/* is_utf8(text) -> boolean */
int core_is_utf8(lua_State *L)
{
  size_t length, step;
  const char *p = luaL_checklstring(L, 1, &length);
  const char *end = p + length;
  while (p < end && (step = utf8_length(p, end)) > 0) p += step;
  lua_pushboolean(L, p == end);
  return 1;
}
