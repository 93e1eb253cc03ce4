-- leadping.loop.luv: waits in a coroutine while luv's loop runs.
-- Calls are to be made in coroutines; uv.run() returns when none is in flight.
-- MIT, see LICENSE.

local uv = require "luv"

local luv = {}

function luv.waiter()
  local thread, is_main = coroutine.running()
  if thread and not is_main then return { thread = thread, suspended = false } end
  return nil, "with luv a call has to be made in a coroutine: coroutine.wrap(function() … end)()"
end

local function stop_waiting(waiter)
  waiter.suspended = false
  if waiter.timer then waiter.timer:close() end
  waiter.timer = nil
end

--- The error of a coroutine is neither the session's nor another coroutine's:
-- it comes out of uv.run(), as one of a callback does.
local function report(thread, raised)
  local timer = uv.new_timer()
  local message = debug.traceback(thread, tostring(raised))
  timer:start(0, 0, function()
    timer:close()
    error(message, 0)
  end)
end

--- Not where somebody else has resumed or closed the coroutine meanwhile.
function luv.resume(waiter)
  if not waiter.suspended then return end
  stop_waiting(waiter)
  if coroutine.status(waiter.thread) ~= "suspended" then return end
  local ok, raised = coroutine.resume(waiter.thread)
  if not ok then report(waiter.thread, raised) end
end

function luv.suspend(waiter, seconds)
  waiter.suspended = true
  if seconds then
    waiter.timer = assert(uv.new_timer())
    waiter.timer:start(math.ceil(seconds * 1000), 0, function() luv.resume(waiter) end)
  end
  coroutine.yield()
  stop_waiting(waiter)
end

local Watcher = {}
Watcher.__index = Watcher

--- Asks for the descriptor first: it raises in a forked child, whose loop is
-- still its parent's.
function Watcher:start()
  local fd = self.session:fd()
  if self.poll then return true end
  local poll, message = uv.new_poll(fd)
  if not poll then return nil, message end
  self.poll = poll
  return poll:start("r", self.ready)
end

--- A closed handle keeps no loop running, and does not outlive the session.
function Watcher:stop()
  if self.poll then self.poll:close() end
  self.poll = nil
end

function luv.watch(session, ready)
  local fd, message = session:fd()
  if not fd then return nil, message end
  return setmetatable({ session = session, ready = ready, poll = nil }, Watcher)
end

return luv
