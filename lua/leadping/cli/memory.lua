-- leadping.cli.memory: stands in for a journal where none is asked for.
-- Keeps what is known of each id, so that a run which ends early can still be
-- handed over to one. Touches no file.
-- MIT, see LICENSE.

local Memory = {}
Memory.__index = Memory

--- With the ids that there are to send.
---@param pending string[]
function Memory.new(pending)
  return setmetatable({
    pending = pending,
    counts = { done = 0, failed = 0, unknown = 0 }, -- of earlier runs: none
    errors = {}, -- id -> error, of those that failed or are unknown
    states = {}, -- id -> state, of those that were sent
  }, Memory)
end

function Memory:sent(id)
  self.states[id] = "sent"
  return true
end

function Memory:finished(id, state)
  self.states[id] = state
  return true
end

function Memory:close() end -- luacheck: ignore self

return Memory
