-- leadping.engine: sends what calls ask for, and waits.
-- Owns the session, knows whose result each is, and who waits for one. When to
-- send, streams decide; what is sent, and when again, calls do.
-- MIT, see LICENSE.

local core = require "leadping.core"
local events = require "leadping.events"
local interrupt = require "leadping.interrupt"
local loops = require "leadping.loops"
local pace = require "leadping.pace"
local retry = require "leadping.retry"
local Run = require "leadping.run"
local Stream = require "leadping.stream"
local transport = require "leadping.transport"

local IDLE = 3600 -- seconds, where no call waits for a moment of its own
local WEAK = { __mode = "k" } -- what is dropped is no longer waited for

local Engine = {}
Engine.__index = Engine

--- How to wait. A given transport knows no loop: its own step waits.
local function get_loop(settings, with)
  if with.wait then return { wait = with.wait } end
  return loops.get(settings.transport and "blocking" or settings.loop)
end

--- A new engine.
---@param settings table see leadping.settings
---@param with table? what to use in place of the transport's clock (seconds,
-- going on), time (seconds since the epoch), random (in [0, 1)) and wait
function Engine.new(settings, with)
  with = with or {}
  return setmetatable({
    settings = settings,
    budget = retry.budget(),
    pace = pace.new(),
    listener = events.listener(settings),
    clock = with.clock or transport.clock(settings.transport),
    time = with.time or os.time,
    random = with.random or core.random,
    loop = get_loop(settings, with),
    closed = false,
    session = nil, watcher = nil, -- as soon as there is something to send
    spare_stream = nil, -- of a call that has ended, for the next
    spare_request = nil, headers = nil, headers_key = nil, -- see leadping.call
    requested_keys = {}, -- see Client:request
    calls = {}, -- session's id -> call
    sending = false, -- the stream of a request on its way to the session
    in_flight = 0, -- how many those are, where there is a watcher
    waiting = setmetatable({}, WEAK), -- streams
    woken = {}, -- streams whose results came while they waited
    drainers = setmetatable({}, WEAK), -- coroutines that take results for all
  }, Engine)
end

-- the session ----------------------------------------------------------------

local drain

--- Made at the first use: what only decodes, or forks first, needs none. A
-- finalizer that makes a call meanwhile has made another, which is kept.
---@return table? session
---@return string? message why there is none
local function get_session(self)
  if self.session then return self.session end
  local session = self.settings.transport or core.session(self.settings)
  local watcher
  if self.loop.watch then
    local message
    watcher, message = loops.watch(self.loop, session, function() drain(self) end)
    if not watcher then
      session:close()
      return nil, message
    end
  end
  if not self.session then
    self.session, self.watcher = session, watcher
  elseif session ~= self.session then
    session:close()
  end
  return self.session
end

--- The watcher runs while something is in flight or about to be, and no longer.
local function set_in_flight(self, count)
  if not self.watcher then return end
  self.in_flight = count
  if count == 0 and not self.sending then self.watcher:stop() end
end

local function submit(self, request)
  local session, message = get_session(self)
  local started = session
  if session and self.watcher then started, message = self.watcher:start() end
  if not started then return nil, message end
  return session:submit(request)
end

local function remove_call(self, id)
  local call = self.calls[id]
  self.calls[id] = nil
  if call then set_in_flight(self, self.in_flight - 1) end
  return call
end

-- results --------------------------------------------------------------------

local function wake_later(self, stream)
  if not self.waiting[stream] then return end
  self.waiting[stream] = nil
  self.woken[#self.woken + 1] = stream
end

--- Who takes results need not be the stream's caller: an error is for that one.
-- Ctrl-C is for who runs now; in a loop, that is nobody.
local function give(self, call, result)
  local stream = call.stream
  local ok, raised = pcall(stream.take, stream, call, result)
  if not ok then
    stream.raised = stream.raised or { raised }
    if self.loop.wait and interrupt.is(raised) then error(raised, 0) end
  end
  wake_later(self, stream)
end

local function deliver(self, id, result)
  local call = remove_call(self, id)
  if call then give(self, call, result) end
end

--- Gives the same failure to all calls in flight; returns how many there were.
-- A hook that is told of it may make calls that are none of these.
local function fail_all(self, kind, message, retryable)
  local calls, count = self.calls, 0
  self.calls, self.in_flight = {}, 0
  if self.watcher then self.watcher:stop() end
  for _, call in pairs(calls) do
    count = count + 1
    give(self, call, { kind = kind, message = message, sends = 1, retryable = retryable })
  end
  return count
end

--- A session that cannot be driven any more fails all that is in flight. Our
-- own is replaced at the next use; a given transport is its owner's to mend.
local function abandon_session(self, message)
  local session, watcher = self.session, self.watcher
  local is_own = session ~= self.settings.transport
  if watcher then watcher:stop() end
  if is_own then self.session, self.watcher = nil, nil end
  local count = fail_all(self, "connection", message, true)
  if is_own and session then session:close() end
  return count
end

--- A hook that is called meanwhile may close the client, and the session.
local function deliver_all(self)
  while self.session do
    local id, result = self.session:next()
    if not id then return end
    deliver(self, id, result)
  end
end

--- What runs now; Lua 5.1 has no name for the main coroutine.
local function current() return coroutine.running() or "main" end

local function is_draining(self) return self.drainers[current()] == true end

--- Lets those go on whose results came; each once, however many there are. What
-- one of them raises comes when all have been woken.
local function wake(self)
  if is_draining(self) then return end -- a hook that was called; drain wakes them
  local woken, failed, raised = self.woken, false, nil
  self.woken = {}
  for _, stream in ipairs(woken) do
    local ok, message = pcall(self.loop.resume, stream.waiter)
    if not ok and not failed then failed, raised = true, message end
  end
  if failed then error(raised, 0) end
end

local function take_results(self)
  local waiting, message = self.session:step(0)
  if waiting then deliver_all(self) else abandon_session(self, message) end
end

--- Called by the watcher when results are ready.
function drain(self)
  if not self.session then return end
  local drainer = current() -- one of several: two loops may share the client
  local before = self.drainers[drainer]
  self.drainers[drainer] = true
  local ok, raised = pcall(take_results, self)
  self.drainers[drainer] = before
  wake(self)
  if not ok then error(raised, 0) end
end

-- for streams ----------------------------------------------------------------

local CLOSED = "the client was closed"

function Engine:send(request, call)
  if self.closed then
    return call.stream:take(call, { kind = "cancelled", message = CLOSED, sends = 0 })
  end
  self.sending = call.stream -- a finalizer may cancel another stream meanwhile
  local id, message = submit(self, request)
  -- Our own session has read it; a given transport may keep it.
  if not self.settings.transport then self.spare_request = request end
  if id then
    call.stream.submitted = id -- cancel finds it where the next line is stopped
    self.calls[id] = call
    call.stream.submitted, self.sending = false, false
    set_in_flight(self, self.in_flight + 1)
  else
    self.sending = false
    set_in_flight(self, self.in_flight)
    call.stream:take(call, {
      kind = "connection", message = message, sends = 0, retryable = true,
    })
  end
end

--- What stands for the caller while it waits; raises where it cannot. The
-- results that a hook would wait for could not be taken before it returns.
function Engine:new_waiter()
  if not self.loop.waiter then return nil end
  if is_draining(self) then
    error("a hook cannot wait for another call of its client: make it in a coroutine of "
      .. "its own", 0)
  end
  local waiter, message = self.loop.waiter()
  return waiter or error(message or "the loop's waiter gave none", 0)
end

--- Waits for results, and delivers them, whosever they are.
local function wait_blocking(self, seconds)
  local session, message = get_session(self)
  local waiting = session
  if session then waiting, message = self.loop.wait(session, seconds) end
  if waiting or message == "interrupted" then
    deliver_all(self)
  elseif abandon_session(self, message) == 0 then
    return "connection", message
  end
end

--- Waits for this stream's results, for some seconds or as long as it takes.
---@return string? kind why there can be no waiting for calls that are delayed
---@return string? message
function Engine:wait(stream, seconds)
  if self.closed then return "cancelled", CLOSED end
  if self.loop.wait then return wait_blocking(self, math.min(seconds or IDLE, IDLE)) end
  self.waiting[stream] = true
  self.loop.suspend(stream.waiter, seconds)
  self.waiting[stream] = nil
end

--- Lets a stream go on before it has a result: there is something else to see.
function Engine:nudge(stream)
  wake_later(self, stream)
  wake(self)
end

--- Counts anew what is in flight: where an error comes from outside, Ctrl-C's
-- above all, the count may be of a moment before.
function Engine:cancel(stream)
  local ids, others = {}, 0
  if stream.submitted and not self.calls[stream.submitted] then
    self.calls[stream.submitted] = { stream = stream }
  end
  stream.submitted = false
  if self.sending == stream then self.sending = false end
  for id, call in pairs(self.calls) do
    if call.stream == stream then ids[#ids + 1] = id else others = others + 1 end
  end
  for _, id in ipairs(ids) do
    if self.session then self.session:cancel(id) end
    self.calls[id] = nil
  end
  set_in_flight(self, others)
  self:nudge(stream)
end

-- for clients ----------------------------------------------------------------

local function next_only_id(stream)
  stream.exhausted = true
  return stream.only_id
end

--- One call from its start to its end. Its stream is kept for the next one; a
-- call that is made meanwhile, by a hook or in a coroutine, gets another.
---@return table call settled
function Engine:call(id, limits)
  local stream = self.spare_stream or Stream.new(self, next_only_id, limits, 1)
  self.spare_stream = nil
  stream.only_id, stream.limits, stream.exhausted = id, limits, false
  local call = stream:result()
  if not stream.cancelled and not stream.raised then self.spare_stream = stream end
  return call
end

--- Many calls, at the pace of all that share the engine.
---@param next_id fun(): string?
---@param limits table those of a call and concurrency, rate, max_failures
---@return table stream
function Engine:stream(next_id, limits)
  return Stream.new(self, next_id, limits, limits.concurrency, Run.new(self, limits))
end

--- Closes the session, a given transport too. What is in flight is cancelled.
function Engine:close()
  if self.closed then return end
  local session = self.session or self.settings.transport
  self.closed = true
  fail_all(self, "cancelled", CLOSED, false)
  for stream in pairs(self.waiting) do self.woken[#self.woken + 1] = stream end
  self.waiting = setmetatable({}, WEAK)
  self.session, self.watcher = nil, nil
  if session then session:close() end
  wake(self)
end

return Engine
