-- bulk: long runs of clear_overrides, and what must hold of them.
-- Usage: bulk.lua quick|full, under an emulator that records its requests. Each
-- id is yielded once and sent as often as it was answered; memory stays flat;
-- the API's limit is kept, or made up for.
-- MIT, see LICENSE.

local extent = ...

local core = require "leadping.core"
local leadping = require "leadping"
local windows = require "spec.windows"

local IDS = extent == "full" and 100000 or 20000
local SETTLED = 2000 -- ids, after which memory is not to grow
local GROWTH_MAX = 2048 -- KiB

local passed, failed = 0, 0

local function check(holds, words, ...)
  if holds then
    passed = passed + 1
  else
    failed = failed + 1
    print(("  FAILED: " .. words):format(...))
  end
end

-- what is seen ---------------------------------------------------------------

--- KiB of this process that are resident.
local function resident()
  local file = assert(io.open "/proc/self/status")
  local kib = file:read("*a"):match("VmRSS:%s*(%d+)")
  file:close()
  return tonumber(kib)
end

local record_path = os.getenv "EMULATOR_DIR" .. "/requests.jsonl"

--- How often the emulator was asked for each id ("NAME-N") of a run.
local function count_requests(name)
  local counts, strange = {}, 0
  for line in io.lines(record_path) do
    local n = tonumber(line:match('"id":"' .. name .. '%-(%d+)"'))
    if n then counts[n] = (counts[n] or 0) + 1
    else strange = strange + 1 end
  end
  return counts, strange
end

local function forget_requests()
  assert(io.open(record_path, "wb")):close()
end

-- a run ----------------------------------------------------------------------

--- Ids "NAME-1", "NAME-2", … until `is_last` says so of a number.
local function ids_of(run)
  return function()
    if run.is_last(run.given) then return nil end
    run.given = run.given + 1
    return ("%s-%d"):format(run.name, run.given)
  end
end

--- Counts what is yielded. The counts have their place from the start, so that
-- the growth of memory is the client's.
local function take(run, id, selection, err)
  local n = tonumber(id:match("%-(%d+)$"))
  run.yielded[n] = run.yielded[n] + 1
  run.taken = run.taken + 1
  if not selection then run.err = run.err or err end
  if run.taken == SETTLED then run.settled_at = resident() end
end

local function new_run(name, count, is_last)
  local run = {
    name = name, given = 0, taken = 0, yielded = {},
    refused = {}, -- times of status 429
    is_last = is_last or function(n) return n == count end,
  }
  for n = 1, count do run.yielded[n] = 0 end
  return run
end

--- Makes a run and sees that each id was yielded and answered exactly once.
local function make(run, options, given)
  options.on_event = function(event)
    if event.status == 429 and event.name == "response" then
      table.insert(run.refused, core.clock())
    end
  end
  forget_requests()
  local client = assert(leadping.new(options))
  local started = core.clock()
  for id, selection, err in client:clear_overrides(ids_of(run), given) do
    take(run, id, selection, err)
  end
  run.seconds = core.clock() - started
  run.growth = resident() - (run.settled_at or 0)
  client:close()
  print(("%s: %d ids, %.1f s, %d of status 429"):format(run.name, run.taken, run.seconds,
    #run.refused))
end

local function check_once(run)
  local wrong = 0
  for n = 1, run.given do
    if run.yielded[n] ~= 1 then wrong = wrong + 1 end
  end
  check(wrong == 0, "%d ids were not yielded exactly once", wrong)
  check(not run.err, "an id failed: %s", tostring(run.err))
end

--- Each id's one success and all refusals, and nothing else, were sent.
local function check_requests(run)
  local counts, strange = count_requests(run.name)
  local missing, more = 0, 0
  for n = 1, run.given do
    missing = missing + (counts[n] and 0 or 1)
    more = more + (counts[n] or 1) - 1
  end
  check(missing == 0, "%d ids never reached the server", missing)
  check(more == #run.refused, "%d requests too many, for %d of status 429", more, #run.refused)
  check(strange == 0, "%d requests for something else", strange)
end

-- the runs -------------------------------------------------------------------

local function flood(name, url, ca_file)
  local run = new_run(name, IDS)
  make(run, { base_url = url, ca_file = ca_file }, { concurrency = 32, rate = false })
  check_once(run)
  check_requests(run)
  check(#run.refused == 0, "refused, without a limit")
  check(run.growth < GROWTH_MAX, "memory grew by %d KiB", run.growth)
  print(("  memory grew by %d KiB from id %d to the last"):format(run.growth, SETTLED))
end

--- Without a rate, on a limit of so many requests in so many seconds: in any of
-- its windows, what was in flight at the first 429 and no more is refused.
local function limited(name, count, requests, seconds, slots)
  local run = new_run(name, count)
  make(run, { api_key = ("sk_emulator_limit_%d_%g_%s"):format(requests, seconds, name) },
    { concurrency = slots, rate = false })
  check_once(run)
  check_requests(run)
  local most = windows.most(run.refused, seconds)
  check(most > 0, "the limit was never met")
  check(most <= slots, "%d of status 429 in %g s, with %d slots", most, seconds, slots)
end

--- At the default rate, on the API's limit.
local function steady(name, seconds)
  local started = core.clock()
  local run = new_run(name, 10 * seconds, function() return core.clock() - started > seconds end)
  make(run, { api_key = "sk_emulator_limit_300_60_" .. name })
  check_once(run)
  check_requests(run)
  check(#run.refused == 0, "%d of status 429", #run.refused)
  local expected = 4.5 * seconds
  check(run.given > 0.98 * expected and run.given < 1.02 * expected + 5,
    "%d ids where %d were expected", run.given, expected)
end

flood("plain", os.getenv "EMULATOR_HTTP")
flood("tls", os.getenv "EMULATOR_TLS", os.getenv "EMULATOR_CA")
limited("limited_small", 45, 30, 6, 8)
if extent == "full" then
  limited("limited", 400, 300, 60, 32)
  steady("steady", 90)
end
print(("bulk: %d passed, %d failed"):format(passed, failed))
os.exit(failed == 0)
