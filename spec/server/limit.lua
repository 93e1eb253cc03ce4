-- limit: the sliding-window rate limit of keys sk_emulator_limit_R_S….
-- It does not answer: it says whether a request is within the limit.
-- MIT, see LICENSE.

local limit = {}

local windows = {}

local function parse(key)
  local requests, seconds, rest =
    key:match "^sk_emulator_limit_(%d+)_(%d[%d.]*)(.*)$"
  seconds = tonumber(seconds)
  if not seconds then return nil end
  return {
    requests = tonumber(requests), seconds = seconds, accepted = 0,
    silent = rest:sub(1, 7) == "_silent",
  }
end

local function window(key)
  if key:sub(1, 18) ~= "sk_emulator_limit_" then return nil end
  windows[key] = windows[key] or parse(key)
  return windows[key]
end

-- The window is a ring of the last R times of acceptance. nginx caches its
-- clock and cuts it to milliseconds, hence the update and the strict ">".
local function admit(w)
  if w.requests == 0 then return false, w.seconds end
  ngx.update_time()
  local now = ngx.now()
  local slot = w.accepted % w.requests + 1
  local oldest = w[slot]
  if oldest and now - oldest <= w.seconds then
    return false, oldest + w.seconds - now
  end
  w[slot] = now
  w.accepted = w.accepted + 1
  return true
end

-- Returns true, or false and the whole seconds to wait (nil: unsaid) and the
-- length of the window.
function limit.check(key)
  local w = window(key)
  if not w then return true end
  local admitted, wait = admit(w)
  if admitted then return true end
  local retry_after = not w.silent and math.max(1, math.ceil(wait)) or nil
  return false, retry_after, w.seconds
end

return limit
