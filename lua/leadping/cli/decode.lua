-- leadping.cli.decode: `leadping decode`: a stored answer as a card, and what in
-- it the schema does not know, so that a change of the API is seen at a glance.
-- Such findings are no errors: the client works with all of them.
-- MIT, see LICENSE.

local codec = require "leadping.codec"
local exits = require "leadping.cli.exits"
local files = require "leadping.cli.files"
local json = require "leadping.json"
local leadping = require "leadping"
local output = require "leadping.cli.output"
local problem = require "leadping.problem"
local system = require "leadping.core".system
local text = require "leadping.text"

local decode = {
  name = "decode",
  summary = "show a stored answer, and what in it is new",
}

local SCHEMA = 1 -- of the JSON; goes up where a member changes its meaning
local SAMPLE_BYTES = 40

function decode.define(command)
  command:usage("Usage: leadping decode [OPTIONS] [FILE]")
  command:argument("FILE", "an answer's body; stdin without it, or with -")
    :args("?"):target("file")
  command:flag("--json", "the selection and the findings as one JSON object")
  command:epilog("Exits with 0 where the answer is a selection, whatever is new in it, and with 1\n"
    .. "where it is none; all codes are in leadping --help.")
end

-- Findings -------------------------------------------------------------------

---@class leadping.cli.Finding
---@field what "unknown_field"|"unknown_text"|"null_field"|"missing_field"
---@field path string "eligibleNumbers[].label" for those of all numbers
---@field detail string?
---@field count integer how many objects it was found in
---@field of integer of how many

local Findings = {}
Findings.__index = Findings

local function new_findings()
  return setmetatable({
    list = {},
    by_key = {}, -- the same, by what, path and detail
    totals = {}, -- path of an object -> how many there are
  }, Findings)
end

function Findings:add(what, parent, name, detail)
  local path = parent .. name
  local key = table.concat({ what, path, detail }, "\n")
  local found = self.by_key[key]
  if not found then
    found = { what = what, path = path, parent = parent, detail = detail, count = 0 }
    self.by_key[key] = found
    self.list[#self.list + 1] = found
  end
  found.count = found.count + 1
end

--- A value of an unknown field, in a word or two.
local function describe_value(value)
  if value == json.null then return "null" end
  if type(value) == "boolean" then return "boolean " .. tostring(value) end
  if type(value) == "number" then return ("number %.14g"):format(value) end
  if type(value) == "table" then
    if next(value) == nil then return "empty object or array" end
    return #value > 0 and "array" or "object"
  end
  return ('string "%s"'):format(text.sample(value, SAMPLE_BYTES))
end

local function add_unknown_fields(findings, object, fields, parent)
  local documented, unknown = {}, {}
  for _, field in ipairs(fields) do documented[field.name] = true end
  for name in pairs(object) do
    if not documented[name] then unknown[#unknown + 1] = name end
  end
  table.sort(unknown)
  for _, name in ipairs(unknown) do
    findings:add("unknown_field", parent, name, describe_value(object[name]))
  end
end

local function add_field(findings, value, field, parent)
  if value == nil then
    findings:add("missing_field", parent, field.name, field.nullable and "may be null" or nil)
  elseif value == json.null then
    if not field.nullable then findings:add("null_field", parent, field.name) end
  elseif field.enum and not codec.is_known(field.enum, value) then
    findings:add("unknown_text", parent, field.name,
      ('"%s"'):format(text.sample(value, SAMPLE_BYTES)))
  end
end

--- Compares an object, as lua-cjson reads it, with its schema.
local function compare(findings, object, schema_name, parent)
  findings.totals[parent] = (findings.totals[parent] or 0) + 1
  local fields = codec.schema[schema_name]
  add_unknown_fields(findings, object, fields, parent)
  for _, field in ipairs(fields) do
    local value = object[field.name]
    add_field(findings, value, field, parent)
    if field.items and type(value) == "table" then
      for _, item in ipairs(value) do
        compare(findings, item, field.items, ("%s%s[]."):format(parent, field.name))
      end
    end
  end
end

local ORDER = { unknown_field = 1, unknown_text = 2, null_field = 3, missing_field = 4 }

--- All that an answer has and its schema has not, or the other way round.
---@return leadping.cli.Finding[]
local function find(content)
  local findings = new_findings()
  compare(findings, json.decode(content), "OutgoingNumberSelection", "")
  for i, found in ipairs(findings.list) do
    found.of, found.at = findings.totals[found.parent], i
  end
  table.sort(findings.list, function(a, b)
    if ORDER[a.what] ~= ORDER[b.what] then return ORDER[a.what] < ORDER[b.what] end
    return a.at < b.at
  end)
  return findings.list
end

-- Output ---------------------------------------------------------------------

local function describe_finding(found)
  local count = found.of > 1 and (" (%d of %d)"):format(found.count, found.of) or ""
  local detail = found.detail and ": " .. found.detail or ""
  return ("  %-13s  %s%s%s"):format(found.what:gsub("_", " "), text.escape(found.path), count,
    detail)
end

local function describe(selection, findings)
  local lines = { tostring(selection), "" }
  lines[3] = #findings == 0 and ("as the schema of %s has it"):format(leadping._VERSION)
    or ("other than the schema of %s:"):format(leadping._VERSION)
  for _, found in ipairs(findings) do lines[#lines + 1] = describe_finding(found) end
  return table.concat(lines, "\n")
end

local function encode(selection, findings)
  local shown = {}
  for i, found in ipairs(findings) do
    shown[i] = ('{"what":%s,"path":%s,"detail":%s,"count":%d,"of":%d}'):format(
      json.encode(found.what), json.encode(found.path),
      json.encode(found.detail or json.null), found.count, found.of)
  end
  return ('{"schema":%d,"selection":%s,"findings":[%s]}'):format(SCHEMA,
    codec.encode(selection), table.concat(shown, ","))
end

-- The command ----------------------------------------------------------------

local function read(path)
  if not path and system.isatty(io.stdin) then
    exits.refuse(exits.USAGE, "nothing to decode: give a FILE, or pipe an answer in")
  end
  local content, message = files.read(path or "-")
  if not content then exits.refuse(exits.USAGE, message) end
  return content
end

local function has_documented_field(object)
  for _, field in ipairs(codec.schema.OutgoingNumberSelection) do
    if object[field.name] ~= nil then return true end
  end
  return false
end

--- What a text is, that is no selection; nil where it may be one.
local function other_than_selection(content)
  if content:find("^HTTP/%d") then return "an answer with its head: give the body alone" end
  local object = content:find("^%s*{") and json.read(content)
  if not object or has_documented_field(object) then return nil end
  local members = problem.decode(content)
  local said = members and problem.describe(members)
  if said then return "problem details: " .. said end
  return "an object without any of its fields"
end

function decode.run(given)
  local content = read(given.file)
  local other = other_than_selection(content)
  if other then
    exits.refuse(exits.FAILED, "not an OutgoingNumberSelection, but " .. other)
  end
  local selection, err = leadping.decode(content)
  if not selection then exits.refuse(exits.FAILED, err.message) end
  local findings = find(content)
  return output.print(given.json and encode(selection, findings)
    or describe(selection, findings))
end

return decode
