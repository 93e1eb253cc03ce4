/* queue.h: a first-in, first-out list of transfers, linked by their `next`.
 * What moves a transfer is told its state from then on. Who shares a queue with
 * a thread locks.
 * MIT, see LICENSE. */
#ifndef LEADPING_QUEUE_H
#define LEADPING_QUEUE_H

#include "transfer.h"

struct queue {
  struct transfer *first, **last;
  int count;
};

void queue_clear(struct queue *queue);

/* The transfer is in no queue. */
void queue_push(struct queue *queue, struct transfer *transfer,
                enum transfer_state state);
void queue_push_first(struct queue *queue, struct transfer *transfer,
                      enum transfer_state state);

/* The transfer is in this queue. */
void queue_take(struct queue *queue, struct transfer *transfer,
                enum transfer_state state);

/* The first one; NULL for none. */
struct transfer *queue_pop(struct queue *queue, enum transfer_state state);

#endif
