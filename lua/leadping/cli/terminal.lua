-- leadping.cli.terminal: what is asked and said beside the results.
-- Knows whether a person is there, asks them, and complains on stderr. Results
-- and progress are others' (report.lua, progress.lua).
-- MIT, see LICENSE.

local exits = require "leadping.cli.exits"
local system = require "leadping.core".system
local text = require "leadping.text"

local terminal = {}

--- Writes a message for people to stderr. What it quotes may come from
-- anywhere, so each of its lines is escaped.
function terminal.say(message)
  for line in message:gmatch("[^\n]*") do
    if line ~= "" then io.stderr:write(text.escape(line), "\n") end
  end
end

--- Says what went wrong.
function terminal.complain(message)
  terminal.say("leadping: " .. message)
end

--- Whether a person can be asked: they see stderr and type on stdin.
function terminal.is_interactive()
  return system.isatty(io.stdin) and system.isatty(io.stderr)
end

--- Whether a terminal obeys escapes.
local function obeys_escapes(file)
  local name = os.getenv "TERM"
  return system.isatty(file) and name ~= nil and name ~= "" and name ~= "dumb"
end

--- Whether a line on stderr may be drawn over (clig.dev, "Interactivity").
function terminal.can_redraw()
  return obeys_escapes(io.stderr)
end

--- Whether stdout is to have colors (no-color.org).
---@param is_refused boolean? by --no-color
function terminal.has_color(is_refused)
  local refused = os.getenv "NO_COLOR"
  return not is_refused and (refused == nil or refused == "") and obeys_escapes(io.stdout)
end

--- Asks a question on the terminal itself, as stdin may be used up; before
-- anything is sent. A signal ends the command, with the terminal as it was before.
---@param read fun(file): string?
---@return string? answer nil at the end of input
local function ask(question, read)
  local file = io.open("/dev/tty", "r")
  if not file then return nil end
  local caught
  system.catch(function(signal) caught = signal end)
  io.stderr:write(question)
  io.stderr:flush()
  local answer = read(file)
  system.release()
  file:close()
  if not answer then io.stderr:write("\n") end
  if caught then exits.refuse(exits.of_signal(caught), "nothing was sent") end
  return answer
end

--- Asks a person something.
---@return string? answer
function terminal.ask(question)
  return ask(question, function(file) return file:read("*l") end)
end

--- Asks for something that is not shown as it is typed.
---@return string? answer
function terminal.ask_secret(question)
  return ask(question, function(file)
    system.echo(file, false)
    local line = file:read("*l")
    system.echo(file, true)
    if line then io.stderr:write("\n") end -- which was not shown either
    return line
  end)
end

return terminal
