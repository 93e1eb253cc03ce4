-- emulator: tells requests apart by their raw request line, checks the key,
-- and keeps the state of the conversations.
-- It does not misbehave by itself: see faults.lua.
-- MIT, see LICENSE.

local answer = require "answer"
local faults = require "faults"
local limit = require "limit"
local record = require "record"
local selection = require "selection"
local text = require "text"

local emulator = {}

local settings
local cleared = ngx.shared.cleared

function emulator.init(options)
  settings = options
end

-- What is not in the dictionary is under an override: that is how every
-- conversation starts.
local function clear(id)
  cleared:set(id, true)
  return selection.automatic(id)
end

local function delete_override(id)
  local name = id:match "^answer:([%w_.-]+)$"
  if name then return answer.stored(name) end
  if id:sub(1, 6) == "fault:" and faults.run(id, clear) then return end
  return answer.json(clear(id))
end

local function delete_number()
  return answer.empty(204)
end

local function get_conversation(id)
  local current = cleared:get(id) and selection.automatic or selection.manual
  return answer.json(current(id))
end

local function put_override(id)
  cleared:delete(id)
  return answer.empty(204)
end

-- Both paths under /emulator are the emulator's own; the API has no such.
local ROUTES = {
  {
    path = "^/phone%-numbers/outgoing/conversation/([^/?#]+)/override$",
    method = "DELETE", handle = delete_override, needs_key = true,
  },
  {
    path = "^/emulator/conversations/([^/?#]+)$",
    method = "GET", handle = get_conversation,
  },
  {
    path = "^/emulator/conversations/([^/?#]+)/override$",
    method = "PUT", handle = put_override,
  },
  -- The dangerous neighbour takes a query, as "../../PN123?" ends in one.
  {
    path = "^/phone%-numbers/([^/?#]+)%f[?%z].*$", is_number = true,
    method = "DELETE", handle = delete_number, needs_key = true,
  },
}

-- A server resolves dot segments before it routes; no id can be one.
local function find_route(uri)
  local path = uri:match "^/prefix(/phone%-numbers.*)$" or uri
  for _, route in ipairs(ROUTES) do
    local segment = path:match(route.path)
    local id = segment and text.decode(segment)
    if id == "." or id == ".." then return nil end
    if id then return route, not route.is_number and id or nil end
  end
end

local function unauthorized()
  ngx.header["WWW-Authenticate"] = ('Bearer resource_metadata=' ..
    '"http://127.0.0.1:%d/.well-known/oauth-protected-resource"')
    :format(settings.port)
  return answer.problem(401, "The API key is missing or wrong.")
end

local function too_many(retry_after, seconds)
  ngx.header["Retry-After"] = retry_after
  local body = ('{"type":null,"title":"Too many requests.","status":429,' ..
    '"detail":"The API rate limit for this account has been exceeded.",' ..
    '"instance":%s,"window":"%gs"}')
    :format(text.quote(ngx.var.request_uri), seconds)
  return answer.send(429, "application/problem+json", body)
end

local function is_known(key)
  return key == "sk_emulator" or key and key:sub(1, 12) == "sk_emulator_"
end

local function with_key(key, route, id)
  if key == "sk_forbidden" then
    return answer.problem(403, "The API key may not do this.")
  end
  if not is_known(key) then return unauthorized() end
  local admitted, retry_after, seconds = limit.check(key)
  if not admitted then return too_many(retry_after, seconds) end
  return route.handle(id)
end

local function bearer()
  local authorization = ngx.var.http_authorization
  return authorization and authorization:match "^Bearer (.*)$"
end

-- For what nginx itself takes for malformed, such as a path above the root.
function emulator.refuse()
  if settings.record then record.malformed() end
  return answer.problem(400, "nginx cannot make sense of the request.")
end

function emulator.handle()
  local var = ngx.var
  local route, id = find_route(var.request_uri)
  local key = bearer()
  if settings.record then record.write(id, key) end
  if not route then return answer.problem(404, "No such path.") end
  if var.request_method ~= route.method then
    ngx.header.Allow = route.method
    return answer.problem(405, "Only " .. route.method .. " is possible.")
  end
  if route.needs_key then return with_key(key, route, id) end
  return route.handle(id)
end

return emulator
