-- spec/support.lua: what the specs share: the emulator's side, child processes.
-- The specs run under `spec/server/emulator run`, which sets the environment.
-- Asserts nothing but its own needs.
-- MIT, see LICENSE.

local cjson = require "cjson"
local core = require "leadping.core"
local leadping = require "leadping"

local support = {}

local function environment(name)
  return assert(os.getenv(name), name .. " is not set: run the specs by make test")
end

support.http = environment "EMULATOR_HTTP"
support.tls = environment "EMULATOR_TLS"
support.ca = environment "EMULATOR_CA"
support.directory = environment "EMULATOR_DIR"

support.key = "sk_emulator_of_the_specs"

--- A copy of a table, with changes.
---@param changes table? name -> value
function support.with(fields, changes)
  local copy = {}
  for name, value in pairs(fields) do copy[name] = value end
  for name, value in pairs(changes or {}) do copy[name] = value end
  return copy
end

--- A client of the emulator.
function support.client(options)
  return assert(leadping.new(support.with({
    api_key = support.key, base_url = support.http, max_retries = 0,
  }, options)))
end

local serial = math.floor(core.clock() * 1e6) -- this file is loaded anew for each spec

--- An id that no other spec uses, behind that beginning.
function support.id(beginning)
  serial = serial + 1
  return ("%s:%d"):format(beginning or "conv", serial)
end

-- files ----------------------------------------------------------------------

function support.read(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local content = file:read("*a")
  file:close()
  return content
end

function support.write(path, content)
  local file = assert(io.open(path, "wb"))
  assert(file:write(content))
  file:close()
end

--- Makes an empty directory; its path.
---@param mode string? "755" where not given
function support.new_directory(mode)
  local path = os.tmpname()
  os.remove(path)
  local output = support.shell(("mkdir -m %s %s"):format(mode or "755", path))
  assert(output == "", output)
  return path
end

--- Takes a directory away, with all that is in it.
function support.remove_directory(path)
  os.execute("rm -r " .. path)
end

--- An example body of spec/contract.
function support.example(name)
  return assert(support.read(("spec/contract/%s.json"):format(name)))
end

--- Stores an answer and returns the id that is answered with it.
---@param head string? status line ("404") and header lines
function support.answer(body, head)
  serial = serial + 1
  local path = ("%s/answers/%d"):format(support.directory, serial)
  support.write(path, body)
  if head then support.write(path .. ".head", head) end
  return "answer:" .. serial
end

--- What the emulator has been asked since the mark, oldest first. A line that is
-- being written is for the next time.
---@param mark integer? as returned by an earlier call
---@return table[] requests
---@return integer mark for a later call
function support.requests(mark)
  local content = (support.read(support.directory .. "/requests.jsonl") or ""):match("^.*\n") or ""
  local requests = {}
  for line in content:sub((mark or 0) + 1):gmatch("[^\n]+") do
    requests[#requests + 1] = cjson.decode(line)
  end
  return requests, #content
end

--- How many descriptors this process has open. Needs Linux.
function support.open_files()
  local output = support.shell(("ls /proc/%s/fd | wc -l")
    :format(support.read("/proc/self/stat"):match("^%d+")))
  return tonumber(output)
end

--- The same, with nothing left to collect: what a later number is compared with.
function support.settled_files()
  for _ = 1, 4 do collectgarbage() end
  return support.open_files()
end

-- time -----------------------------------------------------------------------

local function seconds_since(started, ...)
  return core.clock() - started, ...
end

--- Calls a function; its results behind the seconds that it took.
function support.timed(call, ...)
  return seconds_since(core.clock(), call(...))
end

--- Waits until a condition holds, at most so many seconds; what it returned.
---@param seconds number? 5 where not given
function support.eventually(condition, seconds)
  seconds = seconds or 5
  local deadline = core.clock() + seconds
  while core.clock() < deadline do
    local value = condition()
    if value then return value end
    os.execute("sleep 0.01")
  end
  error(("it did not happen within %g s"):format(seconds), 2)
end

-- child processes ------------------------------------------------------------

--- One word of a shell's command line.
function support.quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

local function assignments(variables)
  local words = { "-u MAKEFLAGS", "-u MAKELEVEL", "--default-signal=PIPE" } -- luv ignores it
  for name, value in pairs(variables or {}) do
    words[#words + 1] = value and name .. "=" .. support.quote(value) or "-u " .. name
  end
  table.sort(words) -- "-u" comes before the names
  return table.concat(words, " ")
end

support.lua = os.getenv "LUA" or "lua5.4"
support.lua_version = _VERSION:match("%d+%.%d+") -- LuaJIT is a 5.1

--- A command's exit status, of what os.execute returned: in Lua 5.1 the status
-- as wait(2) has it.
local function exit_status(first, _, code)
  return code or first / 256
end

--- Runs a shell command; all that it printed, and its exit status.
---@param variables table? name -> value, or false to unset
function support.shell(command, variables)
  local path = os.tmpname()
  local status = exit_status(os.execute(("env %s sh -c %s >%s 2>&1"):format(
    assignments(variables), support.quote(command), path)))
  local output = support.read(path)
  os.remove(path)
  assert(not output:find(support.key, 1, true), "a child process printed the key")
  return output, status
end

--- Whether a process runs, that need not be our child. One that has ended may
-- stay a zombie until whoever inherited it looks.
function support.is_running(pid)
  local stat = support.read(("/proc/%s/stat"):format(pid))
  return stat ~= nil and not stat:find("%) Z ")
end

--- Runs a Lua program in a process of its own.
function support.run(program, variables)
  local path = os.tmpname()
  support.write(path, program)
  local output, status = support.shell(support.lua .. " " .. path, variables)
  os.remove(path)
  return output, status
end

--- Builds a library of spec/torture.
---@param name string of its C file
---@return string path for LD_PRELOAD
function support.build_preload(name)
  local path = ("%s/%s.so"):format(os.getenv "BUILD" or "build/torture", name)
  local output = support.shell(("${CC:-cc} -shared -fPIC -o %s spec/torture/%s.c -ldl "
    .. "-Wl,--no-as-needed $(pkg-config --cflags --libs libcurl)"):format(path, name))
  assert(output == "", output)
  return path
end

-- A process in the background.
local Process = {}
Process.__index = Process

--- Starts a shell command in the background. What it prints to stdout and
-- stderr is kept together.
---@param variables table? name -> value, or false to unset
function support.start(command, variables)
  local self = setmetatable(
    { pid_path = os.tmpname(), output = os.tmpname(), status = os.tmpname() }, Process)
  os.remove(self.status)
  local with_pid = ("echo $$ >%s; exec env %s %s"):format(self.pid_path,
    assignments(variables), command)
  local pipe = io.popen(("{ sh -c %s; echo $? >%s.part; mv %s.part %s; } >%s 2>&1 & echo $!")
    :format(support.quote(with_pid), self.status, self.status, self.status, self.output))
  pipe:read("*l")
  pipe:close()
  return self
end

--- Waits until a file holds a text; the whole content.
local function wait_for_text(path, text)
  return support.eventually(function()
    local content = support.read(path)
    return content and content:find(text, 1, true) and content
  end)
end

--- Waits until it has printed a text; all that it printed.
function Process:wait_for(text)
  return wait_for_text(self.output, text)
end

---@param name string of a signal, without SIG
function Process:kill(name)
  os.execute(("kill -%s %s"):format(name, support.read(self.pid_path):match("%d+")))
end

--- Waits for its end; all that it printed, and its exit status as a shell has it.
function Process:finish()
  local status = tonumber(wait_for_text(self.status, "\n"):match("%d+"))
  local output = support.read(self.output)
  for _, path in ipairs { self.pid_path, self.output, self.status } do os.remove(path) end
  assert(not output:find(support.key, 1, true), "a process in the background printed the key")
  return output, status
end

--- Waits until the emulator has been asked something since the mark.
---@param count integer? how often, 1 where not given
function support.wait_for_request(mark, count)
  support.eventually(function() return #(support.requests(mark)) >= (count or 1) end)
end

support.checkout = support.shell("pwd"):gsub("\n$", "")

--- The command line program, for a shell in any directory.
support.program = ("%s %s/spec/program.lua"):format(support.lua, support.checkout)

--- Makes the program a command in a directory.
function support.write_program(directory)
  local path = directory .. "/leadping"
  support.write(path, ('#!/bin/sh\nexec %s "$@"\n'):format(support.program))
  os.execute("chmod +x " .. path)
end

--- Runs the command line program off a terminal, in the emulator's directory: a
-- journal that it may write goes away with that.
---@param arguments string as a shell reads them; may end in redirections
---@param variables table? name -> value, or false to unset
---@return string output what it printed to stdout
---@return integer status
---@return string complaints what it printed to stderr
function support.leadping(arguments, variables)
  local path = os.tmpname()
  local output, status = support.shell(("cd %s; %s 2>%s </dev/null %s"):format(
    support.directory, support.program, path, arguments),
    support.with({ LEADPING_API_KEY = support.key }, variables))
  local complaints = support.read(path)
  os.remove(path)
  assert(not complaints:find(support.key, 1, true), "the program printed the key")
  return output, status, complaints
end

return support
