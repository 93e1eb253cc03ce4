/* schema.c: the fields and enums of the API's answer, in the API's order.
 * Decoder and encoder follow these tables. types.lua, the README and
 * schema_spec.lua repeat them: the specs fail until all agree.
 * Source: the reference page of "Clears conversation override"; enum texts
 * that later revisions added stand behind the documented ones.
 * MIT, see LICENSE. */
#include "schema.h"

#include "common.h"
#include "compat.h"
#include "core.h"

const char *const field_type_names[] = {"boolean", "string", "array"};

static const char *const health_texts[] = {
    "Not Started", "Warming", "Healthy",       "Needs Attention", "Paused",
    "Blocked",     "Ready",   "Not Evaluated", "Evaluating",      NULL};

static const char *const reason_texts[] = {
    "StickyConversation", "LeadAssigned",   "CampaignOrSource",
    "Preferred",          "LocalArea",      "HealthyPool",
    "FallbackDefault",    "ManualOverride", NULL};

static const struct enumeration health_status = {"healthStatus", health_texts};
static const struct enumeration selection_reason = {"selectionReason",
                                                    reason_texts};

enum { REQUIRED, NULLABLE };

#define FIELD(name, type, nullable, texts, items)                              \
  {                                                                            \
#name, sizeof #name - 1, FIELD_##type, nullable, texts, items              \
  }
#define BOOLEAN(name) FIELD(name, BOOLEAN, REQUIRED, NULL, NULL)
#define STRING(name, nullable) FIELD(name, STRING, nullable, NULL, NULL)
#define ENUM(name, nullable, texts) FIELD(name, STRING, nullable, texts, NULL)
#define ARRAY(name, items) FIELD(name, ARRAY, REQUIRED, NULL, items)

static const struct field eligible_number_fields[] = {
    STRING(phoneNumberId, REQUIRED),
    STRING(number, REQUIRED),
    STRING(displayNumber, REQUIRED),
    ENUM(healthStatus, NULLABLE, &health_status),
    STRING(healthLabel, NULLABLE),
    STRING(healthWarning, NULLABLE),
    BOOLEAN(canSend),
    ENUM(selectionReason, REQUIRED, &selection_reason),
    STRING(reasonLabel, REQUIRED),
    STRING(label, NULLABLE),
    STRING(campaignId, NULLABLE),
    STRING(sourceId, NULLABLE),
    STRING(teamId, NULLABLE),
    BOOLEAN(isSelected),
};

const struct object eligible_number_object = {
    "EligibleNumber", eligible_number_fields, COUNT(eligible_number_fields)};

static const struct field selection_fields[] = {
    BOOLEAN(canSend),
    STRING(setupMessage, NULLABLE),
    STRING(phoneNumberId, NULLABLE),
    STRING(number, NULLABLE),
    STRING(displayNumber, NULLABLE),
    ENUM(healthStatus, NULLABLE, &health_status),
    STRING(healthLabel, NULLABLE),
    STRING(healthWarning, NULLABLE),
    ENUM(selectionReason, NULLABLE, &selection_reason),
    STRING(reasonLabel, NULLABLE),
    BOOLEAN(wasManuallyOverridden),
    STRING(campaignId, NULLABLE),
    STRING(sourceId, NULLABLE),
    ARRAY(eligibleNumbers, &eligible_number_object),
};

const struct object selection_object = {
    "OutgoingNumberSelection", selection_fields, COUNT(selection_fields)};

static void set_string(lua_State *L, const char *key, const char *value)
{
  lua_pushstring(L, value);
  lua_setfield(L, -2, key);
}

static void push_field(lua_State *L, const struct field *field)
{
  lua_newtable(L);
  set_string(L, "name", field->name);
  set_string(L, "type", field_type_names[field->type]);
  lua_pushboolean(L, field->nullable);
  lua_setfield(L, -2, "nullable");
  if (field->texts) set_string(L, "enum", field->texts->name);
  if (field->items) set_string(L, "items", field->items->name);
}

/* Sets schema[object.name] on the table at the top of the stack. */
static void set_object(lua_State *L, const struct object *object)
{
  unsigned i;
  lua_newtable(L);
  for (i = 0; i < object->count; i++) {
    push_field(L, &object->fields[i]);
    lua_rawseti(L, -2, (int)i + 1);
  }
  lua_setfield(L, -2, object->name);
}

/* Sets enums[enumeration.name] on the table at the top of the stack. */
static void set_enumeration(lua_State *L, const struct enumeration *enumeration)
{
  int i;
  lua_newtable(L);
  for (i = 0; enumeration->texts[i]; i++) {
    lua_pushstring(L, enumeration->texts[i]);
    lua_rawseti(L, -2, i + 1);
  }
  lua_setfield(L, -2, enumeration->name);
}

/* schema() -> { OutgoingNumberSelection = {field…}, EligibleNumber = {field…},
 *              enums = { healthStatus = {text…}, selectionReason = {text…} } };
 * field: { name, type, nullable, enum, items }. A new table at each call. */
int core_schema(lua_State *L)
{
  lua_newtable(L);
  set_object(L, &selection_object);
  set_object(L, &eligible_number_object);
  lua_newtable(L);
  set_enumeration(L, &health_status);
  set_enumeration(L, &selection_reason);
  lua_setfield(L, -2, "enums");
  return 1;
}
