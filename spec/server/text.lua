-- text: percent-decoding and JSON strings, for the emulator's other modules.
-- It does not parse JSON and does not check UTF-8: what came in goes out.
-- MIT, see LICENSE.

local text = {}

local function byte(hex)
  return string.char(tonumber(hex, 16))
end

function text.decode(segment)
  return (segment:gsub("%%(%x%x)", byte))
end

local function escape(char)
  return ("\\u%04x"):format(char:byte())
end

function text.quote(value)
  return '"' .. value:gsub('[%c"\\]', escape) .. '"'
end

-- nil is JSON's null; a string is quoted, all else is written as it is.
function text.json(value)
  if value == nil then return "null" end
  if type(value) == "string" then return text.quote(value) end
  return tostring(value)
end

return text
