-- leadping.cli.key: where the API key comes from: a file, the environment or a
-- person. Never from a flag: a command line can be seen by all on a machine.
-- Does not check the key: the library does.
-- MIT, see LICENSE.

local terminal = require "leadping.cli.terminal"

local key = {}

local NONE = "no API key: set LEADPING_API_KEY or give --key-file FILE"

--- Adds its flag to a command.
function key.define(command)
  return command:option("--key-file", "the file that holds the API key"):argname("FILE")
    :overwrite(false)
end

local function read_file(path)
  local file, message = io.open(path, "rb")
  if not file then return nil, "--key-file: cannot read " .. message end
  local content
  content, message = file:read("*a")
  file:close()
  if not content then return nil, ("--key-file: cannot read %s: %s"):format(path, message) end
  local found = content:match("^%s*(.-)%s*$")
  if found == "" then return nil, ("--key-file: %s is empty"):format(path) end
  return found
end

--- Finds the key.
---@return string? key
---@return string? message why there is none
---@return "INT"|"TERM"|nil signal that ended the prompt
function key.find(given)
  if given.key_file then return read_file(given.key_file) end
  local found = os.getenv "LEADPING_API_KEY"
  if found and found ~= "" then return found end
  if not terminal.is_interactive() then return nil, NONE end
  local signal
  found, signal = terminal.ask_secret("API key (not shown): ")
  if found and found ~= "" then return found end
  return nil, NONE, signal
end

return key
