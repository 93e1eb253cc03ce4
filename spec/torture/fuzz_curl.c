/* fuzz_curl.c: what libcurl makes of a URL, and what the system makes of an
 * address: the oracles of fuzz_url.lua. Shares nothing with csrc/base_url.c:
 * here a URL is read as a transfer reads it.
 * MIT, see LICENSE. */
#define _POSIX_C_SOURCE 200809L

#include <arpa/inet.h>
#include <netinet/in.h>

#include <curl/curl.h>

#include <lauxlib.h>
#include <lua.h>

static const struct {
  CURLUPart part;
  const char *name;
} parts[] = {
    {CURLUPART_SCHEME, "scheme"},     {CURLUPART_USER, "user"},
    {CURLUPART_PASSWORD, "password"}, {CURLUPART_OPTIONS, "options"},
    {CURLUPART_HOST, "host"},         {CURLUPART_ZONEID, "zone"},
    {CURLUPART_PORT, "port"},         {CURLUPART_PATH, "path"},
    {CURLUPART_QUERY, "query"},       {CURLUPART_FRAGMENT, "fragment"},
};

static void set_part(lua_State *L, CURLU *url, size_t i)
{
  char *text = NULL;
  if (curl_url_get(url, parts[i].part, &text, 0)) return;
  lua_pushstring(L, text);
  lua_setfield(L, -2, parts[i].name);
  curl_free(text);
}

/* url_parts(url, as_is) -> { scheme, host, … } | nil where it is no URL.
 * as_is: keep the path's dots, as CURLOPT_PATH_AS_IS does. */
static int url_parts(lua_State *L)
{
  const char *text = luaL_checkstring(L, 1);
  unsigned flags = lua_toboolean(L, 2) ? CURLU_PATH_AS_IS : 0;
  CURLU *url = curl_url();
  size_t i;
  if (!url) return luaL_error(L, "no memory");
  lua_settop(L, 0);
  if (!curl_url_set(url, CURLUPART_URL, text, flags)) {
    lua_newtable(L);
    for (i = 0; i < sizeof parts / sizeof parts[0]; i++) set_part(L, url, i);
  }
  curl_url_cleanup(url);
  lua_settop(L, 1);
  return 1;
}

/* is_ipv4_loopback(text) -> whether it is an address of 127.0.0.0/8 */
static int is_ipv4_loopback(lua_State *L)
{
  struct in_addr address;
  int is_address = inet_pton(AF_INET, luaL_checkstring(L, 1), &address) == 1;
  lua_pushboolean(L, is_address && ntohl(address.s_addr) >> 24 == 127);
  return 1;
}

int luaopen_fuzz_curl(lua_State *L);

int luaopen_fuzz_curl(lua_State *L)
{
  static const luaL_Reg functions[] = {
      {"is_ipv4_loopback", is_ipv4_loopback},
      {"url_parts", url_parts},
      {NULL, NULL},
  };
  luaL_newlib(L, functions);
  return 1;
}
