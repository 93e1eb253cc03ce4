/* queue.c: a first-in, first-out list of transfers, linked by their `next`.
 * MIT, see LICENSE. */
#include "queue.h"

#include <stddef.h>

void queue_clear(struct queue *queue)
{
  queue->first = NULL;
  queue->last = &queue->first;
  queue->count = 0;
}

void queue_push(struct queue *queue, struct transfer *t,
                enum transfer_state state)
{
  t->state = state;
  t->next = NULL;
  *queue->last = t;
  queue->last = &t->next;
  queue->count++;
}

void queue_push_first(struct queue *queue, struct transfer *t,
                      enum transfer_state state)
{
  t->state = state;
  t->next = queue->first;
  if (!t->next) queue->last = &t->next;
  queue->first = t;
  queue->count++;
}

void queue_take(struct queue *queue, struct transfer *t,
                enum transfer_state state)
{
  struct transfer **link = &queue->first;
  while (*link != t) link = &(*link)->next;
  *link = t->next;
  if (!*link) queue->last = link;
  t->state = state;
  queue->count--;
}

struct transfer *queue_pop(struct queue *queue, enum transfer_state state)
{
  struct transfer *t = queue->first;
  if (t) queue_take(queue, t, state);
  return t;
}
