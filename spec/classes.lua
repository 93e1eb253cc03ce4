-- spec/classes.lua: the classes that the sources declare for editors, as text.
-- For the specs that hold them to the schema, to the README and to what calls give.
-- MIT, see LICENSE.

local support = require "spec.support"

local classes = {}

local SOURCES = {}
for i, name in ipairs { "types", "errors", "events" } do
  SOURCES[i] = support.read(("lua/leadping/%s.lua"):format(name))
end
local text = "\n" .. table.concat(SOURCES, "\n")

--- The lines behind one line, up to the next that is none of theirs.
function classes.block_behind(line, prefix)
  local at = assert(text:find("\n" .. line .. "\n", 1, true), line) + #line + 2
  local lines = {}
  for found in text:sub(at):gmatch("([^\n]*)\n") do
    if found:sub(1, #prefix) ~= prefix then break end
    lines[#lines + 1] = found:sub(#prefix + 1)
  end
  return lines
end

--- Its fields: name, and the rest of the line.
function classes.fields_of(class)
  local fields = {}
  for i, line in ipairs(classes.block_behind("---@class leadping." .. class, "---@field ")) do
    local name, rest = line:match("^(%S+) (.*)$")
    fields[i] = { name = name or line, rest = rest }
  end
  return fields
end

--- Their names alone.
function classes.names_of(class)
  local names = {}
  for i, field in ipairs(classes.fields_of(class)) do names[i] = field.name end
  return names
end

return classes
