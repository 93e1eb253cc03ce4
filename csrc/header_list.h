/* header_list.h: a request's header lines, as libcurl takes them.
 * Made once for many requests: each transfer that sends them and the Lua value
 * hold the list together. Lua's thread alone holds and releases.
 * MIT, see LICENSE. */
#ifndef LEADPING_HEADER_LIST_H
#define LEADPING_HEADER_LIST_H

#include <curl/curl.h>

#include "compat.h"

struct header_list {
  struct curl_slist *lines;
  unsigned holders;
};

/* The list at that (positive) stack index, or of the table name -> value that
 * stands there, in whose place its list is put. Good as long as it is on the
 * stack or held. Raises for anything else. */
struct header_list *check_header_list(lua_State *L, int index);

void header_list_hold(struct header_list *list);

/* Frees the list where nobody holds it any more; it may be NULL. */
void header_list_release(struct header_list *list);

#endif
