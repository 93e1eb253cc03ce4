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

--- A client of the emulator.
function support.client(options)
  local given = { api_key = support.key, base_url = support.http, max_retries = 0 }
  for name, value in pairs(options or {}) do given[name] = value end
  return assert(leadping.new(given))
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

--- What the emulator has been asked since the mark, oldest first.
---@param mark integer? as returned by an earlier call
---@return table[] requests
---@return integer mark for a later call
function support.requests(mark)
  local content = support.read(support.directory .. "/requests.jsonl") or ""
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

-- time -----------------------------------------------------------------------

local function seconds_since(started, ...)
  return core.clock() - started, ...
end

--- Calls a function; its results behind the seconds that it took.
function support.timed(call, ...)
  return seconds_since(core.clock(), call(...))
end

--- Waits until a condition holds, at most 5 s; what it returned.
function support.eventually(condition)
  local deadline = core.clock() + 5
  while core.clock() < deadline do
    local value = condition()
    if value then return value end
    os.execute("sleep 0.01")
  end
  error("it did not happen within 5 s", 2)
end

-- child processes ------------------------------------------------------------

local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

local function assignments(variables)
  local words = { "-u MAKEFLAGS", "-u MAKELEVEL" } -- of the make that runs the specs
  for name, value in pairs(variables or {}) do
    words[#words + 1] = value and name .. "=" .. quote(value) or "-u " .. name
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
    assignments(variables), quote(command), path)))
  local output = support.read(path)
  os.remove(path)
  assert(not output:find(support.key, 1, true), "a child process printed the key")
  return output, status
end

--- Runs a Lua program in a process of its own.
function support.run(program, variables)
  local path = os.tmpname()
  support.write(path, program)
  local output, status = support.shell(support.lua .. " " .. path, variables)
  os.remove(path)
  return output, status
end

return support
