/* easy.h: one libcurl easy handle, set up as the client sets up its own.
 * What the C programs of the benchmark share; each drives the handles its own
 * way. Whatever fails ends the program.
 * MIT, see LICENSE. */
#ifndef LEADPING_BENCH_EASY_H
#define LEADPING_BENCH_EASY_H

#include <stddef.h>

#include <curl/curl.h>

struct call {
  CURL *easy;
  char *body; /* malloc's */
  size_t length, capacity;
};

/* Says on stderr what is wrong and ends the program. */
int die(const char *message);

void check(CURLcode code);

/* Seconds on a clock that never goes back. */
double now(void);

/* The request's headers, with the key of LEADPING_API_KEY. */
struct curl_slist *make_headers(void);

/* Makes the handle; ca_file may be NULL. */
void call_open(struct call *call, const struct curl_slist *headers,
               const char *ca_file);

/* Sets the URL of the nth conversation. */
void call_prepare(struct call *call, const char *base_url, long n);

/* Sees that there was an answer of status 200 with a body. */
void call_check(const struct call *call);

void call_close(struct call *call);

#endif
