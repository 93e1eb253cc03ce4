-- leadping.loop.cqueues: waits in a coroutine of a cqueues controller.
-- One coroutine more looks for results while something is in flight, so that
-- the others are not woken for each other's.
-- MIT, see LICENSE.

local cqueues = require "cqueues"
local condition = require "cqueues.condition"

local loop = {}

function loop.waiter()
  if cqueues.running() then return condition.new() end
  return nil, "with cqueues a call has to be made in a coroutine of a controller: "
    .. "cqueues.new():wrap(function() … end)"
end

function loop.suspend(waiter, seconds)
  waiter:wait(seconds)
end

function loop.resume(waiter)
  waiter:signal()
end

local Watcher = {}
Watcher.__index = Watcher

--- What cqueues.poll takes: an object with pollfd, events and timeout.
function Watcher:pollfd() return self.fd end
function Watcher.events() return "r" end
function Watcher.timeout() return nil end

local function run(self)
  while self.wanted do
    cqueues.poll(self)
    if self.wanted then self.ready() end
  end
  self.running = false
end

function Watcher:start()
  self.wanted = true
  if self.running then return true end
  self.running = true
  cqueues.running():wrap(run, self)
  return true
end

--- Wakes the coroutine, which ends. cqueues remembers descriptors, and has to
-- forget one that may be closed next.
function Watcher:stop()
  self.wanted = false
  cqueues.cancel(self.fd)
end

function loop.watch(session, ready)
  local fd, message = session:fd()
  if not fd then return nil, message end
  return setmetatable({ fd = fd, ready = ready, wanted = false, running = false }, Watcher)
end

return loop
