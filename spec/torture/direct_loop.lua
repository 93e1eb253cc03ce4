-- direct_loop.lua: a loop without coroutines: who waits looks for results. The
-- session is driven by its thread all the same, which is what this is for.
-- Returns the table for the option `loop`; one client at a time.
-- MIT, see LICENSE.

local clock = require("leadping.core").clock

local loop = {}

local session, ready -- the client's that waits

function loop.waiter() return {} end

function loop.resume(waiter) waiter.resumed = true end

function loop.suspend(waiter, seconds)
  local deadline = clock() + (seconds or math.huge)
  waiter.resumed = false
  while not waiter.resumed and clock() < deadline do
    if session:step(0.05) ~= 0 then ready() end
  end
end

function loop.watch(new_session, new_ready)
  local fd, message = new_session:fd()
  if not fd then return nil, message end
  return {
    start = function()
      session, ready = new_session, new_ready
      return true
    end,
    stop = function() session, ready = nil, nil end,
  }
end

return loop
