-- leadping.cli.exits: the exit codes, and which of them a run ends with.
-- --help, the README and the specs read this table. Decides nothing else.
-- MIT, see LICENSE.

local exits = {}

--- In the order of the codes.
exits.list = {
  { name = "DONE", code = 0, words = "all done" },
  { name = "FAILED", code = 1, words = "some failed" },
  { name = "USAGE", code = 2, words = "wrong usage, or not confirmed: nothing was sent" },
  { name = "KEY", code = 3, words = "the key was refused, or there is none" },
  { name = "LIMITED", code = 4, words = "rate-limited out: the API asks to wait too long" },
  { name = "NETWORK", code = 5, words = "network: no connection, or a server that keeps failing" },
  { name = "DISK", code = 6, words = "journal or disk: something could not be written" },
  { name = "UNKNOWN", code = 7, words = "some unknown: sent, but without an answer that tells" },
  { name = "INTERRUPTED", code = 130, words = "stopped by Ctrl-C (SIGINT)" },
  { name = "TERMINATED", code = 143, words = "stopped by SIGTERM" },
}

for _, exit in ipairs(exits.list) do exits[exit.name] = exit.code end

--- All of them, for --help.
function exits.describe()
  local lines = { "Exit codes:" }
  for _, exit in ipairs(exits.list) do
    lines[#lines + 1] = ("   %-3d  %s"):format(exit.code, exit.words)
  end
  return table.concat(lines, "\n")
end

local BY_SIGNAL = { SIGINT = exits.INTERRUPTED, SIGTERM = exits.TERMINATED }

--- The code for a signal that ended a command.
---@param signal "SIGINT"|"SIGTERM"
function exits.of_signal(signal)
  return BY_SIGNAL[signal]
end

-- What a command raises to end at once; main.lua catches it.
local Refusal = {}

--- Ends a command.
---@param status integer
---@param message string? nil where there is nothing to say
function exits.refuse(status, message)
  error(setmetatable({ status = status, message = message }, Refusal), 0)
end

--- Whether a raised value comes from exits.refuse.
function exits.is_refusal(raised)
  return getmetatable(raised) == Refusal
end

local BY_KIND = {
  unauthorized = exits.KEY, forbidden = exits.KEY, no_api_key = exits.KEY,
  rate_limited = exits.LIMITED,
  connection = exits.NETWORK, tls = exits.NETWORK, timeout = exits.NETWORK,
}

--- The code that all failures share; FAILED where they are of several.
---@param kinds table<string, integer> kind -> how many failed by it
local function shared_code(kinds)
  local shared
  for kind in pairs(kinds) do
    local code = BY_KIND[kind] or exits.FAILED
    if shared and shared ~= code then return exits.FAILED end
    shared = code
  end
  return shared
end

---@class leadping.cli.End how a run ended
---@field signal "SIGINT"|"SIGTERM"|nil that stopped it
---@field disk boolean? whether something could not be written
---@field ended_by leadping.Kind? the error that ended it early
---@field unknown integer ids of unknown state
---@field failed_kinds table<string, integer>
---@field failed_before integer? ids that failed for good in earlier runs

--- The exit status of a run: what stopped it counts more than what it left.
---@param finish leadping.cli.End
function exits.status(finish)
  if finish.signal then return BY_SIGNAL[finish.signal] end
  if finish.disk then return exits.DISK end
  if finish.ended_by then return BY_KIND[finish.ended_by] or exits.NETWORK end
  if finish.unknown > 0 then return exits.UNKNOWN end
  return shared_code(finish.failed_kinds)
    or ((finish.failed_before or 0) > 0 and exits.FAILED or exits.DONE)
end

return exits
