-- leadping.settings: options and environment become a client's settings.
-- Decides where the API is, which authorities are trusted and which key is
-- used. Everything here is fixed for a client's life, but the key's value.
-- MIT, see LICENSE.

local core = require "leadping.core"
local errors = require "leadping.errors"
local options = require "leadping.options"
local text = require "leadping.text"
local transport = require "leadping.transport"

local settings = {}

local BASE_URL = "https://api.leadping.ai"

--- A variable of the environment; set but empty counts as unset.
local function environment(name)
  local value = os.getenv(name)
  return value ~= "" and value or nil
end

-- base_url -------------------------------------------------------------------

local function is_loopback(host)
  host = host:lower()
  if host == "localhost" or host == "[::1]" then return true end
  -- What is not an address, such as 127.999.1.1 or 127.08.0.1, is a name to
  -- libcurl; addresses it gives without leading zeros.
  local octets = { host:match("^(127)%.(%d+)%.(%d+)%.(%d+)$") }
  for _, octet in ipairs(octets) do
    if tonumber(octet) > 255 or octet:find("^0%d") then return false end
  end
  return #octets == 4
end

local REFUSED_PARTS = { "zone", "user", "password", "query", "fragment" }

local function check_parts(parts, allow_http)
  if not parts then return "a URL that begins with https:// expected" end
  for _, part in ipairs(REFUSED_PARTS) do
    if parts[part] then return ("a %s has no place in it"):format(part) end
  end
  if parts.scheme == "http" and not allow_http and not is_loopback(parts.host) then
    return ("http:// would send the key in clear to %s: use https://, or set "
      .. "allow_http = true"):format(text.escape(parts.host))
  end
end

--- Sets values.base_url (without a slash at its end), is_loopback and is_tls.
local function resolve_base_url(values)
  local name, url = "option 'base_url'", values.base_url
  if not url then
    name, url = "LEADPING_BASE_URL", environment("LEADPING_BASE_URL") or BASE_URL
  end
  local parts = url:find("^[Hh][Tt][Tt][Pp][Ss]?://") and not url:find("%z")
    and core.base_url(url) or nil
  local wrong = check_parts(parts, values.allow_http)
  if wrong then return ("%s: %s"):format(name, wrong) end
  local port = parts.port and ":" .. parts.port or ""
  values.base_url = ("%s://%s%s%s"):format(parts.scheme, parts.host, port,
    (parts.path:gsub("/+$", "")))
  -- libcurl gives a host unescaped; what it would read otherwise the next time
  -- ("%2541" is "%41", and then "A") is no host's name.
  local again = core.base_url(values.base_url)
  if not again or again.host ~= parts.host then
    return ("%s: the name of a host expected, got %s"):format(name,
      text.escape(parts.host))
  end
  values.is_loopback = is_loopback(parts.host)
  values.is_tls = parts.scheme == "https"
end

-- key ------------------------------------------------------------------------

--- What is wrong with a key's text, never the text itself.
local function check_key(key)
  local at = key:find("[^\33-\126]")
  if at then
    local hint = key:find("^[\r\n]", at)
      and "; a key read from a file may end in a newline" or ""
    return ("its byte %d is 0x%02X, which no key holds%s"):format(at, key:byte(at), hint)
  end
end

local function no_api_key(message)
  return errors.new { kind = "no_api_key", outcome = "not_sent", message = message }
end

--- Sets values.api_key. Returns what is wrong with it, and an error where
-- there is none at all.
local function resolve_api_key(values)
  local name, key = "option 'api_key'", values.api_key
  if type(key) == "function" then return nil end
  if key == nil then
    name, key = "LEADPING_API_KEY", environment("LEADPING_API_KEY")
  end
  if key == nil or key == "" then
    return nil, no_api_key("no API key: give api_key or set LEADPING_API_KEY")
  end
  local wrong = check_key(key)
  values.api_key = key
  return wrong and ("%s: %s"):format(name, wrong)
end

--- The key for one attempt. Raises where a function gives an impossible one.
---@return string? key
---@return leadping.Error? err where the function returns none; it may say why
function settings.current_key(values)
  local key, why = values.api_key
  if type(key) == "string" then return key end
  key, why = key()
  if key == nil or key == "" then
    local message = "no API key: the function given as api_key returned none"
    if type(why) == "string" then message = ("%s: %s"):format(message, text.sample(why, 200)) end
    return nil, no_api_key(message)
  end
  local wrong = type(key) ~= "string" and "string expected, got " .. type(key)
    or check_key(key)
  if wrong then error("the function given as api_key: " .. wrong, 0) end
  return key
end

-- TLS and proxy --------------------------------------------------------------

--- The authorities to trust: those given, those of the environment (in the
-- order of the curl tool), the system's hashed directory where there is one,
-- or nothing: libcurl's own default.
local function resolve_authorities(values)
  if values.ca_file or values.ca_path then return end
  if not values.is_tls and not values.proxy then return end
  values.ca_file = environment("CURL_CA_BUNDLE") or environment("SSL_CERT_FILE")
  if not values.ca_file then values.ca_path = core.ca_path() end
end

--- A proxy of the environment is not for this machine's own servers: it would
-- be sent the key in clear.
local function resolve_proxy(values)
  if values.proxy == nil and values.is_loopback then values.proxy = "" end
end

local function resolve_user_agent(values)
  values.user_agent = values.user_agent or ("leadping-lua/%s libcurl/%s")
    :format(core.version, core.curl_version)
end

local function resolve_log(values)
  values.log = environment("LEADPING_LOG")
  if values.log and values.log ~= "debug" then
    return ("LEADPING_LOG: debug expected, got %q"):format(text.sample(values.log, 40))
  end
end

--- The caller's table, which was checked, may change later.
local function copy_headers(values)
  local copy = {}
  for name, value in pairs(values.headers) do copy[name] = value end
  values.headers = copy
end

--- Makes settings of a client's options.
---@param given table
---@return table? values
---@return leadping.Error? err where there is no key
---@return string? message what is wrong with an option, to be raised
function settings.new(given)
  local values, wrong = options.for_client(given)
  if not values then return nil, nil, wrong end
  wrong = resolve_base_url(values) or resolve_log(values)
  if wrong then return nil, nil, wrong end
  local bad_key, err = resolve_api_key(values)
  if bad_key or err then return nil, err, bad_key end
  resolve_authorities(values)
  resolve_proxy(values)
  resolve_user_agent(values)
  copy_headers(values)
  values.transport = values.transport and transport.checked(values.transport)
  return values
end

return settings
