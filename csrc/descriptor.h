/* descriptor.h: how our descriptors are made, whatever they stand for.
 * Opens and closes none.
 * MIT, see LICENSE. */
#ifndef LEADPING_DESCRIPTOR_H
#define LEADPING_DESCRIPTOR_H

/* Programs that the process starts do not get it, and nothing blocks on it; 0
 * where that cannot be had (errno). */
int descriptor_prepare(int fd);

#endif
