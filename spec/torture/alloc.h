/* alloc.h: what the files of the allocation torture share.
 * alloc.c drives the runs; the others know nothing of scenarios.
 * MIT, see LICENSE. */
#ifndef TORTURE_ALLOC_H
#define TORTURE_ALLOC_H

#include <stddef.h>

/* ---- alloc-fault.c: three allocators, of which one fails when asked to ----
 */

enum allocator { IN_LUA, IN_CURL, IN_CSRC, ALLOCATORS };

/* Where libcurl asks for memory: made of where it and its callers stand. */
typedef unsigned long site;

struct fault {
  int armed, allocator;
  long first, length; /* which allocations to refuse; first counts from 1 */
  long seen;          /* since it was armed */
  int hit;            /* whether one was due to be refused */
  site at;            /* the first of these, where it is libcurl's */
  int spared;         /* whether that was given after all, being in spared[] */
};

/* May be moved to memory that a parent shares. */
extern struct fault *fault;

void fault_arm(int allocator, long first, long length);
int fault_disarm(void); /* returns hit */

/* Sites that are never refused. */
void spare_site(site at);
extern site spared[];
extern int spared_count;

/* Blocks that are held, in each allocator. */
void copy_live(long *live);

void *lua_memory(void *data, void *block, size_t old, size_t size);

int start_curl(void);
extern int fail_start; /* libcurl's next start, once */
int in_flight(void);   /* transfers in multi handles */

/* ---- alloc-libcurl.c: libcurl alone, without csrc and Lua ---- */

/* One call in a child while memory fails from `first` on, and then one that
 * has to work: whether it did, and nothing leaked or crashed. */
int libcurl_bears(long first, long length, int seconds);

/* Whether this is such a child, whose death is no surprise. */
extern int is_contained;

/* ---- alloc-cjson.c: lua-cjson's own memory ---- */

/* Finds lua-cjson, which a Lua state has loaded, and keeps it loaded. */
void watch_cjson(void);

/* How many blocks lua-cjson has taken, less those that it gave back; always 0
 * where a leak sanitizer looks after that. */
long cjson_blocks(void);

#endif
