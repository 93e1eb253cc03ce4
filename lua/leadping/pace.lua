-- leadping.pace: how fast many calls may be sent, as pure functions.
-- Evenly, at a rate; and after a 429 not at all for a while, then slower, then
-- faster again. The clock comes in as an argument; nothing here waits or sends.
-- MIT, see LICENSE.

local retry = require "leadping.retry"

local pace = {}

-- The API's limit (its guide, "Rate limits"): what is over it is refused.
local LIMIT, WINDOW = 300, 60 -- requests, seconds
local BURST_MAX = 5 -- requests at once where none was sent for a while

local RATE_AFTER_UNLIMITED = 0.9 * LIMIT / WINDOW -- where there was no rate to halve
local RATE_MIN = 0.5 -- requests a second that no 429 goes below
local RISE = 0.05 -- requests a second, each second behind a pause
local PAUSE_FIRST, PAUSE_MAX = 1, 32 -- seconds, where a 429 names none

--- A new pace, for all that share a client.
---@return table pace
function pace.new()
  return {
    due = -math.huge, -- when the next request is, at an even rate
    base = math.huge, -- the rate that the last 429 left
    resumes = -math.huge, -- when the pause that it asked for ends
    pauses = 0, -- since the last answer that was no 429
    refused_since = 0, -- when the first of them began
  }
end

--- Requests a second that may be sent now by who asks for `rate`.
local function current_rate(self, rate, now)
  if self.base == math.huge then return rate end
  return math.min(rate, self.base + RISE * math.max(now - self.resumes, 0))
end

--- How many may go at once, so that no window of 60 s holds more than 300.
local function burst(rate)
  return math.max(1, math.min(BURST_MAX, LIMIT - rate * WINDOW))
end

--- Seconds until a request may be sent; 0 for now.
---@param rate number requests a second; math.huge for no limit
function pace.wait(self, rate, now)
  local wait = math.max(self.resumes - now, 0)
  if current_rate(self, rate, now) == math.huge then return wait end
  return math.max(wait, self.due - now)
end

--- Notes that a request is sent.
function pace.spend(self, rate, now)
  local allowed = current_rate(self, rate, now)
  if allowed == math.huge then
    self.due = math.max(self.due, now)
    return
  end
  local saved = now - (burst(allowed) - 1) / allowed
  if now >= self.resumes then saved = math.max(saved, self.resumes) end
  self.due = math.max(self.due, saved) + 1 / allowed
end

--- Back-off: half of it is certain, as the limit's window is long.
local function back_off(pauses, random)
  return math.min(PAUSE_FIRST * 2 ^ (pauses - 1), PAUSE_MAX) * (1 + random()) / 2
end

local function slow_down(self, rate, sent)
  local before = current_rate(self, rate, sent)
  self.base = before == math.huge and RATE_AFTER_UNLIMITED
    or math.max(before / 2, math.min(RATE_MIN, rate))
end

--- Takes a 429: nobody sends for a while, then at half the rate. Those that
-- were sent before the pause began say nothing new.
---@param sent number when its request was sent
---@param after number? seconds that its Retry-After asks for
---@param random fun(): number in [0, 1)
---@return number seconds until sending goes on
function pace.pause(self, rate, sent, now, after, random)
  if sent >= self.resumes then
    slow_down(self, rate, sent)
    if self.pauses == 0 then self.refused_since = now end
    self.pauses = self.pauses + 1
  end
  local seconds = after and retry.lengthened(after, random) or 0
  if not after or self.pauses > 1 then
    seconds = math.max(seconds, back_off(self.pauses, random))
  end
  self.resumes = math.max(self.resumes, now + seconds)
  return self.resumes - now
end

--- Seconds for which there have been nothing but 429s.
function pace.refused_for(self, now)
  return self.pauses == 0 and 0 or now - self.refused_since
end

--- Notes an answer that was no 429.
function pace.answered(self)
  self.pauses = 0
end

return pace
