-- filter.lua: rewrites the sources' LuaCATS comments as LDoc's tags.
-- Usage: filter.lua FILE >COPY, for `make docs`. Code goes through as it is, so
-- that line numbers stay. Knows only what the sources use.
-- MIT, see LICENSE.

--- "fun(id: string): integer, string?" and "table<string, string>" hold blanks;
-- LDoc wants one word.
local function take_type(text)
  local depth, at = 0, 1
  while at <= #text do
    local c = text:sub(at, at)
    if c:find("[%(<{%[]") then depth = depth + 1 end
    if c:find("[%)>}%]]") then depth = depth - 1 end
    local joins = text:sub(at - 1, at - 1):find("[:,|]")
    if c == " " and depth == 0 and not joins then break end
    at = at + 1
  end
  local type_name, rest = text:sub(1, at - 1), text:sub(at + 1)
  return type_name:gsub(" ", ""), rest
end

--- LDoc knows no types of its own, but breaks on marks that LuaCATS has in them.
local function simple(type_name)
  local optional = type_name:find("?$") and "?" or ""
  local plain = type_name:gsub("?$", ""):gsub("^%((.*)%)$", "%1")
    :gsub("fun%b():?.*", "function"):gsub("table%b<>", "table"):gsub('"[^"]*"', "string")
  local list = plain:match("^([%w_.]+)%[%]$")
  if list then plain = ("{%s,...}"):format(list) end
  return optional .. plain:gsub("string|string[|string]*", "string")
end

local tags = {}

function tags.param(text)
  local name, rest = text:match("^(%S+) (.*)$")
  local type_name, words = take_type(rest)
  return ("@tparam %s %s %s"):format(simple(type_name), name:gsub("?$", ""), words)
end

tags["return"] = function(text)
  local type_name, rest = take_type(text)
  return ("@treturn %s %s"):format(simple(type_name), rest)
end

function tags.field(text)
  local name, rest = text:match("^(%S+) (.*)$")
  local type_name, words = take_type(rest)
  return ("@tfield %s %s %s"):format(simple(type_name), name, words)
end

--- A class is a table with fields; one that has none is left to its methods.
function tags.class(text, following)
  local name, parents = text:match("^leadping%.(%w+)"), text:match("^%S+: (.*)$")
  if not parents and not following:find("^%-%-%-@field") then return nil end
  return "@table " .. name, parents and ("It has the fields of %s too."):format(parents)
end

--- The values of an alias are its fields.
function tags.alias(text)
  return "@table " .. text:match("^[%w_.]+"):gsub("^leadping%.", "")
end

local SENTENCES = { alias = "One of these texts.", class = "A table." }

--- A block that begins with a tag needs a sentence, or LDoc drops it.
local function with_sentence(converted, sentence, before)
  if before:find("^%-%-") then return "-- " .. converted end
  return ("--- %s\n-- %s"):format(sentence, converted)
end

--- LDoc takes one word for a name: blanks become "_", and the text stands behind.
local function field_of(value, words)
  local name = value:gsub(" ", "_")
  if name ~= value then words = ('"%s" %s'):format(value, words) end
  return ("-- @field %s %s"):format(name, words)
end

--- A function that is only given a name: LDoc takes it for a field.
local function as_function(line)
  return (line:gsub("^([%w_]+%.[%w_]+) = [%w_]+%.[%w_]+$", "function %1() end"))
end

local function convert(line, before, following)
  if before:find("^%-%-") and not line:find("^%-%-") then return as_function(line) end
  local value, words = line:match('^%-%-%-| "([^"]+)" ?#? ?(.*)$')
  if value then return field_of(value, words) end
  if line:find("^%-%-%-|") then return "--" end
  local tag, text = line:match("^%-%-%-@(%w+) ?(.*)$")
  if not tag then return line end
  if not tags[tag] then return "" end
  local converted, sentence = tags[tag](text, following)
  if not converted then return "" end
  if not SENTENCES[tag] then return "-- " .. converted end
  return with_sentence(converted, sentence or SENTENCES[tag], before)
end

--- A file's header, four lines: "-- leadping.client: the client, as …".
local function print_header(lines)
  local name, words = lines[1]:match("^%-%- ([%w_.]+): (.*)$")
  print("--- " .. words:sub(1, 1):upper() .. words:sub(2))
  for i = 2, #lines do print(lines[i]) end
  print("-- @module " .. name)
end

local lines = {}
for line in assert(io.open((...), "rb")):lines() do lines[#lines + 1] = line end
local first = 1
while lines[first] ~= "-- MIT, see LICENSE." do first = first + 1 end
local header = {}
for i = 1, first - 1 do header[i] = lines[i] end
print_header(header)
for i = first + 1, #lines do
  print(convert(lines[i], lines[i - 1], lines[i + 1] or ""))
end
