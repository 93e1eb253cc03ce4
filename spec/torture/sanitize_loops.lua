-- sanitize_loops.lua: `sanitize_loops.lua LOOP N`: N calls in that loop, most of
-- them answered, by coroutines that share a client, on the emulator. Prints how
-- many checks were made; what leaks or races is for sanitizers to see.
-- MIT, see LICENSE.

local leadping = require "leadping"
local loop = assert(require("spec.loops").new(arg[1]))

local count = tonumber(arg[2])
local COROUTINES = 50
local EVERY = 40 -- calls: one in so many meets a fault
local FAULTS = { "fault:status-404", "fault:close", "fault:never", "fault:status-503*1" }

local checks = 0

local function check(condition, what)
  checks = checks + 1
  return condition or error("wrong: " .. what, 2)
end

local function new_client(more)
  local given = { api_key = "sk_emulator_loops", loop = loop.option, max_retries = 1 }
  for name, value in pairs(more or {}) do given[name] = value end
  return assert(leadping.new(given))
end

local function call(client, n)
  if n % EVERY ~= 0 then
    local selection, err = client:clear_override("loops-" .. n)
    check(selection and selection.canSend ~= nil, tostring(err))
  else
    local fault = FAULTS[n // EVERY % #FAULTS + 1]
    client:clear_override(("%s:%d"):format(fault, n), { timeout = 0.3 })
  end
end

--- N calls of coroutines that share a client; then some that it is closed upon.
local function run(client, calls)
  local made, ended = 0, 0
  for _ = 1, COROUTINES do
    loop.spawn(function()
      while made < calls do
        made = made + 1
        call(client, made)
      end
      ended = ended + 1
      local _, err = client:clear_override "fault:never"
      check(err.kind == "cancelled", tostring(err))
    end)
  end
  loop.spawn(function()
    while ended < COROUTINES do loop.sleep(0.01) end
    loop.sleep(0.05)
    client:close()
  end)
  loop.run()
end

local function clear_many(client, ids)
  loop.spawn(function()
    for id, selection in client:clear_overrides(ids, { rate = false }) do
      check(selection, id)
    end
    for id in client:clear_overrides({ "fault:never", "a" }, { rate = false }) do
      if id then break end
    end
  end)
  loop.run()
end

local some = {}
for i = 1, 50 do some[i] = "many-" .. i end

clear_many(new_client(), some) -- whose session is the collector's
run(new_client(), count // 2)
run(new_client {
  base_url = os.getenv "EMULATOR_TLS", ca_file = os.getenv "EMULATOR_CA",
}, count - count // 2)
check(checks >= count * 0.9, "too few calls")
print(("%d 0"):format(checks))
