-- leadping.stream: calls on their way, for one caller: one call, or a run.
-- One call is a stream of one; there is no second path. Starts calls when they
-- may be sent, keeps those that wait to be sent again, gives out the settled.
-- MIT, see LICENSE.

local Call = require "leadping.call"
local interrupt = require "leadping.interrupt"
local protect = require "leadping.protect"

-- One call goes out at once; what a run decides is in leadping.run.
local ONCE = {
  ended = false,
  may_send = function() return true end,
  wait = function() return 0 end,
  spend = function() end,
  postpone = function() end,
  resume = function() end,
  settled = function() end,
}

local Stream = {}
Stream.__index = Stream

local function start(self, call)
  self.asking = call
  local request = call:next_request()
  self.asking = false
  if self.cancelled then return end -- by who was asked for the key, or told
  if request then
    self.run:spend(call.attempt_started)
    self.engine:send(request, call)
  else
    self:settle(call)
  end
end

--- Settled calls stand in line until they are asked for.
function Stream:settle(call)
  self.run:settled(call)
  self.busy, self.ready = self.busy - 1, self.ready + 1
  if self.last then self.last.behind = call else self.first = call end
  self.last = call
end

local function take_settled(self)
  local call = self.first
  if not call then return nil end
  self.first, self.ready = call.behind, self.ready - 1
  if call == self.last then self.last = nil end
  return call
end

local function delay_call(self, call)
  self.delayed = self.delayed or {}
  self.delayed[#self.delayed + 1] = call
end

--- Takes the result of one of this stream's calls.
function Stream:take(call, result)
  call:take(result, self.run)
  if call.settled then self:settle(call) else delay_call(self, call) end
end

--- Sends again what is due.
local function start_due(self)
  local delayed, i = self.delayed, 1
  while delayed and delayed[i] and not self.cancelled do
    local call, now = delayed[i], self.engine.clock()
    if call.due <= now and self.run:may_send() then
      table.remove(delayed, i)
      self.run:resume(call, now)
      start(self, call)
    else
      i = i + 1
    end
  end
end

--- Neither for more than can be in flight, nor for more than is taken from here.
local function has_room(self)
  return self.busy < self.slots and self.ready < self.slots
    and not (self.exhausted or self.cancelled)
end

--- Ids are asked for one at a time, when they can be sent.
local function start_new(self)
  while has_room(self) and self.run:may_send() do
    self.asking = true
    local id = self:next_id()
    self.asking = false
    if id == nil then
      self.exhausted = true
    else
      self.busy = self.busy + 1
      start(self, Call.new(self.engine, id, self.limits, self))
    end
  end
end

local function send_due_and_new(self)
  start_due(self)
  start_new(self)
end

--- Puts away what its caller was asked for when an error came. Of a run's calls, one
-- that was sent before is given out with what is known of it.
local function drop_asking(self)
  local call = self.asking
  self.asking = false
  if not call or call == true then return end
  if call.last and self.run ~= ONCE then
    call:give_up()
    self:settle(call)
  else
    self.busy = self.busy - 1
  end
end

--- Sends what may be sent. An error of the ids or of the key's function is kept
-- until nothing is in flight any more; Ctrl-C comes at once.
---@param call table? that is to be given out: where an error would take it along,
-- the next time will do
local function send(self, call)
  if self.raised or self.caller_error then return end
  if call and self.waiter and not protect.is_able then return end
  local ok, raised = protect.pcall(self.waiter, send_due_and_new, self)
  if ok then return end
  if interrupt.is(raised) then error(raised, 0) end
  if self.asking then self.caller_error = { raised } else self.raised = { raised } end
  drop_asking(self)
end

local function has_ended(self)
  return self.run.ended or self.caller_error ~= nil
end

--- Seconds until the first of the delayed calls is due; nil where there is none.
local function seconds_of_delay(self)
  if not self.delayed or #self.delayed == 0 then return nil end
  local due = math.huge
  for _, call in ipairs(self.delayed) do due = math.min(due, call.due) end
  return due - self.engine.clock()
end

--- Seconds until something is to be sent; nil where nothing is.
local function seconds_until_due(self)
  if has_ended(self) then return nil end
  local delay = has_room(self) and 0 or seconds_of_delay(self)
  return delay and math.max(delay, self.run:wait())
end

--- Settles what waits to be sent again.
local function settle_delayed(self, settle)
  local delayed = self.delayed
  self.delayed = nil
  for _, call in ipairs(delayed or {}) do
    settle(call)
    self:settle(call)
  end
end

--- Without a session there is nothing to wait with.
local function fail_delayed(self, kind, message)
  settle_delayed(self, function(call)
    call:fail { kind = kind, message = message, outcome = "not_sent" }
  end)
end

local function is_over(self)
  return self.busy == 0 and (self.exhausted or has_ended(self))
end

--- The next call that is settled; nil where none is left.
local function next_settled(self)
  while not self.cancelled do
    local call = take_settled(self)
    send(self, call)
    if has_ended(self) then settle_delayed(self, Call.give_up) end
    call = call or take_settled(self)
    if call or self.cancelled then return call end
    local raised = self.raised or is_over(self) and self.caller_error
    if raised then error(raised[1], 0) end
    if is_over(self) then return nil end
    local kind, message = self.engine:wait(self, seconds_until_due(self))
    if kind then fail_delayed(self, kind, message) end
  end
end

--- Starts no further call and gives up those that wait to be sent again.
function Stream:stop()
  self.run:stop()
  self.engine:nudge(self)
end

--- Puts away what is in flight; the results will not come.
function Stream:cancel()
  self.cancelled = true
  self.engine:cancel(self)
end

--- A coroutine that an error has ended waits no more.
local function is_awaited(self)
  local waits = self.awaited
  return type(waits) == "thread" and coroutine.status(waits) ~= "dead" or waits == true
end

--- The next call that is settled; nil where none is left. An error raised on
-- the way, Ctrl-C's above all, puts everything away before it goes on, and so
-- does what a hook has raised, which the call's results raise again.
function Stream:result()
  if is_awaited(self) then
    error("clear_overrides: another coroutine waits for this loop's next result", 0)
  end
  self.waiter = self.engine:new_waiter()
  self.awaited = coroutine.running() or true
  drop_asking(self) -- of a coroutine that an error has ended
  local ok, call = protect.pcall(self.waiter, next_settled, self)
  self.awaited = false
  if not ok or (call and call.hook_error) then self:cancel() end
  if not ok then error(call, 0) end
  return call
end

--- A new stream, of calls for the ids that next_id returns until it returns nil.
-- All its fields are named here, so that no result is lost for lack of memory.
---@param engine table leadping.engine
---@param next_id fun(stream: table): string?
---@param limits table see Call.new
---@param slots integer calls on their way at a time
---@param run table? what decides when to send, a leadping.run; nil for one call
function Stream.new(engine, next_id, limits, slots, run)
  return setmetatable({
    engine = engine, next_id = next_id, limits = limits, slots = slots,
    run = run or ONCE,
    busy = 0, -- calls in flight or delayed
    ready = 0, -- settled calls that nobody has taken yet
    submitted = false, -- the session's id of a call on its way into engine.calls
    exhausted = false, -- next_id has returned nil
    cancelled = false,
    waiter = nil, -- see leadping.loops
    awaited = false, -- the coroutine that called result() and has not got it yet
    asking = false, -- true: for an id; a call: for its key
    caller_error = nil, -- of next_id or the key's function, in a table
    raised = nil, -- any other error on the way, in a table
    first = nil, last = nil, -- of the settled calls, linked by `behind`
    delayed = nil, -- a list of calls, as soon as there is one
    only_id = nil, -- of a stream of one; see leadping.engine
  }, Stream)
end

return Stream
