/* buffer.c: bytes that arrive in pieces, up to a limit.
 * Does not know what the bytes are.
 * MIT, see LICENSE. */
#include "buffer.h"

#include <stdlib.h>
#include <string.h>

#define CAPACITY_MIN 1024
#define CAPACITY_KEPT 65536 /* what an idle buffer may hold on to */

/* length <= limit */
static size_t grown_capacity(size_t capacity, size_t length, size_t limit)
{
  if (capacity < CAPACITY_MIN) capacity = CAPACITY_MIN;
  while (capacity < length && capacity <= limit / 2) capacity *= 2;
  if (capacity < length || capacity > limit) capacity = limit;
  return capacity;
}

static int reserve(struct buffer *buffer, size_t length, size_t limit)
{
  size_t capacity = grown_capacity(buffer->capacity, length, limit);
  char *bytes;
  if (length <= buffer->capacity) return 1;
  bytes = realloc(buffer->bytes, capacity);
  if (!bytes) return 0;
  buffer->bytes = bytes;
  buffer->capacity = capacity;
  return 1;
}

enum append_result buffer_append(struct buffer *buffer, const char *bytes,
                                 size_t length, size_t limit)
{
  if (length > limit || buffer->length > limit - length) return OVER_LIMIT;
  if (length == 0) return APPENDED;
  if (!reserve(buffer, buffer->length + length, limit)) return NO_MEMORY;
  memcpy(buffer->bytes + buffer->length, bytes, length);
  buffer->length += length;
  return APPENDED;
}

void buffer_clear(struct buffer *buffer)
{
  if (buffer->capacity > CAPACITY_KEPT) buffer_free(buffer);
  buffer->length = 0;
}

void buffer_free(struct buffer *buffer)
{
  free(buffer->bytes);
  buffer->bytes = NULL;
  buffer->length = buffer->capacity = 0;
}
