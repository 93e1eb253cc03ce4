-- spec/openresty_cjson.lua: a stand-in for the lua-cjson that OpenResty bundles,
-- which no Debian package has: the system's one with what differs put on top:
-- integers, array metatables, and the functions that set them. Written from
-- OpenResty's source (lua_cjson.c); its encoder of tables is not imitated.
-- `busted --helper=spec/openresty_cjson.lua` puts it in the place of "cjson".
-- MIT, see LICENSE.

local system = require "cjson"

local array_mt, empty_array_mt = {}, {}

local INTEGER_MAX = math.maxinteger or 2 ^ 63
local INTEGER_MIN = math.mininteger or -2 ^ 63

--- What strtoll and lua_pushinteger make of it: what is too long is cut to the
-- range, -0 is 0, and before Lua 5.3 it ends as a float.
local function integer(text)
  local value = tonumber(text)
  if value >= 2 ^ 63 then return INTEGER_MAX end
  if value <= -2 ^ 63 then return INTEGER_MIN end
  return value == 0 and 0 or value
end

-- A walk through a text that the system's lua-cjson takes, so nothing is checked.

local walk

local function space(text, at)
  return text:match("^[ \t\r\n]*()", at)
end

local function walk_list(text, at, close, with_array_mt)
  local list, count = {}, 0
  if close == "]" and with_array_mt then setmetatable(list, array_mt) end
  at = space(text, at + 1)
  while text:sub(at, at) ~= close do
    local name
    count = count + 1
    if close == "}" then
      name, at = walk(text, at)
      at = space(text, at) + 1 -- behind the colon
    end
    list[name or count], at = walk(text, space(text, at), with_array_mt)
    at = space(text, at)
    if text:sub(at, at) == "," then at = space(text, at + 1) end
  end
  return list, at + 1
end

local function string_end(text, at)
  local stop = at + 1
  while text:sub(stop, stop) ~= '"' do
    stop = stop + (text:sub(stop, stop) == "\\" and 2 or 1)
  end
  return stop
end

--- The value that stands there, and where the text goes on.
function walk(text, at, with_array_mt)
  local first = text:sub(at, at)
  if first == "[" then return walk_list(text, at, "]", with_array_mt) end
  if first == "{" then return walk_list(text, at, "}", with_array_mt) end
  local stop = first == '"' and string_end(text, at)
    or text:match("^[^%]},: \t\r\n]+()", at) - 1
  local scalar = text:sub(at, stop)
  if scalar:find("^%-?%d+$") then return integer(scalar), stop + 1 end
  return system.decode(scalar), stop + 1
end

local function new()
  local cjson, settings = system.new(), { decode_array_with_array_mt = false }
  local decode = cjson.decode
  cjson.new = new
  cjson.array_mt, cjson.empty_array_mt = array_mt, empty_array_mt
  function cjson.decode(text)
    decode(text) -- raises where it is not JSON
    return (walk(text, space(text, 1), settings.decode_array_with_array_mt))
  end
  for _, name in ipairs {
    "decode_array_with_array_mt", "encode_empty_table_as_object",
    "encode_escape_forward_slash", "encode_skip_unsupported_value_types",
  } do
    cjson[name] = function(value)
      if value ~= nil then settings[name] = value end
      return settings[name]
    end
  end
  return cjson
end

package.loaded.cjson = new()

return package.loaded.cjson
