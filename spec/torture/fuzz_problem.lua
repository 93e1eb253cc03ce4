-- fuzz_problem.lua: any body under any media type, as an answer that refuses.
-- The input's first line is the Content-Type, the rest is the body.
-- Oracle: RFC 9457's types, and what may never be shown.
-- MIT, see LICENSE.

-- luacheck: std lua54

local answer = require "leadping.answer"
local errors = require "leadping.errors"
local json = require "leadping.json"
local native = require "fuzz_native"
local problem = require "leadping.problem"

local KEY = "sk_k"
local STATUSES = { 400, 401, 403, 404, 409, 422, 429, 500, 503, 302, 200 }

local TYPES = {
  type = "string", title = "string", status = "number",
  detail = "string", instance = "string",
}

local function finding(...)
  error(string.format(...), 0)
end

local function split(input)
  local media_type, body = input:match("^([^\n]*)\n(.*)$")
  return media_type, body or input
end

local function check_members(members)
  for name, expected in pairs(TYPES) do
    local value = members[name]
    if value ~= nil and type(value) ~= expected then
      finding("member %s is a %s", name, type(value))
    end
  end
  for name, value in pairs(members) do
    if value == json.null then finding("member %s is null", name) end
  end
end

--- Whether the key is in any string of a value.
local function holds_key(value)
  if type(value) == "string" then return value:find(KEY, 1, true) ~= nil end
  if type(value) ~= "table" then return false end
  for name, item in pairs(value) do
    if holds_key(name) or holds_key(item) then return true end
  end
  return false
end

local function check_shown(shown)
  if shown:find("[\0-\31\127]") then finding("a control byte is shown: %q", shown) end
  if not utf8.len(shown) then finding("broken UTF-8 is shown: %q", shown) end
  if shown:find("\194[\128-\159]") then finding("a C1 control is shown: %q", shown) end
end

local function check_error(fields)
  if holds_key(fields) then finding "the key is in the error" end
  if fields.problem then check_members(fields.problem) end
  local err = errors.new(fields)
  local shown = tostring(err)
  if holds_key(shown) then finding "the key is shown" end
  check_shown(shown)
  native.count(err.problem and "error with a problem" or "error without")
end

local function check_answer(status, media_type, body)
  local headers = answer.headers { ["Content-Type"] = media_type }
  local response = { status = status, headers = headers, body = body }
  local ok, selection, fields =
    native.covered(pcall, answer.read, response, KEY, 1800000000)
  if not ok then finding("answer.read raises: %s", selection) end
  if selection then return native.count "selection" end
  if fields.outcome == "applied" and fields.kind ~= "decode" then
    finding("kind %s of a 2xx", fields.kind)
  end
  check_error(fields)
end

--- What answer.read does not ask for under a 2xx.
local function check_decode(media_type, body)
  local ok, members = native.covered(pcall, problem.decode, body, media_type)
  if not ok then finding("problem.decode raises: %s", members) end
  if not members then return end
  check_members(members)
  local described = problem.describe(members)
  if described ~= nil and type(described) ~= "string" then finding "described by no text" end
  native.count "members"
end

return function(input)
  local media_type, body = split(input)
  local status = STATUSES[#input % #STATUSES + 1]
  if status == 200 then check_decode(media_type, body) end
  check_answer(status, media_type, body)
end
