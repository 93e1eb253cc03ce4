/* many.c: the calls of many.lua, as a plain C program would make them.
 * A multi handle with some easy handles, each reused as soon as it is free.
 * Does not decode, keep headers or retry: that is what the client is for.
 * MIT, see LICENSE. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "easy.h"

#define SLOTS_MAX 100

struct run {
  CURLM *multi;
  const char *base_url;
  long started, done, count;
};

static void check_multi(CURLMcode code)
{
  if (code != CURLM_OK) die(curl_multi_strerror(code));
}

static void start(struct run *run, struct call *call)
{
  if (run->started == run->count) return;
  call_prepare(call, run->base_url, ++run->started);
  check_multi(curl_multi_add_handle(run->multi, call->easy));
}

static void finish(struct run *run, CURLMsg *message)
{
  char *data = NULL;
  struct call *call;
  check(message->data.result);
  check(curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &data));
  call = (struct call *)(void *)data;
  call_check(call);
  check_multi(curl_multi_remove_handle(run->multi, call->easy));
  run->done++;
  start(run, call);
}

/* Prints "loop SECONDS". */
static void run_all(struct run *run)
{
  double start = now();
  CURLMsg *message;
  int left;
  while (run->done < run->count) {
    check_multi(curl_multi_perform(run->multi, &left));
    while ((message = curl_multi_info_read(run->multi, &left)) != NULL)
      finish(run, message);
    check_multi(curl_multi_poll(run->multi, NULL, 0, 200, NULL));
  }
  printf("loop %.6f\n", now() - start);
}

/* Connections are opened and shared as the client has them. */
static CURLM *open_multi(void)
{
  CURLM *multi = curl_multi_init();
  if (!multi) die("no memory");
  check_multi(curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS, 100L));
  return multi;
}

int main(int count, char **arguments)
{
  static struct call calls[SLOTS_MAX];
  struct run run = {NULL, NULL, 0, 0, 0};
  struct curl_slist *headers;
  int slots, i;
  if (count < 4) die("usage: many URL COUNT SLOTS [CA_FILE]");
  slots = atoi(arguments[3]);
  if (slots < 1 || slots > SLOTS_MAX) die("SLOTS: 1 to 100 expected");
  check(curl_global_init(CURL_GLOBAL_ALL));
  run.multi = open_multi();
  run.base_url = arguments[1];
  run.count = strtol(arguments[2], NULL, 10);
  headers = make_headers();
  for (i = 0; i < slots; i++) {
    long is_tls = strncmp(run.base_url, "https:", 6) == 0;
    call_open(&calls[i], headers, count > 4 ? arguments[4] : NULL);
    check(curl_easy_setopt(calls[i].easy, CURLOPT_PIPEWAIT, is_tls));
    start(&run, &calls[i]);
  }
  run_all(&run);
  for (i = 0; i < slots; i++) call_close(&calls[i]);
  curl_multi_cleanup(run.multi);
  curl_slist_free_all(headers);
  return 0;
}
