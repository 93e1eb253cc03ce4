-- leadping.engine: sends what calls ask for, and waits.
-- One call is a stream of one; there is no second path. Owns the session and
-- knows whose result each is. What is sent, and when again, calls decide.
-- MIT, see LICENSE.

local Call = require "leadping.call"
local core = require "leadping.core"
local blocking = require "leadping.loop.blocking"
local events = require "leadping.events"
local pace = require "leadping.pace"
local retry = require "leadping.retry"
local Run = require "leadping.run"

local IDLE = 3600 -- seconds, where no call waits for a moment of its own

-- One call goes out at once; what a run decides is in leadping.run.
local ONCE = {
  ended = false,
  wait = function() return 0 end,
  spend = function() end,
  postpone = function() end,
  settled = function() end,
}

-- Stream: calls on their way -------------------------------------------------

local Stream = {}
Stream.__index = Stream

local function start(self, call)
  local request = call:next_request()
  if request then
    self.run:spend()
    self.engine:send(request, call)
  else
    self:settle(call)
  end
end

function Stream:settle(call)
  self.run:settled(call)
  self.busy = self.busy - 1
  self.settled[#self.settled + 1] = call
end

--- Takes the result of one of this stream's calls.
function Stream:take(call, result)
  call:take(result, self.run)
  if call.settled then self:settle(call)
  else self.delayed[#self.delayed + 1] = call end
end

local function may_send(self)
  return not self.run.ended and self.run:wait() <= 0
end

--- Sends again what is due.
local function start_due(self)
  local now = self.engine.clock()
  for i = #self.delayed, 1, -1 do
    local call = self.delayed[i]
    if call.due <= now and may_send(self) then
      table.remove(self.delayed, i)
      start(self, call)
    end
  end
end

--- Ids are asked for one at a time, when they can be sent.
local function start_new(self)
  while not self.exhausted and self.busy < self.slots and may_send(self) do
    local id = self.next_id()
    if id == nil then
      self.exhausted = true
    else
      self.busy = self.busy + 1
      start(self, Call.new(self.engine, id, self.limits, self))
    end
  end
end

--- Seconds until something is to be sent.
local function seconds_until_due(self)
  if self.run.ended then return IDLE end
  local now, due = self.engine.clock(), math.huge
  for _, call in ipairs(self.delayed) do due = math.min(due, call.due) end
  if not self.exhausted and self.busy < self.slots then due = now end
  if due == math.huge then return IDLE end
  return math.min(math.max(due - now, self.run:wait()), IDLE)
end

--- Settles what waits to be sent again.
local function settle_delayed(self, settle)
  local delayed = self.delayed
  self.delayed = {}
  for _, call in ipairs(delayed) do
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
  return self.busy == 0 and (self.exhausted or self.run.ended)
end

--- The next call that is settled; nil where none is left.
local function next_settled(self)
  while not self.cancelled do
    if self.run.ended then settle_delayed(self, Call.give_up) end
    start_due(self)
    start_new(self)
    local call = table.remove(self.settled, 1)
    if call or is_over(self) then return call end
    local kind, message = self.engine:wait(seconds_until_due(self))
    if kind then fail_delayed(self, kind, message) end
  end
end

--- Puts away what is in flight; the results will not come.
function Stream:cancel()
  self.cancelled = true
  self.engine:cancel(self)
end

--- The next call that is settled; nil where none is left. An error raised on
-- the way, Ctrl-C's above all, puts everything away before it goes on, and so
-- does what a hook has raised, which the call's results raise again.
function Stream:result()
  local ok, call = pcall(next_settled, self)
  if not ok or (call and call.hook_error) then self:cancel() end
  if not ok then error(call, 0) end
  return call
end

-- Engine ---------------------------------------------------------------------

local Engine = {}
Engine.__index = Engine

--- A new engine.
---@param settings table see leadping.settings
---@param with table? what to use in place of the real clock (seconds, going
-- on), time (seconds since the epoch), random (in [0, 1)) and wait
function Engine.new(settings, with)
  with = with or {}
  return setmetatable({
    settings = settings,
    budget = retry.budget(),
    pace = pace.new(),
    listener = events.listener(settings),
    clock = with.clock or core.clock,
    time = with.time or os.time,
    random = with.random or math.random,
    wait_on = with.wait or blocking.wait,
    calls = {}, -- session's id -> call
  }, Engine)
end

--- Made at the first use: what only decodes, or forks first, needs none.
local function get_session(self)
  self.session = self.session or self.settings.transport or core.session(self.settings)
  return self.session
end

local function deliver(self, id, result)
  local call = self.calls[id]
  self.calls[id] = nil
  if call then call.stream:take(call, result) end
end

local CLOSED = "the client was closed"

function Engine:send(request, call)
  if self.closed then
    return call.stream:take(call, { kind = "cancelled", message = CLOSED, sends = 0 })
  end
  local id, message = get_session(self):submit(request)
  if id then
    call.stream.submitted = id -- cancel finds it where the next line is stopped
    self.calls[id] = call
    call.stream.submitted = false
  else
    call.stream:take(call, {
      kind = "connection", message = message, sends = 0, retryable = true,
    })
  end
end

--- Gives the same failure to all calls in flight; returns how many there were.
local function fail_all(self, kind, message, retryable)
  local ids = {}
  for id in pairs(self.calls) do ids[#ids + 1] = id end
  for _, id in ipairs(ids) do
    deliver(self, id, { kind = kind, message = message, sends = 1, retryable = retryable })
  end
  return #ids
end

--- A session that cannot be driven any more fails all that is in flight. Our
-- own is replaced at the next use; a given transport is its owner's to mend.
local function abandon_session(self, message)
  if self.session ~= self.settings.transport then
    self.session:close()
    self.session = nil
  end
  return fail_all(self, "connection", message, true)
end

--- A hook that is called meanwhile may close the client, and the session.
local function deliver_all(self)
  while self.session do
    local id, result = self.session:next()
    if not id then return end
    deliver(self, id, result)
  end
end

--- Waits for results, at most that long, and delivers them.
---@return string? kind why there can be no waiting for calls that are delayed
---@return string? message
function Engine:wait(seconds)
  if self.closed then return "cancelled", CLOSED end
  local waiting, message = self.wait_on(get_session(self), seconds)
  if waiting then
    deliver_all(self)
  elseif message ~= "interrupted" and abandon_session(self, message) == 0 then
    return "connection", message
  end
end

function Engine:cancel(stream)
  if stream.submitted and self.session then self.session:cancel(stream.submitted) end
  stream.submitted = false
  for id, call in pairs(self.calls) do
    if call.stream == stream then
      self.calls[id] = nil
      if self.session then self.session:cancel(id) end
    end
  end
end

--- Calls for the ids that next_id returns, until it returns nil.
---@param next_id fun(): string?
---@param limits table see Call.new
---@param slots integer calls on their way at a time
---@param run table what decides when to send: ONCE or a leadping.run
local function new_stream(self, next_id, limits, slots, run)
  return setmetatable({
    engine = self, next_id = next_id, limits = limits, slots = slots, run = run,
    busy = 0, -- calls in flight or delayed
    submitted = false, -- the session's id of a call on its way into engine.calls
    exhausted = false, -- next_id has returned nil
    cancelled = false,
    settled = {}, delayed = {},
  }, Stream)
end

local function once(id)
  return function()
    local value = id
    id = nil
    return value
  end
end

--- One call from its start to its end.
---@return table call settled
function Engine:call(id, limits)
  return new_stream(self, once(id), limits, 1, ONCE):result()
end

--- Many calls, at the pace of all that share the engine.
---@param limits table those of a call and concurrency, rate, max_failures
---@return table stream
function Engine:stream(next_id, limits)
  return new_stream(self, next_id, limits, limits.concurrency, Run.new(self, limits))
end

--- Closes the session, a given transport too. What is in flight is cancelled.
function Engine:close()
  if self.closed then return end
  local session = self.session or self.settings.transport
  self.closed, self.session = true, nil
  if session then session:close() end
  fail_all(self, "cancelled", CLOSED, false)
end

return Engine
