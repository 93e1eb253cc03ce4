-- calls: one client's calls in sequence; the counterpart of baseline.c.
-- Usage: calls.lua URL COUNT [CA_FILE [CA_PATH]], the key in LEADPING_API_KEY.
-- Does not compare: report.lua does.
-- MIT, see LICENSE.

local url, count, ca_file, ca_path = ...

local core = require "leadping.core"
local leadping = require "leadping"

local client = assert(leadping.new { base_url = url, ca_file = ca_file, ca_path = ca_path })
local start = core.clock()
for n = 1, tonumber(count) do
  assert(client:clear_override("bench-" .. n))
end
print(("loop %.6f"):format(core.clock() - start))
client:close()
