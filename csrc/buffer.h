/* buffer.h: bytes that arrive in pieces, up to a limit.
 * Memory is malloc's and the buffer's own until buffer_free.
 * MIT, see LICENSE. */
#ifndef LEADPING_BUFFER_H
#define LEADPING_BUFFER_H

#include <stddef.h>

struct buffer {
  char *bytes; /* NULL while empty and unused */
  size_t length, capacity;
};

enum append_result { APPENDED, OVER_LIMIT, NO_MEMORY };

/* Appends all of the bytes or none. Never allocates more than limit. */
enum append_result buffer_append(struct buffer *buffer, const char *bytes,
                                 size_t length, size_t limit);

/* Empties the buffer; keeps its memory unless that is large. */
void buffer_clear(struct buffer *buffer);

void buffer_free(struct buffer *buffer);

#endif
