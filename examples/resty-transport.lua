-- examples/resty-transport.lua: a transport on lua-resty-http, for OpenResty.
-- leadping.new { transport = require("resty-transport").new() }, a client for
-- each request or timer: only nginx's pool of connections outlives one. Trusts
-- what lua_ssl_trusted_certificate names; proxies and client certificates are
-- not passed on.
-- MIT, see LICENSE.

local http = require "resty.http"
local semaphore = require "ngx.semaphore"

local Transport = {}
Transport.__index = Transport

local function failure(message, sends)
  local is_refused = message:find("certificate", 1, true) ~= nil
  local kind = message == "timeout" and "timeout" or is_refused and "tls" or "connection"
  return { kind = kind, message = message, sends = sends, retryable = not is_refused }
end

--- One request and its answer. Without ssl_server_name, a certificate for any
-- other host would do. Some versions of lua-resty-core (0.1.25 is one) raise now
-- and then where a certificate is refused.
local function exchange(request)
  local httpc = http.new()
  local milliseconds = request.timeout * 1000
  httpc:set_timeouts(request.connect_timeout * 1000, milliseconds, milliseconds)
  local scheme, host, port, path = unpack(assert(httpc:parse_uri(request.url)))
  local ran, connected, refused = pcall(httpc.connect, httpc, {
    scheme = scheme, host = host, port = port, ssl_verify = true, ssl_server_name = host,
  })
  if not ran then return failure("certificate refused? " .. tostring(connected), 0) end
  if not connected then return failure(refused, 0) end
  local response, body, cut
  response, cut = httpc:request { method = request.method, path = path, headers = request.headers }
  if response then body, cut = response:read_body() end
  if not body then return failure(cut, 1) end
  httpc:set_keepalive()
  if #body <= request.max_body then
    return { status = response.status, headers = response.headers, body = body }
  end
  return { kind = "too_large", message = "the body is over max_body", status = response.status }
end

function Transport:submit(request)
  local id = self.last_id + 1
  self.last_id = id
  self.threads[id] = ngx.thread.spawn(function()
    local ok, result = pcall(exchange, request)
    self.results[#self.results + 1] = { id, ok and result or failure(tostring(result), 1) }
    self.arrived:post()
  end)
  return id
end

function Transport:step(seconds)
  if #self.results == 0 then self.arrived:wait(seconds) end
  return #self.results
end

function Transport:next()
  local id, result = unpack(table.remove(self.results, 1) or {})
  if id then self:cancel(id) end
  return id, result
end

--- Also of a thread that has ended: nginx keeps it until then.
function Transport:cancel(id)
  local thread = self.threads[id]
  self.threads[id] = nil
  return thread and ngx.thread.kill(thread)
end

function Transport:close()
  for id in pairs(self.threads) do self:cancel(id) end
end

local function new()
  return setmetatable({
    last_id = 0, threads = {}, results = {}, arrived = semaphore.new(),
  }, Transport)
end

return { new = new }
