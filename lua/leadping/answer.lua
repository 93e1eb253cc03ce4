-- leadping.answer: what a whole answer means: a selection or an error.
-- The one place where a status becomes a kind and an outcome.
-- No I/O, no retries.
-- MIT, see LICENSE.

local codec = require "leadping.codec"
local core = require "leadping.core"
local problem = require "leadping.problem"
local retry = require "leadping.retry"
local text = require "leadping.text"

local answer = {}

local SAMPLE_BYTES = 120
local LEFT_OUT = "[left out: it repeats the key, escaped]"

local KINDS = {
  [400] = "bad_request", [401] = "unauthorized", [403] = "forbidden",
  [404] = "not_found", [429] = "rate_limited",
}

local MESSAGES = {
  bad_request = "the API calls the request invalid",
  unauthorized = "the API key is missing, wrong or expired",
  forbidden = "the API key is not permitted to do this",
  not_found = "the API knows no such conversation, or base_url has a wrong path",
  rate_limited = "over the API's limit of requests",
  server_error = "the server failed",
  unexpected_status = "a status that the API does not document for this call",
}

local REDIRECTS = { [301] = true, [302] = true, [303] = true, [307] = true, [308] = true }
local REDIRECT = "a redirect, which is never followed: check base_url"

local function kind_of(status)
  if status >= 500 and status < 600 then return "server_error" end
  return KINDS[status] or "unexpected_status"
end

answer.STATUS = "a whole number from 100 to 999" -- in words, for messages

--- Whether a value is a status as HTTP has them.
function answer.is_status(value)
  return type(value) == "number" and value % 1 == 0 and value >= 100 and value <= 999
end

--- What a status says of the override. A 5xx is not a refusal: the server, or
-- one behind the gateway, may have failed after the change was made. A status
-- over 599 is taken as one (RFC 9110, section 15); a 1xx is no final answer.
---@param status integer
---@return leadping.Outcome
function answer.outcome(status)
  if status >= 200 and status < 300 then return "applied" end
  return (status < 200 or status >= 500) and "unknown" or "not_applied"
end

local HeaderNames = {
  __index = function(headers, name)
    if type(name) == "string" then return rawget(headers, name:lower()) end
  end,
}

local Response = { __name = "leadping.response" }

--- Fields that are made when they are first looked at: mostly they are not.
local LATE = {}

--- Of the head, where a session gives it as it came: csrc/session.c does.
function LATE.headers(response)
  local headers = setmetatable(core.head(response.head or ""), HeaderNames)
  response.head = nil
  return headers
end

function LATE.reasons(response)
  return response.attempts and {}
end

function Response:__index(name)
  local make = LATE[name]
  if not make then return nil end
  local value = make(self)
  rawset(self, name, value)
  return value
end

function Response:__tostring()
  return ("leadping.response: status %d, %d bytes"):format(self.status, #self.body)
end

--- Makes a response of a table with status, headers (as answer.headers gives
-- them) or head, and body.
---@return leadping.Response
function answer.response(fields)
  return setmetatable(fields, Response)
end

--- One value of a header; nil where it is none. Some HTTP stacks give a list
-- for a name that came more than once: RFC 9110, section 5.3 joins it.
local function header_value(value)
  if type(value) == "string" then return value end
  if type(value) ~= "table" then return nil end
  for _, line in ipairs(value) do
    if type(line) ~= "string" then return nil end
  end
  return table.concat(value, ", ")
end

--- Headers that are found by their name in any case (RFC 9110, section 5.1).
---@param headers table name -> value, or a list of values
---@return table? headers with lower-case names
---@return string? message what is wrong with them
function answer.headers(headers)
  if type(headers) ~= "table" then
    return nil, "table expected, got " .. type(headers)
  end
  local lower = {}
  for name, given in pairs(headers) do
    local value = header_value(given)
    if type(name) ~= "string" or not value then
      return nil, ("a string or a list of strings for each name expected, %s is %s")
        :format(tostring(name), type(given))
    end
    lower[name:lower()] = value
  end
  return setmetatable(lower, HeaderNames)
end

--- Whether a failed transfer is an answer all the same: one whose body could
-- not be unpacked, where only a 2xx needs its body.
function answer.is_refusal(result)
  return result.kind == "decode" and answer.outcome(result.status) ~= "applied"
end

--- A session's result becomes the response that the caller gets.
---@param is_ours boolean of csrc/session.c: a whole answer's table is taken over
---@return leadping.Response
function answer.from_result(result, is_ours)
  if is_ours and not result.kind then
    result.sends = nil
    return answer.response(result)
  end
  return answer.response {
    status = result.status, head = result.head, body = result.body or "",
    headers = result.headers and answer.headers(result.headers),
  }
end

local function decode_error(response, message)
  local body = response.body == "" and "the body is empty"
    or ('the body begins "%s"'):format(text.sample(response.body, SAMPLE_BYTES))
  return {
    kind = "decode",
    message = ("not an OutgoingNumberSelection: %s; %s"):format(message, body),
  }
end

--- Takes a key out of an answer that repeats it, so that no error carries it.
local function redact(response, key)
  response.body = text.redact(response.body, key)
  if text.hides(response.body, key) then response.body = LEFT_OUT end
  for name, value in pairs(response.headers) do
    response.headers[name] = text.redact(value, key)
  end
end

local function status_error(response, key, time)
  local kind = kind_of(response.status)
  -- Redacted behind the decoding: in the body the key may have been escaped.
  local members = text.redact_all(
    problem.decode(response.body, response.headers["content-type"]), key)
  redact(response, key)
  local said = members and problem.describe(members)
  local message = REDIRECTS[response.status] and REDIRECT or MESSAGES[kind]
  return {
    kind = kind,
    message = said and ("%s: %s"):format(message, said) or message,
    problem = members,
    retryable = retry.is_retryable_status(response.status),
    retry_after = retry.parse_after(response.headers["retry-after"], time),
  }
end

--- Reads an answer. Where it is an error, the key is taken out of `response`.
---@param response leadping.Response
---@param key string|string[]|nil|false that was sent, or may have been
---@param time number seconds since the epoch, for a Retry-After that is a date
---@return leadping.Selection? selection
---@return table? fields for errors.new
function answer.read(response, key, time)
  local fields
  if answer.outcome(response.status) == "applied" then
    local selection, message = codec.decode(response.body)
    if selection then return selection end
    redact(response, key)
    fields = decode_error(response, message)
  else
    fields = status_error(response, key, time)
  end
  fields.status = response.status
  fields.outcome = answer.outcome(response.status)
  fields.response = response
  return nil, fields
end

return answer
