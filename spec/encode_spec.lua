-- spec/encode_spec.lua: a selection becomes JSON text that decodes to the same.
-- Covers leadping.encode (leadping.codec).
-- Not here: decoding by itself, which decode_spec.lua has.
-- MIT, see LICENSE.

local cjson = require "cjson"
local leadping = require "leadping"
local support = require "spec.support"

local contract = support.example

local CONTRACT = { "selection-documented", "selection-later", "selection-cannot-send" }

local function decoded(text)
  local selection, err = leadping.decode(text)
  if not selection then error(tostring(err) .. ": " .. text:sub(1, 300), 2) end
  return selection
end

--- The decoded value of an unknown field, encoded and decoded again.
local function round_trip(value)
  return decoded(leadping.encode { later = value }).later
end

local function assert_refused(selection, message)
  assert.has_error(function() leadping.encode(selection) end,
    "bad argument #1 to 'encode' (" .. message .. ")")
end

local EMPTY = '"setupMessage":null,"phoneNumberId":null,"number":null,"displayNumber":null,'
  .. '"healthStatus":null,"healthLabel":null,"healthWarning":null,"selectionReason":null,'
  .. '"reasonLabel":null,"wasManuallyOverridden":null,"campaignId":null,"sourceId":null,'

describe("leadping.encode: documented fields", function()
  it("writes all of them in the API's order, null where nil", function()
    assert.equal('{"canSend":null,' .. EMPTY .. '"eligibleNumbers":null}', leadping.encode {})
    assert.equal('{"canSend":false,' .. EMPTY .. '"eligibleNumbers":[]}',
      leadping.encode { canSend = false, eligibleNumbers = {} })
  end)

  it("writes all of an eligible number's too", function()
    assert.equal('{"canSend":true,' .. EMPTY .. '"eligibleNumbers":['
      .. '{"phoneNumberId":null,"number":null,"displayNumber":null,"healthStatus":null,'
      .. '"healthLabel":null,"healthWarning":null,"canSend":false,"selectionReason":null,'
      .. '"reasonLabel":null,"label":"a","campaignId":null,"sourceId":null,"teamId":null,'
      .. '"isSelected":true},{"phoneNumberId":null,"number":null,"displayNumber":null,'
      .. '"healthStatus":null,"healthLabel":null,"healthWarning":null,"canSend":null,'
      .. '"selectionReason":null,"reasonLabel":null,"label":null,"campaignId":null,'
      .. '"sourceId":null,"teamId":null,"isSelected":null}]}', leadping.encode {
        canSend = true,
        eligibleNumbers = { { label = "a", isSelected = true, canSend = false }, {} },
      })
  end)

  it("gives back the contract's whole bodies byte for byte", function()
    local body = contract "selection-cannot-send"
    assert.equal((body:gsub("%s+$", "")), leadping.encode(decoded(body)))
  end)

  it("keeps [] apart from an absent list", function()
    assert.matches('"eligibleNumbers":%[%]}$', leadping.encode(decoded '{"eligibleNumbers":[]}'))
    for _, body in ipairs { "{}", '{"eligibleNumbers":null}' } do
      assert.matches('"eligibleNumbers":null}$', leadping.encode(decoded(body)))
    end
  end)

  it("does not write what the metatable holds", function()
    assert.is_nil(leadping.encode(decoded "{}"):find("selected", 1, true))
  end)

  it("leaves the selection as it was", function()
    local selection = decoded(contract "selection-later")
    leadping.encode(selection)
    assert.same(decoded(contract "selection-later"), selection)
  end)
end)

describe("leadping.encode: the way back", function()
  it("gives the same selection for every body of the contract", function()
    for _, name in ipairs(CONTRACT) do
      local selection = decoded(contract(name))
      local again = decoded(leadping.encode(selection))
      assert.same(selection, again, name)
      assert.equal(leadping.encode(selection), leadping.encode(again))
    end
  end)

  it("keeps unknown fields, in both objects, behind the documented ones", function()
    local text = leadping.encode(decoded('{"zeta":1,"alpha":[true,null,"x"],"canSend":true,'
      .. '"eligibleNumbers":[{"warmupDay":12,"label":"a"}]}'))
    assert.matches('"isSelected":null,"warmupDay":12}%]', text)
    assert.matches('%],"alpha":%[true,null,"x"%],"zeta":1}$', text)
  end)

  it("keeps null of an unknown field", function()
    local selection = decoded(leadping.encode(decoded '{"x":null,"y":[null,{"z":null}]}'))
    assert.equal(cjson.null, rawget(selection, "x"))
    assert.same({ cjson.null, { z = cjson.null } }, selection.y)
  end)

  it("keeps numbers exactly", function()
    for _, number in ipairs {
      "0", "1", "-1", "12", "0.1", "-0.1", "0.3", "1e-7", "123456789012345",
      "1234567890123456", "9007199254740991", "9007199254740992", "9007199254740993",
      "12345678901234567", "99999999999999999", "-12345678901234567", "9223372036854775807",
      "1e15", "1e16", "1e17", "1e21", "1e308", "-1e308", "1.7976931348623157e308",
      "2.2250738585072014e-308", "5e-324", "0.1e1", "3.141592653589793", "1.0", "2.50",
      "1e999", "-1e999", "0.30000000000000004", "1e22", "1e23",
    } do
      local selection = decoded('{"x":' .. number .. "}")
      local again = decoded(leadping.encode(selection))
      assert.is_true(selection.x == again.x, number .. " became " .. tostring(again.x))
      assert.is_true(again.x == tonumber(number), number)
    end
  end)

  it("keeps the sign of -0", function()
    local selection = decoded(leadping.encode(decoded '{"x":-0,"y":-0.0,"z":0}'))
    assert.equal(-math.huge, 1 / selection.x)
    assert.equal(-math.huge, 1 / selection.y)
    assert.equal(math.huge, 1 / selection.z)
  end)

  it("writes whole numbers without a point, and no more digits than it takes", function()
    for value, expected in pairs {
      [5] = "5", [-12] = "-12", [0.1] = "0.1", [0.5] = "0.5", [2 ^ 31] = "2147483648",
      [2 ^ 53 - 1] = "9007199254740991", [100000000000000] = "100000000000000",
      [math.huge] = "1e999", [-math.huge] = "-1e999",
    } do
      assert.matches('"later":' .. expected:gsub("%p", "%%%0") .. "}$",
        leadping.encode { later = value })
    end
  end)

  it("keeps values that are 100 levels deep", function()
    for _, value in ipairs {
      ("["):rep(100) .. "1" .. ("]"):rep(100),
      ('{"a":'):rep(100) .. "1" .. ("}"):rep(100),
      ('[{"a":'):rep(50) .. "1" .. ("}]"):rep(50),
    } do
      local selection = decoded('{"x":' .. value .. "}")
      local text = leadping.encode(selection)
      assert.is_truthy(text:find('"x":' .. value .. "}", 1, true))
      assert.same(selection, decoded(text))
    end
  end)

  it("keeps every text: quotes, control bytes, U+2028, NUL, DEL, slashes", function()
    local bytes = {}
    for byte = 0, 127 do bytes[#bytes + 1] = string.char(byte) end
    for _, text in ipairs {
      "", '"', "\\", '\\"', "/", "\0", "a\0b", "\127", "\8\9\10\12\13", "</script>",
      table.concat(bytes), "\194\128", "\226\128\168\226\128\169", "\239\191\191",
      "\240\159\152\128", "\\u0041", ("x"):rep(2 ^ 16), "a,b", "1,5",
    } do
      local again = decoded(leadping.encode {
        setupMessage = text, eligibleNumbers = { { label = text } }, later = { text },
        [text .. "!"] = { [text] = true },
      })
      assert.equal(text, again.setupMessage)
      assert.equal(text, again.eligibleNumbers[1].label)
      assert.equal(text, again.later[1])
      assert.is_true(again[text .. "!"][text])
    end
  end)

  it("keeps enum texts that it does not know", function()
    local again = decoded(leadping.encode {
      healthStatus = "Quarantined", selectionReason = "Pinned",
    })
    assert.equal("Quarantined", again.healthStatus)
    assert.equal("Pinned", again.selectionReason)
  end)

  it("keeps lists and objects of unknown fields", function()
    assert.same({ 1, 2, 3 }, round_trip { 1, 2, 3 })
    assert.same({ a = { b = { true, false } } }, round_trip { a = { b = { true, false } } })
    assert.same({ { { 1 } } }, round_trip { { { 1 } } })
    assert.same({}, round_trip {})
    local body = '"later":[[],{},[[]],[1],{"a":[]}]}'
    assert.matches(body, leadping.encode(decoded("{" .. body)), 1, true)
  end)
end)

describe("leadping.encode: refuses", function()
  it("what is no table", function()
    for _, value in ipairs { 5, "x", true, print, cjson.null } do
      assert.has_error(function() leadping.encode(value) end,
        ("bad argument #1 to 'encode' (table expected, got %s)"):format(type(value)))
    end
    assert.has_error(function() leadping.encode() end,
      "bad argument #1 to 'encode' (table expected, got nil)")
  end)

  it("each field of a wrong type, and names it", function()
    local samples = {
      boolean = true, string = "x", number = 1, table = {}, ["function"] = print,
      userdata = cjson.null,
    }
    local rows = 0
    for name, fields in pairs(leadping.schema) do
      for _, field in ipairs(fields) do
        local expected = field.type == "array" and "table" or field.type
        for got, sample in pairs(samples) do
          if got ~= expected then
            local object = { [field.name] = sample }
            local path = field.name
            if name == "EligibleNumber" then
              object, path = { eligibleNumbers = { {}, object } }, "eligibleNumbers[2]." .. path
            end
            assert_refused(object, ("%s: %s expected, got %s"):format(path, expected, got))
            rows = rows + 1
          end
        end
      end
    end
    assert.equal(28 * 5, rows)
  end)

  it("a text in place of a boolean", function()
    assert_refused({ eligibleNumbers = { { canSend = "false" } } },
      "eligibleNumbers[1].canSend: boolean expected, got string")
  end)

  it("an eligible number that is no table", function()
    for _, value in ipairs { 1, "x", true, cjson.null } do
      assert_refused({ eligibleNumbers = { {}, value } },
        "eligibleNumbers[2]: table expected, got " .. type(value))
    end
  end)

  it("an unknown value that holds itself, without hanging", function()
    local loop = {}
    loop.a, loop.b, loop[1] = loop, loop, nil
    assert_refused({ later = loop }, "later: nested deeper than 100 levels")
    local list = {}
    list[1], list[2] = list, list
    assert_refused({ later = list }, "later: nested deeper than 100 levels")
    local selection = {}
    selection.later = selection
    assert_refused(selection, "later: nested deeper than 100 levels")
    assert_refused({ eligibleNumbers = { { later = loop } } },
      "eligibleNumbers[1].later: nested deeper than 100 levels")
  end)

  it("more than 100 levels, which decode would refuse", function()
    local value = 1
    for _ = 1, 101 do value = { value } end
    assert_refused({ later = value }, "later: nested deeper than 100 levels")
    assert.is_string(leadping.encode { later = value[1] })
  end)

  it("a function or a thread, and names the field", function()
    for _, value in ipairs { print, coroutine.create(function() end) } do
      for _, holder in ipairs { value, { value }, { a = { value } } } do
        assert.error_matches(function() leadping.encode { later = holder } end,
          "^bad argument #1 to 'encode' %(later: .*" .. type(value))
        assert.error_matches(function()
          leadping.encode { eligibleNumbers = { { later = holder } } }
        end, "^bad argument #1 to 'encode' %(eligibleNumbers%[1%]%.later: .*" .. type(value))
      end
    end
  end)

  it("NaN, and names the field", function()
    for _, holder in ipairs { 0 / 0, -(0 / 0), { 0 / 0 }, { a = { 0 / 0 } } } do
      assert_refused({ later = holder }, "later: not a number (NaN) has no JSON form")
    end
  end)

  it("a name that is no text", function()
    assert_refused({ "x" }, "a key of type number has no JSON form")
    assert_refused({ [true] = 1 }, "a key of type boolean has no JSON form")
    assert_refused({ later = { a = { [true] = 1 } } },
      "later: a key of type boolean has no JSON form")
  end)

  it("a list with names in it rather than lose them", function()
    assert.error_matches(function() leadping.encode { later = { 1, 2, a = 3 } } end,
      "^bad argument #1 to 'encode' %(later: ")
    assert.error_matches(function()
      leadping.encode { eligibleNumbers = { {}, label = "a" } }
    end, "^bad argument #1 to 'encode' %(eligibleNumbers")
    assert.error_matches(function()
      leadping.encode { eligibleNumbers = { label = "a" } }
    end, "^bad argument #1 to 'encode' %(eligibleNumbers")
  end)
end)
