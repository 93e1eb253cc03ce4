-- leadping.loop.luv: waits in a coroutine while luv's loop runs.
-- Calls are to be made in coroutines; uv.run() returns when none is in flight.
-- MIT, see LICENSE.

local uv = require "luv"

local luv = {}

function luv.waiter()
  local thread, is_main = coroutine.running()
  if thread and not is_main then return { thread = thread } end
  return nil, "with luv a call has to be made in a coroutine: coroutine.wrap(function() … end)()"
end

--- The error of a coroutine is its own; uv.run() raises it.
function luv.resume(waiter)
  if not waiter.suspended then return end
  waiter.suspended = false
  local ok, message = coroutine.resume(waiter.thread)
  if not ok then error(debug.traceback(waiter.thread, message), 0) end
end

function luv.suspend(waiter, seconds)
  local timer
  waiter.suspended = true
  if seconds then
    timer = uv.new_timer()
    timer:start(math.ceil(seconds * 1000), 0, function() luv.resume(waiter) end)
  end
  coroutine.yield()
  waiter.suspended = false
  if timer then timer:close() end
end

local Watcher = {}
Watcher.__index = Watcher

function Watcher:start()
  local poll, message = uv.new_poll(self.fd)
  if not poll then return nil, message end
  self.poll = poll
  return poll:start("r", self.ready)
end

--- A closed handle keeps no loop running, and does not outlive the session.
function Watcher:stop()
  self.poll:close()
  self.poll = nil
end

function luv.watch(session, ready)
  local fd, message = session:fd()
  if not fd then return nil, message end
  return setmetatable({ fd = fd, ready = ready }, Watcher)
end

return luv
