/* base_url.c: takes a URL apart with libcurl's own parser.
 * The same parser opens the connection, so what Lua decides about a host (may
 * it be spoken to without TLS?) is decided about the host that is meant.
 * MIT, see LICENSE. */
#include <string.h>

#include <curl/curl.h>

#include "common.h"
#include "compat.h"
#include "core.h"

#define PART_MAX 1024 /* bytes, with the end's NUL */

static const struct {
  CURLUPart part;
  const char *key;
} parts[] = {
    {CURLUPART_SCHEME, "scheme"},     {CURLUPART_HOST, "host"},
    {CURLUPART_PORT, "port"},         {CURLUPART_PATH, "path"},
    {CURLUPART_USER, "user"},         {CURLUPART_PASSWORD, "password"},
    {CURLUPART_ZONEID, "zone"},       {CURLUPART_QUERY, "query"},
    {CURLUPART_FRAGMENT, "fragment"},
};

/* The parts' texts, copied out of libcurl's memory: that is freed before Lua
 * is called, which could raise an error and leak it. */
struct url_parts {
  char text[COUNT(parts)][PART_MAX];
  int present[COUNT(parts)];
};

static CURLUcode copy_part(CURLU *url, struct url_parts *out, size_t i)
{
  char *text = NULL;
  size_t length;
  CURLUcode code = curl_url_get(url, parts[i].part, &text, 0);
  if (code == CURLUE_OUT_OF_MEMORY) return code;
  if (code) return CURLUE_OK; /* there is no such part */
  length = strlen(text);
  out->present[i] = length < PART_MAX;
  if (out->present[i]) memcpy(out->text[i], text, length + 1);
  curl_free(text);
  return out->present[i] ? CURLUE_OK : CURLUE_MALFORMED_INPUT;
}

static CURLUcode split_url(const char *text, struct url_parts *out)
{
  CURLU *url = curl_url();
  CURLUcode code = CURLUE_OUT_OF_MEMORY;
  size_t i;
  if (url) code = curl_url_set(url, CURLUPART_URL, text, 0);
  for (i = 0; i < COUNT(parts); i++) {
    out->present[i] = 0;
    if (!code) code = copy_part(url, out, i);
  }
  curl_url_cleanup(url);
  return code;
}

/* base_url(text) -> { scheme, host, port, path, user, password, zone,
 * query, fragment }, each as the URL has it | nil where it is no URL. */
int core_base_url(lua_State *L)
{
  struct url_parts out;
  CURLUcode code = split_url(luaL_checkstring(L, 1), &out);
  size_t i;
  if (code == CURLUE_OUT_OF_MEMORY) return luaL_error(L, "not enough memory");
  if (code) {
    lua_pushnil(L);
    return 1;
  }
  lua_newtable(L);
  for (i = 0; i < COUNT(parts); i++)
    if (out.present[i]) {
      lua_pushstring(L, out.text[i]);
      lua_setfield(L, -2, parts[i].key);
    }
  return 1;
}
