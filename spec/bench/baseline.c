/* baseline.c: the calls of calls.lua, as a plain C program would make them.
 * One easy handle, reused; the answer is read into memory. Does not decode it,
 * keep its headers or retry: that is what the client is measured for.
 * MIT, see LICENSE. */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <curl/curl.h>

#define PATH "/phone-numbers/outgoing/conversation/bench-%ld/override"

struct body {
  char *bytes;
  size_t length, capacity;
};

static int die(const char *message)
{
  fprintf(stderr, "baseline: %s\n", message);
  exit(1);
}

static void check(CURLcode code)
{
  if (code != CURLE_OK) die(curl_easy_strerror(code));
}

static double now(void)
{
  struct timespec time = {0, 0};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *data)
{
  struct body *body = data;
  size_t length = size * count, needed = body->length + length;
  if (needed > body->capacity) {
    char *longer = realloc(body->bytes, needed * 2);
    if (!longer) return 0;
    body->bytes = longer;
    body->capacity = needed * 2;
  }
  memcpy(body->bytes + body->length, bytes, length);
  body->length = needed;
  return length;
}

static struct curl_slist *add(struct curl_slist *list, const char *header)
{
  list = curl_slist_append(list, header);
  if (!list) die("no memory");
  return list;
}

static struct curl_slist *make_headers(void)
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
static void set_options(CURL *easy, struct body *body, const char *ca_file)
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
  check(curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body));
  check(curl_easy_setopt(easy, CURLOPT_WRITEDATA, body));
  if (ca_file) check(curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file));
}

static void call(CURL *easy, struct body *body, const char *base_url, long n)
{
  char url[512];
  long status = 0;
  snprintf(url, sizeof url, "%s" PATH, base_url, n);
  body->length = 0;
  check(curl_easy_setopt(easy, CURLOPT_URL, url));
  check(curl_easy_perform(easy));
  check(curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status));
  if (status != 200 || body->length == 0) die("not a 200 with a body");
}

/* Prints "loop SECONDS". */
static void run(CURL *easy, struct body *body, const char *base_url, long count)
{
  double start = now();
  long n;
  for (n = 1; n <= count; n++) call(easy, body, base_url, n);
  printf("loop %.6f\n", now() - start);
}

int main(int count, char **arguments)
{
  struct body body = {NULL, 0, 0};
  struct curl_slist *headers;
  CURL *easy;
  if (count == 2 && strcmp(arguments[1], "version") == 0)
    return puts(curl_version()) == EOF;
  if (count < 3) die("usage: baseline URL COUNT [CA_FILE] | baseline version");
  check(curl_global_init(CURL_GLOBAL_ALL));
  easy = curl_easy_init();
  if (!easy) die("no memory");
  headers = make_headers();
  set_options(easy, &body, count > 3 ? arguments[3] : NULL);
  check(curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers));
  run(easy, &body, arguments[1], strtol(arguments[2], NULL, 10));
  curl_easy_cleanup(easy);
  curl_slist_free_all(headers);
  free(body.bytes);
  return 0;
}
