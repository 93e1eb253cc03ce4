-- leadping.loop.blocking: waits in the caller, for programs without a loop.
-- Nothing else runs meanwhile, but signals: step comes back every 0.2 s, and
-- the hook by which lua.c stops a program at Ctrl-C runs here, in Lua.
-- MIT, see LICENSE.

local blocking = {}

--- Lets transfers go on, at most that many seconds, until a result waits. This
-- one function in place of those of leadping.Loop: no thread drives then.
---@return integer? waiting how many results wait
---@return string? message what is wrong with the session
function blocking.wait(session, seconds)
  return session:step(seconds)
end

return blocking
