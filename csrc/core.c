/* core.c: opens leadping.core, the C half of the module.
 * Collects what the other files define; knows nothing of its own but the
 * clock and the versions.
 * MIT, see LICENSE. */
#define _POSIX_C_SOURCE 200809L
#define _DEFAULT_SOURCE /* getentropy */
#define _DARWIN_C_SOURCE

#include "core.h"

#include <stdint.h>
#include <time.h>
#include <unistd.h>
#ifdef __APPLE__
#include <sys/random.h> /* getentropy */
#endif

#include <curl/curl.h>

#include "common.h"
#include "compat.h"

/* clock() -> seconds on a clock that never goes back; its zero means nothing */
static int core_clock(lua_State *L)
{
  struct timespec now = {0, 0};
  clock_gettime(CLOCK_MONOTONIC, &now);
  lua_pushnumber(L, (lua_Number)now.tv_sec + (lua_Number)now.tv_nsec / 1e9);
  return 1;
}

/* random() -> a number in [0, 1). For delays: processes that start alike are
 * not to wait alike, as with math.random of a Lua that seeds it with a constant
 * (5.1 to 5.3, LuaJIT). Where the system gives nothing, the clock's digits will
 * do. */
static int core_random(lua_State *L)
{
  struct timespec now = {0, 0};
  uint32_t bits;
  clock_gettime(CLOCK_MONOTONIC, &now);
  bits = (uint32_t)now.tv_nsec * 2654435761u; /* 2^32 divided golden */
  (void)!getentropy(&bits, sizeof bits);
  lua_pushnumber(L, (lua_Number)bits / 4294967296.0);
  return 1;
}

static const struct {
  const char *name;
  int bit;
} features[] = {{"AsynchDNS", CURL_VERSION_ASYNCHDNS},
                {"HTTP2", CURL_VERSION_HTTP2},
                {"SSL", CURL_VERSION_SSL},
                {"libz", CURL_VERSION_LIBZ}};

/* curl_features() -> { ssl_version = its TLS library's name and version, and
 * AsynchDNS, HTTP2, SSL, libz: whether this libcurl has it } */
static int core_curl_features(lua_State *L)
{
  const curl_version_info_data *curl = curl_version_info(CURLVERSION_NOW);
  size_t i;
  lua_newtable(L);
  lua_pushstring(L, curl->ssl_version); /* NULL becomes nil */
  lua_setfield(L, -2, "ssl_version");
  for (i = 0; i < COUNT(features); i++) {
    lua_pushboolean(L, (curl->features & features[i].bit) != 0);
    lua_setfield(L, -2, features[i].name);
  }
  return 1;
}

/* can_yield() -> whether the caller can; nginx's coroutine library lacks it. */
static int core_can_yield(lua_State *L)
{
  lua_pushboolean(L, can_yield(L));
  return 1;
}

static const luaL_Reg functions[] = {
    {"base_url", core_base_url},
    {"ca_path", core_ca_path},
    {"can_yield", core_can_yield},
    {"clock", core_clock},
    {"curl_features", core_curl_features},
    {"head", core_head},
    {"header_list", core_header_list},
    {"is_utf8", core_is_utf8},
    {"random", core_random},
    {"schema", core_schema},
    {"segment", core_segment},
    {"session", core_session},
    {NULL, NULL},
};

/* What a program on a command line needs of POSIX, and Lua does not have. */
static const luaL_Reg system_functions[] = {
    {"catch", system_catch},     {"columns", system_columns},
    {"echo", system_echo},       {"ignore_sigpipe", system_ignore_sigpipe},
    {"isatty", system_isatty},   {"open", system_open},
    {"release", system_release}, {NULL, NULL},
};

int luaopen_leadping_core(lua_State *L);

#if defined(__GNUC__)
__attribute__((visibility("default")))
#endif
int luaopen_leadping_core(lua_State *L)
{
  header_list_register(L);
  log_register(L);
  session_register(L);
  signals_register(L);
  lua_newtable(L);
  set_functions(L, functions);
  push_decode(L);
  lua_setfield(L, -2, "decode");
  lua_newtable(L);
  set_functions(L, system_functions);
  lua_setfield(L, -2, "system");
  lua_pushliteral(L, LEADPING_VERSION);
  lua_setfield(L, -2, "version");
  lua_pushstring(L, curl_version_info(CURLVERSION_NOW)->version);
  lua_setfield(L, -2, "curl_version");
  return 1;
}
