/* descriptor.h: how our descriptors are made, whatever they stand for.
 * MIT, see LICENSE. */
#ifndef LEADPING_DESCRIPTOR_H
#define LEADPING_DESCRIPTOR_H

/* As socket and accept, but where the system can (macOS cannot), a program that
 * another thread starts before descriptor_prepare does not get it either. */
int descriptor_socket(int family, int type, int protocol);
int descriptor_accept(int listener);

/* Programs that the process starts do not get it, and nothing blocks on it; 0
 * where that cannot be had (errno). */
int descriptor_prepare(int fd);

#endif
