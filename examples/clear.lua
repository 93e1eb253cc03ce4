-- examples/clear.lua: clears the overrides of the ids on its command line.
-- lua5.4 examples/clear.lua ID…; the key comes from LEADPING_API_KEY. Exits
-- with 0 where all were cleared, 1 where some were not, 2 without an id.
-- MIT, see LICENSE.

local leadping = require "leadping"

if #arg == 0 then
  io.stderr:write("usage: lua examples/clear.lua ID...\n")
  os.exit(2)
end

local client, no_client = leadping.new { timeout = 30 }
if not client then
  io.stderr:write(tostring(no_client), "\n")
  os.exit(1)
end

local failed = 0
for _, id in ipairs(arg) do
  local selection, err = client:clear_override(id)
  if selection then
    print(id, selection.displayNumber or "no number",
      selection.canSend and "can send" or selection.setupMessage or "cannot send")
  else
    failed = failed + 1
    io.stderr:write(("%s: %s (override: %s)\n"):format(id, tostring(err), err.outcome))
  end
end

client:close()
os.exit(failed == 0 and 0 or 1)
