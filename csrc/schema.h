/* schema.h: the shape of an OutgoingNumberSelection, as data.
 * The tables in schema.c are the only place where fields and enum texts are
 * written; the decoder, leadping.schema, encode and the specs read them.
 * MIT, see LICENSE. */
#ifndef LEADPING_SCHEMA_H
#define LEADPING_SCHEMA_H

#include <stddef.h>

enum field_type { FIELD_BOOLEAN, FIELD_STRING, FIELD_ARRAY };

extern const char *const field_type_names[]; /* JSON's names, by field_type */

struct enumeration {
  const char *name;
  const char *const *texts; /* ends with NULL */
};

struct field {
  const char *name;
  size_t length; /* of name */
  enum field_type type;
  int nullable;                    /* as the API documents it */
  const struct enumeration *texts; /* of a string; NULL: any text */
  const struct object *items;      /* of an array */
};

struct object {
  const char *name;
  const struct field *fields; /* in the API's order */
  unsigned count;
};

extern const struct object selection_object, eligible_number_object;

#endif
