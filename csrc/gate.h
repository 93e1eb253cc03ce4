/* gate.h: keeps our threads out of libcurl while the process exits, as exit()
 * has OpenSSL free its memory with threads still running, and while it forks,
 * as a child inherits the locks that threads hold.
 * Knows no thread and no session. One gate for the process.
 * MIT, see LICENSE. */
#ifndef LEADPING_GATE_H
#define LEADPING_GATE_H

/* Has exit() close the gate; 0 where that cannot be had. Once is enough. */
int gate_watch_exit(void);

/* What is between the two is over before exit() goes on; a fork waits for it
 * too, though not for long. A thread that comes meanwhile waits for the fork's
 * end; at a gate that exit() has closed it stays. */
void gate_enter(void);
void gate_leave(void);

int gate_is_closed(void);

/* For pthread_atfork. A child has none of the threads. */
void gate_before_fork(void);
void gate_after_fork(void);
void gate_in_child(void);

#endif
