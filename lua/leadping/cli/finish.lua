-- leadping.cli.finish: what is said when a run is over, and its exit status.
-- The summary is for people: on stdout behind readable results, on a terminal's
-- stderr behind JSON Lines. An error behind which nobody sees it is said.
-- MIT, see LICENSE.

local exits = require "leadping.cli.exits"
local handover = require "leadping.cli.handover"
local output = require "leadping.cli.output"
local report = require "leadping.cli.report"
local system = require "leadping.core".system
local terminal = require "leadping.cli.terminal"

local finish = {}

local function is_many(batch, duplicates)
  return #batch.with.journal.pending ~= 1 or duplicates > 0
end

--- Prints the summary where it belongs.
---@return boolean is_seen whether a person has seen what became of the ids
local function print_summary(batch, given, duplicates)
  local summary = not given.quiet and is_many(batch, duplicates)
    and batch.sums:summary(batch:not_sent(), batch.with.journal.settled, duplicates)
  if not given.json then
    if summary then output.write("\n" .. summary) end
    return system.isatty(io.stdout)
  end
  if not summary or not system.isatty(io.stderr) then return false end
  terminal.say(summary)
  return true
end

local SIGNALS = { SIGINT = "interrupted", SIGTERM = "terminated" }

local function describe_error(err)
  return err and report.describe(err)
end

--- Why the run ended before its last id; nil where it did not.
local function reason(batch)
  if batch.signal then return SIGNALS[batch.signal] end
  if batch.failure then return batch.failure end
  if batch.is_unread then return "nobody reads the results" end
  return describe_error(batch.ended_by)
end

--- Whether no override is cleared, or may be.
local function is_untouched(sums)
  return sums.done + sums.applied + sums.unknown == 0
end

--- Says how to go on with what is left.
local function hand_over(batch, given, base_url)
  if is_untouched(batch.sums) and not given.journal then
    terminal.say("nothing was cleared: to start again, give the same command")
  else
    terminal.say(handover.describe(given, batch.with.journal, base_url))
  end
end

--- Says why all is not done, where nobody has seen it, and how to go on.
local function complain(batch, given, base_url, is_seen)
  local why, not_sent = reason(batch), batch:not_sent()
  local is_one = #batch.with.journal.pending == 1
  local is_left = not_sent + batch.open > 0
  if batch.is_unread and not is_left then return end
  local said = why or (is_one and not is_seen and describe_error(batch.error))
  if said then terminal.complain(said) end
  if not is_seen and not (is_one and said) then
    terminal.complain(batch.sums:describe(not_sent, batch.with.journal.settled))
  end
  if why and is_left then hand_over(batch, given, base_url) end
end

--- Ends a run.
---@param batch table leadping.cli.batch, sent
---@param duplicates integer
---@return integer status
function finish.report(batch, given, base_url, duplicates)
  local is_seen = print_summary(batch, given, duplicates)
  local status = exits.status(batch:ending())
  if status ~= exits.DONE then complain(batch, given, base_url, is_seen) end
  return status
end

return finish
