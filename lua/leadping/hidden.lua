-- leadping.hidden: keeps a value in a table, out of sight of a dump of it.
-- In a function, not in a table with weak keys: Lua 5.1 and LuaJIT would never
-- collect a client that its own hook refers to.
-- MIT, see LICENSE.

local hidden = {}

local KEY = {}

function hidden.set(object, value)
  rawset(object, KEY, function() return value end)
end

--- The value; nil for what holds none, whatever it is.
function hidden.get(object)
  local get = type(object) == "table" and rawget(object, KEY)
  if get then return get() end
end

return hidden
