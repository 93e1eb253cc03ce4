-- problem: what the service answers where it cannot do what it was asked:
-- problem details (RFC 9457), and a note of it for the access log.
-- html/problems.html has a paragraph for each kind.
-- MIT, see LICENSE.

local cjson = require "cjson"

local problem = {}

-- Ours first: status, title and detail. Then leadping's (err.kind), whose
-- detail is the error's message.
problem.kinds = {
  malformed = { 400, "The request cannot be read",
    "It is not HTTP as it should be, or its path climbs above the root." },
  wrong_key = { 401, "The service key is missing or wrong",
    "Send the service's own key as Authorization: Bearer. The override stands." },
  no_such_path = { 404, "There is nothing at this address",
    "There are POST /conversations/{id}/clear, with the id percent-encoded, and GET /health." },
  wrong_method = { 405, "This address does not take that method",
    "The Allow header says which it takes." },
  too_long = { 413, "The request is too long", "Address, headers or body are over their limit." },
  busy = { 429, "Too many requests at a time",
    "The override stands: nothing was sent to the API, as it would have been too long a wait." },
  internal = { 500, "The service failed" },

  invalid_id = { 400, "This cannot be a conversation's id" },
  bad_request = { 400, "The API calls the request invalid" },
  not_found = { 404, "The API knows no such conversation" },
  no_api_key = { 500, "The service has no API key" },
  unauthorized = { 502, "The API refuses the service's API key" },
  forbidden = { 502, "The API does not let the service do this" },
  rate_limited = { 503, "The API asks for a pause" },
  server_error = { 502, "The API failed" },
  unexpected_status = { 502, "The API answered something unexpected" },
  decode = { 502, "The API's answer cannot be read" },
  too_large = { 502, "The API's answer is too large" },
  connection = { 502, "The API cannot be reached" },
  tls = { 502, "The connection to the API is not safe" },
  timeout = { 504, "The API did not answer in time" },
  cancelled = { 503, "The service is stopping" },
}

local OUTCOMES = {
  not_sent = "The override stands: nothing was sent to the API.",
  not_applied = "The override stands.",
  applied = "The override is cleared; which number is chosen now is not known.",
  unknown = "It is not known whether the override was cleared: look at the conversation.",
}

--- "The override stands. Over the API's limit of requests."
local function sentences(outcome, message)
  local ending = message:find("[.!?]$") and "" or "."
  return ("%s %s%s%s"):format(OUTCOMES[outcome], message:sub(1, 1):upper(), message:sub(2), ending)
end

--- The path as it was asked for, in ASCII as a URI has to be; nil where nginx
-- could not read that far.
local function instance()
  local path = (ngx.var.request_uri or ""):match("^[^?]+")
  return path and path:gsub("[^\33-\126]", ngx.escape_uri) or nil
end

--- Answers with a problem.
---@param kind string one of problem.kinds
---@param fields table? message, outcome ("not_sent"), attempts, retry_after (seconds)
function problem.send(kind, fields)
  fields = fields or {}
  local status, title, detail = unpack(problem.kinds[kind])
  local outcome, attempts = fields.outcome or "not_sent", fields.attempts or 0
  local retry_after = fields.retry_after and math.max(1, math.ceil(fields.retry_after))
  problem.note(kind, outcome, attempts)
  ngx.status = status
  ngx.header["Content-Type"] = "application/problem+json"
  ngx.header["Retry-After"] = retry_after
  ngx.print(cjson.encode {
    type = "/problems.html#" .. kind, title = title, status = status,
    detail = detail or sentences(outcome, fields.message), instance = instance(),
    kind = kind, outcome = outcome, attempts = attempts, retry_after = retry_after,
  })
end

--- Tells the access log how it went.
function problem.note(kind, outcome, attempts)
  local var = ngx.var
  var.kind, var.outcome, var.attempts = kind, outcome, attempts
end

return problem
