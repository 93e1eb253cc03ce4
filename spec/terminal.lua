-- spec/terminal.lua: a terminal for the specs to type into and to look at.
-- It is a tmux of its own, with a shell in a directory of its own.
-- Asserts nothing but that what is waited for comes.
-- MIT, see LICENSE.

local support = require "spec.support"

local Terminal = {}
Terminal.__index = Terminal

local COLUMNS, LINES = 100, 40

function Terminal:tmux(command)
  return (support.shell(("tmux -S %s/tmux -f /dev/null %s"):format(self.directory, command),
    self.variables))
end

--- Opens a terminal.
---@param variables table? environment of its shell: name -> value, or false
function Terminal.open(variables)
  local directory = support.new_directory()
  support.write_program(directory)
  local given = support.with({
    TMUX = false, ENV = false, NO_COLOR = false, TERM = "xterm",
    LEADPING_API_KEY = support.key, PATH = directory .. ":" .. os.getenv "PATH",
  }, variables)
  local self = setmetatable({ directory = directory, variables = given }, Terminal)
  self:tmux(("new-session -d -x %d -y %d -c %s sh"):format(COLUMNS, LINES, directory))
  self:enter("PS1='$ '; clear; echo ready")
  self:wait_for("ready\n$")
  return self
end

--- What it shows, without the blank lines at its end; lines that it has
-- wrapped are joined again.
---@param has_escapes boolean? colors too
function Terminal:screen(has_escapes)
  local shown = self:tmux("capture-pane -p -J" .. (has_escapes and " -e" or ""))
  return (shown:gsub(" +\n", "\n"):gsub("%s*$", ""))
end

--- Waits until it shows a text; the screen.
function Terminal:wait_for(text)
  local screen
  local ok = pcall(support.eventually, function()
    screen = self:screen()
    return screen:find(text, 1, true)
  end)
  if ok then return screen end
  error(("%q did not come; the screen shows\n%s"):format(text, screen), 2)
end

--- Types a text as it is.
function Terminal:type(text)
  self:tmux("send-keys -l " .. support.quote(text))
end

--- Presses a key, by tmux's name of it.
function Terminal:press(key)
  self:tmux("send-keys " .. key)
end

--- Types a line.
function Terminal:enter(text)
  self:type(text)
  self:press("Enter")
end

--- Gives the shell a command, on a clear screen, and waits until it is clear: it
-- then shows neither what was there nor the command, which what is waited for
-- could be found in.
function Terminal:run(command)
  local line = "clear; " .. command .. '; echo "status $?"'
  self:tmux("send-keys -R")
  self:type(line)
  self:wait_for(line)
  self:press("Enter")
  support.eventually(function() return not self:screen():find(line, 1, true) end)
end

--- Waits for the command to end; the screen, and the command's exit status.
function Terminal:finish()
  local screen = self:wait_for("\nstatus ")
  return screen, tonumber(screen:match("\nstatus (%d+)"))
end

function Terminal:close()
  self:tmux("kill-server")
  support.remove_directory(self.directory)
end

return Terminal
