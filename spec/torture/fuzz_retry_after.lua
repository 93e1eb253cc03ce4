-- fuzz_retry_after.lua: any text as a Retry-After, at any time, and dates that
-- are known to be dates. The input's first line is the time, the rest is the
-- header; its last bytes also name a moment, which is written in all forms.
-- Oracle: the C library's calendar.
-- MIT, see LICENSE.

-- luacheck: std lua54

local answer = require "leadping.answer"
local native = require "fuzz_native"
local retry = require "leadping.retry"

local NOW = 1800000000 -- where the input names no time
local YEAR = 365 * 86400
local SECONDS_MAX = 253402300799 -- the end of the year 9999

local FORMS = {
  imf = "!%a, %d %b %Y %H:%M:%S GMT",
  rfc850 = "!%A, %d-%b-%y %H:%M:%S GMT",
  asctime = "!%a %b %e %H:%M:%S %Y",
}

local function finding(...)
  error(string.format(...), 0)
end

local function split(input)
  local line, text = input:match("^([^\n]*)\n(.*)$")
  local now = line and tonumber(line)
  if not now or not (now >= 0 and now <= SECONDS_MAX) then now = NOW end
  return now, text or input
end

local function moment_of(input)
  local bytes = ("\0\0\0\0\0" .. input):sub(-5)
  return string.unpack("<I5", bytes) % (SECONDS_MAX + 1)
end

-- any text -------------------------------------------------------------------

local function check_seconds(seconds, text)
  if seconds == nil then return native.count "none" end
  if type(seconds) ~= "number" or not (seconds >= 0 and seconds < math.huge) then
    finding("%q gives %s", text, seconds)
  end
  native.count(text:find("%a") and "date" or "seconds")
end

--- A text without its weekday, and numbers without what fills them up: strftime
-- writes the year 529 so, and asctime's day may come as " 6" and "06".
local function comparable(text)
  return (text:gsub("^%a+,? ?", ""):gsub("%f[%d]0+(%d)", "%1"):gsub(" +", " "))
end

--- The 30th of February is taken for the 2nd of March, second 60 for the next.
local function is_overflow(text)
  return text:find(":60", 1, true) or text:find("%f[%d]29%f[%D]")
    or text:find("%f[%d]3[01]%f[%D]")
end

--- What was taken for a date must be that date to the C library too.
local function check_date(text, now)
  local seconds = retry.parse_date(text, now)
  if not seconds then return end
  if is_overflow(text) then return native.count "date that may overflow" end
  for _, form in pairs(FORMS) do
    if comparable(os.date(form, math.tointeger(seconds))) == comparable(text) then return end
  end
  finding("%q was taken for %s", text, os.date("!%c", math.tointeger(seconds)))
end

local function header(value)
  local headers, message = answer.headers { ["reTRY-After"] = value }
  if not headers then finding("headers refused: %s", message) end
  return headers["Retry-After"]
end

--- The same header twice says what it says once.
local function check_headers(text, seconds, now)
  if header(text) ~= text then finding("the header changes: %q", header(text)) end
  if not seconds or text:find("(.+), %1$") then return end
  local twice = retry.parse_after(header { text, text }, now)
  if twice ~= seconds then finding("%q: once %s, twice %s", text, seconds, twice) end
end

-- known dates ----------------------------------------------------------------

--- Any moment in the forms of four digits; in that of two only one whose
-- century is plain, which RFC 9110 says it is within 50 years.
local function known_date(moment, now)
  if moment % 3 == 0 then return os.date(FORMS.imf, moment), moment end
  if moment % 3 == 1 then return os.date(FORMS.asctime, moment), moment end
  local near = math.floor(now) + moment % (98 * YEAR) - 49 * YEAR
  if near < 0 then near = near + 49 * YEAR end
  native.count "known dates of two digits"
  return os.date(FORMS.rfc850, near), near
end

local function check_known(input, now)
  local text, moment = known_date(moment_of(input), now)
  local parsed = retry.parse_date(text, now)
  if parsed ~= moment then finding("%q at %s gives %s, not %d", text, now, parsed, moment) end
  local value = text
  if moment % 2 == 0 then value = header { text, text } end
  local after = retry.parse_after(value, now)
  if after ~= math.max(moment - now, 0) then finding("%q at %s asks for %s", value, now, after) end
  native.count "known dates"
  if moment % 8 > 0 then return end
  local two = header { text, os.date(FORMS.imf, moment + 1) }
  if retry.parse_after(two, now) then finding("two that differ are taken: %q", two) end
end

return function(input)
  local now, text = split(input)
  local seconds = native.covered(retry.parse_after, text, now)
  check_seconds(seconds, text)
  check_date(text, now)
  check_headers(text, seconds, now)
  check_known(input, now)
end
