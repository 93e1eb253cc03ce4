-- leadping.cli.main: the command line program: from arguments to exit status.
-- Finds the command and catches what it raises: people see one line and never
-- a traceback, but with LEADPING_LOG=debug.
-- MIT, see LICENSE.

local exits = require "leadping.cli.exits"
local interrupt = require "leadping.interrupt"
local leadping = require "leadping"
local output = require "leadping.cli.output"
local system = require "leadping.core".system
local terminal = require "leadping.cli.terminal"

local clear = require "leadping.cli.clear"
local decode = require "leadping.cli.decode"
local doctor = require "leadping.cli.doctor"
local plan = require "leadping.cli.plan"

local COMMANDS = { clear, plan, decode, doctor }

--- lua-argparse is the program's own need, not the library's.
local function load_parser()
  if pcall(require, "argparse") then return require "leadping.cli.parser" end
  exits.refuse(exits.USAGE, "the Lua module argparse is missing: install the package "
    .. "lua-argparse, or run: luarocks install argparse")
end

local function dispatch(arguments)
  local answer = load_parser().parse(COMMANDS, arguments)
  if answer.wrong then exits.refuse(exits.USAGE, answer.wrong) end
  if answer.help then return output.print(answer.help) end
  if answer.version then return output.print(leadping._VERSION) end
  for _, command in ipairs(COMMANDS) do
    if command.name == answer.given.command then return command.run(answer.given) end
  end
end

--- What is neither a refusal nor Ctrl-C is a mistake of ours, whose traceback is
-- for us alone.
local function describe_raised(raised)
  if exits.is_refusal(raised) then return raised end
  if interrupt.is(raised) then
    return { status = exits.INTERRUPTED, message = "interrupted" }
  end
  local message = "internal error: " .. tostring(raised)
  if os.getenv "LEADPING_LOG" == "debug" then message = debug.traceback(message, 2) end
  return { status = exits.FAILED, message = message }
end

local held = {} -- luacheck: ignore 241

--- Where stdin, stdout or stderr is closed, the next file or connection would be
-- it, and what is printed would be sent there. These take such places first, and
-- cannot be written to.
local function hold_places()
  for i = 1, 3 do held[i] = io.open("/dev/null", "r") end
end

--- Runs the program.
---@param arguments string[]
---@return integer status
local function main(arguments)
  hold_places()
  system.ignore_sigpipe()
  local ok, result = xpcall(function() return dispatch(arguments) end, describe_raised)
  if ok then return result end
  if result.message then terminal.complain(result.message) end
  return result.status
end

return { main = main }
