-- spec/selection_spec.lua: what a selection can do: its helpers and its card.
-- Covers leadping.selection.
-- Not here: where a selection comes from, which decode_spec.lua has.
-- MIT, see LICENSE.

local core = require "leadping.core"
local leadping = require "leadping"
local Selection = require "leadping.selection"
local support = require "spec.support"

local function contract(name)
  return assert(leadping.decode(support.example(name)))
end

local function made(fields)
  return setmetatable(fields, Selection)
end

describe("leadping.selection: selected", function()
  it("gives the eligible number that is selected", function()
    local selection = contract "selection-documented"
    assert.equal(selection.eligibleNumbers[1], selection:selected())
    selection = made { eligibleNumbers = {
      { label = "a", isSelected = false }, { label = "b" }, { label = "c", isSelected = true },
    } }
    assert.equal("c", selection:selected().label)
  end)

  it("gives the first where the API marks several", function()
    local selection = made { eligibleNumbers = {
      { label = "a" }, { label = "b", isSelected = true }, { label = "c", isSelected = true },
    } }
    assert.equal("b", selection:selected().label)
  end)

  it("gives nil where none is, or where there is no list", function()
    assert.is_nil(contract("selection-cannot-send"):selected())
    assert.is_nil(made({ eligibleNumbers = { {}, { isSelected = false } } }):selected())
    assert.is_nil(assert(leadping.decode "{}"):selected())
    assert.is_nil(assert(leadping.decode '{"eligibleNumbers":null}'):selected())
  end)
end)

describe("leadping.selection: sendable", function()
  it("gives the eligible numbers that can send, in their order", function()
    local numbers = {
      { label = "a", canSend = true }, { label = "b", canSend = false }, { label = "c" },
      { label = "d", canSend = true },
    }
    local sendable = made({ eligibleNumbers = numbers }):sendable()
    assert.equal(2, #sendable)
    assert.equal(numbers[1], sendable[1])
    assert.equal(numbers[4], sendable[2])
    assert.equal("pn_7f3a", contract("selection-documented"):sendable()[1].phoneNumberId)
  end)

  it("gives an empty list of its own where none can, or where there is no list", function()
    assert.same({}, contract("selection-cannot-send"):sendable())
    assert.same({}, made({ eligibleNumbers = { { canSend = false }, {} } }):sendable())
    local selection = assert(leadping.decode "{}")
    assert.same({}, selection:sendable())
    assert.is_false(rawequal(selection:sendable(), selection:sendable()))
  end)
end)

describe("leadping.selection: its table", function()
  it("shows neither helpers nor metatable fields to pairs", function()
    for _, selection in ipairs { assert(leadping.decode "{}"), made {} } do
      assert.is_nil(next(selection))
      assert.is_function(selection.selected)
      assert.is_function(selection.sendable)
    end
  end)

  it("gives its eligible numbers no metatable", function()
    assert.is_nil(getmetatable(contract("selection-documented").eligibleNumbers[1]))
    assert.is_nil(getmetatable(contract("selection-documented").eligibleNumbers))
  end)
end)

describe("leadping.selection: the card", function()
  it("of the documented form", function()
    assert.equal(table.concat({
      "can send from (512) 555-0143",
      "  health   Warming (Warming up)",
      "  reason   LocalArea (Matches the lead's area code)",
      "  campaign cmp_21",
      "  source   src_9",
      "  eligible 2",
      "  * (512) 555-0143  Warming up, can send, Austin 1",
      "    (512) 555-0188  Paused, cannot send",
    }, "\n"), tostring(contract "selection-documented"))
  end)

  it("of the later form, with the texts that it does not know", function()
    assert.equal(table.concat({
      "can send from 06 12 34 56 78",
      "  health   Evaluating (Évaluation en cours)",
      "  reason   HealthyPool (Healthiest number of the pool)",
      "  eligible 2",
      "  * 06 12 34 56 78  Evaluating (Évaluation en cours), can send, Paris – équipe A",
      "    06 98 76 54 32  Quarantined, cannot send",
    }, "\n"), tostring(contract "selection-later"))
  end)

  it("of one that cannot send", function()
    assert.equal(table.concat({
      "cannot send (no number)",
      "  setup    Add a phone number before sending.",
      "  eligible 0",
    }, "\n"), tostring(contract "selection-cannot-send"))
  end)

  it("of an empty object", function()
    assert.equal("canSend is missing (no number)\n  eligible 0",
      tostring(assert(leadping.decode "{}")))
  end)

  it("of one with every field", function()
    assert.equal(table.concat({
      "cannot send (+1)",
      "  setup    s",
      "  health   Paused (by us)",
      "  warning  w",
      "  reason   r",
      "  campaign c",
      "  source   o",
      "  override manual",
      "  eligible 1",
      "    ?  -, canSend is missing",
    }, "\n"), tostring(made {
      canSend = false, number = "+1", setupMessage = "s", healthStatus = "Paused",
      healthLabel = "by us", healthWarning = "w", reasonLabel = "r", campaignId = "c",
      sourceId = "o", wasManuallyOverridden = true, eligibleNumbers = { {} },
    }))
  end)

  it("does not say a label twice", function()
    for _, label in ipairs { "Ready", "ready" } do
      assert.matches("\n  health   Ready\n", tostring(made {
        healthStatus = "Ready", healthLabel = label,
      }))
    end
  end)

  it("shows a label that stands alone", function()
    assert.matches("\n  reason   Pinned\n", tostring(made { reasonLabel = "Pinned" }))
  end)

  it("lists each eligible number on a line of its own", function()
    local numbers = {}
    for i = 1, 50 do numbers[i] = { number = "+" .. i } end
    local _, breaks = tostring(made { eligibleNumbers = numbers }):gsub("\n", "")
    assert.equal(1 + 50, breaks)
  end)
end)

describe("leadping.selection: the card on a terminal", function()
  local SELECTION_FIELDS = {
    "setupMessage", "number", "displayNumber", "healthStatus", "healthLabel",
    "healthWarning", "selectionReason", "reasonLabel", "campaignId", "sourceId",
  }
  local NUMBER_FIELDS = {
    "number", "displayNumber", "healthStatus", "healthLabel", "label",
  }

  --- Cards with that text in one field each, by the field's name.
  local function cards(text)
    local all = {}
    for _, name in ipairs(SELECTION_FIELDS) do
      all[name] = tostring(made { [name] = text })
    end
    for _, name in ipairs(NUMBER_FIELDS) do
      all["eligibleNumbers." .. name] =
        tostring(made { eligibleNumbers = { { [name] = text } } })
    end
    return all
  end

  it("shows no raw control byte, C1 control or broken UTF-8, whatever the field", function()
    for _, row in ipairs {
      { "\27[2J\27[31mred", "\\x1B[2J\\x1B[31mred" }, { "\27]0;title\7", "\\x1B]0;title\\x07" },
      { "a\nb", "a\\x0Ab" }, { "a\r\nb", "a\\x0D\\x0Ab" }, { "\8\8\9", "\\x08\\x08\\x09" },
      { "a\0b", "a\\x00b" }, { "\127", "\\x7F" },
      { "\194\155" .. "31m", "\\xC2\\x9B31m" }, { "\194\128\194\159", "\\xC2\\x80\\xC2\\x9F" },
      { "\155" .. "31m", "\\x9B31m" }, { "caf\233", "caf\\xE9" },
      { "\195\169\255", "\\xC3\\xA9\\xFF" }, { "\237\160\128", "\\xED\\xA0\\x80" },
    } do
      for name, card in pairs(cards(row[1])) do
        assert.is_truthy(card:find(row[2], 1, true), name .. ": " .. card)
        assert.is_nil(card:find("[%z\1-\9\11-\31\127]"), name)
        assert.is_nil(card:find("\194[\128-\159]"), name)
        assert.is_true(core.is_utf8(card), name)
        for line in card:gmatch("[^\n]+") do
          assert.is_truthy(line:find("^  ") or line:find("^can"), name .. ": " .. line)
        end
      end
    end
  end)

  it("leaves other text as it is", function()
    for _, text in ipairs { "Évaluation – 30 %", "\226\130\172\240\159\152\128", "\194\160x" } do
      for name, card in pairs(cards(text)) do
        assert.is_truthy(card:find(text, 1, true), name)
      end
    end
  end)

  it("escapes what came through decode too", function()
    local selection = assert(leadping.decode '{"displayNumber":"\\u001b[31m\\u009b2J"}')
    assert.equal("\27[31m\194\155" .. "2J", selection.displayNumber)
    assert.matches("^canSend is missing %(\\x1B%[31m\\xC2\\x9B2J%)\n", tostring(selection))
  end)
end)
