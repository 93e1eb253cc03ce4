/* utf8.h: one question about bytes: are they UTF-8 (RFC 3629)?
 * Strict: no overlong form, no surrogate, nothing above U+10FFFF.
 * Does not decode: nothing here needs code points.
 * MIT, see LICENSE. */
#ifndef LEADPING_UTF8_H
#define LEADPING_UTF8_H

#include <stddef.h>

/* Length in bytes (1 to 4) of the character at p, 0 where there is none. */
size_t utf8_length(const char *p, const char *end);

#endif
