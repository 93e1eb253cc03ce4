-- alloc.lua: one scenario for alloc.c: what is done while memory fails, and a
-- judge of how it ended and of what works afterwards. Called with a scenario's
-- name; returns judge and act. Fails no allocation itself.
-- MIT, see LICENSE.

local cjson = require "cjson"

local SECONDS_MAX = 5 -- for a call that is answered at once, and a loaded machine

local scenario = ...
local leadping = scenario ~= "cjson" and require "leadping"
local errors = leadping and require "leadping.errors"
local clock = leadping and require "leadping.core".clock

local function read(path)
  local file = assert(io.open(path, "rb"))
  local content = file:read("*a")
  file:close()
  return content
end

local function example(name)
  return read(("spec/contract/%s.json"):format(name))
end

-- what is expected -----------------------------------------------------------

local function without_nulls(value)
  for name, item in pairs(value) do
    if item == cjson.null then value[name] = nil
    elseif type(item) == "table" then without_nulls(item) end
  end
  return value
end

local function same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then return a == b end
  for name, item in pairs(a) do
    if not same(item, b[name]) then return false end
  end
  for name in pairs(b) do
    if a[name] == nil then return false end
  end
  return true
end

local function oracle(text)
  return without_nulls(cjson.decode(text))
end

-- spec/torture/alloc stores these two for the emulator. What is expected is read
-- when it is needed: its strings would spare the act their allocation.
local FIRST, SECOND = "answer:alloc-first", "answer:alloc-second"
local EXAMPLES = { [FIRST] = "selection-later", [SECOND] = "selection-documented" }

--- Nil, or what is wrong with the answer to an id.
local function wrong_answer(id, selection, response)
  local expected = oracle(example(EXAMPLES[id]))
  if not same(selection, expected) then return "another answer than " .. id end
  if response.status ~= 200 or response.attempts ~= 1
    or response.headers["Content-Type"] ~= "application/json" then
    return "a wrong response for " .. id
  end
end

-- what the emulator was asked ------------------------------------------------

local REQUESTS = os.getenv "EMULATOR_DIR" .. "/requests.jsonl"

local function requests_size()
  local file = io.open(REQUESTS, "rb")
  if not file then return 0 end
  local size = file:seek "end"
  file:close()
  return size
end

--- How often it was asked for an id since then.
local function times_asked(id, since)
  local file = assert(io.open(REQUESTS, "rb"))
  file:seek("set", since)
  local _, times = file:read("*a"):gsub('"id":"' .. id:gsub("%p", "%%%0") .. '"', "")
  file:close()
  return times
end

-- endings --------------------------------------------------------------------

local KINDS = { connection = true, tls = true } -- for what libcurl can't allocate

local function wrong_error(err)
  if not errors.is_error(err) then return "nil and " .. tostring(err) end
  if not KINDS[err.kind] then return "a misleading error: " .. tostring(err) end
end

--- Lua's own message, or the same from C with the line that called it.
local function is_memory_error(raised)
  return raised == "not enough memory"
    or tostring(raised):find "^%S+%.lua:%d+: not enough memory$" ~= nil
end

--- How an act ended that succeeds with its first result.
local function ending(ok, first, err)
  if not ok then
    if is_memory_error(first) then return "raised" end
    return nil, "raised: " .. tostring(first)
  end
  if first ~= nil then return "answer" end
  local wrong = wrong_error(err)
  return not wrong and "error" or nil, wrong
end

-- clients --------------------------------------------------------------------

local function new_client(more)
  local given = {
    api_key = "sk_emulator_alloc", base_url = os.getenv "EMULATOR_HTTP",
    max_retries = 0, timeout = 20,
  }
  for name, value in pairs(more or {}) do given[name] = value end
  return leadping.new(given)
end

--- Nil, or what is wrong with the call behind; then that call's response.
local function wrong_next_call(client)
  local ok, selection, err, response = pcall(client.clear_override, client, SECOND)
  if not ok then return "the next call raised: " .. tostring(selection) end
  if not selection then return "the next call failed: " .. tostring(err) end
  return wrong_answer(SECOND, selection, response), response
end

local function names(headers)
  local list = {}
  for name in pairs(headers) do list[#list + 1] = name end
  table.sort(list)
  return table.concat(list, " ")
end

--- Whether an answer lacks a header that the one behind it has.
local function wrong_headers(response, other)
  if not other then return nil end
  local got, expected = names(response.headers), names(other.headers)
  if got ~= expected then return ("headers %s, not %s"):format(got, expected) end
end

--- An error that says "not sent" or "not applied" of what was carried out.
local function wrong_outcome(err, since)
  local refused = err.outcome == "not_sent" or err.outcome == "not_applied"
  if refused and times_asked(FIRST, since) > 0 then
    return ("outcome %s of a request that was answered"):format(err.outcome)
  end
end

local function wrong_time(started)
  local seconds = clock() - started
  if seconds > SECONDS_MAX then return ("took %.1f s"):format(seconds) end
end

--- Judge and act of one call of FIRST.
local function one_call(client)
  local since, started = requests_size(), clock()
  local function judge(ok, selection, err, response)
    local how, wrong = ending(ok, selection, err)
    wrong = wrong or wrong_time(started)
    if how == "answer" then wrong = wrong or wrong_answer(FIRST, selection, response) end
    local wrong_next, next_response = wrong_next_call(client)
    wrong = wrong or wrong_next
    if how == "answer" then wrong = wrong or wrong_headers(response, next_response) end
    if how == "error" then wrong = wrong or wrong_outcome(err, since) end
    return not wrong and how or nil, wrong
  end
  return judge, function() return client:clear_override(FIRST) end
end

--- Its session is driven by a thread of its own.
local function driven_client()
  return assert(new_client { loop = require "spec.torture.direct_loop" })
end

local function tls_client()
  return assert(new_client {
    base_url = os.getenv "EMULATOR_TLS", ca_file = os.getenv "EMULATOR_CA",
  })
end

local function warm(client)
  assert(client:clear_override(SECOND))
  return client
end

-- scenarios: each returns judge and act --------------------------------------

local make = {}

function make.new()
  return function(ok, client, err)
    local how, wrong = ending(ok, client, err)
    wrong = wrong or wrong_next_call(how == "answer" and client or assert(new_client()))
    return not wrong and how or nil, wrong
  end, new_client
end

function make.http() return one_call(assert(new_client())) end
function make.kept() return one_call(warm(assert(new_client()))) end
function make.tls() return one_call(tls_client()) end
make["tls-kept"] = function() return one_call(warm(tls_client())) end
function make.driven() return one_call(driven_client()) end
make["driven-kept"] = function() return one_call(warm(driven_client())) end
make.start = make.http -- alloc.c lets libcurl's own start fail

-- Long enough, with escapes, for Lua's string buffer to leave the C stack.
local LONG = ('"setupMessage":"%s",'):format(("gr\\u00fc\\n"):rep(400))
local function long_text() return (example "selection-later":gsub("{", "{" .. LONG, 1)) end

local function wrong_decoding(text, selection)
  if not same(selection, oracle(text)) then return "another value" end
end

function make.decode()
  local text = long_text()
  return function(ok, selection, err)
    local how, wrong = ending(ok, selection, err)
    if how == "answer" then wrong = wrong_decoding(text, selection) end
    local other = example "selection-documented"
    wrong = wrong or wrong_decoding(other, leadping.decode(other))
    return not wrong and how or nil, wrong
  end, function() return leadping.decode(text) end
end

function make.encode()
  local selection = assert(leadping.decode(long_text()))
  return function(ok, text, err)
    local how, wrong = ending(ok, text, err)
    local expected = oracle(long_text())
    if how == "answer" and not same(oracle(text), expected) then wrong = "another value" end
    if not wrong and not same(oracle(leadping.encode(selection)), expected) then
      wrong = "the next encode gives another value"
    end
    return not wrong and how or nil, wrong
  end, function() return leadping.encode(selection) end
end

local function wrong_problem(err)
  if err.kind ~= "unexpected_status" or err.outcome ~= "not_applied" then
    return "a wrong error: " .. tostring(err)
  end
  local problem = err.problem or {}
  if problem.status ~= 409 or problem.title ~= "Conflict" then
    return "an error without its problem details"
  end
end

--- The answer that is looked for is an error here.
local function problem_ending(ok, selection, err)
  if ok and not selection and err.response then return "answer", wrong_problem(err) end
  local how, wrong = ending(ok, selection, err)
  return how, how == "answer" and "a selection" or wrong
end

function make.problem()
  local client = assert(new_client())
  return function(ok, selection, err)
    local how, wrong = problem_ending(ok, selection, err)
    wrong = wrong or wrong_next_call(client)
    return not wrong and how or nil, wrong
  end, function() return client:clear_override "fault:status-409" end
end

local function closing(client)
  return function(ok, closed, err)
    local how, wrong = ending(ok, closed, err)
    client:close()
    local open, message = pcall(client.clear_override, client, SECOND)
    if open or not tostring(message):find "the client is closed" then
      wrong = wrong or "closed, and open: " .. tostring(message)
    end
    wrong = wrong or wrong_next_call(assert(new_client()))
    return not wrong and how or nil, wrong
  end, function()
    client:close()
    return true
  end
end

function make.close() return closing(warm(assert(new_client()))) end
make["driven-close"] = function() return closing(warm(driven_client())) end

-- lua-cjson by itself, without any of leadping: what it leaks is its own.
function make.cjson()
  local text = long_text()
  return function(ok, value)
    local how, wrong = ending(ok, value)
    if how == "answer" and not same(value, cjson.decode(text)) then wrong = "another value" end
    return not wrong and how or nil, wrong
  end, function() return cjson.decode(text) end
end

local judge, act = make[scenario]()
collectgarbage() -- what is garbage now is not there to be used again
return judge, act
