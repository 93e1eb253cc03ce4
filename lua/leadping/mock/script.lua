-- leadping.mock.script: what the answers that a program's spec asks for mean.
-- Turns each into steps: { result, delay } or { make = function }. Raises for
-- what is none, with its place. Keeps no account of what was asked.
-- MIT, see LICENSE.

local answer = require "leadping.answer"
local codec = require "leadping.codec"
local text = require "leadping.text"

local script = {}

local function refuse(where, message)
  error(("%s: %s"):format(where, message), 0)
end

local function shown(value)
  return type(value) == "string" and ('"%s"'):format(text.sample(value, 40))
    or tostring(value)
end

-- bodies as the API's --------------------------------------------------------

local NUMBERS = {
  {
    phoneNumberId = "pn_mock_1", number = "+15125550143",
    displayNumber = "(512) 555-0143", healthStatus = "Healthy", healthLabel = "Healthy",
    canSend = true, selectionReason = "LocalArea",
    reasonLabel = "Matches the lead's area code", label = "Austin 1", isSelected = true,
  },
  {
    phoneNumberId = "pn_mock_2", number = "+15125550188",
    displayNumber = "(512) 555-0188", healthStatus = "Needs Attention",
    healthLabel = "Needs attention", canSend = false, selectionReason = "HealthyPool",
    reasonLabel = "Healthiest number of the pool", isSelected = false,
  },
}

local SELECTION = {
  canSend = true, phoneNumberId = "pn_mock_1", number = "+15125550143",
  displayNumber = "(512) 555-0143", healthStatus = "Healthy", healthLabel = "Healthy",
  selectionReason = "LocalArea", reasonLabel = "Matches the lead's area code",
  wasManuallyOverridden = false, eligibleNumbers = NUMBERS,
}

local CANNOT_SEND = codec.encode {
  canSend = false, setupMessage = "Add a phone number before sending.",
  wasManuallyOverridden = false, eligibleNumbers = {},
}

local PROBLEM = '{"type":null,"title":"Scripted by leadping.mock","status":%d}'

--- A name's letters alone: in other case, or with other marks, it is a near one.
local function letters(name)
  return (tostring(name):lower():gsub("[_-]", ""))
end

local function refuse_field(name, fields, path, where)
  local hint = ""
  for _, field in ipairs(fields) do
    if letters(field.name) == letters(name) then
      hint = (": did you mean %s?"):format(field.name)
    end
  end
  refuse(where, ("selection: the API has no field %s%s (body is for answers with fields that "
    .. "the API does not have)"):format(shown(path .. tostring(name)), hint))
end

--- Raises for a field that the schema does not have: a typo would leave the usual
-- value as it is. What the values may be, encode says.
local function check_fields(object, schema_name, path, where)
  local fields, documented = codec.schema[schema_name], {}
  for _, field in ipairs(fields) do documented[field.name] = field end
  for name, value in pairs(object) do
    local field = documented[name]
    if not field then refuse_field(name, fields, path, where) end
    for i, item in ipairs(field.items and type(value) == "table" and value or {}) do
      if type(item) == "table" then
        check_fields(item, field.items, ("%s%s[%d]."):format(path, name, i), where)
      end
    end
  end
end

--- The usual selection but for those fields.
local function selection_body(fields, where)
  check_fields(fields or {}, "OutgoingNumberSelection", "", where)
  local selection = {}
  for name, value in pairs(SELECTION) do selection[name] = value end
  for name, value in pairs(fields or {}) do selection[name] = value end
  local ok, body = pcall(codec.encode, selection)
  if ok then return body end
  refuse(where, "selection: " .. (body:match("%((.+)%)$") or body))
end

local function body_of(fields, status, where)
  if fields.body then return fields.body end
  if answer.outcome(status) ~= "applied" then return PROBLEM:format(status) end
  return status == 204 and "" or selection_body(fields.selection, where)
end

-- fields ---------------------------------------------------------------------

local FAILURES = {
  connection = { outcome = "not_sent", retryable = true },
  timeout = { outcome = "unknown", retryable = true },
  tls = { outcome = "not_sent", retryable = false },
}

local SENDS = { not_sent = 0, unknown = 1 }

local function is_a(name)
  return function(value) return type(value) == name end
end

local function is_seconds(value)
  return type(value) == "number" and value >= 0
end

-- Each: whether a value is one (and what is wrong), what is expected.
local DELAY = { is_seconds, "seconds" }

local ANSWER_FIELDS = {
  status = { answer.is_status, answer.STATUS },
  headers = { answer.headers },
  selection = { is_a "table", "a table" },
  body = { is_a "string", "a string" },
  delay = DELAY,
}

local FAILURE_FIELDS = {
  kind = { function(value) return FAILURES[value] end, "connection, timeout or tls" },
  outcome = { function(value) return SENDS[value] end, "not_sent or unknown" },
  retryable = { is_a "boolean", "a boolean" },
  message = { is_a "string", "a string" },
  delay = DELAY,
}

local function names_of(rows)
  local names = {}
  for name in pairs(rows) do names[#names + 1] = name end
  table.sort(names)
  return table.concat(names, ", ")
end

--- Raises for what has no row, and for a value that its row does not take.
local function check(values, rows, where)
  for name, value in pairs(values) do
    local row = rows[name]
    if not row then
      refuse(where, ("unknown field %s; there are %s"):format(shown(name), names_of(rows)))
    end
    local is_one, wrong = row[1](value)
    if not is_one then
      wrong = wrong or ("%s expected, got %s"):format(row[2], shown(value))
      refuse(where, ("%s: %s"):format(name, wrong))
    end
  end
end

local function failure(fields, where)
  check(fields, FAILURE_FIELDS, where)
  if fields.kind == "timeout" and fields.delay then
    refuse(where, "delay: a timeout takes the time that the attempt has")
  end
  local usual = FAILURES[fields.kind]
  local retryable = fields.retryable
  if retryable == nil then retryable = usual.retryable end
  return {
    kind = fields.kind, retryable = retryable,
    message = fields.message or "scripted by leadping.mock",
    sends = SENDS[fields.outcome or usual.outcome],
  }
end

local function check_answer(fields, status, where)
  check(fields, ANSWER_FIELDS, where)
  if not fields.selection then return end
  if fields.body then refuse(where, "body or selection expected, not both") end
  if answer.outcome(status) ~= "applied" or status == 204 then
    refuse(where, ("selection: an answer of status %d has none"):format(status))
  end
end

local function whole_answer(fields, where)
  local status = fields.status or 200
  check_answer(fields, status, where)
  local headers = answer.headers(fields.headers or {})
  headers["content-type"] = headers["content-type"]
    or (status < 300 and "application/json" or "application/problem+json")
  return {
    status = status, headers = headers, body = body_of(fields, status, where), sends = 1,
  }
end

-- steps ----------------------------------------------------------------------

local EXPECTED = "a status, cannot_send, connection, timeout, tls, a table of fields, "
  .. "a function or a list of these expected, got "

local NAMED = { cannot_send = { body = CANNOT_SEND } }
for kind in pairs(FAILURES) do NAMED[kind] = { kind = kind } end

--- The fields that an answer in a short form stands for.
local function fields_of(given, where)
  local fields = given
  if type(given) == "number" then fields = { status = given } end
  if type(given) == "string" then fields = NAMED[given] end
  if type(fields) ~= "table" then refuse(where, EXPECTED .. shown(given)) end
  if next(fields) == nil then refuse(where, EXPECTED .. "an empty table") end
  if fields[1] ~= nil then refuse(where, "no list is expected in here") end
  return fields
end

local function new_step(given, where)
  if type(given) == "function" then return { make = given, where = where } end
  local fields = fields_of(given, where)
  local result = fields.kind ~= nil and failure(fields, where) or whole_answer(fields, where)
  return { result = result, delay = fields.delay }
end

--- The steps of one conversation: at least one.
---@param given leadping.MockAnswer
---@param where string what messages begin with: whose, and its place in the script
function script.steps(given, where)
  if type(given) ~= "table" or given[1] == nil then return { new_step(given, where) } end
  local steps = {}
  for i, item in ipairs(given) do
    steps[i] = new_step(item, ("%s[%d]"):format(where, i))
  end
  for name in pairs(given) do
    if not steps[name] then
      refuse(where, ("%s in a list: a list or fields expected, not both"):format(shown(name)))
    end
  end
  return steps
end

--- What a step's function makes of a request; nil where that is the default's.
---@param request leadping.MockRequest
---@param place string where the script was given, as "file:line: "
function script.made(step, request, place)
  local given = step.make(request)
  if given == nil then return nil end
  local where = ("%s%s()"):format(place, step.where)
  if type(given) == "function" then refuse(where, "no function is expected from a function") end
  return new_step(given, where)
end

-- results --------------------------------------------------------------------

--- Where no delay is given: a timeout takes what the attempt is given.
local function usual_delay(result, request)
  if result.kind ~= "timeout" then return 0 end
  if result.sends > 0 then return request.timeout end
  return math.min(request.connect_timeout, request.timeout)
end

--- How a request ends: its limits are kept, as by every transport.
---@param request leadping.TransportRequest
---@return leadping.TransportResult
---@return number seconds until then
function script.result(step, request)
  local result = step.result
  local delay = step.delay or usual_delay(result, request)
  if delay > request.timeout then
    return {
      kind = "timeout", message = "scripted by leadping.mock", sends = result.sends,
      retryable = true,
    }, request.timeout
  elseif #(result.body or "") > request.max_body then
    return {
      kind = "too_large", status = result.status, sends = result.sends, retryable = false,
      message = ("the answer's body is over max_body (%d bytes)"):format(request.max_body),
    }, delay
  end
  return result, delay
end

return script
