-- spec/windows.lua: how many of many moments fall together.
-- MIT, see LICENSE.

local windows = {}

--- The most of those times, in order, that are within any so many seconds.
function windows.most(times, seconds)
  local most, first = 0, 1
  for last = 1, #times do
    while times[last] - times[first] >= seconds do first = first + 1 end
    most = math.max(most, last - first + 1)
  end
  return most
end

return windows
