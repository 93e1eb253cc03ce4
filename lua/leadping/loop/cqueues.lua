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

--- An error is the controller's to report; others still wait for their results.
local function run(self, controller)
  while self.wanted do
    cqueues.poll(self)
    if self.wanted then
      local ok, raised = pcall(self.ready)
      if not ok then controller:wrap(error, raised, 0) end
    end
  end
  self.running[controller] = nil
end

--- One in each controller in which a call is made: another one may not be
-- stepped meanwhile. Asks for the descriptor first: it raises in a forked child,
-- whose controllers are still its parent's.
function Watcher:start()
  self.fd = self.session:fd()
  local controller = cqueues.running()
  self.wanted = true
  if self.running[controller] then return true end
  self.running[controller] = true
  controller:wrap(run, self, controller)
  return true
end

--- Wakes the coroutines, which end. cqueues remembers descriptors, and has to
-- forget one that may be closed next.
function Watcher:stop()
  if not self.wanted then return end
  self.wanted = false
  cqueues.cancel(self.fd)
end

function loop.watch(session, ready)
  local fd, message = session:fd()
  if not fd then return nil, message end
  return setmetatable({
    session = session, fd = fd, ready = ready, wanted = false,
    running = setmetatable({}, { __mode = "k" }), -- controllers
  }, Watcher)
end

return loop
