-- leadping.text: makes text from elsewhere fit to be shown.
-- What a server or a caller sent may hold terminal escapes, broken UTF-8 or
-- the key; nothing of that reaches an error message, a card or a log line.
-- MIT, see LICENSE.

local core = require "leadping.core"

local unpack = table.unpack or unpack -- luacheck: ignore 113 143

local text = {}

local function hex(byte)
  return ("\\x%02X"):format(byte:byte())
end

local function hex_all(bytes)
  return (bytes:gsub(".", hex))
end

-- As bytes of UTF-8: C1 controls (U+0080 to U+009F), which terminals obey; line
-- and paragraph separators and the marks that turn the direction of writing
-- (U+200E, U+200F, U+2028 to U+202E, U+2066 to U+2069).
local MISLEADING = {
  "\194[\128-\159]", "\226\128[\142\143\168-\174]", "\226\129[\166-\169]",
}

--- Writes what could mislead a terminal's reader as \xNN: control bytes, the
-- characters above, and all bytes over 7F where it is not UTF-8.
function text.escape(value)
  local shown = value:gsub("[%z\1-\31\127]", hex)
  if not core.is_utf8(value) then return (shown:gsub("[\128-\255]", hex)) end
  for _, bytes in ipairs(MISLEADING) do shown = shown:gsub(bytes, hex_all) end
  return shown
end

--- The beginning of UTF-8 text, without the character that its end cuts in two.
local function without_cut_character(value)
  while not core.is_utf8(value) do value = value:sub(1, -2) end
  return value
end

--- The escaped beginning of a text, at most `limit` bytes of it.
function text.sample(value, limit)
  if #value <= limit then return text.escape(value) end
  local beginning = value:sub(1, limit)
  if core.is_utf8(value) then beginning = without_cut_character(beginning) end
  return text.escape(beginning) .. ("… (%d bytes)"):format(#value)
end

--- The longest first: another one may be its beginning.
local function each(secrets)
  local sorted = { secrets or nil }
  if type(secrets) == "table" then sorted = { unpack(secrets) } end
  table.sort(sorted, function(a, b) return #a > #b end)
  return ipairs(sorted)
end

--- Replaces every occurrence of a secret.
---@param secrets string|string[]|nil|false
function text.redact(value, secrets)
  for _, secret in each(secrets) do
    if value:find(secret, 1, true) then
      value = value:gsub(secret:gsub("%p", "%%%0"), "[key]")
    end
  end
  return value
end

--- A number to the thousandth, for a line of a log.
function text.number(value)
  return (("%.3f"):format(value):gsub("%.?0+$", ""))
end

--- What an answer says of canSend, which the API may leave out one day.
---@param can_send boolean?
function text.can_send(can_send)
  if can_send == nil then return "canSend is missing" end
  return can_send and "can send" or "cannot send"
end

--- What a JSON escape stands for (RFC 8259, section 7); a letter of a secret is
-- none of those that are not handled here.
local function unescape(letter, digits)
  if letter ~= "u" or #digits < 4 then return letter .. digits end
  local code = tonumber(digits, 16)
  return code < 128 and string.char(code) or nil
end

--- Whether a text repeats a secret in JSON's escapes, be it JSON or not.
function text.hides(value, secrets)
  if not value:find("\\", 1, true) then return false end
  local plain = value:gsub("\\(.)(%x?%x?%x?%x?)", unescape)
  return text.redact(plain, secrets) ~= plain
end

--- Replaces it in every string of a decoded JSON value, names included.
function text.redact_all(value, secrets)
  if type(value) == "string" then return text.redact(value, secrets) end
  if type(value) ~= "table" or not secrets then return value end
  local redacted = {}
  for name, item in pairs(value) do
    redacted[text.redact_all(name, secrets)] = text.redact_all(item, secrets)
  end
  return setmetatable(redacted, getmetatable(value))
end

return text
