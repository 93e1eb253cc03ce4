/* easy.c: one libcurl easy handle, set up as the client sets up its own.
 * The answer is read into memory and not decoded, its headers not kept: that
 * is what the client is measured for.
 * MIT, see LICENSE. */
#define _POSIX_C_SOURCE 200809L

#include "easy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PATH "/phone-numbers/outgoing/conversation/bench-%ld/override"

int die(const char *message)
{
  fprintf(stderr, "bench: %s\n", message);
  exit(1);
}

void check(CURLcode code)
{
  if (code != CURLE_OK) die(curl_easy_strerror(code));
}

double now(void)
{
  struct timespec time = {0, 0};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *data)
{
  struct call *call = data;
  size_t length = size * count, needed = call->length + length;
  if (needed > call->capacity) {
    char *longer = realloc(call->body, needed * 2);
    if (!longer) return 0;
    call->body = longer;
    call->capacity = needed * 2;
  }
  memcpy(call->body + call->length, bytes, length);
  call->length = needed;
  return length;
}

static struct curl_slist *add(struct curl_slist *list, const char *header)
{
  list = curl_slist_append(list, header);
  if (!list) die("no memory");
  return list;
}

struct curl_slist *make_headers(void)
{
  const char *key = getenv("LEADPING_API_KEY");
  struct curl_slist *list = NULL;
  char line[512];
  snprintf(line, sizeof line, "Authorization: Bearer %s", key ? key : "");
  list = add(list, line);
  list = add(list, "Accept: application/json");
  snprintf(line, sizeof line, "User-Agent: leadping-c/0.1.0 libcurl/%s",
           curl_version_info(CURLVERSION_NOW)->version);
  return add(list, line);
}

static void set_number(CURL *easy, CURLoption option, long value)
{
  check(curl_easy_setopt(easy, option, value));
}

/* What the client asks of libcurl too, as far as it costs or saves time. */
static void set_options(CURL *easy, const char *ca_file)
{
  set_number(easy, CURLOPT_NOSIGNAL, 1);
  set_number(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS);
  set_number(easy, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
  set_number(easy, CURLOPT_SSL_VERIFYPEER, 1);
  set_number(easy, CURLOPT_SSL_VERIFYHOST, 2);
  set_number(easy, CURLOPT_TCP_KEEPALIVE, 1);
  set_number(easy, CURLOPT_TIMEOUT_MS, 30000);
  set_number(easy, CURLOPT_CONNECTTIMEOUT_MS, 10000);
  check(curl_easy_setopt(easy, CURLOPT_PROXY, ""));
  check(curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip"));
  check(curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, "DELETE"));
  if (ca_file) check(curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file));
}

void call_open(struct call *call, const struct curl_slist *headers,
               const char *ca_file)
{
  memset(call, 0, sizeof *call);
  call->easy = curl_easy_init();
  if (!call->easy) die("no memory");
  set_options(call->easy, ca_file);
  check(curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, headers));
  check(curl_easy_setopt(call->easy, CURLOPT_WRITEFUNCTION, on_body));
  check(curl_easy_setopt(call->easy, CURLOPT_WRITEDATA, call));
  check(curl_easy_setopt(call->easy, CURLOPT_PRIVATE, call));
}

void call_prepare(struct call *call, const char *base_url, long n)
{
  char url[512];
  snprintf(url, sizeof url, "%s" PATH, base_url, n);
  call->length = 0;
  check(curl_easy_setopt(call->easy, CURLOPT_URL, url));
}

void call_check(const struct call *call)
{
  long status = 0;
  check(curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status));
  if (status != 200 || call->length == 0) die("not a 200 with a body");
}

void call_close(struct call *call)
{
  curl_easy_cleanup(call->easy);
  free(call->body);
}
