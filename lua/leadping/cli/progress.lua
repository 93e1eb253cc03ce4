-- leadping.cli.progress: one line on a terminal that says how far a run is.
-- Off a terminal, or where it is not wanted, it does nothing. Says no results:
-- report.lua does, and has the line taken away first.
-- MIT, see LICENSE.

local words = require "leadping.cli.words"

local Progress = {}
Progress.__index = Progress

local INTERVAL = 0.1 -- seconds between two drawings
local SETTLED = 1 -- seconds before which no rate makes sense
local ERASE = "\r\27[K"

--- A progress line.
---@param total integer how many ids there are to send
---@param with table file, clock, columns() of the file's terminal, and the
-- rate that is not exceeded, or false
function Progress.new(total, with)
  return setmetatable({
    total = total, with = with,
    finished = 0, failed = 0, unknown = 0,
    started = with.clock(),
    drawn = -math.huge, -- when
    is_shown = false,
    waits_until = -math.huge, reason = nil,
  }, Progress)
end

--- Stands in for a progress line where there is to be none.
local function nothing() end
Progress.NONE = {
  count = nothing, show = nothing, erase = nothing, wait = nothing,
}

--- The line's text.
function Progress:text()
  local parts = { ("%d/%d"):format(self.finished, self.total) }
  local seconds = self.with.clock() - self.started
  if self.finished > 0 and seconds >= SETTLED then
    local rate = self.finished / seconds
    parts[#parts + 1] = ("%.1f/s"):format(rate)
    local expected = math.min(rate, self.with.rate or rate)
    parts[#parts + 1] = words.duration((self.total - self.finished) / expected) .. " left"
  end
  for _, state in ipairs { "failed", "unknown" } do
    if self[state] > 0 then parts[#parts + 1] = ("%d %s"):format(self[state], state) end
  end
  local wait = self.waits_until - self.with.clock()
  if wait > 0 then
    parts[#parts + 1] = ("waits %s (%s)"):format(words.duration(wait), self.reason)
  end
  return table.concat(parts, "  ")
end

--- Draws the line, unless it is there and young.
function Progress:show()
  local now = self.with.clock()
  if self.is_shown and now - self.drawn < INTERVAL then return end
  self.drawn, self.is_shown = now, true
  local width = self.with.columns() or 80
  self.with.file:write(ERASE, self:text():sub(1, width - 1))
  self.with.file:flush()
end

--- Takes the line away, for something else to be written.
function Progress:erase()
  if not self.is_shown then return end
  self.is_shown = false
  self.with.file:write(ERASE)
  self.with.file:flush()
end

--- Counts an id that is finished.
---@param state "done"|"failed"|"unknown"
function Progress:count(state)
  self.finished = self.finished + 1
  if state ~= "done" then self[state] = self[state] + 1 end
end

--- Says that nothing is sent for a while.
function Progress:wait(seconds, reason)
  self.waits_until, self.reason = self.with.clock() + seconds, reason
  self.drawn = -math.huge
  self:show()
end

return Progress
