-- sanitize_steps.lua: one of everything that the client does, on the emulator.
-- `host sanitize_steps.lua allocation|instruction N` with a full collection at
-- every Nth allocation or instruction; `threads N`: N rounds, in each thread;
-- `finalizer N`: N sessions, each used by finalizers while it is used; `driven N`:
-- the same with sessions that are driven by threads of their own; `bursts N`: N
-- such sessions, each sent twelve requests at once over HTTP/2.
-- MIT, see LICENSE.

local host = require "host"

local how, number = arg[1], tonumber(arg[2])
local checks = 0

local function check(condition, what)
  checks = checks + 1
  return condition or error("wrong: " .. what, 2)
end

local function read(path)
  local file = assert(io.open(path, "rb"))
  local content = file:read("*a")
  file:close()
  return content
end

local function options(base_url, more)
  local given = { api_key = "sk_emulator_steps", base_url = base_url, max_retries = 0 }
  for name, value in pairs(more or {}) do given[name] = value end
  return given
end

local function decode_and_encode(leadping)
  for _, name in ipairs { "documented", "cannot-send", "later" } do
    local text = read(("spec/contract/selection-%s.json"):format(name))
    local selection = check(leadping.decode(text), name)
    local again = check(leadping.decode(leadping.encode(selection)), name .. " again")
    check(again.canSend == selection.canSend, name .. ": canSend")
    check(#again.eligibleNumbers == #selection.eligibleNumbers, name .. ": eligibleNumbers")
    check(tostring(again) == tostring(selection), name .. ": the card")
  end
  local escaped = read("spec/contract/selection-documented.json")
    :gsub('"displayNumber": ?"', '%0\\u00e9\\ud83d\\ude00\\n')
  check(leadping.decode(escaped).displayNumber:find("é😀\n", 1, true), "escapes")
  local none, err = leadping.decode('{"canSend":"true"}')
  check(not none and err.message:find("canSend: boolean expected, got string", 1, true),
    "a wrong type")
end

--- Calls that go well, and each kind of thing that goes wrong.
local function call(leadping, given)
  local client = check(leadping.new(given), "new")
  for i = 1, 2 do
    local selection, err = client:clear_override(("steps %d é/.."):format(i))
    check(selection and selection.canSend ~= nil, tostring(err))
  end
  local _, err, response = client:clear_override("fault:status-404")
  check(err and err.kind == "not_found" and err.problem, "not_found: " .. tostring(err))
  check(response.headers["content-type"], "headers")
  _, err = client:clear_override("fault:never", { timeout = 0.05 })
  check(err and err.kind == "timeout", "timeout: " .. tostring(err))
  check(client:clear_override("after"), "after a timeout")
  client:close()
end

local function refuse(leadping)
  local client = leadping.new(options(os.getenv "EMULATOR_CLOSED"))
  local _, err = client:clear_override("a")
  check(err.kind == "connection", "refused: " .. tostring(err))
  _, err = client:clear_override("..")
  check(err.kind == "invalid_id", "invalid_id: " .. tostring(err))
  _, err = client:clear_override("a\255")
  check(err.kind == "invalid_id", "not UTF-8: " .. tostring(err))
end -- its session is the collector's

--- Signals are one state's at a time. They reach the process's first thread,
-- which waits for ours, and are passed on.
local function catch()
  local system = require("leadping.core").system
  local caught
  local ok, raised = pcall(system.catch, function(name) caught = name end)
  if not ok then
    return check(raised:find("another Lua state", 1, true), "catch: " .. raised)
  end
  io.popen("kill -TERM $PPID"):close()
  for _ = 1, 500 do
    if caught then break end
    io.popen("sleep 0.01"):close()
  end
  system.release()
  check(caught == "SIGTERM", "caught " .. tostring(caught))
end

local function everything()
  local leadping = require "leadping"
  decode_and_encode(leadping)
  call(leadping, options(os.getenv "EMULATOR_HTTP"))
  call(leadping, options(os.getenv "EMULATOR_TLS", { ca_file = os.getenv "EMULATOR_CA" }))
  refuse(leadping)
end

local collections = 0

local function collect()
  collections = collections + 1
  collectgarbage()
end

--- Each transfer has one end: its result, or that it is cancelled.
local function note_end(state, id)
  check(not state.ended[id], ("transfer %d ends twice"):format(id))
  state.ended[id] = true
end

local function take_result(state)
  local id, result = state.session:next()
  if not id then return end
  note_end(state, id)
  check(result.status == 200, tostring(result.message))
end

--- What may be done with a session, by a finalizer as by anybody.
local actions = {
  function(state, request) state.last = state.session:submit(request) end,
  function(state) state.session:step(0) end,
  take_result,
  function(state)
    local id = collections % 20
    if state.session:cancel(id) then note_end(state, id) end
  end,
  function(state, _, use)
    if use % 205 == 204 then state.session:close() end
  end,
}

local function is_closed(raised)
  return tostring(raised):find("the session is closed", 1, true) ~= nil
end

local function act(state, request, use)
  local ok, raised = pcall(actions[use % #actions + 1], state, request, use)
  if not ok and not is_closed(raised) then state.raised = raised end
end

--- Uses a session from a finalizer that runs in each cycle of the collector,
-- so within the session's own methods too.
local function use_in_finalizers(state, request)
  local function again()
    if state.over then return end
    setmetatable({}, { __gc = function()
      collections = collections + 1
      act(state, request, collections)
      again()
    end })
  end
  again()
end

local function await_all(state)
  for _ = 1, 1000 do
    local waiting = state.session:step(0.2)
    for _ = 1, waiting do take_result(state) end
    local left = 0
    for id = 1, state.last do left = left + (state.ended[id] and 0 or 1) end
    if left == 0 then return end
  end
  error "a transfer has no end"
end

--- Every third session is left to the collector, with requests in flight.
local function use_session(request, driven, nth)
  local state = { session = require("leadping.core").session {}, ended = {}, last = 0 }
  use_in_finalizers(state, request)
  for i = 1, 50 do
    if driven and i == nth % 7 + 1 then pcall(state.session.fd, state.session) end
    for _, use in ipairs { 0, 1, 2, i * 5 + 3 } do act(state, request, use) end
  end
  state.over = true
  check(not state.raised, tostring(state.raised))
  if nth % 3 == 0 then return end
  local ok, raised = pcall(await_all, state)
  check(ok or is_closed(raised), tostring(raised))
  state.session:close()
end

local function request_to_emulator(base_url, id)
  local client = require("leadping").new(options(base_url))
  local request = assert(client:request(id or "steps"))
  return {
    url = request.url, method = request.method, headers = request.headers,
    timeout = 5, connect_timeout = 5, max_body = 1e6,
  }
end

local function use_sessions(driven)
  local request = request_to_emulator(os.getenv "EMULATOR_HTTP")
  collectgarbage("incremental", 1, 1000, 1)
  for nth = 1, number do use_session(request, driven, nth) end
  collectgarbage("incremental", 200, 100, 13)
end

local BURST = 12

--- What libcurl forgets in a burst, a thread that drives would wait for.
local function burst(nth)
  local session = require("leadping.core").session { ca_file = os.getenv "EMULATOR_CA" }
  check(session:fd(), "a thread")
  for i = 1, BURST do
    local id = ("burst-%d-%d"):format(nth, i)
    check(session:submit(request_to_emulator(os.getenv "EMULATOR_TLS", id)), "submit")
  end
  for _ = 1, BURST do
    while assert(session:step(1)) == 0 do end -- luacheck: ignore 542
    local _, result = session:next()
    check(result.status == 200, tostring(result.message))
  end
  session:close()
end

local ways = {
  bursts = function()
    for nth = 1, number do burst(nth) end
  end,
  finalizer = function() use_sessions(false) end,
  driven = function() use_sessions(true) end,
  allocation = function()
    host.collect_every(number)
    everything()
    collections = host.collect_every(0)
  end,
  instruction = function()
    debug.sethook(collect, "", number)
    everything()
    debug.sethook()
  end,
  threads = function()
    for _ = 1, number do
      catch()
      everything()
    end
  end,
}

local collects = how ~= "threads" and how ~= "bursts"

ways[how]()
assert(not collects or collections > 0, "nothing was collected")
print(("%d %d"):format(checks, collections))
