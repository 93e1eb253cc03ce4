-- leadping.cli.report: what became of each id, for people or as JSON Lines,
-- and the sums at the end. Keeps counts, and a bounded list of what needs a
-- person's eye, so that a long run takes no more memory than a short one.
-- MIT, see LICENSE.

local codec = require "leadping.codec"
local flags = require "leadping.cli.flags"
local json = require "leadping.json"
local text = require "leadping.text"
local words = require "leadping.cli.words"

local report = {}

local SCHEMA = 1 -- of the JSON Lines; goes up where a member changes its meaning
local LISTED = 50 -- ids that a list of the summary names

-- One result -----------------------------------------------------------------

--- What is known of an id's override.
---@param err leadping.Error? nil where it was cleared
---@return "done"|"failed"|"unknown"
function report.state(err)
  if not err then return "done" end
  return err.outcome == "unknown" and "unknown" or "failed"
end

local function join(separator, ...)
  local parts = {}
  for i = 1, select("#", ...) do
    local part = select(i, ...)
    if part and part ~= "" then parts[#parts + 1] = text.escape(part) end
  end
  return table.concat(parts, separator)
end

--- The number that a selection has, as people write it.
local function number_of(selection)
  return selection.displayNumber or selection.number or "no number"
end

--- Why a conversation cannot send.
local function obstacle(selection)
  return join("; ", selection.setupMessage, selection.healthWarning)
end

local function describe_selection(selection)
  local why = obstacle(selection)
  if selection.canSend then why = selection.selectionReason end
  return join("  ", number_of(selection), text.can_send(selection.canSend), why)
end

local OVERRIDE = {
  not_sent = "the override stands", not_applied = "the override stands",
  applied = "the override is cleared, but the answer cannot be read",
  unknown = "look at the conversation, or send it again",
}

--- "not_found (404): the API knows no such conversation"
function report.describe(err)
  return flags.spell((tostring(err):gsub("^leadping: ", "")))
end

--- The same, and what is known of the override.
local function describe_error(err)
  return ("%s; %s"):format(report.describe(err), OVERRIDE[err.outcome])
end

local COLORS = { done = "\27[32m", failed = "\27[31m", unknown = "\27[33m" }
local PLAIN = "\27[0m"

local function describe_state(state, has_color)
  local padded = ("%-7s"):format(state)
  return has_color and COLORS[state] .. padded .. PLAIN or padded
end

--- One line for people.
function report.line(id, selection, err, has_color)
  return ("%s  %s  %s"):format(describe_state(report.state(err), has_color),
    text.escape(id), err and describe_error(err) or describe_selection(selection))
end

-- JSON -----------------------------------------------------------------------

local function encode_number(value)
  return value and text.number(value) or "null"
end

local function encode_string(value)
  return value and json.encode(value) or "null"
end

local function encode_error(err)
  if not err then return "null" end
  return ('{"kind":%s,"message":%s,"status":%s,"outcome":%s,"retry_after":%s}'):format(
    encode_string(err.kind), encode_string(err.message), encode_number(err.status),
    encode_string(err.outcome), encode_number(err.retry_after))
end

--- One line of JSON, its members always in this order.
---@param response leadping.Response?
function report.json(id, selection, err, response)
  local source = err or response
  return ('{"schema":%d,"id":%s,"state":%s,"selection":%s,"error":%s,"attempts":%s,"elapsed":%s}')
    :format(SCHEMA, encode_string(id), encode_string(report.state(err)),
      selection and codec.encode(selection) or "null", encode_error(err),
      encode_number(source.attempts), encode_number(source.elapsed))
end

-- Sums -----------------------------------------------------------------------

local Sums = {}
Sums.__index = Sums

--- Nothing counted yet.
function report.sums()
  return setmetatable({
    done = 0, failed = 0, unknown = 0,
    applied = 0, -- how many failed that are cleared all the same
    failed_kinds = {}, -- kind -> how many failed by it
    unknown_ids = {}, -- the first of them
    stuck = 0, -- how many cannot send
    stuck_lines = {}, -- the first of them
  }, Sums)
end

local function add_bounded(list, value)
  if #list < LISTED then list[#list + 1] = value end
end

--- Counts a result.
function Sums:add(id, selection, err)
  local state = report.state(err)
  self[state] = self[state] + 1
  if state == "failed" then
    self.failed_kinds[err.kind] = (self.failed_kinds[err.kind] or 0) + 1
    if err.outcome == "applied" then self.applied = self.applied + 1 end
  elseif state == "unknown" then
    add_bounded(self.unknown_ids, text.escape(id))
  elseif selection.canSend == false then
    self.stuck = self.stuck + 1
    add_bounded(self.stuck_lines, join("  ", id, number_of(selection), obstacle(selection)))
  end
end

--- "3 not_found, 1 server_error": the most frequent first.
local function describe_kinds(kinds)
  local names, shown = {}, {}
  for kind in pairs(kinds) do names[#names + 1] = kind end
  table.sort(names, function(a, b)
    if kinds[a] ~= kinds[b] then return kinds[a] > kinds[b] end
    return a < b
  end)
  for i, kind in ipairs(names) do shown[i] = ("%d %s"):format(kinds[kind], kind) end
  return table.concat(shown, ", ")
end

--- Adds a titled list of ids to the lines of a summary.
local function add_list(lines, title, listed, count)
  if count == 0 then return end
  lines[#lines + 1] = title
  for _, line in ipairs(listed) do lines[#lines + 1] = "  " .. line end
  if count > #listed then
    lines[#lines + 1] = ("  and %d more"):format(count - #listed)
  end
end

--- "2 done, 1 failed, 0 unknown, 3 not sent, 4 done before".
---@param not_sent integer
---@param before table<string, integer> done, failed: in earlier runs of the journal
function Sums:describe(not_sent, before)
  local counts = { ("%d done, %d failed, %d unknown, %d not sent"):format(
    self.done, self.failed, self.unknown, not_sent) }
  for _, state in ipairs { "done", "failed" } do
    if before[state] > 0 then
      counts[#counts + 1] = ("%d %s before"):format(before[state], state)
    end
  end
  return table.concat(counts, ", ")
end

---@param duplicates integer
function Sums:summary(not_sent, before, duplicates)
  local lines = { self:describe(not_sent, before) }
  if duplicates > 0 then
    lines[1] = ("%s, %s not sent again"):format(lines[1], words.count(duplicates, "duplicate"))
  end
  if self.failed > 0 then
    lines[#lines + 1] = "failed: " .. describe_kinds(self.failed_kinds)
  end
  if self.applied > 0 then
    lines[#lines + 1] = ("cleared all the same, by an answer that cannot be read: %d")
      :format(self.applied)
  end
  add_list(lines, "unknown: look at these conversations, or send them again",
    self.unknown_ids, self.unknown)
  add_list(lines, ("cannot send now: %d"):format(self.stuck), self.stuck_lines, self.stuck)
  return table.concat(lines, "\n")
end

return report
