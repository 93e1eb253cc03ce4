-- leadping.mock: a transport that answers by a script, to test programs with.
-- Keeps what it was asked. Knows no network and no real time: waits and delays
-- pass at once, on a clock of its own. Does not judge what it is asked.
-- MIT, see LICENSE.

local Client = require "leadping.client"
local options = require "leadping.options"
local request = require "leadping.request"
local script = require "leadping.mock.script"
local text = require "leadping.text"

local mock = {}

--- What a conversation is answered with: a status (200, 404, …), with a body as
-- the API's; a name; a table of fields; a function, called at each request, that
-- returns one of these, or nil for the default; or a list of all of these, one
-- for each request, whose last stands for all that follow.
---@alias leadping.MockAnswer
---| integer
---| "cannot_send" # 200, with a selection without a number to send from
---| "connection"|"timeout"|"tls" # a failure: no answer came
---| leadping.MockFields
---| leadping.MockMaker
---| leadping.MockAnswer[]

---@alias leadping.MockMaker fun(request: leadping.MockRequest): leadping.MockAnswer?

--- The fields of an answer, or of a failure.
---@class leadping.MockFields
---@field status integer? of the answer (200)
---@field headers table<string, string>? of the answer
---@field selection table? fields of the selection, in place of the usual ones
---@field body string? of the answer, in place of one as the API's
---@field kind ("connection"|"timeout"|"tls")? in place of an answer: a failure
---@field outcome ("not_sent"|"unknown")? what the failure leaves
---@field retryable boolean? of the failure
---@field message string? of the failure
---@field delay number? seconds until it comes; what comes behind the attempt's
-- limit is a timeout

--- What the mock keeps of a request.
---@class leadping.MockRequest: leadping.TransportRequest
---@field conversation_id string
---@field at number seconds on the mock's clock

--- What mock.new takes.
---@class leadping.MockOptions
---@field answers (table<string, leadping.MockAnswer>|leadping.MockMaker)? by the
-- conversation's id, or one function for all
---@field default (leadping.MockAnswer|false)? what all other ids get (200); false to
-- raise

---@class leadping.MockClientOptions: leadping.ClientOptions, leadping.MockOptions

--- A transport that also tells what it was asked.
---@class leadping.Mock: leadping.Transport
---@field requests leadping.MockRequest[] in the order in which they came, the
-- headers as they were sent, key included
local Mock = {}
Mock.__index = Mock

local NO_STEPS = {}

local function id_place(id)
  if type(id) ~= "string" then
    error(("leadping.mock: answers: a conversation's id (string) expected as name, got %s")
      :format(tostring(id)), 0)
  end
  return ('leadping.mock: answers["%s"]'):format(text.sample(id, 40))
end

local function read_answers(self, answers)
  if type(answers) == "function" then
    self.all = script.steps(answers, "leadping.mock: answers")
  elseif type(answers) == "table" then
    for id, given in pairs(answers) do
      self.scripts[id] = script.steps(given, id_place(id))
    end
  elseif answers ~= nil then
    error("leadping.mock: answers: table or function expected, got " .. type(answers), 0)
  end
end

local MOCK_OPTIONS = { answers = true, default = true }

local function refuse(method, message)
  error(("leadping.mock.%s: %s"):format(method, message), 0)
end

local function refuse_option(method, name, known)
  refuse(method, ("unknown option '%s'; there are %s"):format(
    text.sample(tostring(name), 40), table.concat(known, ", ")))
end

local function check_table(given, method)
  if given == mock then
    refuse(method, ("call it with a dot: mock.%s { … }"):format(method))
  elseif type(given) ~= "table" then
    refuse(method, "options: table expected, got " .. type(given))
  end
end

local function check_names(given)
  check_table(given, "new")
  for name in pairs(given) do
    if not MOCK_OPTIONS[name] then refuse_option("new", name, { "answers", "default" }) end
  end
end

--- Where the public function was called, as errors begin with it: what a script
-- is found to lack later is told with this place. Calls by pcall, and on Lua 5.1
-- tail calls, have no line.
local function place_of_caller()
  local level = 3
  local caller = debug.getinfo(level, "Sl")
  while caller and caller.currentline < 0 do
    level = level + 1
    caller = debug.getinfo(level, "Sl")
  end
  return caller and ("%s:%d: "):format(caller.short_src, caller.currentline) or ""
end

local function new_mock(given, place)
  check_names(given)
  local self = setmetatable({
    place = place,
    requests = {},
    scripts = {}, -- conversation's id -> steps
    all = NO_STEPS, -- of the function that answers for every id
    default = NO_STEPS,
    counts = {}, -- conversation's id -> how often it was asked for
    pending = {}, finished = {}, -- { id, result, at }, the first to end first
    now = 0, last_id = 0,
  }, Mock)
  read_answers(self, given.answers)
  local default = given.default
  if default == nil then default = 200 end
  if default then self.default = script.steps(default, "leadping.mock: default") end
  return self
end

--- A new transport, for one client.
---@param given leadping.MockOptions?
---@return leadping.Mock
function mock.new(given)
  local place = place_of_caller()
  local ok, made = pcall(new_mock, given == nil and {} or given, place)
  if not ok then error(made, 2) end
  return made
end

--- All that mock.client takes.
local function client_names()
  local names = { "answers", "default" }
  for _, option in ipairs(options.list) do
    if not option.run and option.name ~= "transport" then names[#names + 1] = option.name end
  end
  return names
end

--- The mock's options, and the client's.
local function split(given)
  check_table(given, "client")
  local own = {}
  local clients = { api_key = "sk_mock", base_url = "https://api.leadping.ai" }
  for name, value in pairs(given) do
    if MOCK_OPTIONS[name] then own[name] = value
    elseif options.by_name[name] then clients[name] = value
    else refuse_option("client", name, client_names()) end
  end
  if clients.transport ~= nil then
    refuse("client", "option 'transport': the mock is the client's transport")
  end
  return own, clients
end

local function new_client(given, place)
  local own, clients = split(given)
  clients.transport = new_mock(own, place)
  local ok, client, err = pcall(Client.new, clients)
  if not ok then
    error((tostring(client):gsub("^leadping%.new: ", "leadping.mock.client: ")), 0)
  end
  if not client then return nil, err end
  return client, clients.transport
end

--- A client whose transport is a new mock. It takes nothing of the environment
-- but LEADPING_LOG.
---@param given leadping.MockClientOptions?
---@return leadping.Client? client
---@return leadping.Mock|leadping.Error transport or err, as leadping.new gives it
function mock.client(given)
  local place = place_of_caller()
  local ok, client, transport = pcall(new_client, given == nil and {} or given, place)
  if not ok then error(client, 2) end
  return client, transport
end

-- as a transport -------------------------------------------------------------

local function check_open(self)
  if self.closed then error("leadping.mock: the transport is closed", 0) end
end

local function recorded(self, asked)
  local id = request.conversation_id(asked.url)
  if not id then error("leadping.mock: no conversation is in the URL " .. asked.url, 0) end
  local record = { conversation_id = id, at = self.now, headers = {} }
  for name, value in pairs(asked.headers) do record.headers[name] = value end
  for _, name in ipairs { "method", "url", "timeout", "connect_timeout", "max_body" } do
    record[name] = asked[name]
  end
  self.requests[#self.requests + 1] = record
  self.counts[id] = (self.counts[id] or 0) + 1
  return record
end

--- The step for a request: of its conversation's script, else of the default.
local function choose(self, record)
  local id = record.conversation_id
  for _, steps in ipairs { self.scripts[id] or self.all, self.default } do
    local step = steps[math.min(self.counts[id], #steps)]
    if step and step.make then step = script.made(step, record, self.place) end
    if step then return step end
  end
  error(('%sleadping.mock: no answer for the conversation "%s": give it one in answers, '
    .. "or a default"):format(self.place, text.sample(id, 40)), 0)
end

--- Behind all that end before it or at the same time.
local function insert(pending, entry)
  local at = #pending + 1
  while at > 1 and pending[at - 1].at > entry.at do at = at - 1 end
  table.insert(pending, at, entry)
end

--- The function of a script may raise, or close the client.
function Mock:submit(asked)
  check_open(self)
  local step = choose(self, recorded(self, asked))
  if self.closed then return nil, "the transport was closed" end
  local result, delay = script.result(step, asked)
  self.last_id = self.last_id + 1
  insert(self.pending, { id = self.last_id, result = result, at = self.now + delay })
  return self.last_id
end

--- Where no result waits, the clock goes on to the first one, at most that far.
function Mock:step(seconds)
  check_open(self)
  local first = self.pending[1]
  if #self.finished == 0 then
    local ends = self.now + seconds
    self.now = math.max(self.now, first and math.min(first.at, ends) or ends)
  end
  while self.pending[1] and self.pending[1].at <= self.now do
    self.finished[#self.finished + 1] = table.remove(self.pending, 1)
  end
  return #self.finished
end

function Mock:next()
  check_open(self)
  local entry = table.remove(self.finished, 1)
  if entry then return entry.id, entry.result end
end

function Mock:cancel(id)
  check_open(self)
  for _, list in ipairs { self.pending, self.finished } do
    for i, entry in ipairs(list) do
      if entry.id == id then return table.remove(list, i) ~= nil end
    end
  end
  return false
end

--- What was asked stays to be read.
function Mock:close()
  self.closed = true
  self.pending, self.finished = {}, {}
end

--- Raises at the line that called the method, where it was called with a dot. A
-- table in front of a mock may stand for it.
local function check_self(self, method)
  if type(self) == "table" and self.scripts then return end
  error(("%s: bad argument 'self' (a mock expected, got %s): call transport:%s(), with a colon")
    :format(method, type(self), method), 3)
end

--- Seconds that have passed: delays, and what the client has waited.
function Mock:clock()
  check_self(self, "clock")
  return self.now
end

-- for specs ------------------------------------------------------------------

--- The conversations that were asked for, in order, once for each request.
---@return string[] ids
function Mock:asked()
  check_self(self, "asked")
  local ids = {}
  for i, record in ipairs(self.requests) do ids[i] = record.conversation_id end
  return ids
end

--- The conversations whose answers were not all used, in the order of their ids.
---@return string[] ids
function Mock:unused()
  check_self(self, "unused")
  local ids = {}
  for id, steps in pairs(self.scripts) do
    if (self.counts[id] or 0) < #steps then ids[#ids + 1] = id end
  end
  table.sort(ids)
  return ids
end

return mock
