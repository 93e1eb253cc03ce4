/* baseline.c: the calls of calls.lua, as a plain C program would make them.
 * One easy handle, reused. Does not decode, keep headers or retry: that is
 * what the client is measured for.
 * MIT, see LICENSE. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "easy.h"

/* Prints "loop SECONDS". */
static void run(struct call *call, const char *base_url, long count)
{
  double start = now();
  long n;
  for (n = 1; n <= count; n++) {
    call_prepare(call, base_url, n);
    check(curl_easy_perform(call->easy));
    call_check(call);
  }
  printf("loop %.6f\n", now() - start);
}

int main(int count, char **arguments)
{
  struct call call;
  struct curl_slist *headers;
  if (count == 2 && strcmp(arguments[1], "version") == 0)
    return puts(curl_version()) == EOF;
  if (count < 3) die("usage: baseline URL COUNT [CA_FILE] | baseline version");
  check(curl_global_init(CURL_GLOBAL_ALL));
  headers = make_headers();
  call_open(&call, headers, count > 3 ? arguments[3] : NULL);
  run(&call, arguments[1], strtol(arguments[2], NULL, 10));
  call_close(&call);
  curl_slist_free_all(headers);
  return 0;
}
