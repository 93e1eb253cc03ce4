/* measure.c: runs a command and prints what the whole process took.
 * The same instrument for each program, C or Lua, from fork to exit. Does not
 * look inside: what a loop took, the programs say themselves.
 * MIT, see LICENSE. */
#define _XOPEN_SOURCE 700

#include <stdio.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
  struct timespec time = {0, 0};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static double seconds(struct timeval time)
{
  return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static int run(char **command)
{
  int status = -1;
  pid_t child = fork();
  if (child == 0) {
    execvp(command[0], command);
    perror(command[0]);
    _exit(127);
  }
  if (child > 0) waitpid(child, &status, 0);
  return status;
}

/* Prints "process WALL CPU RESIDENT": seconds, seconds, the most KiB at once.
 * There was one child, so that the children's figures are its. */
int main(int count, char **arguments)
{
  struct rusage usage;
  double start = now(), wall;
  if (count < 2) {
    fputs("usage: measure COMMAND [ARGUMENT...]\n", stderr);
    return 2;
  }
  if (run(arguments + 1) != 0) return 1;
  wall = now() - start;
  if (getrusage(RUSAGE_CHILDREN, &usage) != 0) return 1;
  printf("process %.6f %.6f %ld\n", wall,
         seconds(usage.ru_utime) + seconds(usage.ru_stime), usage.ru_maxrss);
  return 0;
}
