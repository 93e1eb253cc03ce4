-- sanitize_fork.lua: what a forked child may do with its parent's clients.
-- Run by sanitize_host.c on the emulator with EMULATOR_RECORD=1. A check that
-- does not hold raises, in the child too, whose exit status the parent checks.
-- `driven`: with sessions that a thread drives, and within loops. Not under ASan,
-- whose own allocator (gcc 12's) a child finds locked where a thread allocated.
-- MIT, see LICENSE.

local cjson = require "cjson"
local host = require "host"
local leadping = require "leadping"

local OWN = "made before a fork"
local checks = 0

local function check(condition, what)
  checks = checks + 1
  return condition or error("wrong: " .. what, 2)
end

local places = {
  http = { base_url = os.getenv "EMULATOR_HTTP" },
  tls = { base_url = os.getenv "EMULATOR_TLS", ca_file = os.getenv "EMULATOR_CA" },
}

-- The same with a thread that drives the session, which a child has not.
for _, name in ipairs { "http", "tls" } do
  local driven = { loop = require "spec.torture.direct_loop" }
  for option, value in pairs(places[name]) do driven[option] = value end
  places[name .. "-driven"] = driven
end

local function new_client(place)
  local given = { api_key = "sk_emulator_fork", max_retries = 0 }
  for name, value in pairs(places[place]) do given[name] = value end
  return assert(leadping.new(given))
end

--- The number of the connection on which the emulator was asked for an id;
-- that it was asked once only is checked too.
local function connection_of(id)
  local connection
  for line in io.lines(os.getenv "EMULATOR_DIR" .. "/requests.jsonl") do
    local request = cjson.decode(line)
    if request.id == id then
      check(not connection, id .. " was sent twice")
      connection = request.connection
    end
  end
  return check(connection, id .. " was not sent")
end

local function call(client, id)
  local selection, err = client:clear_override(id)
  check(selection and selection.canSend ~= nil, id .. ": " .. tostring(err))
  return connection_of(id)
end

--- Runs a function in a child, which then closes its state; its exit status.
local function in_child(body)
  local pid = host.fork()
  if pid > 0 then return host.wait(pid) end
  body()
  os.exit(0, true)
end

local function id_of(place, what) return ("fork-%s-%s"):format(place, what) end

--- What the child does with a client that its parent has used, which only the
-- holder holds.
local uses = {
  call = function(holder, place)
    local client = holder.client
    local ok, raised = pcall(client.clear_override, client, id_of(place, "never-sent"))
    check(not ok and tostring(raised):find(OWN, 1, true), "the call: " .. tostring(raised))
  end,
  close = function(holder)
    local client = holder.client
    check(host.sockets() > 0, "the child has inherited a connection")
    client:close()
    client:close()
    check(host.sockets() == 0, "close() closes the child's copies")
    check(not pcall(client.clear_override, client, "closed"), "a closed client")
  end,
  collect = function(holder)
    holder.client = nil
    collectgarbage()
    check(host.sockets() == 0, "the collector closes the child's copies")
  end,
  ["new client"] = function(holder, place)
    local own = new_client(place)
    call(own, id_of(place, "child"))
    call(own, id_of(place, "child-again"))
    holder.client:close()
    call(own, id_of(place, "child-after"))
    own:close()
    check(host.sockets() == 0, "the child's own connection is closed")
  end,
  ["leave all to lua_close"] = function() end,
}

--- The parent's connection lives through what the child does.
local function check_used(place, name)
  local holder = { client = new_client(place) }
  local before = call(holder.client, id_of(place, name .. "-before"))
  local status = in_child(function() uses[name](holder, place) end)
  check(status == 0, ("child: %s over %s: status %d"):format(name, place, status))
  check(call(holder.client, id_of(place, name .. "-after")) == before,
    ("%s over %s: the parent has lost its connection"):format(name, place))
  holder.client:close()
  check(host.sockets() == 0, "the parent's connection is closed")
end

--- A client that was not used yet belongs to whoever uses it first.
local function check_unused(place)
  local client = new_client(place)
  local status = in_child(function()
    call(client, id_of(place, "unused-child"))
    client:close()
  end)
  check(status == 0, "unused over " .. place .. ": status " .. status)
  call(client, id_of(place, "unused-parent"))
  client:close()
end

local function session_request(place, id)
  local request = assert(new_client(place):request(id))
  return {
    url = request.url, method = request.method, headers = request.headers,
    timeout = 10, connect_timeout = 10, max_body = 1e6,
  }
end

--- What a child may do with its parent's session.
local function close_in_child(session, request)
  for method, argument in pairs {
    next = 0, step = 0, submit = request, cancel = 1, fd = 0, start = 0, listen = "/tmp",
  } do
    local ok, raised = pcall(session[method], session, argument)
    check(not ok and raised:find(OWN, 1, true), method)
  end
  session:close()
  check(host.sockets() == 0, "close() closes what is in flight")
end

--- Transfers that are on their way stay the parent's.
local function check_in_flight(place, name, pause)
  local session = require("leadping.core").session { ca_file = places[place].ca_file }
  if places[place].loop then check(session:fd(), "a thread") end
  local request = session_request(place, name .. "-1")
  for i = 1, 5 do
    request.url = request.url:gsub("%d+/override$", i .. "/override")
    check(session:submit(request) == i, "submit")
  end
  check(session:step(pause), "the first step")
  local status = in_child(function() close_in_child(session, request) end)
  check(status == 0, "in flight over " .. place .. ": status " .. status)
  for _ = 1, 5 do
    while assert(session:step(1)) == 0 do end -- luacheck: ignore 542
    local _, result = session:next()
    check(result.status == 200, "the parent's answer: " .. tostring(result.message))
  end
  for i = 1, 5 do connection_of(("%s-%d"):format(name, i)) end
  session:close()
end

--- What comes to have the number of a socket that libcurl (7.88.0 to 8.2.0) closed
-- without a word: it still was connecting.
local followers = {
  ["nothing"] = function() return function() return true end end,
  ["a file"] = function()
    local file = assert(io.tmpfile())
    return function() return file:write "kept" and file:flush() end
  end,
  ["another's connection"] = function()
    local client = new_client "http"
    call(client, id_of("followed", "before"))
    return function() return client and host.sockets() == 1 end
  end,
}

--- The child closes no descriptor that is no longer the session's.
local function check_given_back(name)
  local session = require("leadping.core").session {}
  session:submit(session_request("http", "given-back"))
  session:step(0)
  session:cancel(1)
  local is_whole = followers[name]()
  local status = in_child(function()
    session:close()
    check(is_whole(), "kept")
  end)
  check(status == 0, ("followed by %s: status %d"):format(name, status))
  session:close()
  check(is_whole(), "kept by the parent")
end

--- A child that has a loop's client in flight: its own loop is its parent's, so
-- that it must leave by os.exit, closing nothing.
local function check_loop(name)
  local loop = require("spec.loops").new(name)
  local client = assert(leadping.new { api_key = "sk_emulator_fork", loop = loop.option })
  local selection, status
  loop.spawn(function() selection = client:clear_override "fault:slow-0.2" end)
  loop.spawn(function()
    loop.sleep(0.05)
    local pid = host.fork()
    if pid == 0 then
      local ok, raised = pcall(client.clear_override, client, "never-sent")
      os.exit(not ok and tostring(raised):find(OWN, 1, true) and 0 or 1)
    end
    status = host.wait(pid)
  end)
  loop.run()
  client:close()
  check(status == 0, ("child within %s: status %d"):format(name, status))
  check(selection and selection.canSend ~= nil, "the parent's answer within " .. name)
end

local function check_place(place)
  for name in pairs(uses) do check_used(place, name) end
  check_unused(place)
  for i = 0, 9 do check_in_flight(place, ("%s-in-flight-%d"):format(place, i), i / 5000) end
end

if arg[1] == "driven" then
  for _, place in ipairs { "http-driven", "tls-driven" } do check_place(place) end
  for _, name in ipairs { "luv", "cqueues", "socket" } do check_loop(name) end
else
  for _, place in ipairs { "http", "tls" } do check_place(place) end
  for name in pairs(followers) do check_given_back(name) end
end
print(("%d 0"):format(checks))
