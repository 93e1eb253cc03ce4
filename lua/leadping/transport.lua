-- leadping.transport: the seam between the engine and what sends for it.
-- Says what a transport has to do, and checks a given one: its methods when the
-- client is made, then all that it returns. Sends nothing itself.
-- MIT, see LICENSE.

local answer = require "leadping.answer"
local core = require "leadping.core"
local text = require "leadping.text"

local transport = {}

--- One attempt. The table is the transport's own from then on.
---@class leadping.TransportRequest
---@field method string "DELETE"
---@field url string to be sent as it is: the id in it is escaped already
---@field headers table<string, string> the key among them
---@field timeout number seconds for the whole attempt
---@field connect_timeout number seconds of these for look-up, connect and TLS
---@field max_body integer bytes of the answer's body that are wanted

--- How an attempt ended: with an answer of any status (`status`, `headers`,
-- `body`), or without a whole one (`kind`, `message`, `retryable`). No redirect
-- is followed, and nothing is tried again: both are decided above.
---@class leadping.TransportResult
---@field status integer? of the answer, also where only its head came
---@field headers table<string, string|string[]>? names in any case
---@field head string? in place of headers, their lines as they came: these are
-- taken apart when they are looked at
---@field body string? unpacked
---@field kind ("connection"|"tls"|"timeout"|"too_large"|"decode")? decode: a
-- body that cannot be unpacked
---@field message string? for people; must not hold the key
---@field retryable boolean? whether the same request may work later
---@field sends integer? how often it may have begun to be sent (1): 0 says that
-- the server cannot have seen it

--- What the option `transport` takes, for one client: csrc/session.c and
-- leadping.mock are two, examples/resty-transport.lua is a third. It is called
-- from one place at a time, but may yield in step.
---@class leadping.Transport
---@field submit (fun(self, request: leadping.TransportRequest): any, string?) begins
-- an attempt, of many at a time; its id, which no other ever has, or nil and why
-- nothing was sent
---@field step (fun(self, seconds: number): integer?, string?) lets attempts go on;
-- where no result waits, waits for one, at most that long. How many wait; nil,
-- "interrupted" to go back to Lua for a moment; nil and a message where all that
-- is in flight is lost
---@field next (fun(self): any, leadping.TransportResult?) id and result of one that
-- has ended, each once and in any order; nil where none waits. Each ends within
-- its timeout, by a result of kind timeout where need be
---@field cancel fun(self, id) puts an attempt away, in flight or ended; a result
-- that comes all the same is let go
---@field close fun(self) ends everything; more than once does no harm
---@field clock (fun(self): number)? seconds that only grow, in place of the
-- machine's; step then waits by it, and so do retries

-- a given transport ----------------------------------------------------------

local METHODS = { "submit", "step", "next", "cancel", "close" }

local function field(value, name)
  local ok, found = pcall(function() return value[name] end)
  return ok and found or nil
end

--- What is wrong with a value of the option `transport`; nil where nothing is.
function transport.check(value)
  if type(value) ~= "table" and type(value) ~= "userdata" then
    return "table or userdata expected"
  end
  for _, method in ipairs(METHODS) do
    if type(field(value, method)) ~= "function" then
      return ("an object with the method %q expected"):format(method)
    end
  end
  local clock = field(value, "clock")
  if clock ~= nil and type(clock) ~= "function" then
    return 'an object whose "clock" is a method expected'
  end
end

local KINDS = {
  connection = true, tls = true, timeout = true, too_large = true, decode = true,
}

local function is_a(name)
  return function(value) return type(value) == name end
end

-- Each: name, whether a value is one, what is expected.
local FIELDS = {
  { "kind", function(value) return KINDS[value] end,
    "connection, tls, timeout, too_large or decode" },
  { "status", answer.is_status, answer.STATUS },
  { "head", is_a "string", "string" },
  { "body", is_a "string", "string" },
  { "message", is_a "string", "string" },
  { "retryable", is_a "boolean", "boolean" },
  { "sends", function(value) return type(value) == "number" and value >= 0 end,
    "a number from 0 on" },
}

local function shown(value)
  if type(value) == "string" then return ('"%s"'):format(text.sample(value, 40)) end
  return type(value) == "number" and tostring(value) or type(value)
end

--- What is wrong with a result; nil where nothing is.
local function fault_of(result)
  if type(result) ~= "table" then return "table expected, got " .. type(result) end
  for _, row in ipairs(FIELDS) do
    local name, is_one, expected = row[1], row[2], row[3]
    local value = result[name]
    if value ~= nil and not is_one(value) then
      return ("%s: %s expected, got %s"):format(name, expected, shown(value))
    end
  end
  local headers, wrong = answer.headers(result.headers or {})
  if not headers then return "headers: " .. wrong end
  if result.kind and not result.message then return "a kind without a message" end
  if result.kind and result.kind ~= "decode" then return nil end
  if not result.status then return "no status, and no kind that goes without" end
end

--- A result that can be relied on. What became of a request whose result makes
-- no sense is not known, and it is not sent again.
local function reliable(result)
  local fault = fault_of(result)
  if not fault then return result end
  return {
    kind = "connection", message = "the transport's result is wrong: " .. fault,
    sends = 1, retryable = false,
  }
end

local function words(message, otherwise)
  return type(message) == "string" and message or otherwise
end

--- Stands in front of a given transport: whatever that one does, each request
-- has a result in time, and the result is one.
---@class leadping.CheckedTransport: leadping.Transport
local Checked = {}
Checked.__index = Checked

--- The same transport, checked at each call.
---@param given leadping.Transport
function transport.checked(given)
  return setmetatable({
    given = given,
    read_clock = transport.clock(given),
    due = {}, -- id -> when its time is over
  }, Checked)
end

--- The clock that a transport's waits go by.
---@param given leadping.Transport?
---@return fun(): number seconds
function transport.clock(given)
  if not given or not field(given, "clock") then return core.clock end
  return function()
    local now = given:clock()
    if type(now) == "number" then return now end
    error("option 'transport': clock gave " .. shown(now) .. ", not seconds", 0)
  end
end

function Checked:clock()
  return self.read_clock()
end

function Checked:submit(request)
  local timeout = request.timeout
  local id, message = self.given:submit(request)
  if not id then return nil, words(message, "the transport does not say why") end
  if self.due[id] then
    error("option 'transport': submit gave the id of a request in flight again", 0)
  end
  self.due[id] = self.read_clock() + timeout
  return id
end

function Checked:step(seconds)
  local now = self.read_clock()
  for _, due in pairs(self.due) do
    seconds = math.min(seconds, math.max(due - now, 0))
  end
  local waiting, message = self.given:step(seconds)
  if type(waiting) == "number" then return waiting end
  return nil, words(message, "the transport cannot go on, and does not say why")
end

--- Ends a request whose time is over, where the given transport has not.
local function end_overdue(self)
  local now = self.read_clock()
  for id, due in pairs(self.due) do
    if due <= now then
      self.given:cancel(id)
      return id, {
        kind = "timeout", message = "the transport had no result in time", sends = 1,
        retryable = true,
      }
    end
  end
end

function Checked:next()
  local id, result = self.given:next()
  if not id then id, result = end_overdue(self) end
  if not id then return nil end
  self.due[id] = nil
  return id, reliable(result)
end

function Checked:cancel(id)
  self.due[id] = nil
  return self.given:cancel(id)
end

function Checked:close()
  self.due = {}
  return self.given:close()
end

return transport
