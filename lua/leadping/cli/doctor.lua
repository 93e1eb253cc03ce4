-- leadping.cli.doctor: `leadping doctor`: whether calls would work from here.
-- Asks the API for a conversation that does not exist, so that nothing there
-- changes. What the answers mean, leadping.cli.checks says.
-- MIT, see LICENSE.

local answer = require "leadping.answer"
local checks = require "leadping.cli.checks"
local core = require "leadping.core"
local exits = require "leadping.cli.exits"
local failure = require "leadping.failure"
local flags = require "leadping.cli.flags"
local json = require "leadping.json"
local key = require "leadping.cli.key"
local output = require "leadping.cli.output"
local request = require "leadping.request"
local text = require "leadping.text"

local doctor = {
  name = "doctor",
  summary = "check that calls would work from here; changes nothing",
}

local STEP = 0.2 -- seconds

function doctor.define(command)
  command:usage("Usage: leadping doctor [OPTIONS]")
  flags.connection(command)
  command:group("Key", key.define(command))
end

-- Asking ---------------------------------------------------------------------

--- An id that no conversation has: 128 random bits.
local function random_id()
  local source = assert(io.open("/dev/urandom", "rb"))
  local bytes = source:read(16)
  source:close()
  return "leadping-doctor-" .. bytes:gsub(".", function(byte)
    return ("%02x"):format(byte:byte())
  end)
end

local function run_session(session, given)
  local submitted, message = session:submit(given)
  while submitted do
    local id, result = session:next()
    if id then return result end
    submitted, message = session:step(STEP)
  end
  return { kind = "connection", message = message, sends = 0 }
end

--- What came of a request, in the words of the library's errors.
---@return leadping.cli.Reply
local function read_reply(result, api_key)
  local response = answer.from_result(result, true)
  if result.kind and not answer.is_refusal(result) then
    local fields = failure.fields(result)
    return { status = result.status, headers = response.headers, code = result.code,
      kind = fields.kind, message = fields.message }
  end
  local reply = { status = response.status, headers = response.headers }
  if answer.outcome(response.status) ~= "applied" then
    local _, fields = answer.read(response, api_key, os.time())
    reply.kind, reply.message = fields.kind, fields.message
  end
  return reply
end

--- A function that asks the API, with the key or without it.
---@param api_key string? the key
---@return fun(method: string, has_key: boolean): leadping.cli.Reply
local function new_ask(values, api_key)
  local session = core.session(values)
  local url = assert(request.url(values, random_id()))
  return function(method, has_key)
    local headers = request.headers(values, api_key or "")
    if not (has_key and api_key) then headers.Authorization = nil end
    return read_reply(run_session(session, {
      method = method, url = url, headers = headers, max_body = values.max_body,
      timeout = math.min(values.attempt_timeout, values.timeout),
      connect_timeout = values.connect_timeout,
    }), api_key)
  end
end

-- The command ----------------------------------------------------------------

--- The key, or why there is none; a wrong command line ends it.
local function find_key(given)
  local is_there, result = pcall(key.find, given)
  if is_there then return result end
  if exits.is_refusal(result) and result.status == exits.KEY then return nil, result.message end
  error(result, 0)
end

--- Prints a check; the exit code that it asks for.
local function show(check)
  local is_written, message = output.write(("%-7s  %-11s  %s"):format(check.state, check.name,
    flags.spell(text.escape(check.found))))
  if message then exits.refuse(exits.DISK, message) end
  return is_written and check.code or exits.DONE
end

local function versions()
  local luajit = rawget(_G, "jit")
  return {
    leadping = "leadping " .. core.version, lua = luajit and luajit.version or _VERSION,
    curl = core.curl_version, cjson = json._VERSION,
  }
end

--- Shows each check as soon as it is made; the worst code comes last in the
-- order of the codes.
local function run_checks(values, api_key, no_key)
  local ask = new_ask(values, api_key)
  local worst = show(checks.version(versions()))
  local function add(check) worst = math.max(worst, show(check)) end
  add(checks.features(core.curl_features()))
  add(checks.authorities(values))
  local reply = ask("GET", true)
  add(checks.look_up(core.base_url(values.base_url).host, reply))
  add(checks.connection(values.base_url, reply))
  add(checks.tls(values, reply))
  add(checks.clock(reply, os.time()))
  add(no_key and checks.no_key(no_key) or checks.key(reply, ask))
  return worst
end

function doctor.run(given)
  local api_key, no_key = find_key(given)
  local values = flags.settings(given, api_key)
  core.system.catch(function(signal) exits.refuse(exits.of_signal(signal)) end)
  local status = run_checks(values, api_key, no_key)
  core.system.release()
  return status
end

return doctor
