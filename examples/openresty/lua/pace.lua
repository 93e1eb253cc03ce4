-- pace: how fast all workers together call the API.
-- Turns lie on the clock at an even rate. Each is taken once, by adding it to a
-- dict that the workers share; a few that went by unused may still be taken.
-- Behind a 429 there are none for a while. Sends nothing.
-- MIT, see LICENSE.

local pace = {}

local BURST = 5 -- turns at once where none was taken for a while
local PAUSE_MAX = 300 -- seconds, whatever a Retry-After says
local RESUMES = "resumes"

--- When the pause ends, which may be long ago.
local function resumes_at(dict)
  return dict:get(RESUMES) or 0
end

--- Takes the first turn that is free.
---@param dict table with add, get and set, as ngx.shared has them
---@param rate number turns a second
---@param latest number the last moment for a turn
---@return number? at when the turn is: now, where it is past
---@return number? free where none is to be had: when the next one is
function pace.take(dict, rate, now, latest)
  local turn = math.max(math.floor(now * rate) - BURST + 1, math.ceil(resumes_at(dict) * rate))
  while turn / rate <= latest do
    local kept = turn / rate - now + BURST / rate + 1
    if dict:add(("turn %.0f"):format(turn), true, kept) then
      return math.max(turn / rate, now)
    end
    turn = turn + 1
  end
  return nil, turn / rate
end

--- Lets nobody have a turn for some seconds.
function pace.pause(dict, now, seconds)
  local resumes = now + math.min(seconds, PAUSE_MAX)
  if resumes > resumes_at(dict) then dict:set(RESUMES, resumes) end
end

--- Seconds since the epoch, and not as of when nginx last looked.
function pace.clock()
  ngx.update_time()
  return ngx.now()
end

--- Waits for a turn; nginx serves others meanwhile. A pause that begins in the
-- meantime costs the turn.
---@param longest number seconds
---@return number? waited seconds; nil where it would be over `longest`
---@return number? after seconds until there is a turn
function pace.wait(rate, longest)
  local dict, began = ngx.shared.pace, pace.clock()
  local now = began
  repeat
    local at, free = pace.take(dict, rate, now, began + longest)
    if not at then return nil, free - now end
    if at > now then ngx.sleep(at - now) end
    now = pace.clock()
  until now >= resumes_at(dict)
  return now - began
end

--- Pauses all workers from now on.
function pace.pause_all(seconds)
  pace.pause(ngx.shared.pace, pace.clock(), seconds)
end

return pace
