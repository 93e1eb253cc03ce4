/* transfer.h: one request and its answer on one libcurl easy handle.
 * Owned by a session, which moves it between its lists; used again and again,
 * since a new handle is dear. Knows neither the multi handle nor the API.
 * MIT, see LICENSE. */
#ifndef LEADPING_TRANSFER_H
#define LEADPING_TRANSFER_H

#include <curl/curl.h>

#include "buffer.h"
#include "compat.h"
#include "header_list.h"
#include "sockets.h"

/* What is the same for all transfers of a session. Strings are malloc's and
 * the session's own; NULL leaves libcurl's default. */
struct transfer_options {
  char *ca_file, *ca_path, *proxy;
};

enum limit { NO_LIMIT, HEAD_LIMIT, BODY_LIMIT };

enum transfer_state { SPARE, SUBMITTED, ACTIVE, CANCELLED, FINISHED, HELD };

struct transfer {
  enum transfer_state state;
  struct transfer *next;       /* in the list that its state names */
  struct transfer *next_owned; /* among all of the session's */
  lua_Integer id;
  CURL *easy;
  int added;                   /* to the multi handle */
  struct header_list *headers; /* of the request; held */
  struct buffer head, body;    /* of the answer */
  size_t head_received;        /* bytes, of interim answers too */
  size_t max_body;
  int head_complete;
  int sends;               /* how often the request began to be sent */
  struct sockets *sockets; /* the session's */
  struct use use;          /* of the one that the request went out on */
  enum limit over;         /* which limit the answer went over */
  CURLcode code;
  char error[CURL_ERROR_SIZE];
};

/* A new transfer, or NULL where there is no memory. Its connections, which may
 * outlive it, are listed in sockets. */
struct transfer *transfer_new(const struct transfer_options *options,
                              struct sockets *sockets);

/* The transfer is in no multi handle any more. */
void transfer_free(struct transfer *transfer);

/* A request, read from Lua. Its strings and its headers stay on Lua's stack,
 * and are good as long as they do. */
struct request {
  const char *url, *method;
  long timeout_ms, connect_timeout_ms;
  size_t max_body;
  struct header_list *headers;
};

/* Reads the request table at that (positive) stack index: { method, url,
 * headers = name -> value or their list, timeout, connect_timeout (seconds),
 * max_body (bytes) }. Leaves values on the stack. Raises for a wrong type. */
void transfer_check_request(struct request *request, lua_State *L, int index);

/* Forgets the answer: of one that becomes spare. */
void transfer_forget(struct transfer *transfer);

/* Prepares a spare one for a request; 0 where libcurl refuses. Allocates
 * nothing in Lua, so that no finalizer can run and use the transfer meanwhile.
 */
int transfer_prepare(struct transfer *transfer, const struct request *request);

/* Takes libcurl's code for it. What ended within the head of the answer is cut,
 * though libcurl (7.88) calls it a success: to it, some header lines are one.
 */
void transfer_end(struct transfer *transfer, CURLcode code);

/* The transfer is not in the multi handle any more, and has no result. */
void transfer_stop(struct transfer *transfer);

/* Pushes the result, a table: { status, head, body, sends }, or { kind,
 * message, retryable, code, verify, sends, head, status (if any came) }. The
 * head is text, for csrc/head.c. */
void transfer_push_result(struct transfer *transfer, lua_State *L);

#endif
