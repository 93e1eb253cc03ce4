-- types_spec.lua: holds the definitions for editors to the schema and the options.
-- Reads leadping.types as text, as editors do. The README's tables are held to
-- the same options and kinds in readme_spec.lua.
-- MIT, see LICENSE.

local leadping = require "leadping"
local options = require "leadping.options"
local support = require "spec.support"

local text = support.read("lua/leadping/types.lua")

local CLASSES = {
  OutgoingNumberSelection = "leadping.Selection", EligibleNumber = "leadping.EligibleNumber",
}
local ALIASES = {
  healthStatus = "leadping.HealthStatus", selectionReason = "leadping.SelectionReason",
}

--- The lines behind one line, up to the next that is none of theirs.
local function block_behind(line, prefix)
  local at = assert(text:find("\n" .. line .. "\n", 1, true), line) + #line + 2
  local lines = {}
  for found in text:sub(at):gmatch("([^\n]*)\n") do
    if found:sub(1, #prefix) ~= prefix then break end
    lines[#lines + 1] = found:sub(#prefix + 1)
  end
  return lines
end

local function fields_of(class)
  local fields = {}
  for i, line in ipairs(block_behind("---@class " .. class, "---@field ")) do
    local name, rest = line:match("^(%S+) (.*)$")
    fields[i] = { name = name, rest = rest }
  end
  return fields
end

local function type_of(field)
  if field.enum then return ALIASES[field.enum] .. "?" end
  if field.items then return CLASSES[field.items] .. "[]?" end
  return field.type .. "?"
end

describe("leadping.types", function()
  for object, class in pairs(CLASSES) do
    it("has the fields of " .. object .. " with their types, in the API's order", function()
      local fields = fields_of(class)
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
      assert.same(expected, block_behind("---@alias " .. alias, "---| "))
    end)
  end

  local placed = {}

  for _, row in ipairs {
    { "leadping.CallOptions", function(option) return option.call end },
    { "leadping.RunOptions: leadping.CallOptions", function(option) return option.run end },
    { "leadping.ClientOptions: leadping.CallOptions",
      function(option) return not option.call and not option.run end },
  } do
    it("has each option of " .. row[1]:match("^%S+[^:]") .. " with its words", function()
      local expected = {}
      for _, option in ipairs(options.list) do
        if row[2](option) then expected[#expected + 1] = option end
      end
      local fields = fields_of(row[1])
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

  it("can be loaded, and says nothing", function()
    assert.is_true(require "leadping.types")
  end)
end)
