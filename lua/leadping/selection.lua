-- leadping.selection: what a decoded answer can do: a card and two helpers.
-- The methods live in the metatable, so pairs() shows the API's fields alone.
-- Does not decode or check: csrc/decode.c has done that.
-- MIT, see LICENSE.

local text = require "leadping.text"

---@class leadping.Selection its fields are in leadping.types
local Selection = { __name = "leadping.selection" }
Selection.__index = Selection

local function check_self(self, method)
  if type(self) ~= "table" then
    error(("call selection:%s(), with a colon"):format(method), 3)
  end
end

--- The eligible number that is selected.
---@return leadping.EligibleNumber? number nil where none is
function Selection:selected()
  check_self(self, "selected")
  for _, number in ipairs(self.eligibleNumbers or {}) do
    if number.isSelected then return number end
  end
end

--- The eligible numbers that can send, in the API's order.
---@return leadping.EligibleNumber[]
function Selection:sendable()
  check_self(self, "sendable")
  local numbers = {}
  for _, number in ipairs(self.eligibleNumbers or {}) do
    if number.canSend then numbers[#numbers + 1] = number end
  end
  return numbers
end

local function shown(value, otherwise)
  return value and text.escape(value) or otherwise
end

--- "Warming (Warming up)"; one of the two where the label says nothing more.
local function with_label(value, label)
  if not value then return label end
  if not label or label:lower() == value:lower() then return value end
  return ("%s (%s)"):format(value, label)
end

local function headline(self)
  local number = shown(self.displayNumber or self.number, "no number")
  if self.canSend then return "can send from " .. number end
  return ("%s (%s)"):format(text.can_send(self.canSend), number)
end

local function number_line(number)
  return ("  %s %s  %s, %s%s"):format(
    number.isSelected and "*" or " ",
    shown(number.displayNumber or number.number, "?"),
    shown(with_label(number.healthStatus, number.healthLabel), "-"),
    text.can_send(number.canSend),
    number.label and ", " .. shown(number.label) or "")
end

--- A readable card, for the REPL and the command line.
function Selection:__tostring()
  local lines = { headline(self) }
  local function add(name, value)
    if value then lines[#lines + 1] = ("  %-8s %s"):format(name, shown(value)) end
  end
  add("setup", self.setupMessage)
  add("health", with_label(self.healthStatus, self.healthLabel))
  add("warning", self.healthWarning)
  add("reason", with_label(self.selectionReason, self.reasonLabel))
  add("campaign", self.campaignId)
  add("source", self.sourceId)
  if self.wasManuallyOverridden then add("override", "manual") end
  add("eligible", tostring(#(self.eligibleNumbers or {})))
  for _, number in ipairs(self.eligibleNumbers or {}) do
    lines[#lines + 1] = number_line(number)
  end
  return table.concat(lines, "\n")
end

return Selection
