-- bell_loop.lua: a loop without coroutines that waits as nginx's does: for a byte
-- from the session's unix socket, and by polling where there is none.
-- Returns a function that makes the table for the option `loop`, of syscalls.c's
-- functions, which no fault is for; one client at a time.
-- MIT, see LICENSE.

local clock = require("leadping.core").clock

local POLL = 0.001 -- seconds

return function(faults, directory)
  local loop = {}
  local session, ready -- the client's that waits
  local bell -- a descriptor; nil: there is none, or none any more

  local function connect()
    local path = session:listen(directory)
    bell = path and faults.connect(path)
    if not bell then session:start() end
  end

  local function hang_up()
    if bell then faults.hang_up(bell) end
    bell = nil
  end

  local function wait(seconds)
    if not bell then return faults.pause(POLL) end
    local heard = faults.hear(bell, seconds)
    if heard then session:hear() end
    if heard == nil then hang_up() end
  end

  function loop.waiter() return {} end

  function loop.resume(waiter) waiter.resumed = true end

  function loop.suspend(waiter, seconds)
    local deadline = clock() + (seconds or 60)
    waiter.resumed = false
    while not waiter.resumed and clock() < deadline do
      wait(deadline - clock())
      if session:step(0) ~= 0 then ready() end
    end
  end

  function loop.watch(new_session, new_ready)
    return {
      start = function()
        session, ready = new_session, new_ready
        if not bell then connect() end
        return true
      end,
      stop = function()
        hang_up()
        session, ready = nil, nil
      end,
    }
  end

  return loop
end
