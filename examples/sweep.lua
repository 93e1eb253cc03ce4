-- examples/sweep.lua: clears the overrides of a list of conversations.
-- A function of the client, so that a spec can give it one that only pretends:
-- examples/mock_spec.lua does. Prints nothing: what comes of it is returned.
-- MIT, see LICENSE.

--- Clears the override of each id.
---@return table report cleared: how many; silent: those that have no number to
-- send from now; unsure: those to look at; failed: ids whose override stands
local function sweep(client, ids)
  local report = { cleared = 0, silent = {}, unsure = {}, failed = {} }
  for _, id in ipairs(ids) do
    local selection, err = client:clear_override(id)
    if selection then
      report.cleared = report.cleared + 1
      if not selection.canSend then table.insert(report.silent, id) end
    elseif err.outcome == "unknown" or err.outcome == "applied" then
      table.insert(report.unsure, id)
    else
      table.insert(report.failed, id)
      if err.kind == "unauthorized" then break end
    end
  end
  return report
end

return sweep
