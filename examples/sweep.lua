-- examples/sweep.lua: clears the overrides of many conversations and reports.
-- A function of the client, so that a spec can hand it one that only pretends:
-- examples/mock_spec.lua does. Prints nothing: what came of it is returned.
-- MIT, see LICENSE.

local function new_report()
  return {
    cleared = 0,
    silent = {}, -- of those, the ids that have no number to send from now
    unsure = {}, -- ids to look at: the request may have been carried out
    failed = {}, -- ids whose override stands
    stopped = nil, -- why the ids behind these were not tried
  }
end

--- Clears the override of each id.
---@return table report
local function sweep(client, ids)
  local report = new_report()
  for id, selection, err in client:clear_overrides(ids) do
    if selection then
      report.cleared = report.cleared + 1
      if not selection.canSend then table.insert(report.silent, id) end
    elseif err.outcome == "unknown" or err.outcome == "applied" then
      table.insert(report.unsure, id)
    else
      table.insert(report.failed, id)
    end
    if err and err.ends_run then report.stopped = err.kind end
  end
  return report
end

return sweep
