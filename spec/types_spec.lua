-- spec/types_spec.lua: holds the definitions for editors to the schema, the options and
-- what calls give. Reads them as text, as editors do. The README's tables and
-- lists are held to the same in readme_spec.lua.
-- MIT, see LICENSE.

local classes = require "spec.classes"
local leadping = require "leadping"
local mock = require "leadping.mock"
local options = require "leadping.options"
local support = require "spec.support"

local CLASSES = {
  OutgoingNumberSelection = "Selection", EligibleNumber = "EligibleNumber",
}
local ALIASES = {
  healthStatus = "leadping.HealthStatus", selectionReason = "leadping.SelectionReason",
}

local function type_of(field)
  if field.enum then return ALIASES[field.enum] .. "?" end
  if field.items then return ("leadping.%s[]?"):format(CLASSES[field.items]) end
  return field.type .. "?"
end

--- The fields that errors, responses, events and requests have in calls of each kind.
local function fields_of_calls()
  local found = { Error = {}, Response = {}, Event = {}, Request = {} }
  local function note(class, value)
    for name in pairs(value or {}) do found[class][name] = true end
  end
  local function note_results(_, err, response)
    note("Error", err)
    note("Response", response)
  end
  local client = mock.client {
    on_event = function(event) note("Event", event) end,
    answers = {
      retried = { 503, 200 }, lost = "timeout",
      limited = { status = 429, headers = { ["Retry-After"] = "1000" } },
    },
  }
  for _, id in ipairs { "retried", "lost", "limited", ".." } do
    note_results(client:clear_override(id))
  end
  for _, selection, err, response in client:clear_overrides { "retried", "limited" } do
    note_results(selection, err, response)
  end
  note_results(leadping.decode "no JSON")
  note("Request", client:request("a"))
  return found
end

describe("leadping.types", function()
  for object, class in pairs(CLASSES) do
    it("has the fields of " .. object .. " with their types, in the API's order", function()
      local fields = classes.fields_of(class)
      assert.equal(#leadping.schema[object], #fields)
      for i, field in ipairs(leadping.schema[object]) do
        assert.equal(field.name, fields[i].name)
        assert.equal(type_of(field), fields[i].rest:match("^%S+"), field.name)
      end
    end)
  end

  for enum, alias in pairs(ALIASES) do
    it("has the texts of " .. enum .. ", and any other", function()
      local expected = {}
      for i, value in ipairs(leadping.schema.enums[enum]) do
        expected[i] = ('"%s"'):format(value)
      end
      expected[#expected + 1] = "string"
      assert.same(expected, classes.block_behind("---@alias " .. alias, "---| "))
    end)
  end

  local placed = {}

  for _, row in ipairs {
    { "CallOptions", function(option) return option.call end },
    { "RunOptions: leadping.CallOptions", function(option) return option.run end },
    { "ClientOptions: leadping.CallOptions",
      function(option) return not option.call and not option.run end },
  } do
    it("has each option of " .. row[1]:match("^%w+") .. " with its words", function()
      local expected = {}
      for _, option in ipairs(options.list) do
        if row[2](option) then expected[#expected + 1] = option end
      end
      local fields = classes.fields_of(row[1])
      assert.equal(#expected, #fields)
      for i, option in ipairs(expected) do
        placed[option.name] = true
        assert.equal(option.name, fields[i].name)
        assert.equal("? " .. option.words, fields[i].rest:sub(-#option.words - 2))
      end
    end)
  end

  it("has no option twice and leaves none out", function()
    for _, option in ipairs(options.list) do assert.is_true(placed[option.name], option.name) end
  end)

  for class, found in pairs(fields_of_calls()) do
    it(("has each field of %s that calls give, and no other"):format(class), function()
      local declared = {}
      for _, name in ipairs(classes.names_of(class)) do declared[name] = true end
      assert.same(declared, found)
    end)
  end

  it("can be loaded, and says nothing", function()
    local output, status = support.run [[require "leadping.types"]]
    assert.equal("", output)
    assert.equal(0, status)
  end)
end)
