-- decode: decodes one selection again and again, with one of two decoders.
-- Usage: decode.lua leadping|cjson ELIGIBLE_NUMBERS COUNT. Garbage collection
-- runs as always, since that is part of what a decoder costs.
-- Does not compare: report.lua does.
-- MIT, see LICENSE.

local decoder, numbers, count = ...
numbers, count = tonumber(numbers), tonumber(count)

-- Both are loaded whichever is used, so that both start from the same heap.
local cjson = require "cjson"
local leadping = require "leadping"

local function warming(i)
  return {
    phoneNumberId = ("pn_7f%04d"):format(i), number = ("+1512555%04d"):format(i),
    displayNumber = ("(512) 555-%04d"):format(i), healthStatus = "Warming",
    healthLabel = "Warming up", canSend = true, selectionReason = "LocalArea",
    reasonLabel = "Matches the lead's area code", label = "Austin " .. i,
    campaignId = "cmp_21", sourceId = "src_9", isSelected = i == 1,
  }
end

local function paused(i)
  return {
    phoneNumberId = ("pn_80%04d"):format(i), number = ("+1512556%04d"):format(i),
    displayNumber = ("(512) 556-%04d"):format(i), healthStatus = "Paused",
    healthLabel = "Paused", healthWarning = "Paused by an administrator",
    canSend = false, selectionReason = "HealthyPool", reasonLabel = "Paused",
    isSelected = false,
  }
end

--- The documented form: every field, in the API's order, null where unset.
local function selection_text()
  local selection = warming(1)
  selection.label, selection.isSelected = nil, nil
  selection.wasManuallyOverridden = false
  selection.eligibleNumbers = {}
  for i = 1, numbers do
    selection.eligibleNumbers[i] = i % 2 == 1 and warming(i) or paused(i)
  end
  return leadping.encode(selection)
end

local decode = ({ leadping = leadping.decode, cjson = cjson.decode })[decoder]
local text = selection_text()
assert(#decode(text).eligibleNumbers == numbers)
collectgarbage()
local start = os.clock()
for _ = 1, count do decode(text) end
print(("loop %.6f"):format(os.clock() - start))
