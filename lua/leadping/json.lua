-- leadping.json: this module's own instance of lua-cjson.
-- A private one, so that a program's settings of the shared cjson change
-- nothing here, nor ours anything there.
-- MIT, see LICENSE.

local cjson = require "cjson"

local json = cjson.new()

-- The metatable that tells [] from {}: that of OpenResty's lua-cjson, so that a
-- program's own cjson.encode minds it too; beside Debian's, one for us alone.
json.array_mt = json.array_mt or {}

--- The value of a JSON text; nil where it is none.
function json.read(text)
  local ok, value = pcall(json.decode, text)
  if ok then return value end
  if value == "not enough memory" then error(value, 0) end -- Lua's own
end

return json
