-- wire_run: drives a client against wire_server, case by case, and judges.
-- Usage: lua5.4 wire_run.lua DIRECTORY quick|full. Each case is a call that
-- meets a fault and a call of the same client that meets none.
-- Knows neither what a server does nor what may come of it: see wire_cases.
-- MIT, see LICENSE.

local bytes = require "wire_bytes"
local cases = require "wire_cases"
local cjson = require "cjson"
local core = require "leadping.core"
local cqueues = require "cqueues"
local leadping = require "leadping"
local socket = require "cqueues.socket"

local directory, extent, pattern = arg[1], arg[2], arg[3]
local MARGIN = 0.05 -- seconds that a call may take behind its time limit
local TILDES = ("~"):rep(40) -- see note() in wire_server

-- Delays between attempts are another spec's concern.
math.random = function() return 0.02 end -- luacheck: ignore 122

-- the server -----------------------------------------------------------------

local control

local function connect()
  local deadline = core.clock() + 5
  repeat
    control = socket.connect { path = directory .. "/control" }
    if pcall(control.connect, control, 1) then
      control:setmode("bf", "bf")
      return
    end
    cqueues.sleep(0.02)
  until core.clock() > deadline
  error("the server does not start")
end

local function tell(command, text)
  control:write(("%s %d\n%s"):format(command, #text, text))
  control:flush()
  local line = control:read("*l")
  return line or error("the server is gone")
end

--- A value as Lua text.
local function dump(value)
  if type(value) ~= "table" then
    return type(value) == "string" and ("%q"):format(value) or tostring(value)
  end
  local parts = {}
  for key, item in pairs(value) do
    parts[#parts + 1] = ("[%s]=%s"):format(dump(key), dump(item))
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

local function set_plan(case)
  return tell("plan", dump {
    protocol = case.protocol, connections = case.connections or {},
    accept = not case.no_accept and not case.full, closed = case.closed, full = case.full,
  })
end

--- From now on, new connections behave well.
local function recover(case)
  tell("plan", dump { protocol = case.protocol, connections = {}, accept = true })
end

-- what is expected -----------------------------------------------------------

local function same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then return a == b end
  for key, value in pairs(a) do
    if not same(value, b[key]) then return false end
  end
  for key in pairs(b) do
    if a[key] == nil then return false end
  end
  return true
end

local function without_null(value)
  if type(value) ~= "table" then return value end
  local copy = {}
  for key, item in pairs(value) do
    if item ~= cjson.null then copy[key] = without_null(item) end
  end
  return copy
end

--- Whether a selection is, field by field, the golden one with that marker.
local function is_golden(selection, marker)
  return same(selection, without_null(cjson.decode(bytes.body(marker))))
end

local KINDS, OUTCOMES = {}, {}
for kind in ([[invalid_id no_api_key connection tls timeout cancelled too_large decode
  bad_request unauthorized forbidden not_found rate_limited server_error
  unexpected_status]]):gmatch("%S+") do KINDS[kind] = true end
for outcome in ("not_sent not_applied applied unknown"):gmatch("%S+") do
  OUTCOMES[outcome] = true
end

local function has_word(words, word)
  return (" " .. words:gsub("%s+", " ") .. " "):find(" " .. word .. " ", 1, true) ~= nil
end

--- What is wrong with a selection; nil where nothing is.
local function judge_selection(result, want, marker)
  local selection, response = result.selection, result.response
  local got = tostring(selection.phoneNumberId)
  if not want.selection then return "a selection, of " .. got end
  if not is_golden(selection, marker) then
    return ("another selection, of %s, not %s"):format(got, marker)
  end
  if response.status < 200 or response.status > 299 then return "a selection with no 2xx" end
  if response.body ~= bytes.body(marker) then return "a selection of another body" end
end

local function judge_error(result, want)
  local err = result.err
  local text = ("%s, %s: %s"):format(err.kind, err.outcome, tostring(err))
  if not KINDS[err.kind] or not OUTCOMES[err.outcome] then return "not in the README: " .. text end
  if err.outcome == "not_sent" and result.seen > 0 then
    return ("not_sent, but the server saw %d: %s"):format(result.seen, text)
  end
  if not want.kind or not has_word(want.kind, err.kind) or not has_word(want.outcome, err.outcome)
  then
    return text
  end
end

local function judge(result, want, marker, limit, most)
  if result.raised then return "raised: " .. tostring(result.raised) end
  if result.seen > most then return ("the server saw %d"):format(result.seen) end
  local wrong = (result.selection and judge_selection or judge_error)(result, want, marker)
  if wrong then return wrong end
  if result.seconds > limit + MARGIN then
    return ("took %.3f s of %.3f s"):format(result.seconds, limit), true
  end
end

-- running --------------------------------------------------------------------

local serial = 0

local function call(client, timeout)
  serial = serial + 1
  local id = "c" .. serial
  local started = core.clock()
  local ok, selection, err, response = pcall(client.clear_override, client, id .. TILDES,
    { timeout = timeout })
  return {
    id = id, seconds = core.clock() - started, raised = not ok and selection or nil,
    selection = ok and selection or nil, err = err, response = response,
    seen = tonumber(tell("seen", id)),
  }
end

local function new_client(case, port)
  local scheme = case.protocol == "http" and "http" or "https"
  return assert(leadping.new {
    api_key = "sk_wire", base_url = ("%s://localhost:%s"):format(scheme, port),
    ca_file = directory .. "/ca.pem", max_retries = case.retries or 0,
    attempt_timeout = case.attempt_timeout,
  })
end

local WELL = { selection = true }
local LIMIT = 2 -- seconds, for what is to end by itself

local function expect_well(client, when)
  local result = call(client, LIMIT)
  local wrong, late = judge(result, WELL, result.id, LIMIT, 1)
  return wrong and when .. ": " .. wrong, late
end

--- The call that meets the fault.
local function meet_fault(client, case)
  local limit = case.timeout or LIMIT
  local result = call(client, limit)
  local from_fault = result.selection and not case.kept
    and result.selection.phoneNumberId == cases.MARK
  local wrong, late = judge(result, case.want, from_fault and cases.MARK or result.id, limit,
    case.seen or 1)
  if not wrong and case.attempts then
    local got = (result.err or result.response).attempts
    if got ~= case.attempts then wrong = ("%d attempts"):format(got) end
  end
  return wrong, late
end

local function prepare_kept(client)
  local wrong = expect_well(client, "the call before")
  if wrong then return wrong end
  local word = tell("go", "")
  return word ~= "passed" and "the server is " .. word or nil
end

local function steps_of(client, case)
  local wrong, late
  if case.kept then wrong = prepare_kept(client) end
  if not wrong then wrong, late = meet_fault(client, case) end
  if wrong then return wrong, late end
  recover(case)
  return expect_well(client, "the call behind")
end

local function run(case)
  local client = new_client(case, set_plan(case))
  local wrong, late = steps_of(client, case)
  client:close()
  return wrong, late
end

-- counts ---------------------------------------------------------------------

local counts, order, repeated = {}, {}, 0

local function count(case, wrong)
  local group = counts[case.group]
  if not group then
    group = { http = 0, tls = 0, h2 = 0, failed = 0 }
    counts[case.group] = group
    order[#order + 1] = case.group
  end
  group[case.protocol] = group[case.protocol] + 1
  if not wrong then return end
  group.failed = group.failed + 1
  print(("FAILED %s, %s, %s: %s"):format(case.group, case.protocol, case.name, wrong))
end

--- A machine that is busy makes a call late now and then; what is late by its
--- own fault is late each time. Only that is tried again, and it is counted.
local function run_and_count(case)
  local wrong, late = run(case)
  for _ = 1, 2 do
    if not late then break end
    repeated = repeated + 1
    wrong, late = run(case)
  end
  count(case, wrong)
end

local function print_table()
  local total = { http = 0, tls = 0, h2 = 0, failed = 0 }
  local line = "%-12s %8s %8s %8s %8s"
  print(line:format("group", "HTTP/1.1", "+ TLS", "HTTP/2", "failed"))
  for _, name in ipairs(order) do
    local group = counts[name]
    print(line:format(name, group.http, group.tls, group.h2, group.failed))
    for key, value in pairs(group) do total[key] = total[key] + value end
  end
  print(line:format("all", total.http, total.tls, total.h2, total.failed))
  print(extent == "full" and "cut and split at each byte offset"
    or "cut and split at every 7th byte offset")
  print(("%d calls; %d cases repeated because they were late"):format(serial, repeated))
  return total.http + total.tls + total.h2 - total.failed, total.failed
end

--- How many bytes the server's first flight has, so that it can be cut.
local function flight_of(protocol)
  local case = { protocol = protocol }
  local client = new_client(case, set_plan(case))
  local wrong = expect_well(client, "the first call")
  if wrong then error(wrong, 0) end
  client:close()
  return tonumber(tell("flight", ""))
end

local function main()
  connect()
  local flight = { tls = flight_of "tls", h2 = flight_of "h2" }
  for _, case in ipairs(cases.all(extent == "full", flight)) do
    local name = ("%s, %s, %s"):format(case.group, case.protocol, case.name)
    if not pattern or name:find(pattern) then run_and_count(case) end
  end
  local passed, failed = print_table()
  print(("wire: %d passed, %d failed"):format(passed, failed))
  return failed == 0 and passed > 0
end

io.stdout:setvbuf("line")
local ran, passed = xpcall(main, debug.traceback)
if not ran then print(passed, "\nwire: 0 passed, 1 failed") end
os.exit(ran and passed)
