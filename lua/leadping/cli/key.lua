-- leadping.cli.key: where the API key comes from: a file, the environment or a
-- person. Never from a flag: a command line can be seen by all on a machine.
-- What a key may look like, the library says.
-- MIT, see LICENSE.

local exits = require "leadping.cli.exits"
local files = require "leadping.cli.files"
local flags = require "leadping.cli.flags"
local terminal = require "leadping.cli.terminal"

local key = {}

local NONE = "no API key: set LEADPING_API_KEY or give --key-file FILE"

--- Adds its flag to a command.
function key.define(command)
  return command:option("--key-file", "the file that holds the API key"):argname("FILE")
    :overwrite(false)
end

local function refuse(message)
  exits.refuse(exits.USAGE, "--key-file: " .. message)
end

local function read_file(path)
  local content, message = files.read(path)
  if not content then refuse(message) end
  local found = content:match("^%s*(.-)%s*$")
  if found == "" then refuse(path .. " is empty") end
  return found
end

--- Finds the key; ends the command where there is none.
---@return string key
function key.find(given)
  local found
  if given.key_file then
    found = read_file(given.key_file)
  else
    found = os.getenv "LEADPING_API_KEY" or ""
    if found == "" and terminal.is_interactive() then
      found = terminal.ask_secret("API key (not shown): ") or ""
    end
  end
  if found == "" then exits.refuse(exits.KEY, NONE) end
  flags.settings(given, found) -- says what is wrong with it
  return found
end

return key
