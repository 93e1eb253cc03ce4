-- leadping.codec: JSON text to selections and back.
-- decode is csrc/decode.c; encode follows the same schema, with lua-cjson for
-- strings. Neither knows HTTP.
-- MIT, see LICENSE.

local core = require "leadping.core"
local json = require "leadping.json"
local Selection = require "leadping.selection"
local text = require "leadping.text"

local codec = {}

local DEPTH_MAX = 100 -- of unknown values; the decoder's own limit

codec.schema = core.schema()

local known_texts = {}
for name, texts in pairs(codec.schema.enums) do
  known_texts[name] = {}
  for _, value in ipairs(texts) do known_texts[name][value] = true end
end

--- leadping.is_known.
function codec.is_known(enum, value)
  local texts = known_texts[enum]
  if not texts then
    error(("bad argument #1 to 'is_known' (%q is no enum: 'healthStatus' or "
      .. "'selectionReason' expected)"):format(tostring(enum)), 2)
  end
  return value ~= nil and texts[value] == true
end

--- Decodes a selection.
---@param body string
---@return leadping.Selection? selection
---@return string? message where and what is wrong
function codec.decode(body)
  local selection, message = core.decode(body, json.array_mt)
  if not selection then return nil, message end
  return setmetatable(selection, Selection)
end

-- encode ---------------------------------------------------------------------

-- What an encoder raises for a value that has no JSON form, to be told from
-- Lua's own errors.
local Refusal = {}

local function refuse(message)
  error(setmetatable({ message = message }, Refusal), 0)
end

local encode_value

local function encode_string(value)
  if not core.is_utf8(value) then refuse("not UTF-8") end
  return json.encode(value)
end

--- The fewest digits that give the same number back. 1e999 is JSON's way to
-- write what reads as infinity, which an unknown field may hold.
local function encode_number(value)
  if value ~= value then refuse("not a number (NaN) has no JSON form") end
  if value == math.huge then return "1e999" end
  if value == -math.huge then return "-1e999" end
  if math.type and math.type(value) == "integer" then return ("%d"):format(value) end
  if value % 1 == 0 and math.abs(value) < 2 ^ 53 then
    return ("%.0f"):format(value)
  end
  for digits = 15, 17 do
    local shown = ("%." .. digits .. "g"):format(value)
    -- A locale may have put its own decimal separator.
    if tonumber(shown) == value then return (shown:gsub(",", ".")) end
  end
end

local function is_array(value)
  return #value > 0 or getmetatable(value) == json.array_mt
end

--- Raises where a list holds names as well, which JSON has no form for.
local function check_list(value)
  local count = 0
  for _ in pairs(value) do count = count + 1 end
  if count ~= #value then refuse("a list with names or gaps in it has no JSON form") end
end

local function encode_array(value, depth)
  check_list(value)
  local items = {}
  for i = 1, #value do items[i] = encode_value(value[i], depth) end
  return "[" .. table.concat(items, ",") .. "]"
end

local function sorted_names(value)
  local names = {}
  for name in pairs(value) do
    if type(name) ~= "string" then
      refuse(("a key of type %s has no JSON form"):format(type(name)))
    end
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

local function encode_object(value, depth)
  local members = {}
  for i, name in ipairs(sorted_names(value)) do
    members[i] = encode_string(name) .. ":" .. encode_value(value[name], depth)
  end
  return "{" .. table.concat(members, ",") .. "}"
end

--- A value of an unknown field. Numbers are not left to lua-cjson, which
-- writes at most 14 or 16 digits and so would change an id of 17.
function encode_value(value, depth)
  local kind = type(value)
  if kind == "number" then return encode_number(value) end
  if kind == "string" then return encode_string(value) end
  if kind == "boolean" or value == json.null then return json.encode(value) end
  if kind ~= "table" then refuse(("a %s has no JSON form"):format(kind)) end
  if depth == DEPTH_MAX then refuse("nested deeper than 100 levels") end
  if is_array(value) then return encode_array(value, depth + 1) end
  return encode_object(value, depth + 1)
end

local encode_schema_object

local function encode_items(list, field, path)
  local items = {}
  for i = 1, #list do
    items[i] = encode_schema_object(list[i], field.items, ("%s[%d]."):format(path, i))
  end
  return "[" .. table.concat(items, ",") .. "]"
end

--- Calls an encoder; what it refuses gets the field's path in front.
local function at_path(path, encode, ...)
  local ok, encoded = pcall(encode, ...)
  if ok then return encoded end
  if getmetatable(encoded) ~= Refusal then error(encoded, 0) end
  refuse(("%s: %s"):format(path, encoded.message))
end

local function encode_field(value, field, path)
  if value == nil then return "null" end
  local expected = field.type == "array" and "table" or field.type
  if type(value) ~= expected then
    refuse(("%s: %s expected, got %s"):format(path, expected, type(value)))
  end
  if field.type == "boolean" then return tostring(value) end
  if field.type == "string" then return at_path(path, encode_string, value) end
  at_path(path, check_list, value)
  return encode_items(value, field, path)
end

--- Every documented field in the API's order, then the unknown ones by name.
function encode_schema_object(object, name, path)
  if type(object) ~= "table" then
    refuse(("%s: table expected, got %s"):format(path:sub(1, -2), type(object)))
  end
  local members, documented = {}, {}
  for i, field in ipairs(codec.schema[name]) do
    documented[field.name] = true
    members[i] = ('"%s":%s'):format(field.name,
      encode_field(rawget(object, field.name), field, path .. field.name))
  end
  for _, unknown in ipairs(sorted_names(object)) do
    if not documented[unknown] then
      local field_path = path .. text.escape(unknown)
      members[#members + 1] = ("%s:%s"):format(at_path(field_path, encode_string, unknown),
        at_path(field_path, encode_value, object[unknown], 0))
    end
  end
  return "{" .. table.concat(members, ",") .. "}"
end

--- leadping.encode.
---@param selection table
---@return string json_text
function codec.encode(selection)
  if type(selection) ~= "table" then
    error(("bad argument #1 to 'encode' (table expected, got %s)")
      :format(type(selection)), 2)
  end
  local ok, encoded = pcall(encode_schema_object, selection,
    "OutgoingNumberSelection", "")
  if ok then return encoded end
  if getmetatable(encoded) ~= Refusal then error(encoded, 0) end
  error(("bad argument #1 to 'encode' (%s)"):format(encoded.message), 2)
end

return codec
