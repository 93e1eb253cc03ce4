/* json.h: reads JSON, value by value, onto Lua's stack.
 * Strict RFC 8259: what is not JSON is refused. Knows no schema: which value is
 * due where, and what the text as a whole is to be, is the caller's.
 * MIT, see LICENSE. */
#ifndef LEADPING_JSON_H
#define LEADPING_JSON_H

#include "compat.h"

/* Where the reader stands. All functions below that return int return 1, or 0
 * after json_fail(). */
struct json {
  lua_State *L;
  const char *start, *p, *end; /* Lua's text, which has a NUL at its end */
  int array_metatable;         /* of json_read_value; its index on the stack */
  const char *error;           /* what was expected, once something failed */
  const char *got;             /* what was there instead, or NULL */
};

int json_fail(struct json *json, const char *error);

/* Tells what stands here instead. */
int json_fail_expected(struct json *json, const char *expected);

/* The byte that stands here; NUL at the end. */
static inline char json_peek(const struct json *json)
{
  char c = '\0';
  if (json->p < json->end) c = *json->p;
  return c;
}

static inline void json_skip_space(struct json *json)
{
  while (json->p < json->end && (*json->p == ' ' || *json->p == '\n' ||
                                 *json->p == '\r' || *json->p == '\t'))
    json->p++;
}

/* Steps over the opening bracket. Sets *more to whether an element follows. */
void json_open_list(struct json *json, char close, int *more);

/* Behind an element: steps over a comma or the closing bracket. */
int json_next_in_list(struct json *json, char close, int *more);

/* Reads `"name" :` and the space behind it; pushes the name. */
int json_read_name(struct json *json);

/* Steps over a null and pushes nothing. */
int json_read_null(struct json *json);

/* These push one value. They are for where the first byte has been seen. */
int json_read_boolean(struct json *json);
int json_read_string(struct json *json);

/* Pushes any value. null is lua-cjson's, the NULL pointer, and arrays, which
 * may be empty, have the metatable. Too deep a nesting is refused. */
int json_read_value(struct json *json);

#endif
