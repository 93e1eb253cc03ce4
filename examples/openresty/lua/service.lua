-- service: which path does what, and the one thing the service does.
-- Clears a conversation's override through one client for each worker; nothing
-- here blocks a worker. Loaded before the workers start, so that a wrong key or
-- setting keeps the service from starting.
-- MIT, see LICENSE.

local cjson = require "cjson"
local key = require "key"
local leadping = require "leadping"
local pace = require "pace"
local problem = require "problem"
local settings = require "settings"

local service = {}

local PAUSE = 5 -- seconds, behind a 429 without a Retry-After

local function seconds_left()
  return math.max(ngx.ctx.deadline - pace.clock(), 0)
end

--- A retry takes its turn as a first attempt does, and a 429 is for all. The
-- hook of a request runs in the coroutine that makes the call, so it may wait.
local function on_event(event)
  if event.name == "wait" and event.reason == "status 429" then
    pace.pause_all(event.delay)
  elseif event.name == "request" and event.attempt > 1
    and not pace.wait(settings.rate, seconds_left()) then
    ngx.sleep(seconds_left() + 0.01) -- no turn in time: the call ends by its timeout
  end
end

-- Made here and used in the workers: its connections begin with its first call.
local client, no_client = leadping.new {
  timeout = settings.timeout,
  attempt_timeout = settings.timeout / 2,
  max_retry_after = settings.longest_wait,
  on_event = on_event,
}
if not client then error(tostring(no_client), 0) end

local function send_json(body)
  ngx.header["Content-Type"] = "application/json"
  ngx.print(body)
end

-- clear ----------------------------------------------------------------------

local function decode_byte(hex)
  return string.char(tonumber(hex, 16))
end

--- Once, of the path as it was sent; "+" is no space there.
local function decode(segment)
  return (segment:gsub("%%(%x%x)", decode_byte))
end

local function refuse_call(err)
  local after = err.retry_after
  if err.kind == "rate_limited" then
    after = after or PAUSE
    pace.pause_all(after)
  end
  problem.send(problem.kinds[err.kind] and err.kind or "internal", {
    message = err.message, outcome = err.outcome, attempts = err.attempts, retry_after = after,
  })
end

local function call(id)
  problem.note("internal", "unknown", 0) -- to be overwritten
  ngx.ctx.deadline = pace.clock() + settings.timeout
  local selection, err, response = client:clear_override(id)
  if not selection then return refuse_call(err) end
  problem.note("ok", "applied", response.attempts)
  send_json(leadping.encode(selection))
end

local function clear(segment)
  local id = decode(segment)
  ngx.var.id = ngx.escape_uri(id)
  if not key.is_right(ngx.var.http_authorization) then
    ngx.header["WWW-Authenticate"] = "Bearer"
    return problem.send "wrong_key"
  end
  local waited, after = pace.wait(settings.rate, settings.longest_wait)
  if not waited then return problem.send("busy", { retry_after = after }) end
  ngx.var.waited = ("%.3f"):format(waited)
  call(id)
end

-- routes ---------------------------------------------------------------------

--- That the service runs; whether the API does is not asked.
local function health()
  send_json(cjson.encode { status = "pass", version = leadping._VERSION })
end

local ROUTES = {
  { name = "clear", path = "^/conversations/([^/]*)/clear$", allow = "POST", handle = clear },
  { name = "health", path = "^/health$", allow = "GET, HEAD", handle = health },
}

local function find_route(path)
  for _, route in ipairs(ROUTES) do
    local segment = path:match(route.path)
    if segment then return route, segment end
  end
end

local function refuse_method(allow)
  ngx.header["Allow"] = allow
  problem.send "wrong_method"
end

function service.handle()
  local route, segment = find_route(ngx.var.request_uri:match("^[^?]*"))
  if not route then return problem.send "no_such_path" end
  ngx.var.route = route.name
  if not (", " .. route.allow .. ","):find(", " .. ngx.req.get_method() .. ",", 1, true) then
    return refuse_method(route.allow)
  end
  route.handle(segment)
end

-- What nginx refuses by itself; all else is "malformed".
local REFUSALS = {
  [403] = "no_such_path", [404] = "no_such_path", [405] = "wrong_method",
  [413] = "too_long", [414] = "too_long", [494] = "too_long",
}

--- Answers where nginx has refused a request, or a handler has failed.
function service.refuse()
  local status, outcome = ngx.status, ngx.var.outcome
  local kind = REFUSALS[status] or status < 500 and "malformed" or "internal"
  if kind == "wrong_method" then return refuse_method "GET, HEAD" end
  problem.send(kind, {
    outcome = outcome ~= "" and outcome or nil, message = "the service's error.log says more",
  })
end

return service
