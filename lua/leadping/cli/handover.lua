-- leadping.cli.handover: how a run that ended early can go on.
-- Names the command that does, and writes the journal that it needs where the
-- run had none. Starts nothing.
-- MIT, see LICENSE.

local flags = require "leadping.cli.flags"
local journal = require "leadping.cli.journal"
local words = require "leadping.cli.words"

local handover = {}

local NAMES = 9 -- for runs that end in the same second

--- A name in the current directory that no file has.
local function new_name()
  local name = os.date "leadping-%Y%m%d-%H%M%S"
  for i = 1, NAMES do
    local path = ("%s%s.journal"):format(name, i > 1 and "-" .. i or "")
    local file = io.open(path)
    if not file then return path end
    file:close()
  end
  return name .. ".journal"
end

--- Opens a new journal in the current directory.
---@return table? opened
---@return string path what is wrong where there is none
local function open_journal(options)
  local path = new_name()
  local opened, message = journal.open(path, options)
  if opened then return opened, path end
  return nil, (message:gsub("; nothing was sent$", "")) -- which is so where a run begins
end

--- Writes what memory holds to a new journal.
---@return string? path
---@return string? message
local function write_journal(memory, base_url)
  local opened, path = open_journal { base_url = base_url, ids = memory.pending, sync = false }
  if not opened then return nil, path end
  local done, message = memory:copy(opened)
  if done then done, message = opened:close() end
  if done then return path end
  return nil, message
end

--- The command that goes on, for a shell.
local function command(given, path)
  local typed = { "leadping", "clear", "--resume", "--journal=" .. words.quote(path), "--yes" }
  for _, word in ipairs(flags.again(given)) do typed[#typed + 1] = words.quote(word) end
  return table.concat(typed, " ")
end

--- What a person is told of a run that left ids undone.
---@param account table the run's journal, or leadping.cli.memory
---@return string
function handover.describe(given, account, base_url)
  local path, message = given.journal, nil
  if not path then path, message = write_journal(account, base_url) end
  if not path then
    return "and no journal could be written to go on with: " .. message
  end
  return "to go on: " .. command(given, path)
end

return handover
