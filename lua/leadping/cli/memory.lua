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
    settled = { done = 0, failed = 0 }, -- by earlier runs: none
    states = {}, -- id -> state, of those that were sent
    errors = {}, -- id -> what a journal keeps of its error
  }, Memory)
end

function Memory:sent(id)
  self.states[id] = "sent"
  return true
end

function Memory:finished(id, state, err)
  self.states[id] = state
  if err then
    self.errors[id] = { kind = err.kind, status = err.status, outcome = err.outcome }
  end
  return true
end

--- Writes all that is known to a journal.
---@return true? done
---@return string? message
function Memory:copy(journal)
  for _, id in ipairs(self.pending) do
    local state = self.states[id]
    local done, message = true, nil
    if state then done, message = journal:finished(id, state, self.errors[id]) end
    if not done then return nil, message end
  end
  return true
end

function Memory:close() end -- luacheck: ignore self

return Memory
