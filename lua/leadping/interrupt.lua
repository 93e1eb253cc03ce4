-- leadping.interrupt: knows Ctrl-C by what it raises.
-- Lua's own program has no other mark for it than its text. Catches nothing.
-- MIT, see LICENSE.

local interrupt = {}

--- Whether a raised value is what lua.c raises at Ctrl-C.
function interrupt.is(raised)
  return type(raised) == "string" and raised:find("interrupted!$") ~= nil
end

return interrupt
