/* transfer.c: one request and its answer on one libcurl easy handle.
 * libcurl's callbacks here run no Lua, so that no Lua error can cross libcurl.
 * Policy (what to send, what an answer means, retries) is Lua's.
 * MIT, see LICENSE. */
#include "transfer.h"

#include <stdlib.h>
#include <string.h>

#include "common.h"
#include "failures.h"

#define HEAD_MAX 65536 /* bytes of header lines, interim answers included */

/* ---- libcurl's callbacks: each returns less than it got to stop ---- */

static int keep(struct transfer *t, struct buffer *buffer, const char *bytes,
                size_t length, size_t most, enum limit limit)
{
  enum append_result result = buffer_append(buffer, bytes, length, most);
  if (result == OVER_LIMIT) t->over = limit;
  return result == APPENDED;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *data)
{
  struct transfer *t = data;
  size_t length = size * count;
  sockets_hear(t->sockets, &t->use);
  return keep(t, &t->body, bytes, length, t->max_body, BODY_LIMIT) ? length : 0;
}

/* The head counts as a whole, interim answers (1xx) and trailers included. */
static int count_head(struct transfer *t, size_t length)
{
  t->head_received += length;
  if (t->head_received > HEAD_MAX) t->over = HEAD_LIMIT;
  return t->over == NO_LIMIT;
}

/* A header may begin with "HTTP/" too, but not at the start of an answer. */
static int is_status_line(const struct transfer *t, const char *line,
                          size_t length)
{
  return (t->head_complete || t->head_received == length) && length >= 5 &&
         memcmp(line, "HTTP/", 5) == 0;
}

/* An interim answer is forgotten when the next one starts; a trailer section
 * comes behind head_complete and is not kept. */
static size_t on_header(char *line, size_t size, size_t count, void *data)
{
  struct transfer *t = data;
  size_t length = size * count;
  if (!count_head(t, length)) return 0;
  if (is_status_line(t, line, length)) {
    sockets_hear(t->sockets, &t->use);
    buffer_clear(&t->head);
    t->head_complete = 0;
    return length;
  }
  if (t->head_complete) return length;
  if (length <= 2) t->head_complete = 1;
  return keep(t, &t->head, line, length, HEAD_MAX, HEAD_LIMIT) ? length : 0;
}

/* Called each time the request is about to be sent, also when libcurl sends it
 * again by itself because a kept connection was dead. */
static int on_send(void *data, char *ip, char *local_ip, int port,
                   int local_port)
{
  struct transfer *t = data;
  (void)local_ip, (void)port;
  sockets_leave(t->sockets, &t->use, 0, 0);
  sockets_join(t->sockets, &t->use, local_port, ip);
  t->sends++;
  return CURL_PREREQFUNC_OK;
}

/* ---- setting up ---- */

static const struct {
  CURLoption option;
  long value;
} fixed_options[] = {
    {CURLOPT_NOSIGNAL, 1},
    {CURLOPT_FOLLOWLOCATION, 0},
    {CURLOPT_PATH_AS_IS, 1},
    {CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2},
    {CURLOPT_SSL_VERIFYPEER, 1},
    {CURLOPT_SSL_VERIFYHOST, 2},
    {CURLOPT_HTTP09_ALLOWED, 0},
    {CURLOPT_NETRC, CURL_NETRC_IGNORED},
    {CURLOPT_SUPPRESS_CONNECT_HEADERS, 1},
    {CURLOPT_TCP_KEEPALIVE, 1},
#if LIBCURL_VERSION_NUM >= 0x075700
    /* Ends a transfer without waiting for its resolver thread; such a thread
     * may outlive the last session, so the module is linked nodelete. */
    {CURLOPT_QUICK_EXIT, 1},
#endif
};

static CURLcode set_fixed_options(CURL *easy)
{
  CURLcode code = CURLE_OK;
  size_t i;
  for (i = 0; i < COUNT(fixed_options); i++)
    if (!code)
      code = curl_easy_setopt(easy, fixed_options[i].option,
                              fixed_options[i].value);
  return code;
}

static CURLcode set_protocols(CURL *easy)
{
#if LIBCURL_VERSION_NUM >= 0x075500
  return curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
  return curl_easy_setopt(easy, CURLOPT_PROTOCOLS,
                          (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}

static CURLcode set_callbacks(struct transfer *t)
{
  CURLcode code = curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, on_body);
  if (!code) code = curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
  if (!code)
    code = curl_easy_setopt(t->easy, CURLOPT_HEADERFUNCTION, on_header);
  if (!code) code = curl_easy_setopt(t->easy, CURLOPT_HEADERDATA, t);
  if (!code) code = curl_easy_setopt(t->easy, CURLOPT_PREREQFUNCTION, on_send);
  if (!code) code = curl_easy_setopt(t->easy, CURLOPT_PREREQDATA, t);
  if (!code) code = curl_easy_setopt(t->easy, CURLOPT_ERRORBUFFER, t->error);
  if (!code) code = curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t);
  return code;
}

/* What this libcurl, or its TLS library, was built without needs no setting. */
static CURLcode if_built_in(CURLcode code)
{
  return code == CURLE_NOT_BUILT_IN || code == CURLE_UNKNOWN_OPTION ? CURLE_OK
                                                                    : code;
}

/* A path, or none, in place of libcurl's own. */
static CURLcode set_path(CURL *easy, CURLoption option, const char *path)
{
  CURLcode code = curl_easy_setopt(easy, option, path);
  return path ? code : if_built_in(code);
}

/* A given file or directory stands alone: without this, libcurl's built-in
 * one would be trusted beside it. */
static CURLcode set_authorities(CURL *easy, const struct transfer_options *o,
                                CURLoption file, CURLoption directory)
{
  CURLcode code = CURLE_OK;
  if (o->ca_file || o->ca_path) {
    code = set_path(easy, file, o->ca_file);
    if (!code) code = set_path(easy, directory, o->ca_path);
  }
  return code;
}

/* A proxy may be the environment's too; to one over TLS all the same holds. */
static CURLcode set_proxy(CURL *easy, const struct transfer_options *o)
{
  CURLcode code = curl_easy_setopt(easy, CURLOPT_PROXY_SSLVERSION,
                                   (long)CURL_SSLVERSION_TLSv1_2);
  if (!code)
    code = set_authorities(easy, o, CURLOPT_PROXY_CAINFO, CURLOPT_PROXY_CAPATH);
  code = if_built_in(code);
  if (!code && o->proxy) code = curl_easy_setopt(easy, CURLOPT_PROXY, o->proxy);
  return code;
}

static CURLcode set_options(struct transfer *t,
                            const struct transfer_options *options)
{
  CURLcode code = set_fixed_options(t->easy);
  if (!code) code = set_protocols(t->easy);
  if (!code) code = set_callbacks(t);
  if (!code)
    code = set_authorities(t->easy, options, CURLOPT_CAINFO, CURLOPT_CAPATH);
  if (!code) code = set_proxy(t->easy, options);
  if (!code) code = curl_easy_setopt(t->easy, CURLOPT_ACCEPT_ENCODING, "gzip");
  return code;
}

struct transfer *transfer_new(const struct transfer_options *options,
                              struct sockets *sockets)
{
  struct transfer *t = calloc(1, sizeof *t);
  if (!t) return NULL;
  t->sockets = sockets;
  t->easy = curl_easy_init();
  if (t->easy && set_options(t, options) == CURLE_OK &&
      sockets_watch(sockets, t->easy) == CURLE_OK)
    return t;
  transfer_free(t);
  return NULL;
}

void transfer_free(struct transfer *t)
{
  curl_easy_cleanup(t->easy);
  header_list_release(t->headers);
  buffer_free(&t->head);
  buffer_free(&t->body);
  free(t);
}

/* ---- a request ---- */

/* Seconds to whole milliseconds, up, so that 0 (libcurl's "never") cannot
 * come of a short time. */
static long check_milliseconds(lua_State *L, int index)
{
  lua_Number ms = luaL_checknumber(L, index) * 1000;
  long whole = ms < 1 ? 1 : ms > 1e9 ? 1000000000L : (long)ms;
  if ((lua_Number)whole < ms && ms < 1e9) whole++;
  return whole;
}

/* Requests over TLS wait for a connection that is being made, so that they can
 * share it where it turns out to be HTTP/2. Over clear HTTP/1.1 they would
 * queue behind it in vain. */
static long is_tls(const char *url) { return strncmp(url, "https:", 6) == 0; }

void transfer_check_request(struct request *request, lua_State *L, int index)
{
  int base = lua_gettop(L);
  luaL_checktype(L, index, LUA_TTABLE);
  lua_getfield(L, index, "url");
  request->url = luaL_checkstring(L, base + 1);
  lua_getfield(L, index, "method");
  request->method = luaL_checkstring(L, base + 2);
  lua_getfield(L, index, "timeout");
  request->timeout_ms = check_milliseconds(L, base + 3);
  lua_getfield(L, index, "connect_timeout");
  request->connect_timeout_ms = check_milliseconds(L, base + 4);
  lua_getfield(L, index, "max_body");
  request->max_body = (size_t)luaL_checknumber(L, base + 5);
  lua_getfield(L, index, "headers");
  request->headers = check_header_list(L, base + 6);
}

void transfer_forget(struct transfer *t)
{
  buffer_clear(&t->head);
  buffer_clear(&t->body);
  t->head_received = 0;
  t->head_complete = 0;
  t->sends = 0;
  t->over = NO_LIMIT;
  t->code = CURLE_OK;
  t->error[0] = '\0';
}

static CURLcode set_headers(struct transfer *t, struct header_list *headers)
{
  if (t->headers == headers) return CURLE_OK;
  header_list_hold(headers);
  header_list_release(t->headers);
  t->headers = headers;
  return curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, headers->lines);
}

int transfer_prepare(struct transfer *t, const struct request *request)
{
  CURL *easy = t->easy;
  CURLcode code;
  t->max_body = request->max_body;
  code = set_headers(t, request->headers);
  if (!code) code = curl_easy_setopt(easy, CURLOPT_URL, request->url);
  if (!code)
    code = curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
  if (!code)
    code = curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, request->timeout_ms);
  if (!code)
    code = curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                            request->connect_timeout_ms);
  if (!code)
    code = curl_easy_setopt(easy, CURLOPT_PIPEWAIT, is_tls(request->url));
  return code == CURLE_OK;
}

/* ---- the result ---- */

struct failure {
  CURLcode code;
  const char *kind;
  int retryable;
};

static struct failure failure_of(const struct transfer *t)
{
#define FAILURE(code, kind, retryable) {code, kind, retryable},
  static const struct failure listed[] = {FAILURES(FAILURE)};
#undef FAILURE
  static const struct failure other = {CURLE_OK, "connection", 1};
  static const struct failure too_large = {CURLE_OK, "too_large", 0};
  size_t i;
  if (t->over != NO_LIMIT) return too_large;
  for (i = 0; i < COUNT(listed); i++)
    if (listed[i].code == t->code) return listed[i];
  return other;
}

static void push_message(const struct transfer *t, lua_State *L)
{
  if (t->over == HEAD_LIMIT)
    lua_pushfstring(L, "the answer's header section is over %d bytes",
                    HEAD_MAX);
  else if (t->over == BODY_LIMIT)
    lua_pushfstring(L, "the answer's body is over max_body (%d bytes)",
                    (int)t->max_body);
  else lua_pushstring(L, t->error[0] ? t->error : curl_easy_strerror(t->code));
}

static void set_integer(lua_State *L, const char *key, long value)
{
  lua_pushinteger(L, value);
  lua_setfield(L, -2, key);
}

/* Of the proxy's certificate, where it is that one which was refused. */
static long verify_result(CURL *easy)
{
  long of_server = 0, of_proxy = 0;
  curl_easy_getinfo(easy, CURLINFO_SSL_VERIFYRESULT, &of_server);
  curl_easy_getinfo(easy, CURLINFO_PROXY_SSL_VERIFYRESULT, &of_proxy);
  return of_proxy ? of_proxy : of_server;
}

/* Adds to the result at the top of the stack what is known of a failure. */
static void set_failure(struct transfer *t, lua_State *L)
{
  struct failure failure = failure_of(t);
  lua_pushstring(L, failure.kind);
  lua_setfield(L, -2, "kind");
  push_message(t, L);
  lua_setfield(L, -2, "message");
  lua_pushboolean(L, failure.retryable);
  lua_setfield(L, -2, "retryable");
  set_integer(L, "code", (long)t->code);
  set_integer(L, "verify", verify_result(t->easy));
}

static void set_bytes(lua_State *L, const char *key,
                      const struct buffer *buffer)
{
  lua_pushlstring(L, buffer->length ? buffer->bytes : "", buffer->length);
  lua_setfield(L, -2, key);
}

static void leave_socket(struct transfer *t)
{
  long version = 0;
  curl_easy_getinfo(t->easy, CURLINFO_HTTP_VERSION, &version);
  sockets_leave(t->sockets, &t->use, t->code == CURLE_OPERATION_TIMEDOUT,
                version >= CURL_HTTP_VERSION_2_0);
}

/* In words better than libcurl's. */
static void explain(struct transfer *t, const char *message)
{
  memcpy(t->error, message, strlen(message) + 1);
}

void transfer_stop(struct transfer *t)
{
  sockets_leave(t->sockets, &t->use, 0, 0);
}

void transfer_end(struct transfer *t, CURLcode code)
{
  t->code = code;
  leave_socket(t);
  if (code == CURLE_COULDNT_CONNECT && t->sockets->is_full)
    explain(t, "no socket: this process has too many open files");
  if (code != CURLE_OK || t->head_complete) return;
  t->code = CURLE_PARTIAL_FILE;
  explain(t, "the connection was closed within the answer's head");
}

void transfer_push_result(struct transfer *t, lua_State *L)
{
  long status = 0;
  if (t->head_received) /* libcurl's may be of the request before */
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
  lua_createtable(L, 0, 8); /* Lua adds a few more */
  set_integer(L, "sends", t->sends);
  if (status) set_integer(L, "status", status);
  set_bytes(L, "head", &t->head);
  if (t->code == CURLE_OK) set_bytes(L, "body", &t->body);
  else set_failure(t, L);
}
