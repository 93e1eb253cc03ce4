/* lesser_curl.c: from LD_PRELOAD, makes a lesser libcurl of the one there is.
 * LEAN: it was built without HTTP/2, directories of authorities and proxies.
 * ADD_FAILS: which curl_multi_add_handle has no memory. POLL_FAILS: no
 * curl_multi_poll has any. Linked with libcurl, which it stands in front of.
 * MIT, see LICENSE. */
#define _GNU_SOURCE

#include <dlfcn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>
#undef curl_easy_setopt

static void find_next(const char *name, void *next)
{
  void *symbol = dlsym(RTLD_NEXT, name);
  memcpy(next, &symbol, sizeof symbol);
}

/* As in libcurl's lib/setopt.c and in its TLS libraries without CAPATH. */
static CURLcode refusal(CURLoption option)
{
  switch (option) {
  case CURLOPT_HTTP_VERSION: return CURLE_UNSUPPORTED_PROTOCOL;
  case CURLOPT_CAPATH: return CURLE_NOT_BUILT_IN;
  case CURLOPT_PROXY_CAINFO:
  case CURLOPT_PROXY_CAPATH:
  case CURLOPT_PROXY_SSLVERSION: return CURLE_UNKNOWN_OPTION;
  default: return CURLE_OK;
  }
}

/* A long is as wide as a pointer where this is used. */
CURLcode curl_easy_setopt(CURL *easy, CURLoption option, ...)
{
  CURLcode (*next)(CURL *, CURLoption, ...);
  CURLcode code = CURLE_OK;
  va_list values;
  void *value;
  va_start(values, option);
  value = va_arg(values, void *);
  va_end(values);
  find_next("curl_easy_setopt", &next);
  if (getenv("LEAN")) code = refusal(option);
  return code ? code : next(easy, option, value);
}

CURLMcode curl_multi_add_handle(CURLM *multi, CURL *easy)
{
  static int calls;
  const char *fails = getenv("ADD_FAILS");
  CURLMcode (*next)(CURLM *, CURL *);
  find_next("curl_multi_add_handle", &next);
  if (fails && ++calls == atoi(fails)) return CURLM_OUT_OF_MEMORY;
  return next(multi, easy);
}

CURLMcode curl_multi_poll(CURLM *multi, struct curl_waitfd *more,
                          unsigned int count, int ms, int *ready)
{
  CURLMcode (*next)(CURLM *, struct curl_waitfd *, unsigned int, int, int *);
  find_next("curl_multi_poll", &next);
  if (getenv("POLL_FAILS")) return CURLM_OUT_OF_MEMORY;
  return next(multi, more, count, ms, ready);
}
