-- leadping.call: one conversation's way from its id to a result.
-- A state machine without I/O: asked for the next request, told the result of
-- each attempt, it says when to try again. The engine does the sending and the
-- waiting. One deadline, set at the start, bounds everything.
-- MIT, see LICENSE.

local answer = require "leadping.answer"
local core = require "leadping.core"
local errors = require "leadping.errors"
local failure = require "leadping.failure"
local interrupt = require "leadping.interrupt"
local request = require "leadping.request"
local retry = require "leadping.retry"
local settings = require "leadping.settings"
local text = require "leadping.text"

local Call = {
  postponed = 0, -- attempts that cost no retry
}
Call.__index = Call

--- A new call. The fields that every call has are named here, so that the table
-- need not grow for an answer. What failures bring comes later: reasons, last, due,
-- held, in_doubt, refused, refusal, had_other_key, postponed, hook_error.
---@param context table leadping.engine: its settings, budget, clock, time, random
-- and listener; what is used again by the next call is kept in it, in headers,
-- headers_key and spare_request
---@param id string
---@param limits table timeout, attempt_timeout, max_retries
---@param stream table? whose call it is; not looked at here
function Call.new(context, id, limits, stream)
  local started = context.clock()
  return setmetatable({
    context = context,
    id = id,
    limits = limits,
    stream = stream,
    started = started,
    deadline = started + limits.timeout,
    attempts = 0,
    attempt_started = started,
    url = false,
    key = false, -- of the last attempt
    settled = false,
    selection = nil, err = nil, response = nil,
  }, Call)
end

local function notify(self, name, fields)
  fields.name, fields.conversation_id = name, self.id
  fields.attempt = fields.attempt or self.attempts
  local ok, raised = pcall(self.context.listener, fields)
  -- Kept in a table, as what was raised may be nil or false.
  if not ok and not self.hook_error then self.hook_error = { raised } end
end

--- Whether the hook was stopped by Ctrl-C.
local function is_interrupted(self)
  return self.hook_error ~= nil and interrupt.is(self.hook_error[1])
end

-- settling -------------------------------------------------------------------

function Call:elapsed()
  return self.context.clock() - self.started
end

local function complete_response(self, response)
  response.attempts, response.elapsed = self.attempts, self:elapsed()
  response.reasons = self.reasons
  self.response = response
end

local function settle(self, fields)
  self.settled = true
  if self.context.listener then
    notify(self, "done", {
      status = fields.status, kind = fields.kind, elapsed = self:elapsed(),
    })
  end
end

function Call:succeed(selection, response)
  retry.earn(self.context.budget)
  self.selection = selection
  complete_response(self, response)
  settle(self, response)
end

--- What is known after all attempts. One of them may have been carried out:
-- a later refusal, or a request that did not leave any more, does not change
-- that. Nor is a call "not sent" that was refused before.
local function final_outcome(self, outcome)
  if outcome == "applied" then return outcome end
  if self.in_doubt then return "unknown" end
  return self.refused and "not_applied" or outcome
end

function Call:fail(given)
  local fields = {}
  for name, value in pairs(given) do fields[name] = value end
  fields.conversation_id = self.id
  fields.message = text.redact(fields.message, self.key) -- a given transport's, maybe
  fields.attempts, fields.elapsed = self.attempts, self:elapsed()
  fields.reasons = self.reasons or {}
  fields.outcome = final_outcome(self, fields.outcome)
  if fields.response then complete_response(self, fields.response) end
  self.err = errors.new(fields)
  settle(self, fields)
end

--- The caller's three results. Raises what the hook raised, once.
---@return leadping.Selection? selection
---@return leadping.Error? err
---@return leadping.Response? response
function Call:results()
  if self.hook_error then error(self.hook_error[1], 0) end
  return self.selection, self.err, self.response
end

-- trying again ----------------------------------------------------------------

local function reason_of(fields)
  return fields.response and ("status %d"):format(fields.status) or fields.kind
end

local function try_again(self, fields, delay)
  local reason = reason_of(fields)
  self.last = fields
  self.reasons = self.reasons or {} -- why each attempt was to be tried again
  self.reasons[#self.reasons + 1] = reason
  self.due = self.context.clock() + delay
  if not self.context.listener then return end
  notify(self, "retry", { reason = reason, delay = delay })
  if delay > 0 then notify(self, "wait", { reason = reason, delay = delay }) end
  if self.hook_error then self:fail(fields) end
end

-- sending --------------------------------------------------------------------

--- The id's URL, made once; fails the call where the id cannot be in one.
local function get_url(self)
  if self.url then return self.url end
  local url, fields = request.url(self.context.settings, self.id)
  if not url then return self:fail(fields) end
  self.url = url
  return url
end

--- Another key behind a 401; without one, that is the end of the call.
local function get_other_key(self)
  local refusal = self.refusal
  self.refusal = nil
  local key = settings.current_key(self.context.settings)
  if not key or key == self.key then return self:fail(refusal) end
  self.had_other_key = true
  try_again(self, refusal, 0)
  return not self.settled and key or nil
end

local function get_key(self)
  if self.refusal then return get_other_key(self) end
  local key, err = settings.current_key(self.context.settings)
  if err then self:fail(err) end
  return key
end

--- The headers for a key: our own session takes them as a list that is made
-- anew only when the key is another one; a given transport may change them.
local function get_headers(context, key)
  local values = context.settings
  if values.transport then return request.headers(values, key) end
  if context.headers_key ~= key then
    context.headers = core.header_list(request.headers(values, key))
    context.headers_key = key
  end
  return context.headers
end

local INTERRUPTED = {
  kind = "cancelled", outcome = "not_sent", message = "interrupted in the hook",
}

local function out_of_time(self)
  return {
    kind = "timeout", outcome = "not_sent", retryable = true,
    message = ("no time left of %g s (timeout)"):format(self.limits.timeout),
  }
end

--- Tells the hook of the next attempt. False where that settles the call.
local function announce(self)
  local context = self.context
  if not context.listener then return true end
  if context.clock() >= self.deadline then
    self:fail(out_of_time(self))
  else
    notify(self, "request", { attempt = self.attempts + 1 })
    if is_interrupted(self) then self:fail(INTERRUPTED) end
  end
  return not self.settled
end

--- Gives back the time that it has waited for others: since it was due, or since
-- a pause began.
function Call:resume(now)
  self.deadline = self.deadline + now - (self.held or self.due)
  self.held = nil
end

--- A request to fill in. The engine gives back those that can be used again.
local function take_request(context)
  local values, spare = context.settings, context.spare_request
  context.spare_request = nil -- a finalizer may make a call meanwhile
  return spare or {
    method = request.METHOD,
    url = nil, headers = nil, timeout = nil, -- of the attempt
    connect_timeout = values.connect_timeout,
    max_body = values.max_body,
  }
end

--- The request of the next attempt, for a session; nil where the call is
-- settled instead.
function Call:next_request()
  local url = get_url(self)
  local key = url and get_key(self)
  if not key then return nil end
  self.key = key
  if not announce(self) then return nil end
  local context = self.context
  local now = context.clock()
  local left, limit = self.deadline - now, self.limits.attempt_timeout
  if left <= 0 then return self:fail(out_of_time(self)) end
  if left < limit then limit = left end
  self.attempts = self.attempts + 1
  self.attempt_started = now
  local filled = take_request(context)
  filled.url, filled.headers, filled.timeout = url, get_headers(context, key), limit
  return filled
end

-- results --------------------------------------------------------------------

--- Names the option whose limit ran out.
local function explain_timeout(self, fields)
  if fields.kind ~= "timeout" then return end
  local left, limit = self.deadline - self.attempt_started, self.limits.attempt_timeout
  local spent = self.context.clock() - self.attempt_started
  if spent < math.min(left, limit) * 0.99 then
    fields.message = fields.message .. " (connect_timeout)"
  elseif left < limit then
    fields.message = ("%s (timeout = %g s)"):format(fields.message, self.limits.timeout)
  else
    fields.message = ("%s (attempt_timeout = %g s)"):format(fields.message,
      self.limits.attempt_timeout)
  end
end

--- Reads a session's result: a selection and its response, or error fields.
local function read_result(self, result)
  if result.kind and not answer.is_refusal(result) then
    local fields = failure.fields(result)
    explain_timeout(self, fields)
    return nil, fields
  end
  local context = self.context
  local response = answer.from_result(result, not context.settings.transport)
  local selection, fields = answer.read(response, self.key, context.time())
  return selection, fields or response
end

--- A 401 is worth another try only with another key, for which the function is
-- asked where it may wait: by the caller's coroutine, in next_request.
local function may_ask_for_key(self, fields)
  return fields.kind == "unauthorized" and not self.had_other_key and not self.hook_error
    and type(self.context.settings.api_key) == "function"
    and self.attempts - self.postponed <= self.limits.max_retries
end

--- Seconds to wait before the next attempt; nil where there is to be none. The
-- caller is not kept waiting for what a hook has raised.
local function retry_delay(self, fields)
  local tried = self.attempts - self.postponed
  if self.hook_error or tried > self.limits.max_retries then return nil end
  if not fields.retryable then return nil end
  local context = self.context
  local delay = retry.wait(fields.retry_after, tried,
    self.deadline - context.clock(), context.settings.max_retry_after,
    context.random)
  return delay and retry.spend(context.budget) and delay or nil
end

--- Where the run asks for it, tries again when its pause is over. The pause is
-- all calls': it takes neither a retry nor time from this one.
local function postpone(self, fields, run)
  local delay = not self.hook_error and run:postpone(fields, self.attempt_started)
  if not delay then return false end
  self.postponed = self.postponed + 1
  self.held = self.context.clock()
  try_again(self, fields, delay)
  return true
end

--- Settles a call that waits for its next attempt with the error of the last.
function Call:give_up()
  self:fail(self.last)
end

--- Takes the result of an attempt. Afterwards the call is settled, or `due`
-- says when the next attempt is.
---@param run table whose call it is: see leadping.run
function Call:take(result, run)
  local sends = result.sends or 1
  local selection, other = read_result(self, result)
  if self.context.listener then
    notify(self, "response", {
      status = result.status, kind = not selection and other.kind or nil,
      elapsed = self.context.clock() - self.attempt_started,
    })
  end
  if selection then return self:succeed(selection, other) end
  -- libcurl may have sent twice: whatever became of the first is not known.
  if other.outcome == "unknown" or sends > 1 then self.in_doubt = true end
  if other.outcome == "not_applied" then self.refused = true end
  if postpone(self, other, run) then return end
  if may_ask_for_key(self, other) then
    self.refusal, self.last, self.due = other, other, self.context.clock()
    return
  end
  local delay = retry_delay(self, other)
  if delay then try_again(self, other, delay) else self:fail(other) end
end

return Call
