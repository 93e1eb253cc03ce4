-- sanitize_fork.lua: what a forked child may do with its parent's clients.
-- Run by sanitize_host.c on the emulator with EMULATOR_RECORD=1. A check that
-- does not hold raises, in the child too, whose exit status the parent checks.
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

--- A transfer that is on its way stays the parent's.
local function check_in_flight(place)
  local core = require "leadping.core"
  local session = core.session { ca_file = places[place].ca_file }
  local id = id_of(place, "in-flight")
  local request = assert(new_client(place):request(id))
  local given = {
    url = request.url, method = request.method, headers = request.headers,
    timeout = 10, connect_timeout = 10, max_body = 1e6,
  }
  local number = assert(session:submit(given))
  check(session:step(0), "the first step")
  local status = in_child(function()
    for method, argument in pairs { next = 0, step = 0, submit = given, cancel = number } do
      local ok, raised = pcall(session[method], session, argument)
      check(not ok and raised:find(OWN, 1, true), method)
    end
    session:close()
    check(host.sockets() == 0, "close() closes what is in flight")
  end)
  check(status == 0, "in flight over " .. place .. ": status " .. status)
  while assert(session:step(1)) == 0 do end -- luacheck: ignore 542
  local finished, result = session:next()
  check(finished == number and result.status == 200, "the parent's answer: "
    .. tostring(result and result.message))
  connection_of(id)
  session:close()
end

for _, place in ipairs { "http", "tls" } do
  for name in pairs(uses) do check_used(place, name) end
  check_unused(place)
  check_in_flight(place)
end
print(("%d 0"):format(checks))
