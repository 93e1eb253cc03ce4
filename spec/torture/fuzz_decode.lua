-- fuzz_decode.lua: any bytes as an answer's body, with lua-cjson as the oracle.
-- What both take is one value; what the decoder alone refuses has its reason in
-- fuzz_refusals.lua; what it alone takes is a finding; encode is its inverse.
-- MIT, see LICENSE.

-- luacheck: std lua54

local cjson = require "cjson"
local codec = require "leadping.codec"
local native = require "fuzz_native"
local refusals = require "fuzz_refusals"

local fields = {} -- by object and name
for object, list in pairs(codec.schema) do
  fields[object] = {}
  for _, field in ipairs(list) do fields[object][field.name] = field end
end

local function finding(...)
  error(string.format(...), 0)
end

-- one value ------------------------------------------------------------------

--- The zero's sign counts. lua-cjson reads no integers, and so rounds some.
local function is_same_scalar(a, b)
  if math.type(a) == "integer" and math.type(b) == "float" then a = a + 0.0 end
  return a == b and (a ~= 0 or 1 / a == 1 / b)
end

--- Of unknown fields: all of both.
local function is_same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then return is_same_scalar(a, b) end
  for name, value in pairs(a) do
    if not is_same(value, b[name]) then return false end
  end
  for name in pairs(b) do
    if a[name] == nil then return false end
  end
  return true
end

local TYPES = { array = "table", string = "string", boolean = "boolean" }
local compare_list

--- What differs between an object of ours and lua-cjson's of the same text.
local function compare_object(ours, theirs, object)
  for name, expected in pairs(theirs) do
    local field, value = fields[object][name], rawget(ours, name)
    if not field then
      if not is_same(value, expected) then return name end
    elseif expected == cjson.null then
      if value ~= nil then return name end
    elseif type(value) ~= TYPES[field.type] then
      return name
    elseif field.items then
      local wrong = compare_list(value, expected, field.items)
      if wrong then return name .. wrong end
    elseif value ~= expected then
      return name
    end
  end
  for name in next, ours do
    if theirs[name] == nil then return name end
  end
end

function compare_list(ours, theirs, object)
  if #ours ~= #theirs then return " (its length)" end
  for i = 1, #ours do
    local wrong = compare_object(ours[i], theirs[i], object)
    if wrong then return ("[%d].%s"):format(i, wrong) end
  end
end

local function check_same(ours, theirs, where)
  local wrong = compare_object(ours, theirs, "OutgoingNumberSelection")
  if wrong then finding("%s: field %s is another than lua-cjson's", where, wrong) end
end

-- inverse --------------------------------------------------------------------

local function check_inverse(selection)
  local encoded = codec.encode(selection)
  local again, message = codec.decode(encoded)
  if not again then finding("what encode writes is refused: %s: %s", message, encoded) end
  if not is_same(selection, again) then finding("encode is no inverse: %s", encoded) end
  local ok, theirs = pcall(cjson.decode, encoded)
  if not ok then finding("lua-cjson refuses what encode writes: %s", theirs) end
  check_same(selection, theirs, "encoded")
end

--- The card is for a terminal: whatever the text holds, it shows no controls.
local function check_card(selection)
  if tostring(selection):gsub("\n", ""):find("%c") then finding "controls in the card" end
  -- By the metatable: an unknown field of that name hides the method.
  getmetatable(selection).selected(selection)
  getmetatable(selection).sendable(selection)
end

-- strictness -----------------------------------------------------------------

local WORDS = { ["true"] = true, ["false"] = true, null = true, ['""'] = true }

local function is_number(token)
  local whole, rest = token:match("^%-?(%d+)(.*)$")
  if not whole or whole:find("^0%d") then return false end
  return rest:gsub("^%.%d+", ""):gsub("^[eE][+-]?%d+", "") == ""
end

--- What makes a text that was taken no JSON, where lua-cjson is no oracle: it
-- takes these too. Needs no structure: strings go first, tokens are left.
local function laxness(text)
  if not utf8.len(text) then return "it is not UTF-8" end
  local lax
  local bare = text:gsub("\\.", ""):gsub('"([^"]*)"', function(string)
    if string:find("[\0-\31]") then lax = "a control byte is in a string" end
    return '""'
  end)
  if bare:find(",[ \t\r\n]*[%]}]") then lax = "a comma is behind the last one" end
  for token in bare:gmatch("[^%[%]{}:, \t\r\n]+") do
    if not WORDS[token] and not is_number(token) then lax = "it holds " .. token end
  end
  return lax
end

-- refusal --------------------------------------------------------------------

--- The row that explains a refusal, by its message and by the text.
local function reason_for(text, message)
  local at, rest = message:match("^byte (%d+)(.*)$")
  if not at then return nil end
  local before, behind = text:sub(1, at - 1), text:sub(at)
  for _, row in ipairs(refusals) do
    local captures = { rest:match(row.message) }
    if #captures > 0 and row.holds(before, behind, table.unpack(captures)) then
      return row.name
    end
  end
end

local function check_refused(text, message, is_taken)
  if type(message) ~= "string" or message:find("%c") then
    finding("refused with %q", message)
  end
  if not is_taken then return native.count "refused by both" end
  local reason = reason_for(text, message)
  if not reason then finding("lua-cjson takes it, the decoder says: %s", message) end
  native.count(reason)
end

--- The list holds no row that is not needed.
for _, row in ipairs(refusals) do
  local selection, message = codec.decode(row.example)
  if selection or not pcall(cjson.decode, row.example)
    or reason_for(row.example, message) ~= row.name then
    finding("the example of %q is not refused for that: %s", row.name, message)
  end
end

return function(text)
  local selection, message = native.covered(codec.decode, text)
  local is_taken, theirs = pcall(cjson.decode, text)
  if not selection then return check_refused(text, message, is_taken) end
  if not is_taken then finding("lua-cjson refuses it: %s", theirs) end
  local lax = laxness(text)
  if lax then finding("taken, but %s", lax) end
  check_same(selection, theirs, "decoded")
  check_inverse(selection)
  check_card(selection)
  native.count "taken by both"
end
