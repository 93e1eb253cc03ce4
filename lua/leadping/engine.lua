-- leadping.engine: sends what calls ask for, and waits.
-- One call is a stream of one; there is no second path. Owns the session and
-- knows whose result each is. What is sent, and when again, calls decide.
-- MIT, see LICENSE.

local Call = require "leadping.call"
local core = require "leadping.core"
local blocking = require "leadping.loop.blocking"
local events = require "leadping.events"
local retry = require "leadping.retry"

local IDLE = 3600 -- seconds, where no call waits for a moment of its own

-- Stream: calls on their way -------------------------------------------------

local Stream = {}
Stream.__index = Stream

local function start(self, call)
  local request = call:next_request()
  if request then
    self.engine:send(request, call)
  else
    self:settle(call)
  end
end

function Stream:settle(call)
  self.busy = self.busy - 1
  self.settled[#self.settled + 1] = call
end

--- Takes the result of one of this stream's calls.
function Stream:take(call, result)
  call:take(result)
  if call.settled then self:settle(call)
  else self.delayed[#self.delayed + 1] = call end
end

--- Sends again what is due.
local function start_due(self)
  local now = self.engine.clock()
  for i = #self.delayed, 1, -1 do
    local call = self.delayed[i]
    if call.due <= now then
      table.remove(self.delayed, i)
      start(self, call)
    end
  end
end

local function start_new(self)
  while self.busy < self.slots do
    local id = self.next_id()
    if id == nil then return end
    self.busy = self.busy + 1
    start(self, Call.new(self.engine, id, self.limits, self))
  end
end

--- Seconds until something is to be sent again.
local function seconds_until_due(self)
  local due = math.huge
  for _, call in ipairs(self.delayed) do due = math.min(due, call.due) end
  return math.min(math.max(due - self.engine.clock(), 0), IDLE)
end

--- Without a session there is nothing to wait with.
local function fail_delayed(self, kind, message)
  local delayed = self.delayed
  self.delayed = {}
  for _, call in ipairs(delayed) do
    call:fail { kind = kind, message = message, outcome = "not_sent" }
    self:settle(call)
  end
end

--- The next call that is settled; nil where none is left.
function Stream:next()
  while true do
    start_due(self)
    start_new(self)
    local call = table.remove(self.settled, 1)
    if call or self.busy == 0 then return call end
    local kind, message = self.engine:wait(seconds_until_due(self))
    if kind then fail_delayed(self, kind, message) end
  end
end

--- Puts away what is in flight; the results will not come.
function Stream:cancel()
  self.engine:cancel(self)
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
function Engine:stream(next_id, limits, slots)
  return setmetatable({
    engine = self, next_id = next_id, limits = limits, slots = slots,
    busy = 0, -- calls in flight or delayed
    submitted = false, -- the session's id of a call on its way into engine.calls
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

--- One call from its start to its end. An error raised on the way, Ctrl-C's
-- above all, puts the transfer away before it goes on.
---@return table call settled
function Engine:call(id, limits)
  local stream = self:stream(once(id), limits, 1)
  local ok, call = pcall(stream.next, stream)
  if ok then return call end
  stream:cancel()
  error(call, 0)
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
