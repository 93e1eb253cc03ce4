-- selection: the OutgoingNumberSelection bodies, made once and then shared.
-- It does not know which conversation is overridden: see emulator.lua.
-- MIT, see LICENSE.

local text = require "text"

local selection = {}

local SELECTION = {
  "canSend", "setupMessage", "phoneNumberId", "number", "displayNumber",
  "healthStatus", "healthLabel", "healthWarning", "selectionReason",
  "reasonLabel", "wasManuallyOverridden", "campaignId", "sourceId",
}

local ELIGIBLE = {
  "phoneNumberId", "number", "displayNumber", "healthStatus", "healthLabel",
  "healthWarning", "canSend", "selectionReason", "reasonLabel", "label",
  "campaignId", "sourceId", "teamId", "isSelected",
}

local AUTOMATIC = {
  { "StickyConversation", "Last used in this conversation" },
  { "LeadAssigned", "Assigned to the lead" },
  { "CampaignOrSource", "Chosen for the campaign" },
  { "Preferred", "Preferred number" },
  { "LocalArea", "Matches the lead's area code" },
  { "HealthyPool", "Healthiest number of the pool" },
}

local MANUAL = { "ManualOverride", "Chosen by hand" }

local NUMBERS = {
  {
    phoneNumberId = "pn_emulator_1", number = "+15125550143",
    displayNumber = "(512) 555-0143", healthStatus = "Healthy",
    healthLabel = "Healthy", canSend = true, label = "Austin 1",
    teamId = "team_emulator",
  },
  {
    phoneNumberId = "pn_emulator_2", number = "+15125550188",
    displayNumber = "(512) 555-0188", healthStatus = "Needs Attention",
    healthLabel = "Needs attention", canSend = true,
    healthWarning = "More messages than usual go unanswered",
  },
  {
    phoneNumberId = "pn_emulator_3", number = "+33612345678",
    displayNumber = "06 12 34 56 78", healthStatus = "Blocked",
    healthLabel = "Bloqué", canSend = false, label = "Paris – équipe A",
    healthWarning = "Blocked by the carrier",
  },
}

local function members(names, values)
  local out = {}
  for i, name in ipairs(names) do
    out[i] = text.quote(name) .. ":" .. text.json(values[name])
  end
  return table.concat(out, ",")
end

local function merge(values, more)
  local out = {}
  for name, value in pairs(values) do out[name] = value end
  for name, value in pairs(more) do out[name] = value end
  return out
end

local function choice(reason)
  local by_campaign = reason[1] == "CampaignOrSource"
  return {
    selectionReason = reason[1], reasonLabel = reason[2],
    campaignId = by_campaign and "cmp_21" or nil,
    sourceId = by_campaign and "src_9" or nil,
  }
end

local function eligible_numbers(selected, reason)
  local out = {}
  for i, number in ipairs(NUMBERS) do
    local why = choice(i == selected and reason or AUTOMATIC[#AUTOMATIC])
    why.isSelected = i == selected
    out[i] = "{" .. members(ELIGIBLE, merge(number, why)) .. "}"
  end
  return table.concat(out, ",")
end

local function body(values, numbers)
  return "{" .. members(SELECTION, values) ..
    ',"eligibleNumbers":[' .. numbers .. "]}"
end

local function sendable(selected, reason)
  local values = merge(NUMBERS[selected], choice(reason))
  values.wasManuallyOverridden = reason == MANUAL
  return body(values, eligible_numbers(selected, reason))
end

local function unsendable(reason)
  return body({
    canSend = false,
    setupMessage = "Add a phone number before sending.",
    selectionReason = reason and reason[1],
    reasonLabel = reason and reason[2],
    wasManuallyOverridden = reason == MANUAL,
  }, "")
end

local automatic = {}
for i, reason in ipairs(AUTOMATIC) do
  automatic[i] = sendable(i % 2 + 1, reason)
end
local manual = sendable(2, MANUAL)
local cannot_send = unsendable(nil)
local cannot_send_manual = unsendable(MANUAL)

local function is_cannot_send(id)
  return id:sub(1, 11) == "cannot-send"
end

function selection.automatic(id)
  if is_cannot_send(id) then return cannot_send end
  return automatic[ngx.crc32_short(id) % #automatic + 1]
end

function selection.manual(id)
  return is_cannot_send(id) and cannot_send_manual or manual
end

return selection
