/* alloc-fault.c: the allocators of Lua, libcurl and csrc, each of which counts
 * its blocks and refuses those that it is told to. OpenSSL's is left alone.
 * Does not decide which, nor look at what becomes of it.
 * MIT, see LICENSE. */
#define _GNU_SOURCE

#include <dlfcn.h>
#include <execinfo.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "alloc.h"

#define SPARED_MAX 64
#define SITE_FRAMES 4 /* callers that make a site */
#define FRAMES 16     /* looked at, ours inside of them too */

/* libcurl's resolver allocates in a thread of its own. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct fault own_fault;
static long live[ALLOCATORS];

struct fault *fault = &own_fault;
site spared[SPARED_MAX];
int spared_count;

/* ---- what is refused ---- */

void fault_arm(int allocator, long first, long length)
{
  pthread_mutex_lock(&lock);
  memset(fault, 0, sizeof *fault);
  fault->allocator = allocator;
  fault->first = first;
  fault->length = length;
  fault->armed = first > 0;
  pthread_mutex_unlock(&lock);
}

int fault_disarm(void)
{
  pthread_mutex_lock(&lock);
  fault->armed = 0;
  pthread_mutex_unlock(&lock);
  return fault->hit;
}

static int is_spared(site at)
{
  int i = 0;
  while (i < spared_count && spared[i] != at) i++;
  return i < spared_count;
}

void spare_site(site at)
{
  if (!is_spared(at) && spared_count < SPARED_MAX) spared[spared_count++] = at;
}

/* 0 for a frame of our own program. */
static site offset_of(void *frame)
{
  static Dl_info own;
  Dl_info info;
  if (!own.dli_fbase && !dladdr((void *)&own_fault, &own)) return 0;
  if (!dladdr(frame, &info) || info.dli_fbase == own.dli_fbase) return 0;
  return (site)((char *)frame - (char *)info.dli_fbase);
}

/* Made of the innermost callers outside our own program. A sanitizer's frame
 * may stand in front of our own ones. */
static site current_site(void)
{
  void *frames[FRAMES];
  int i = 0, used = 0, number = backtrace(frames, FRAMES);
  site at = 0;
  while (i < number && offset_of(frames[i])) i++;
  while (i < number && !offset_of(frames[i])) i++;
  for (; i < number && used < SITE_FRAMES && offset_of(frames[i]); i++, used++)
    at = at * 1000003 + offset_of(frames[i]);
  return at;
}

/* One that is due to be refused: 0 where it is spared. libcurl alone is spared
 * nothing: it finds the sites. */
static int refuse_due(int allocator)
{
  site at = allocator == IN_CURL ? current_site() : 0;
  int refused = is_contained || !at || !is_spared(at);
  if (!fault->hit) {
    fault->hit = 1;
    fault->at = at;
    fault->spared = !refused;
  }
  return refused;
}

static int refuse(int allocator)
{
  int refused = 0;
  pthread_mutex_lock(&lock);
  if (fault->armed && fault->allocator == allocator) {
    long behind = ++fault->seen - fault->first;
    if (behind >= 0 && behind < fault->length) refused = refuse_due(allocator);
  }
  pthread_mutex_unlock(&lock);
  return refused;
}

/* ---- what is held ---- */

void copy_live(long *copy)
{
  pthread_mutex_lock(&lock);
  memcpy(copy, live, sizeof live);
  pthread_mutex_unlock(&lock);
}

static void *count(int allocator, void *block, int change)
{
  if (!block) return NULL;
  pthread_mutex_lock(&lock);
  live[allocator] += change;
  pthread_mutex_unlock(&lock);
  return block;
}

/* The linker's --wrap gives csrc the second of each in place of the first. */
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t number, size_t size);
void *__wrap_calloc(size_t number, size_t size);
void *__real_realloc(void *block, size_t size);
void *__wrap_realloc(void *block, size_t size);
char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);
void __real_free(void *block);
void __wrap_free(void *block);

static void *get(int allocator, size_t size)
{
  if (refuse(allocator)) return NULL;
  return count(allocator, __real_malloc(size), 1);
}

static void *get_zeroed(int allocator, size_t number, size_t size)
{
  if (refuse(allocator)) return NULL;
  return count(allocator, __real_calloc(number, size), 1);
}

static void *resize(int allocator, void *block, size_t size)
{
  if (!block) return get(allocator, size);
  return refuse(allocator) ? NULL : __real_realloc(block, size ? size : 1);
}

static char *copy_text(int allocator, const char *text)
{
  if (refuse(allocator)) return NULL;
  return count(allocator, __real_strdup(text), 1);
}

static void put(int allocator, void *block)
{
  __real_free(count(allocator, block, -1));
}

/* ---- Lua's, csrc's and libcurl's ---- */

/* Lua relies on it that a block can always be made smaller. */
void *lua_memory(void *data, void *block, size_t old, size_t size)
{
  (void)data;
  if (size == 0) {
    put(IN_LUA, block);
    return NULL;
  }
  if (block && size <= old) return __real_realloc(block, size);
  return resize(IN_LUA, block, size);
}

void *__wrap_malloc(size_t size) { return get(IN_CSRC, size); }
void __wrap_free(void *block) { put(IN_CSRC, block); }
char *__wrap_strdup(const char *text) { return copy_text(IN_CSRC, text); }
void *__wrap_realloc(void *block, size_t size)
{
  return resize(IN_CSRC, block, size);
}
void *__wrap_calloc(size_t number, size_t size)
{
  return get_zeroed(IN_CSRC, number, size);
}

static void *curl_get(size_t size) { return get(IN_CURL, size); }
static void curl_put(void *block) { put(IN_CURL, block); }
static char *curl_copy(const char *text) { return copy_text(IN_CURL, text); }
static void *curl_resize(void *block, size_t size)
{
  return resize(IN_CURL, block, size);
}
static void *curl_get_zeroed(size_t number, size_t size)
{
  return get_zeroed(IN_CURL, number, size);
}

/* ---- functions of libcurl that csrc calls ---- */

int fail_start;

static int transfers; /* in multi handles; a session's thread counts too */

static void count_transfers(int change)
{
  pthread_mutex_lock(&lock);
  transfers += change;
  pthread_mutex_unlock(&lock);
}

int in_flight(void)
{
  int number;
  pthread_mutex_lock(&lock);
  number = transfers;
  pthread_mutex_unlock(&lock);
  return number;
}

CURLcode __real_curl_global_init(long flags);
CURLcode __wrap_curl_global_init(long flags);
CURLMcode __real_curl_multi_add_handle(CURLM *multi, CURL *easy);
CURLMcode __wrap_curl_multi_add_handle(CURLM *multi, CURL *easy);
CURLMcode __real_curl_multi_remove_handle(CURLM *multi, CURL *easy);
CURLMcode __wrap_curl_multi_remove_handle(CURLM *multi, CURL *easy);

/* backtrace allocates when it is called first. */
int start_curl(void)
{
  (void)current_site();
  return !curl_global_init_mem(CURL_GLOBAL_ALL, curl_get, curl_put, curl_resize,
                               curl_copy, curl_get_zeroed);
}

CURLcode __wrap_curl_global_init(long flags)
{
  if (!fail_start) return __real_curl_global_init(flags);
  fail_start = 0;
  return CURLE_OUT_OF_MEMORY;
}

CURLMcode __wrap_curl_multi_add_handle(CURLM *multi, CURL *easy)
{
  CURLMcode code = __real_curl_multi_add_handle(multi, easy);
  if (!code) count_transfers(1);
  return code;
}

CURLMcode __wrap_curl_multi_remove_handle(CURLM *multi, CURL *easy)
{
  CURLMcode code = __real_curl_multi_remove_handle(multi, easy);
  if (!code) count_transfers(-1);
  return code;
}
