-- many: one client's calls at a time; the counterpart of many.c.
-- Usage: many.lua URL COUNT SLOTS [CA_FILE], the key in LEADPING_API_KEY.
-- Does not compare: report.lua does.
-- MIT, see LICENSE.

local url, count, slots, ca_file = ...
count, slots = tonumber(count), tonumber(slots)

local core = require "leadping.core"
local leadping = require "leadping"

local SETTLED = 2000 -- ids, after which memory is not to grow

--- KiB of this process that are resident; nil where the system does not tell.
local function resident()
  local file = io.open "/proc/self/status"
  if not file then return nil end
  local kib = file:read("*a"):match("VmRSS:%s*(%d+)")
  file:close()
  return tonumber(kib)
end

local function ids()
  local n = 0
  return function()
    n = n + 1
    return n <= count and "bench-" .. n or nil
  end
end

local client = assert(leadping.new { base_url = url, ca_file = ca_file })
local start, done, before = core.clock(), 0, nil
for _, selection, err in client:clear_overrides(ids(), { concurrency = slots, rate = false }) do
  assert(selection, err)
  done = done + 1
  if done == SETTLED then before = resident() end
end
assert(done == count)
print(("loop %.6f"):format(core.clock() - start))
if before then print(("growth %d"):format(resident() - before)) end
client:close()
