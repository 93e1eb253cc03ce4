-- leadping.json: this module's own instance of lua-cjson.
-- A private one, so that a program's settings of the shared cjson change
-- nothing here, nor ours anything there.
-- MIT, see LICENSE.

local cjson = require "cjson"

local json = cjson.new()

-- Where lua-cjson can (OpenResty's), it keeps [] apart from {}.
if json.decode_array_with_array_mt then json.decode_array_with_array_mt(true) end

--- The value of a JSON text; nil where it is none.
function json.read(text)
  local ok, value = pcall(json.decode, text)
  if ok then return value end
  if value == "not enough memory" then error(value, 0) end -- Lua's own
end

return json
