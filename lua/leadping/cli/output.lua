-- leadping.cli.output: writes to stdout, and sees where that fails.
-- A reader that is gone (| head) is no error of ours, a full disk is. Knows
-- nothing of what is written.
-- MIT, see LICENSE.

local exits = require "leadping.cli.exits"
local terminal = require "leadping.cli.terminal"

local output = {}

local EINTR, EPIPE = 4, 32 -- the same on Linux, the BSDs and macOS

local is_abandoned = false

--- From now on a write that a signal interrupts is not tried again.
function output.abandon()
  is_abandoned = true
end

--- Writes a line at once, so that a reader sees each result as it comes.
---@return boolean is_written
---@return string? message nil where the reader is gone
function output.write(line)
  local ok, message, code
  repeat
    ok, message, code = io.stdout:write(line, "\n")
    if ok then ok, message, code = io.stdout:flush() end
  until ok or code ~= EINTR or is_abandoned
  if ok then return true end
  return false, code ~= EPIPE and ("cannot write to stdout: " .. message) or nil
end

--- Prints what a command is about to end with.
---@return integer status
function output.print(text)
  local is_written, message = output.write(text)
  if is_written or not message then return exits.DONE end
  terminal.complain(message)
  return exits.DISK
end

return output
