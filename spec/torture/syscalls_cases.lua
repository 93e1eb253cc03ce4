-- syscalls_cases: runs every PARTS-th kind of case, with syscalls.c preloaded.
-- Prints a line for each case; what the emulator's record says of it is for
-- syscalls.lua to compare.
-- MIT, see LICENSE.

local core = require "leadping.core"
local leadping = require "leadping"
local plan = require "syscalls_plan"

local faults = assert(package.loadlib(os.getenv "SYSCALLS_LIBRARY", "luaopen_syscalls"))()
local part, parts, timeout = tonumber(arg[1]), tonumber(arg[2]), tonumber(arg[3])
local quick = arg[4] == "quick"

local KEY = "sk_emulator_of_the_system_calls"
local LATE = 0.25 -- seconds that a call may take beyond its timeout
local HUNG = math.ceil(4 * timeout + 3) -- seconds until a case is ended from outside
local DEATHS = 2 -- of one kind of case, until the rest of that kind is left out
local KINDS = { connection = true, tls = true, timeout = true }
local OUTCOMES = { not_sent = true, unknown = true }

local function read(path)
  local file = assert(io.open(path, "rb"))
  local content = file:read "a"
  file:close()
  return content
end

local example = read "spec/contract/selection-documented.json"
local serial = 0

--- An id that has an answer of its own, and that answer as it must arrive.
local function new_id(item_index, n)
  serial = serial + 1
  local name = ("syscalls.%d.%d.%d"):format(item_index, n, serial)
  local body = leadping.decode(example)
  body.setupMessage = name
  local path = os.getenv "EMULATOR_DIR" .. "/answers/" .. name
  local file = assert(io.open(path, "wb"))
  file:write(leadping.encode(body))
  file:close()
  return "answer:" .. name, leadping.encode(body), path
end

local function new_loop(setting)
  if setting.listening then return require "bell_loop" (faults, os.getenv "EMULATOR_DIR") end
  return setting.driven and require "direct_loop" or nil
end

local function new_client(setting)
  local url = os.getenv(setting.url)
  if setting.host then url = url:gsub("127%.0%.0%.1", setting.host) end
  return assert(leadping.new {
    api_key = KEY, base_url = url, max_retries = 0, timeout = timeout,
    ca_file = setting.ca == "ca_file" and os.getenv "EMULATOR_CA" or nil,
    ca_path = setting.ca == "ca_path" and os.getenv "SYSCALLS_CA_PATH" or nil,
    allow_http = setting.host ~= nil, proxy = "",
    loop = new_loop(setting),
  })
end

-- what must hold -------------------------------------------------------------

local function wrong_error(err)
  if type(err) ~= "table" then return "no error table: " .. tostring(err) end
  local text = tostring(err)
  if not KINDS[err.kind] then return "kind " .. tostring(err.kind) .. ": " .. text end
  if not OUTCOMES[err.outcome] then return "outcome " .. tostring(err.outcome) end
  if text:find(KEY, 1, true) then return "the key is in the error" end
  if type(err.message) ~= "string" or err.message == "" then return "no message" end
  local attempted = err.attempts == 1 or err.attempts == 0 and err.outcome == "not_sent"
  if not attempted then return "attempts " .. tostring(err.attempts) end
end

--- The outcome of a call that may have failed, and what is wrong with it.
local function judge(ok, selection, err, expected)
  if not ok then return "raised", "raised: " .. tostring(selection) end
  if selection then
    local same = leadping.encode(selection) == expected
    return "cleared", not same and "another call's answer" or nil
  end
  local wrong = wrong_error(err)
  return type(err) == "table" and tostring(err.outcome) or "none", wrong
end

local function check_next_call(client, item_index, n)
  local id, expected, path = new_id(item_index, n)
  local ok, selection, err = pcall(client.clear_override, client, id)
  os.remove(path)
  if not ok then return "the next call raised: " .. tostring(selection) end
  if not selection then return "the next call failed: " .. tostring(err) end
  if leadping.encode(selection) ~= expected then return "the next call got another answer" end
end

--- A resolver thread that was left behind may need a moment to close its own.
local function check_descriptors(before)
  local after
  for _ = 1, 100 do
    after = faults.descriptors()
    if after == before then return end
    faults.pause(0.01)
  end
  return ("%d descriptors before, %d after"):format(before, after)
end

-- running --------------------------------------------------------------------

local function fail_nth_call(client, item, n, id)
  local started = core.clock()
  faults.arm(item.call, item.error, n, item.onward)
  local ok, selection, err = pcall(client.clear_override, client, id)
  local count, seen = faults.disarm()
  return core.clock() - started, count, seen, ok, selection, err
end

local seen_calls = {} -- a list and a set

local function remember(seen)
  for name, times in pairs(seen) do
    if times > 0 and not seen_calls[name] then
      seen_calls[name] = true
      table.insert(seen_calls, name)
    end
  end
end

--- One case, start to end: what came of it and, in wrong, what must not be.
local function run_case(item, item_index, n)
  local before = faults.descriptors()
  local client = new_client(item.setting)
  local wrong = item.setting.kept and check_next_call(client, item_index, n) or nil
  local id, expected, path = new_id(item_index, n)
  local elapsed, count, seen, ok, selection, err = fail_nth_call(client, item, n, id)
  os.remove(path)
  remember(seen)
  local result = { id = id, count = count, elapsed = elapsed, err = err }
  result.outcome, result.wrong = judge(ok, selection, err, expected)
  if not selection and (count == 0 or plan.is_harmless(item)) then
    result.wrong = result.wrong or "failed without need"
  end
  result.late = elapsed > timeout + LATE
  if result.late then result.wrong = ("took %.2f s"):format(elapsed) end
  result.wrong = result.wrong or wrong or check_next_call(client, item_index, n)
  client:close()
  result.wrong = result.wrong or check_descriptors(before)
  return result
end

local function report(kind, item, n, ...)
  local fields = { kind, item.setting.name, item.call, item.error,
    item.onward and "onward" or "once", n, ... }
  for i, field in ipairs(fields) do fields[i] = tostring(field):gsub("%s+", " ") end
  io.write(table.concat(fields, "\t"), "\n")
end

--- A late call is given a second chance, as this machine may be busy.
local function report_case(item, item_index, n)
  faults.note(n)
  faults.limit(HUNG)
  local result = run_case(item, item_index, n)
  if result.late then
    report("repeat", item, n)
    result = run_case(item, item_index, n)
  end
  if result.count > 0 or result.wrong then
    report("case", item, n, result.outcome, result.id, result.wrong or "",
      ("%.3f"):format(result.elapsed), tostring(result.err))
  end
  return result.count > 0
end

--- Each of the first six, then in the quick form fewer and fewer.
local function following(n)
  return n + (quick and math.max(1, n // 3) or 1)
end

--- Runs cases from the nth on in a child. Where to go on, nil at the end; and
-- whether the child died.
local function run_from(item, item_index, n)
  faults.note(n)
  local death = faults.apart(function()
    local hit
    repeat
      hit = report_case(item, item_index, n)
      n = following(n)
    until not hit or item.setting.cold
    report("seen", item, 0, table.concat(seen_calls, " "))
    faults.note(hit and n or 0)
  end)
  local noted = faults.noted()
  if not death then return noted > 0 and noted or nil end
  report("case", item, noted, "died", "", death, "", "")
  return following(noted), true
end

local items = plan.items()
for index = part, #items, parts do
  local n, deaths = 1, 0
  while n and deaths < DEATHS do
    local died
    n, died = run_from(items[index], index, n)
    if died then deaths = deaths + 1 end
  end
end
