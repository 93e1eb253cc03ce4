-- fuzz_url.lua: any bytes as a conversation's id and as a base_url.
-- Oracles: an own percent-decoding, Lua's utf8 library, libcurl's URL parser.
-- Sends nothing.
-- MIT, see LICENSE.

-- luacheck: std lua54

local core = require "leadping.core"
local curl = require "fuzz_curl"
local native = require "fuzz_native"
local request = require "leadping.request"
local settings = require "leadping.settings"

local BEFORE, BEHIND = "/phone-numbers/outgoing/conversation/", "/override"

local function finding(...)
  error(string.format(...), 0)
end

-- id -------------------------------------------------------------------------

--- The rule, from the README's table and in no words of csrc/segment.c.
local function is_refused(id)
  return id == "" or id == "." or id == ".." or #id > 1024
    or id:find("[\0-\31\127]") ~= nil or utf8.len(id) == nil
end

local function percent_decode(text)
  return (text:gsub("%%(%x%x)", function(digits)
    return string.char(tonumber(digits, 16))
  end))
end

local function check_escapes(segment)
  local plain = segment:gsub("%%[0-9A-F][0-9A-F]", "")
  if plain:find("[^A-Za-z0-9._~-]") then finding("a raw byte in %q", segment) end
  for digits in segment:gmatch("%%(..)") do
    if string.char(tonumber(digits, 16)):find("[A-Za-z0-9._~-]") then
      finding("an escape too many in %q", segment)
    end
  end
end

local BASES = {
  { url = "https://api.leadping.ai", path = "" },
  { url = "http://[::1]:8080/a/b", path = "/a/b" },
}

local function check_path(id, segment)
  for _, base in ipairs(BASES) do
    local url = request.url({ base_url = base.url }, id)
    local parts = curl.url_parts(url, true)
    local path = base.path .. BEFORE .. segment .. BEHIND
    if not parts or parts.path ~= path or parts.query or parts.fragment then
      finding("libcurl reads %q as %s", url, parts and parts.path)
    end
    -- Nor may it change where a server or a proxy folds the dots.
    if curl.url_parts(url).path ~= path then finding("%q folds", url) end
  end
end

local function check_id(id)
  local segment, message = native.covered(core.segment, id)
  if is_refused(id) then
    if segment ~= nil then finding("taken, but it is no id: %q", id) end
    if type(message) ~= "string" or message:find("%c") then
      finding("refused with %q", message)
    end
    return native.count "id refused"
  end
  if not segment then finding("refused, but it is an id (%s): %q", message, id) end
  check_escapes(segment)
  if percent_decode(segment) ~= id then finding("%q does not give %q back", segment, id) end
  check_path(id, segment)
  native.count "id accepted"
end

-- base_url -------------------------------------------------------------------

local function is_loopback(host)
  local lower = host:lower()
  return lower == "localhost" or lower == "[::1]" or curl.is_ipv4_loopback(host)
end

local SAME = { "scheme", "host", "zone", "port" }
local REFUSED = { "user", "password", "options", "query", "fragment" }

--- What was given and what will be sent must be one place.
local function check_place(given, sent)
  for _, name in ipairs(SAME) do
    if given[name] ~= sent[name] then
      finding("its %s was %s and becomes %s", name, given[name], sent[name])
    end
  end
  for _, name in ipairs(REFUSED) do
    if given[name] or sent[name] then finding("a %s was let in", name) end
  end
  local path = given.path:gsub("/+$", "") .. BEFORE .. "c1" .. BEHIND
  if sent.path ~= path then finding("the path is %q, not %q", sent.path, path) end
end

local function check_scheme(values, sent)
  if sent.scheme ~= "https" and sent.scheme ~= "http" then
    finding("scheme %s was let in", sent.scheme)
  end
  if sent.scheme == "http" and not is_loopback(sent.host) then
    finding("the key would go in clear to %q", sent.host)
  end
  if values.is_loopback ~= is_loopback(sent.host) then
    finding("is_loopback is %s for %q", values.is_loopback, sent.host)
  end
end

local function check_base_url(base_url)
  local values, err, message = native.covered(settings.new, {
    base_url = base_url, api_key = "k", ca_path = "/nowhere",
  })
  if err then finding("an error in place of a message: %s", err) end
  if not values then
    if type(message) ~= "string" or message:find("%c") then
      finding("refused with %q", message)
    end
    return native.count "base_url refused"
  end
  local given = not base_url:find("\0") and curl.url_parts(base_url)
  if not given then finding("taken, but libcurl takes it for no URL") end
  local url = request.url(values, "c1")
  local sent = curl.url_parts(url, true)
  if not sent then finding("what is built is no URL: %q", url) end
  check_place(given, sent)
  check_scheme(values, sent)
  native.count "base_url accepted"
end

--- Without a colon it is soon refused as a URL: an eighth of those will do.
return function(input)
  check_id(input)
  if #input % 8 == 0 or input:find(":", 1, true) then check_base_url(input) end
end
