-- spec/schema_spec.lua: the schema is the API's: each field, its type, its order.
-- Covers leadping.schema and leadping.is_known (csrc/schema.c).
-- Not here: what decode and encode make of it.
-- MIT, see LICENSE.

local core = require "leadping.core"
local leadping = require "leadping"

-- Rows: name, type, nullable, enum, items. In the order of the API's page.
local SELECTION = {
  { "canSend", "boolean", false },
  { "setupMessage", "string", true },
  { "phoneNumberId", "string", true },
  { "number", "string", true },
  { "displayNumber", "string", true },
  { "healthStatus", "string", true, "healthStatus" },
  { "healthLabel", "string", true },
  { "healthWarning", "string", true },
  { "selectionReason", "string", true, "selectionReason" },
  { "reasonLabel", "string", true },
  { "wasManuallyOverridden", "boolean", false },
  { "campaignId", "string", true },
  { "sourceId", "string", true },
  { "eligibleNumbers", "array", false, nil, "EligibleNumber" },
}

local ELIGIBLE_NUMBER = {
  { "phoneNumberId", "string", false },
  { "number", "string", false },
  { "displayNumber", "string", false },
  { "healthStatus", "string", true, "healthStatus" },
  { "healthLabel", "string", true },
  { "healthWarning", "string", true },
  { "canSend", "boolean", false },
  { "selectionReason", "string", false, "selectionReason" },
  { "reasonLabel", "string", false },
  { "label", "string", true },
  { "campaignId", "string", true },
  { "sourceId", "string", true },
  { "teamId", "string", true },
  { "isSelected", "boolean", false },
}

local DOCUMENTED_HEALTH = {
  "Not Started", "Warming", "Healthy", "Needs Attention", "Paused", "Blocked", "Ready",
}
local LATER_HEALTH = {
  "Not Evaluated", "Evaluating", "Healthy", "Needs Attention", "Blocked",
}
local REASONS = {
  "StickyConversation", "LeadAssigned", "CampaignOrSource", "Preferred", "LocalArea",
  "HealthyPool", "FallbackDefault", "ManualOverride",
}

local function fields_of(rows)
  local fields = {}
  for i, row in ipairs(rows) do
    fields[i] = {
      name = row[1], type = row[2], nullable = row[3], enum = row[4], items = row[5],
    }
  end
  return fields
end

describe("leadping.schema", function()
  it("has the two objects and the enums, and nothing else", function()
    local names = {}
    for name in pairs(leadping.schema) do names[#names + 1] = name end
    table.sort(names)
    assert.same({ "EligibleNumber", "OutgoingNumberSelection", "enums" }, names)
  end)

  it("has the fields of OutgoingNumberSelection in the API's order", function()
    assert.same(fields_of(SELECTION), leadping.schema.OutgoingNumberSelection)
  end)

  it("has the fields of EligibleNumber in the API's order", function()
    assert.same(fields_of(ELIGIBLE_NUMBER), leadping.schema.EligibleNumber)
  end)

  it("has the enums' texts: the documented ones in their order, later ones behind", function()
    assert.same({
      healthStatus = {
        "Not Started", "Warming", "Healthy", "Needs Attention", "Paused", "Blocked", "Ready",
        "Not Evaluated", "Evaluating",
      },
      selectionReason = REASONS,
    }, leadping.schema.enums)
  end)

  it("names only enums and objects that it has", function()
    for _, object in ipairs { "OutgoingNumberSelection", "EligibleNumber" } do
      for _, field in ipairs(leadping.schema[object]) do
        if field.enum then assert.is_table(leadping.schema.enums[field.enum]) end
        if field.items then assert.is_table(leadping.schema[field.items]) end
      end
    end
  end)

  it("is made anew by the core at each call", function()
    local changed = core.schema()
    changed.enums.healthStatus[1] = "changed"
    changed.EligibleNumber = nil
    assert.same(leadping.schema, core.schema())
  end)
end)

describe("leadping.is_known", function()
  it("knows each text, documented or later", function()
    for _, texts in ipairs { DOCUMENTED_HEALTH, LATER_HEALTH } do
      for _, text in ipairs(texts) do
        assert.is_true(leadping.is_known("healthStatus", text), text)
      end
    end
    for _, text in ipairs(REASONS) do
      assert.is_true(leadping.is_known("selectionReason", text), text)
    end
  end)

  it("knows no other text, and none of the other enum", function()
    for _, text in ipairs {
      "Quarantined", "", "healthy", "HEALTHY", "Healthy ", " Healthy", "Healthy\0",
      "NeedsAttention", "LocalArea", "healthStatus",
    } do
      assert.is_false(leadping.is_known("healthStatus", text), text)
    end
    for _, text in ipairs { "Healthy", "localArea", "PinnedByCompliance", "" } do
      assert.is_false(leadping.is_known("selectionReason", text), text)
    end
  end)

  it("is false for nil and for what is no text", function()
    assert.is_false(leadping.is_known("healthStatus", nil))
    assert.is_false(leadping.is_known("healthStatus"))
    for _, value in ipairs { 1, true, false, {}, print, 0 / 0 } do
      assert.is_false(leadping.is_known("healthStatus", value))
    end
  end)

  it("raises for a name that is no enum, at the caller's line", function()
    for _, name in ipairs { "health", "", "healthstatus", "canSend", "enums", "x\ny" } do
      assert.has_error(function() leadping.is_known(name, "Healthy") end,
        ("bad argument #1 to 'is_known' (%q is no enum: 'healthStatus' or "
          .. "'selectionReason' expected)"):format(name))
    end
    for _, value in ipairs { 1, true, {} } do
      assert.error_matches(function() leadping.is_known(value, "Healthy") end,
        "'healthStatus' or 'selectionReason' expected")
    end
    assert.error_matches(function() leadping.is_known(nil, "Healthy") end,
      '"nil" is no enum')
    local _, message = pcall(function() leadping.is_known("health", "Healthy") end)
    assert.matches("schema_spec.lua:%d+: bad argument", message)
  end)

  it("tells which field of an answer holds a text nobody has heard of", function()
    local selection = assert(leadping.decode(
      '{"healthStatus":"Evaluating","eligibleNumbers":[{"healthStatus":"Quarantined"}]}'))
    assert.is_true(leadping.is_known("healthStatus", selection.healthStatus))
    assert.is_false(leadping.is_known("healthStatus",
      selection.eligibleNumbers[1].healthStatus))
  end)
end)
