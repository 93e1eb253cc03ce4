-- leadping.options: the options, as one table: name, default, check, words.
-- An option is added by a row here; types.lua and the README repeat the rows,
-- and specs fail until they agree. Does not read the environment.
-- MIT, see LICENSE.

local core = require "leadping.core"
local loops = require "leadping.loops"
local text = require "leadping.text"
local transport = require "leadping.transport"

local options = {}

local SECONDS_MAX = 86400
local BODY_MAX = 2 ^ 30

-- Checks: each returns what is wrong (as "… expected"), or nothing. ----------

local function one_of_types(...)
  local accepted = { ... }
  local words = table.concat(accepted, " or ") .. " expected"
  return function(value)
    for _, name in ipairs(accepted) do
      if type(value) == name then return nil end
    end
    return words
  end
end

local is_string = one_of_types("string")
local is_function = one_of_types("function")

local function is_seconds(value)
  if type(value) ~= "number" or not (value > 0 and value <= SECONDS_MAX) then
    return ("seconds over 0 and at most %d expected"):format(SECONDS_MAX)
  end
end

local function is_seconds_or_0(value)
  if value ~= 0 and is_seconds(value) then
    return ("seconds from 0 to %d expected"):format(SECONDS_MAX)
  end
end

local function is_integer_between(low, high)
  return function(value)
    if type(value) ~= "number" or value % 1 ~= 0 or value < low or value > high then
      return ("a whole number from %d to %d expected"):format(low, high)
    end
  end
end

local function is_rate(value)
  if value == false then return nil end
  if type(value) ~= "number" or not (value > 0 and value < math.huge) then
    return "requests a second over 0, or false for no limit, expected"
  end
end

local function is_clean_text(value)
  if type(value) ~= "string" then return "string expected" end
  if value:find("[%z\1-\31\127]") then return "a string without control bytes expected" end
end

--- A path or URL that C takes: it would end at a NUL.
local function is_c_text(value)
  if type(value) ~= "string" then return "string expected" end
  if value:find("%z") then return "a string without NUL expected" end
end

local PROXY_SCHEMES = {
  http = true, https = true, socks4 = true, socks4a = true, socks5 = true, socks5h = true,
}

--- A proxy may be written without a scheme, as libcurl has it. It may hold a
-- password, and libcurl's own message would show it: so it is checked here.
local function is_proxy(value)
  local wrong = is_c_text(value)
  if wrong or value == "" then return wrong end
  local scheme, rest = value:match("^([%w+.-]+)://(.*)$")
  if scheme and not PROXY_SCHEMES[scheme:lower()] then
    return "http, https, socks4, socks4a, socks5 or socks5h expected as its scheme"
  end
  if value:find("%%[01]%x") or not core.base_url("http://" .. (rest or value)) then
    return "a URL expected"
  end
end

local TOKEN = "^[!#$%%&'*+%-.^_`|~0-9A-Za-z]+$" -- RFC 9110, section 5.6.2

-- The client sets these itself, or HTTP does.
local RESERVED_HEADERS = {
  ["authorization"] = "use api_key", ["user-agent"] = "use user_agent",
  ["accept"] = "answers are JSON", ["accept-encoding"] = "libcurl sets it",
  ["host"] = "it follows base_url",
  ["content-length"] = "the request has no body",
  ["transfer-encoding"] = "the request has no body",
  ["connection"] = "libcurl sets it",
}

local function check_header(name, value)
  if type(name) ~= "string" or not name:find(TOKEN) then
    return ("a header's name expected as the key, in place of %q"):format(tostring(name))
  end
  local reserved = RESERVED_HEADERS[name:lower()]
  if reserved then return ("%q cannot be set here: %s"):format(name, reserved) end
  local wrong = is_clean_text(value)
  if wrong then return ("%s: %s"):format(name, wrong) end
end

local function is_headers(value)
  if type(value) ~= "table" then return "table (name -> value) expected" end
  for name, line in pairs(value) do
    local wrong = check_header(name, line)
    if wrong then return wrong end
  end
end

-- The table ------------------------------------------------------------------

--- Rows in the order of the README's table. `call`: may be given for one call
-- and for clear_overrides too. `run`: for clear_overrides alone. `secret`: the
-- value is never shown, not even in an error.
options.list = {
  { name = "api_key", check = one_of_types("string", "function"), secret = true,
    default_words = "LEADPING_API_KEY",
    words = "the key, or a function that returns it, called for each attempt" },
  { name = "base_url", check = is_string,
    default_words = "LEADPING_BASE_URL, https://api.leadping.ai",
    words = "where the API is" },
  { name = "timeout", check = is_seconds, default = 60, call = true,
    words = "seconds for a whole call, with retries and waits" },
  { name = "attempt_timeout", check = is_seconds, default = 30, call = true,
    words = "seconds for one attempt" },
  { name = "connect_timeout", check = is_seconds, default = 10,
    words = "seconds for name look-up, connect and TLS handshake" },
  { name = "max_retries", check = is_integer_between(0, 100), default = 2,
    call = true, words = "attempts after the first" },
  { name = "max_retry_after", check = is_seconds_or_0, default = 120,
    words = "the longest Retry-After, in seconds, that is waited for" },
  { name = "max_body", check = is_integer_between(1, BODY_MAX), default = 1048576,
    words = "bytes of an answer's body, unpacked" },
  { name = "ca_file", check = is_c_text,
    default_words = "CURL_CA_BUNDLE, SSL_CERT_FILE, the system's",
    words = "PEM file of the only authorities to trust" },
  { name = "ca_path", check = is_c_text, default_words = "the system's",
    words = "directory of hashed certificates (openssl-rehash) to trust" },
  { name = "proxy", check = is_proxy, secret = true,
    default_words = "https_proxy, no_proxy, …; none for loopback",
    words = 'URL of a proxy, "" for none' },
  { name = "headers", check = is_headers, default = {}, secret = true,
    words = "further request headers, name -> value" },
  { name = "user_agent", check = is_clean_text,
    default_words = "leadping-lua/VERSION libcurl/VERSION",
    words = "the User-Agent" },
  { name = "allow_http", check = one_of_types("boolean"), default = false,
    words = "lets http:// reach hosts other than loopback, key in clear" },
  { name = "loop", check = loops.check,
    default_words = "nginx inside nginx, else blocking",
    words = "blocking, luv, cqueues, nginx, or a table that is a loop" },
  { name = "on_event", check = is_function,
    words = "called with a table for each event" },
  { name = "transport", check = transport.check,
    words = "what sends in place of libcurl" },
  { name = "concurrency", check = is_integer_between(1, 100), default = 8, run = true,
    words = "requests in flight at a time" },
  { name = "rate", check = is_rate, default = 4.5, run = true,
    words = "requests a second, retries included; false for no limit" },
  { name = "max_failures", check = is_integer_between(1, 1000000), default = 10, run = true,
    words = "server or connection errors in a row, by id, that end the run" },
}

options.by_name = {}
for _, option in ipairs(options.list) do options.by_name[option.name] = option end

local function describe(value)
  if type(value) == "string" then return ("%q"):format(value:sub(1, 60)) end
  return tostring(value)
end

-- Where options are given: which rows belong there.
local function is_client_option(option) return not option.run end
local function is_call_option(option) return option.call end
local function is_run_option(option) return option.call or option.run end

local function names(belongs)
  local list = {}
  for _, option in ipairs(options.list) do
    if belongs(option) then list[#list + 1] = option.name end
  end
  return table.concat(list, ", ")
end

local function check_option(name, value, belongs)
  local option = options.by_name[name]
  if not option then
    return ("unknown option '%s'; there are %s"):format(
      text.sample(tostring(name), 40), names(belongs))
  end
  if not belongs(option) then
    return ("option '%s' is %s"):format(name, option.run and "for clear_overrides alone"
      or "the client's: give it to leadping.new")
  end
  local wrong = option.check(value)
  if not wrong then return nil end
  if option.secret then
    return ("option '%s': %s, got a %s that is not shown"):format(name, wrong, type(value))
  end
  return ("option '%s': %s, got %s"):format(name, wrong, describe(value))
end

--- The options that belong there, as given, in `otherwise`, or by default.
---@return table? values
---@return string? message what is wrong
local function take(given, belongs, otherwise)
  if type(given) ~= "table" then
    return nil, ("options: table expected, got %s"):format(type(given))
  end
  for name, value in pairs(given) do
    local wrong = check_option(name, value, belongs)
    if wrong then return nil, wrong end
  end
  local values = {}
  for _, option in ipairs(options.list) do
    if belongs(option) then
      local value = given[option.name]
      if value == nil then value = otherwise[option.name] end
      if value == nil then value = option.default end
      values[option.name] = value
    end
  end
  return values
end

--- Checks a client's options.
---@return table? values with the defaults filled in
---@return string? message what is wrong
function options.for_client(given)
  return take(given, is_client_option, {})
end

--- Checks one call's options against its client's settings.
---@return table? values those of the settings where none is given
---@return string? message what is wrong
function options.for_call(given, settings)
  if given == nil then return settings end
  return take(given, is_call_option, settings)
end

--- Checks the options of clear_overrides; see options.for_call.
function options.for_run(given, settings)
  return take(given == nil and {} or given, is_run_option, settings)
end

return options
