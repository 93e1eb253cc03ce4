-- examples/demo.lua: clears three conversations and prints what came of each.
-- Run by `make demo` on the emulator, and only there: it changes what it names.
-- MIT, see LICENSE.

local leadping = require "leadping"

local emulator = assert(os.getenv "EMULATOR_HTTP", "no emulator: use make demo")
local client = assert(leadping.new { base_url = emulator })

local ids = {
  "conv_20481",
  "cannot-send-7", -- one whose numbers cannot send
  "Zoë & co/42? 100%", -- an id is any text: it stays one segment of the path
}

for _, id in ipairs(ids) do
  local selection, err, response = client:clear_override(id)
  print(assert(client:request(id)))
  if selection then
    print(("%d in %.1f ms"):format(response.status, response.elapsed * 1000))
    print(selection)
  else
    print(err)
  end
  print()
end

client:close()
