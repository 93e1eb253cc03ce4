-- leadping.run: what makes many calls one run: its pace, its pauses, its end.
-- Asked by the engine's stream before it sends and told what becomes of each
-- call. Sends nothing; the pace itself is the client's (leadping.pace).
-- MIT, see LICENSE.

local pace = require "leadping.pace"

local Run = {}
Run.__index = Run

-- All further ids would fare the same.
local ENDS = {
  unauthorized = true, forbidden = true, no_api_key = true, cancelled = true,
  rate_limited = true, -- only what no pause was worth
}

-- A server that answers otherwise works; an id that was not sent says nothing.
local FAILURES = { connection = true, tls = true, timeout = true, server_error = true }
local SAYS_NOTHING = { invalid_id = true }

--- A new run.
---@param engine table the pace, clock and random numbers of all that share it
---@param limits table rate, max_failures and those of a call
function Run.new(engine, limits)
  return setmetatable({
    engine = engine,
    limits = limits,
    rate = limits.rate or math.huge,
    failures = 0, -- in a row
    ended = false,
  }, Run)
end

function Run:may_send()
  return not self.ended and self:wait() <= 0
end

--- Seconds until the next request may be sent. A closed client refuses at once.
function Run:wait()
  if self.engine.closed then return 0 end
  return pace.wait(self.engine.pace, self.rate, self.engine.clock())
end

--- Takes note of a request that goes out now.
function Run:spend(now)
  pace.spend(self.engine.pace, self.rate, now)
end

--- Neither where the API asks for too long, nor where it has long said nothing
-- but 429.
local function is_worth_a_pause(engine, after)
  local longest = engine.settings.max_retry_after
  return (after or 0) <= longest
    and pace.refused_for(engine.pace, engine.clock()) <= longest
end

--- Takes an answer that is an error: a 429 pauses everything. Returns how long,
-- where the call is to be sent again then; it costs the call no retry.
---@param sent number when the request was sent
function Run:postpone(fields, sent)
  local engine = self.engine
  if fields.kind ~= "rate_limited" then
    if fields.status then pace.answered(engine.pace) end
    return nil
  end
  if self.ended or not is_worth_a_pause(engine, fields.retry_after) then return nil end
  return pace.pause(engine.pace, self.rate, sent, engine.clock(), fields.retry_after,
    engine.random)
end

--- Takes a call that is sent again now. In a run it may have waited for others.
function Run.resume(_, call, now)
  call:resume(now)
end

local function finish(self, err, reason)
  self.ended = true
  err.ends_run = true
  err.message = ("%s; %s"):format(err.message, reason)
end

--- Takes a call that is settled, and says in its error where the run ends.
function Run:settled(call)
  local kind = call.err and call.err.kind
  if not kind then
    self.failures = 0
    return pace.answered(self.engine.pace)
  end
  if FAILURES[kind] then self.failures = self.failures + 1
  elseif not SAYS_NOTHING[kind] then self.failures = 0 end
  if self.ended then return end
  if ENDS[kind] then
    finish(self, call.err, "the run ends here, no further id is sent")
  elseif self.failures >= self.limits.max_failures then
    finish(self, call.err, ("the run ends here, after %d failures in a row (max_failures)")
      :format(self.failures))
  end
end

--- Sends nothing more; what is in flight goes on.
function Run:stop()
  self.ended = true
end

return Run
