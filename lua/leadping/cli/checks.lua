-- leadping.cli.checks: what `leadping doctor` makes of what it has found.
-- Each check is a function of facts and gives one line: a state, a name, what
-- was found and what to do. Sends nothing, prints nothing.
-- MIT, see LICENSE.

local exits = require "leadping.cli.exits"
local files = require "leadping.cli.files"
local retry = require "leadping.retry"
local words = require "leadping.cli.words"

local checks = {}

local OLDEST_CURL = { 7, 80 }
local CLOCK_MAX = 60 -- seconds
local CURLE_COULDNT_RESOLVE_PROXY, CURLE_COULDNT_RESOLVE_HOST = 5, 6

---@class leadping.cli.Check
---@field state "ok"|"warning"|"failed"|"skipped"
---@field name string
---@field found string
---@field code integer exit code that it asks for

---@class leadping.cli.Reply what came of a request
---@field status integer? nil where there was no answer
---@field headers table?
---@field kind leadping.Kind? of what went wrong
---@field message string?
---@field code integer? libcurl's

local function check(state, name, code, found, ...)
  return { state = state, name = name, code = code, found = found:format(...) }
end

local function ok(name, ...) return check("ok", name, exits.DONE, ...) end
local function warn(name, ...) return check("warning", name, exits.DONE, ...) end
local function skip(name, ...) return check("skipped", name, exits.DONE, ...) end
local function fail(name, code, ...) return check("failed", name, code, ...) end

-- This machine ---------------------------------------------------------------

local function is_older(version, oldest)
  local major, minor = version:match("^(%d+)%.(%d+)")
  major, minor = tonumber(major) or 0, tonumber(minor) or 0
  return major < oldest[1] or (major == oldest[1] and minor < oldest[2])
end

---@param versions table leadping, lua, curl, cjson
function checks.version(versions)
  if is_older(versions.curl, OLDEST_CURL) then
    return fail("version", exits.FAILED, "libcurl %s is too old: install %d.%d or newer",
      versions.curl, OLDEST_CURL[1], OLDEST_CURL[2])
  end
  return ok("version", "%s, %s, libcurl %s, lua-cjson %s", versions.leadping, versions.lua,
    versions.curl, versions.cjson)
end

-- What libcurl may lack, the worst first.
local FEATURES = {
  { "SSL", "TLS", fail, "no request can be sent: install a libcurl with TLS" },
  { "libz", "zlib", fail, "compressed answers cannot be read: install a libcurl with zlib" },
  { "AsynchDNS", "asynchronous look-up", warn,
    "a look-up that hangs outlasts its time limit: install a libcurl with one" },
  { "HTTP2", "HTTP/2", warn, "each request in flight takes a connection of its own" },
}

--- What the libcurl here can do.
---@param features table see core.curl_features
function checks.features(features)
  local present = { features.ssl_version }
  for _, row in ipairs(FEATURES) do
    local name, title, judge, remedy = row[1], row[2], row[3], row[4]
    if not features[name] then
      if judge == warn then return warn("libcurl", "has no %s: %s", title, remedy) end
      return fail("libcurl", exits.FAILED, "has no %s: %s", title, remedy)
    end
    if name ~= "SSL" then present[#present + 1] = title end
  end
  return ok("libcurl", "%s", table.concat(present, ", "))
end

local function check_ca_file(path)
  local content, message = files.read(path)
  if not content then
    return fail("authorities", exits.FAILED, "%s: name a PEM file in --ca-file, CURL_CA_BUNDLE "
      .. "or SSL_CERT_FILE", message)
  end
  local _, count = content:gsub("%-%-%-%-%-BEGIN [%u ]*CERTIFICATE%-%-%-%-%-", "")
  if count == 0 then
    return fail("authorities", exits.FAILED, "%s holds no certificate: a PEM file is needed, "
      .. "with a line BEGIN CERTIFICATE", path)
  end
  return ok("authorities", "%s in %s", words.count(count, "certificate"), path)
end

local function check_ca_path(path)
  local directory = io.open(path .. "/.", "r")
  if not directory then
    return fail("authorities", exits.FAILED, "%s is no directory that can be read: name one with "
      .. "hashed certificates in --ca-path", path)
  end
  directory:close()
  return ok("authorities", "the directory %s", path)
end

--- Which certificates the server's is held against.
---@param values table is_tls, ca_file, ca_path: see leadping.settings
function checks.authorities(values)
  if not values.is_tls then return ok("authorities", "none needed for http://") end
  if values.ca_file then return check_ca_file(values.ca_file) end
  if values.ca_path then return check_ca_path(values.ca_path) end
  return ok("authorities", "those that libcurl was built for")
end

-- The way to the API ---------------------------------------------------------

local function is_address(host)
  return host:find("^%[") ~= nil or host:find("^%d+%.%d+%.%d+%.%d+$") ~= nil
end

local function is_look_up_failure(reply)
  return reply.code == CURLE_COULDNT_RESOLVE_HOST or reply.code == CURLE_COULDNT_RESOLVE_PROXY
    or (reply.kind == "timeout" and reply.message:find("^Resolving") ~= nil)
end

---@param reply leadping.cli.Reply
function checks.look_up(host, reply)
  if is_look_up_failure(reply) then
    return fail("look-up", exits.NETWORK, "%s; check the name, and this machine's DNS",
      reply.message)
  end
  if is_address(host) then return ok("look-up", "%s is an address", host) end
  return ok("look-up", "%s has an address", host)
end

---@param reply leadping.cli.Reply
function checks.connection(base_url, reply)
  if is_look_up_failure(reply) then return skip("connection", "there is no address") end
  if reply.status or reply.kind == "tls" then return ok("connection", "%s answers", base_url) end
  return fail("connection", exits.NETWORK, "%s; check %s, and what stands between: a proxy, a "
    .. "firewall", reply.message, base_url)
end

---@param values table is_tls, is_loopback: see leadping.settings
---@param reply leadping.cli.Reply
function checks.tls(values, reply)
  if not values.is_tls then
    if values.is_loopback then return ok("TLS", "none, on this machine") end
    return warn("TLS", "none: the key goes over the network in clear; use https://")
  end
  if reply.kind == "tls" then return fail("TLS", exits.NETWORK, "%s", reply.message) end
  if not reply.status then return skip("TLS", "there is no connection") end
  return ok("TLS", "the server's certificate is trusted, and is for this host")
end

---@param reply leadping.cli.Reply
---@param now number seconds since the epoch
function checks.clock(reply, now)
  if not reply.status then return skip("clock", "there is no answer to compare it with") end
  local date = reply.headers.date
  local time = date and retry.parse_date(date, now)
  if not time then return warn("clock", "not checked: the answer has no Date") end
  local ahead = now - time
  if math.abs(ahead) <= CLOCK_MAX then
    return ok("clock", "within %d s of the server's", CLOCK_MAX)
  end
  return warn("clock", "%s %s the server's: set it, as certificates and waiting times go by it",
    words.duration(math.abs(ahead)), ahead > 0 and "ahead of" or "behind")
end

-- The key --------------------------------------------------------------------

--- What a reply says that is not of the key itself, or against it; nil where
-- it may be for it.
local function judge_key(method, reply)
  local status, kind = reply.status, reply.kind
  if status == 401 or (status == 403 and method ~= "GET") then
    return fail("key", exits.KEY, "refused: %s", reply.message)
  elseif status == 429 then
    return fail("key", exits.LIMITED, "not checked: %s; wait a minute", reply.message)
  elseif not status or kind == "server_error" then
    return fail("key", exits.NETWORK, "not checked: %s", reply.message)
  elseif status < 200 or (status >= 300 and status < 400) then
    return fail("key", exits.FAILED, "not checked: %s", reply.message)
  end
end

local function accept_key(method, with, without)
  return ok("key", "accepted: %s of a conversation that does not exist gives %d with it, %d "
    .. "without", method, with.status, without.status)
end

--- Whether the API asks for a key there at all.
local function asks_for_key(reply)
  return reply.status == 401 or reply.status == 403
end

--- The API is documented to refuse what comes without a key.
local function tell_without_refusal(with, without)
  local found = ("not checked: DELETE of a conversation that does not exist gives %d with it, %s "
    .. "without"):format(with.status, tostring(without.status or without.kind))
  if with.kind then
    return fail("key", exits.FAILED, "%s; check the path in --base-url", found)
  end
  return warn("key", "%s: this server asks for no key", found)
end

--- Whether the key is accepted. A method that changes nothing may be refused
-- before the key is looked at; then only the operation itself tells. It is asked
-- for a conversation that does not exist.
---@param first leadping.cli.Reply to GET, with the key
---@param ask fun(method: string, has_key: boolean): leadping.cli.Reply
---@return leadping.cli.Check
function checks.key(first, ask)
  if not first.status then return skip("key", "there is no answer") end
  local judged = judge_key("GET", first)
  if judged then return judged end
  local without = first.status ~= 403 and ask("GET", false)
  if without and without.status == 401 then return accept_key("GET", first, without) end
  local with = ask("DELETE", true)
  judged = judge_key("DELETE", with)
  if judged then return judged end
  without = ask("DELETE", false)
  if asks_for_key(without) then return accept_key("DELETE", with, without) end
  return tell_without_refusal(with, without)
end

--- There is no key to check.
function checks.no_key(message)
  return fail("key", exits.KEY, "%s", message)
end

return checks
