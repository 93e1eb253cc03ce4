/* alloc-libcurl.c: two calls of libcurl, the first while memory fails, in a
 * child process. What goes wrong here is libcurl's own: there is neither csrc
 * nor Lua. Does not decide which allocation fails.
 * MIT, see LICENSE. */
#define _GNU_SOURCE

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <curl/curl.h>

#include "alloc.h"

int is_contained;

static size_t ignore(char *bytes, size_t size, size_t number, void *data)
{
  (void)bytes, (void)data;
  return size * number;
}

/* A request like csrc's: a smaller one would need fewer allocations. */
static const char *const header_lines[] = {
    "Accept: application/json", "Authorization: Bearer sk_emulator_alloc",
    "User-Agent: leadping-lua/0.1.0 libcurl/7.88.1"};

static struct curl_slist *make_headers(void)
{
  struct curl_slist *headers = NULL;
  size_t i;
  for (i = 0; i < sizeof header_lines / sizeof header_lines[0]; i++)
    headers = curl_slist_append(headers, header_lines[i]);
  return headers;
}

static int set_up(CURL *easy, struct curl_slist *headers)
{
  return headers &&
         !curl_easy_setopt(easy, CURLOPT_CAINFO, getenv("EMULATOR_CA")) &&
         !curl_easy_setopt(easy, CURLOPT_CAPATH, NULL) &&
         !curl_easy_setopt(easy, CURLOPT_PROXY, "") &&
         !curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) &&
         !curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L) &&
         !curl_easy_setopt(easy, CURLOPT_TIMEOUT, 20L) &&
         !curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers) &&
         !curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, "DELETE") &&
         !curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip") &&
         !curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, ignore);
}

/* Until the one transfer has ended. */
static CURLcode drive(CURLM *multi)
{
  CURLMsg *message;
  int running, left;
  do {
    if (curl_multi_perform(multi, &running)) return CURLE_OUT_OF_MEMORY;
    message = curl_multi_info_read(multi, &left);
    if (!message && curl_multi_poll(multi, NULL, 0, 200, NULL))
      return CURLE_OUT_OF_MEMORY;
  } while (!message);
  return message->data.result;
}

static int call(CURLM *multi, CURL *easy)
{
  CURLcode code;
  char url[200];
  long status = 0;
  (void)snprintf(url, sizeof url, "%s/phone-numbers/outgoing/conversation/%s",
                 getenv("EMULATOR_TLS"), "answer:alloc-first/override");
  if (curl_easy_setopt(easy, CURLOPT_URL, url)) return 0;
  if (curl_multi_add_handle(multi, easy)) return 0;
  code = drive(multi);
  curl_multi_remove_handle(multi, easy);
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  return !code && status == 200;
}

static int calls_work(CURLM *multi, CURL *easy, long first, long length)
{
  int works;
  fault_arm(IN_CURL, first, length);
  works = call(multi, easy);
  if (fault_disarm()) works = call(multi, easy);
  return works;
}

static int is_borne(long first, long length)
{
  long before[ALLOCATORS], after[ALLOCATORS];
  struct curl_slist *headers;
  CURLM *multi;
  CURL *easy;
  int works;
  copy_live(before);
  headers = make_headers();
  multi = curl_multi_init();
  easy = curl_easy_init();
  works = multi && easy && set_up(easy, headers) &&
          calls_work(multi, easy, first, length);
  curl_easy_cleanup(easy);
  curl_multi_cleanup(multi);
  curl_slist_free_all(headers);
  copy_live(after);
  return works && after[IN_CURL] == before[IN_CURL];
}

/* The child's notes are to be read also where it crashes. */
static int share_fault(void)
{
  static void *shared = NULL;
  if (!shared)
    shared = mmap(NULL, sizeof *fault, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return 0;
  fault = shared;
  return 1;
}

int libcurl_bears(long first, long length, int seconds)
{
  int status;
  pid_t child;
  if (!share_fault()) return 0;
  (void)fflush(stdout);
  child = fork();
  if (child < 0) return 0;
  if (child == 0) {
    is_contained = 1;
    if (!freopen("/dev/null", "w", stderr)) _exit(1);
    (void)alarm((unsigned)seconds);
    _exit(is_borne(first, length) ? 0 : 1);
  }
  return waitpid(child, &status, 0) == child && WIFEXITED(status) &&
         WEXITSTATUS(status) == 0;
}
