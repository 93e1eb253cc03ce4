-- spec/decode_spec.lua: JSON text becomes a selection, or an error that says where.
-- Covers leadping.decode, leadping.codec.decode and csrc/decode.c.
-- Not here: encoding, the card, what HTTP has to do with it.
-- MIT, see LICENSE.

local cjson = require "cjson"
local codec = require "leadping.codec"
local leadping = require "leadping"
local support = require "spec.support"

local contract = support.example

--- What is wrong with a text; fails where nothing is.
local function refusal(body)
  local selection, message = codec.decode(body)
  assert.is_nil(selection)
  assert.is_string(message)
  return message
end

local function accepted(body)
  local selection, message = codec.decode(body)
  if not selection then error(body:sub(1, 200) .. ": " .. message, 2) end
  return selection
end

--- A plain copy: the fields alone, without metatables.
local function plain(value)
  if type(value) ~= "table" then return value end
  local copy = {}
  for name, item in pairs(value) do copy[name] = plain(item) end
  return copy
end

local function assert_fields(expected, actual)
  assert.same(expected, plain(actual))
end

local function nested(open, inner, close, levels)
  return open:rep(levels) .. inner .. close:rep(levels)
end

local OBJECTS = {
  { name = "OutgoingNumberSelection", path = "", before = "{", behind = "}" },
  { name = "EligibleNumber", path = "eligibleNumbers[2].",
    before = '{"eligibleNumbers":[{},{', behind = "}]}" },
}

--- Calls fn for each field of both objects, with a text's parts around it.
local function each_field(fn)
  for _, object in ipairs(OBJECTS) do
    for _, field in ipairs(leadping.schema[object.name]) do
      fn(field, object.path .. field.name,
        ('%s"%s":'):format(object.before, field.name), object.behind, object)
    end
  end
end

describe("leadping.decode: the answers of the contract", function()
  it("reads the documented form, field by field", function()
    assert_fields({
      canSend = true, phoneNumberId = "pn_7f3a", number = "+15125550143",
      displayNumber = "(512) 555-0143", healthStatus = "Warming",
      healthLabel = "Warming up", selectionReason = "LocalArea",
      reasonLabel = "Matches the lead's area code", wasManuallyOverridden = false,
      campaignId = "cmp_21", sourceId = "src_9",
      eligibleNumbers = {
        {
          phoneNumberId = "pn_7f3a", number = "+15125550143",
          displayNumber = "(512) 555-0143", healthLabel = "Warming up",
          canSend = true, reasonLabel = "Matches the lead's area code",
          label = "Austin 1", campaignId = "cmp_21", sourceId = "src_9",
          isSelected = true,
        },
        {
          phoneNumberId = "pn_80bc", number = "+15125550188",
          displayNumber = "(512) 555-0188", healthLabel = "Paused",
          healthWarning = "Paused by an administrator", canSend = false,
          reasonLabel = "Paused", isSelected = false,
        },
      },
    }, accepted(contract "selection-documented"))
  end)

  it("reads the later form, with fields and enum texts that it does not know", function()
    assert_fields({
      canSend = true, phoneNumberId = "pn_c0ffee", number = "+33612345678",
      displayNumber = "06 12 34 56 78", healthStatus = "Evaluating",
      healthLabel = "Évaluation en cours", selectionReason = "HealthyPool",
      reasonLabel = "Healthiest number of the pool", wasManuallyOverridden = false,
      eligibleNumbers = {
        {
          phoneNumberId = "pn_c0ffee", number = "+33612345678",
          displayNumber = "06 12 34 56 78", healthStatus = "Evaluating",
          healthLabel = "Évaluation en cours", canSend = true,
          selectionReason = "HealthyPool",
          reasonLabel = "Healthiest number of the pool", label = "Paris – équipe A",
          teamId = "team_4", isSelected = true, warmupDay = 12,
        },
        {
          phoneNumberId = "pn_dead", number = "+33698765432",
          displayNumber = "06 98 76 54 32", healthStatus = "Quarantined",
          healthLabel = "Quarantined",
          healthWarning = "Carrier complaint rate above 0.3 %", canSend = false,
          selectionReason = "PinnedByCompliance", reasonLabel = "Pinned",
          teamId = "team_4", isSelected = false,
        },
      },
      policyVersion = "2026-11", pacing = { perMinute = 6 },
    }, accepted(contract "selection-later"))
  end)

  it("reads one that cannot send", function()
    assert_fields({
      canSend = false, setupMessage = "Add a phone number before sending.",
      wasManuallyOverridden = false, eligibleNumbers = {},
    }, accepted(contract "selection-cannot-send"))
  end)

  it("refuses problem details only where a field's type is wrong", function()
    local selection = accepted(contract "problem-401")
    assert.equal("The API key has expired.", selection.detail)
    assert.equal(cjson.null, selection.instance)
  end)
end)

describe("leadping.decode: fields", function()
  it("gives nil for null, in every field of both objects", function()
    each_field(function(field, path, before, behind, object)
      local selection = accepted(before .. "null" .. behind)
      local holder = object.path == "" and selection or selection.eligibleNumbers[2]
      assert.is_nil(rawget(holder, field.name), path)
      assert.is_nil(next(holder), path)
    end)
  end)

  it("gives nil for an absent field, in every field of both objects", function()
    local selection = accepted '{"eligibleNumbers":[{}]}'
    assert_fields({ eligibleNumbers = { {} } }, selection)
    assert.is_nil(next(accepted "{}"))
  end)

  it("shows the API's fields alone to pairs", function()
    local seen = {}
    for name in pairs(accepted '{"canSend":true,"campaignId":null,"later":1}') do
      seen[#seen + 1] = name
    end
    table.sort(seen)
    assert.same({ "canSend", "later" }, seen)
  end)

  it("keeps true and false, empty text and empty list", function()
    assert_fields({ canSend = false, setupMessage = "", eligibleNumbers = {} },
      accepted '{"canSend":false,"setupMessage":"","eligibleNumbers":[]}')
  end)

  it("takes the fields in any order", function()
    local names = leadping.schema.EligibleNumber
    local members = {}
    for i = #names, 1, -1 do
      members[#members + 1] = ('"%s":%s'):format(names[i].name,
        names[i].type == "boolean" and "true" or '"' .. names[i].name .. '"')
    end
    local number = accepted('{"eligibleNumbers":[{' .. table.concat(members, ",")
      .. "}]}").eligibleNumbers[1]
    for _, field in ipairs(names) do
      assert.equal(field.type == "boolean" or field.name, number[field.name])
    end
  end)

  it("keeps an enum text that it does not know", function()
    local selection = accepted('{"healthStatus":"On Fire","selectionReason":"",'
      .. '"eligibleNumbers":[{"healthStatus":"healthy","selectionReason":"\\u0041"}]}')
    assert.equal("On Fire", selection.healthStatus)
    assert.equal("", selection.selectionReason)
    assert.equal("healthy", selection.eligibleNumbers[1].healthStatus)
    assert.equal("A", selection.eligibleNumbers[1].selectionReason)
  end)

  it("names position, path and both types where a field's type is wrong", function()
    local samples = {
      boolean = "true", string = '"x"', number = "-1.5", array = "[]", object = "{}",
    }
    local rows = 0
    each_field(function(field, path, before, behind)
      for got, sample in pairs(samples) do
        if got ~= field.type then
          assert.equal(("byte %d, %s: %s expected, got %s"):format(#before + 1, path,
            field.type, got), refusal(before .. sample .. behind))
          rows = rows + 1
        end
      end
    end)
    assert.equal(28 * 4, rows)
  end)

  it("never takes a text for a boolean", function()
    assert.equal("byte 12, canSend: boolean expected, got string",
      refusal '{"canSend":"false"}')
    assert.equal("byte 12, canSend: boolean expected, got number",
      refusal '{"canSend":1}')
  end)

  it("keeps [] and {} apart where the schema has an array", function()
    assert.equal("byte 20, eligibleNumbers: array expected, got object",
      refusal '{"eligibleNumbers":{}}')
    assert.equal("byte 24, eligibleNumbers[2]: object expected, got array",
      refusal '{"eligibleNumbers":[{},[]]}')
  end)

  it("refuses an eligible number that is no object", function()
    for text, got in pairs {
      ["null"] = "null", ["1"] = "number", ['"x"'] = "string", ["true"] = "boolean",
      ["[]"] = "array",
    } do
      assert.equal("byte 21, eligibleNumbers[1]: object expected, got " .. got,
        refusal('{"eligibleNumbers":[' .. text .. "]}"))
    end
  end)

  it("recognises a field whose name is escaped", function()
    assert_fields({ canSend = true }, accepted '{"can\\u0053end":true}')
    assert_fields({ canSend = true },
      accepted '{"\\u0063\\u0061\\u006e\\u0053\\u0065\\u006E\\u0064":true}')
    assert.equal("byte 17, canSend: boolean expected, got string",
      refusal '{"can\\u0053end":"x"}')
  end)

  it("takes only the very name for a field", function()
    assert_fields({ cansend = "x", canSen = "x", canSendX = "x", ["canSend\0"] = "x",
      [""] = "x" }, accepted('{"cansend":"x","canSen":"x","canSendX":"x",'
      .. '"canSend\\u0000":"x","":"x"}'))
  end)

  it("keeps the last value of a name that comes twice", function()
    for body, expected in pairs {
      ['{"canSend":true,"canSend":false}'] = { canSend = false },
      ['{"number":"1","number":null}'] = {},
      ['{"number":null,"number":"1"}'] = { number = "1" },
      ['{"number":"1","numbe\\u0072":"2"}'] = { number = "2" },
      ['{"x":1,"x":[2]}'] = { x = { 2 } },
      ['{"x":1,"x":null}'] = { x = cjson.null },
      ['{"eligibleNumbers":[{"label":"a"},{}],"eligibleNumbers":[{"label":"b"}]}'] =
        { eligibleNumbers = { { label = "b" } } },
      ['{"eligibleNumbers":[{"label":"a","label":null}]}'] = { eligibleNumbers = { {} } },
    } do
      assert_fields(expected, accepted(body))
    end
  end)

  it("checks every value of a name that comes twice", function()
    assert.equal("byte 12, canSend: boolean expected, got number",
      refusal '{"canSend":1,"canSend":true}')
  end)
end)

describe("leadping.decode: unknown fields", function()
  local VALUES = {
    "null", "true", "false", '""', '"text"', "0", "-1", "12.5", "1e3", "1E-3",
    "0.1", "1e308", "[]", "{}", "[1,[2,[3,null]],false]",
    '{"a":{"b":[{"c":null}]}}', [["\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00\u0000"]],
    '"\226\128\168 \240\159\152\128"', '[ 1 , 2 ]', '{ "a" : 1 , "b" : [ ] }',
  }

  it("keeps each value as lua-cjson reads it", function()
    for _, value in ipairs(VALUES) do
      local expected = cjson.decode('{"x":' .. value .. "}").x
      local selection = accepted(('{"x":%s,"eligibleNumbers":[{"x":%s}]}')
        :format(value, value))
      assert.same(expected, selection.x, value)
      assert.same(expected, selection.eligibleNumbers[1].x, value)
    end
  end)

  --- The value read, and its subtype; before Lua 5.3 all numbers are floats.
  local function read_number(text)
    local value = accepted('{"x":' .. text .. "}").x
    return value, math.type and math.type(value)
  end

  it("reads whole numbers exactly, as integers where Lua has them", function()
    for _, text in ipairs {
      "0", "1", "-1", "9007199254740993", "12345678901234567", "9223372036854775807",
      "-9223372036854775808",
    } do
      local value, subtype = read_number(text)
      assert.equal(tonumber(text), value)
      assert.equal(math.type and "integer", subtype)
    end
  end)

  it("reads as floats what has a point or an exponent, fits no integer, or is -0", function()
    for _, text in ipairs {
      "0.0", "1.0", "-2.50", "1e3", "1E-3", "5e-324", "1.7976931348623157e308", "1e999",
      "-1e999", "9223372036854775808", "-9223372036854775809", "18446744073709551616",
      "123456789012345678901234567890", "0." .. ("0"):rep(5000) .. "1", "-0",
    } do
      local value, subtype = read_number(text)
      assert.equal(tonumber(text), value)
      assert.equal(math.type and "float", subtype, text)
    end
    assert.equal(-math.huge, 1 / (read_number "-0"))
  end)

  it("keeps null as cjson.null", function()
    local selection = accepted '{"x":null,"eligibleNumbers":[{"y":null,"z":[null]}]}'
    assert.equal(cjson.null, rawget(selection, "x"))
    assert.equal(cjson.null, selection.eligibleNumbers[1].y)
    assert.equal(cjson.null, selection.eligibleNumbers[1].z[1])
  end)

  it("tells arrays from objects, empty ones too", function()
    local x = accepted('{"x":[[],{},[1],{"a":1}]}').x
    local mark = getmetatable(x)
    assert.is_table(mark)
    assert.equal(mark, getmetatable(x[1]))
    assert.equal(mark, getmetatable(x[3]))
    assert.is_nil(getmetatable(x[2]))
    assert.is_nil(getmetatable(x[4]))
    if cjson.array_mt then assert.equal(cjson.array_mt, mark) end -- OpenResty's
  end)

  it("accepts 100 levels of arrays, objects and both", function()
    for _, value in ipairs {
      nested("[", "", "]", 100), nested('{"a":', "1", "}", 100),
      nested('[{"a":', "1", "}]", 50),
    } do
      assert.is_table(accepted('{"x":' .. value .. "}").x)
      assert.is_table(accepted('{"eligibleNumbers":[{"x":' .. value .. "}]}"))
    end
  end)

  it("refuses more than 100 levels, closed or not", function()
    for _, levels in ipairs { 101, 1000, 100000 } do
      for _, value in ipairs {
        nested("[", "", "]", levels), nested('{"a":', "1", "}", levels),
        nested('[{"a":', "1", "}]", math.floor(levels / 2) + 1), ("["):rep(levels),
        ('{"a":'):rep(levels), ('[{"a":'):rep(levels),
      } do
        assert.matches("nested deeper than 100 levels$", refusal('{"x":' .. value .. "}"))
        assert.matches("^byte %d+, eligibleNumbers%[1%]: nested deeper than 100 levels$",
          refusal('{"eligibleNumbers":[{"x":' .. value .. "}]}"))
      end
    end
    assert.equal("byte 106: nested deeper than 100 levels",
      refusal('{"x":' .. nested("[", "", "]", 101) .. "}"))
  end)
end)

describe("leadping.decode: JSON", function()
  it("refuses a text that is no object", function()
    for body, message in pairs {
      [""] = "byte 1: object expected, got the end of the text",
      [" \t\r\n "] = "byte 6: object expected, got the end of the text",
      ["null"] = "byte 1: object expected, got null",
      ["[]"] = "byte 1: object expected, got array",
      ["[{}]"] = "byte 1: object expected, got array",
      ["true"] = "byte 1: object expected, got boolean",
      ["false"] = "byte 1: object expected, got boolean",
      ["0"] = "byte 1: object expected, got number",
      ["-1.5"] = "byte 1: object expected, got number",
      ['"{}"'] = "byte 1: object expected, got string",
      ["  []"] = "byte 3: object expected, got array",
      ["<html><body>502</body></html>"] =
        "byte 1: object expected, got something not JSON",
      ["\239\187\191{}"] = "byte 1: object expected, got something not JSON",
      ["\0{}"] = "byte 1: object expected, got something not JSON",
      ["\11{}"] = "byte 1: object expected, got something not JSON",
      ["\194\160{}"] = "byte 1: object expected, got something not JSON",
      ["NaN"] = "byte 1: object expected, got something not JSON",
      ["'{}'"] = "byte 1: object expected, got something not JSON",
      [")]}',\n{}"] = "byte 1: object expected, got something not JSON",
      ["// a\n{}"] = "byte 1: object expected, got something not JSON",
    } do
      assert.equal(message, refusal(body))
    end
  end)

  it("refuses a text that is cut off, at each of its bytes", function()
    local body = '{"canSend":true,"number":null,"eligibleNumbers":[{"label":"\\u00e9\195\169",'
      .. '"isSelected":false},{}],"x":[-1.5e3,{"y":null,"z":"\\n"}]}'
    assert.is_table(accepted(body))
    for length = 0, #body - 1 do
      local message = refusal(body:sub(1, length))
      local at = tonumber(message:match("^byte (%d+)[,:] "))
      assert.is_truthy(at and at <= length + 1, message)
    end
  end)

  it("takes the four bytes of white space wherever JSON has them", function()
    local spaced = ('~{~"canSend"~:~true~,~"eligibleNumbers"~:~[~{~"label"~:~"a"~,'
      .. '~"x"~:~[~1~,~{~"y"~:~2~}~]~}~,~{~}~]~,~"number"~:~null~}~'):gsub("~", " \t\r\n")
    assert_fields({
      canSend = true, eligibleNumbers = { { label = "a", x = { 1, { y = 2 } } }, {} },
    }, accepted(spaced))
    assert_fields({ eligibleNumbers = {} }, accepted ' { "eligibleNumbers" : [ ] } ')
    assert.is_nil(next(accepted "{ \n }"))
  end)

  it("refuses what is not a value", function()
    for value, telling in pairs {
      ["NaN"] = "byte 6: a value expected, got something not JSON",
      ["Infinity"] = "byte 6: a value expected, got something not JSON",
      ["-Infinity"] = "byte 7: a number without a digit",
      ["-NaN"] = "byte 7: a number without a digit",
      ["inf"] = "byte 6: a value expected, got something not JSON",
      ["nan"] = "byte 6: not a JSON value",
      ["undefined"] = "byte 6: a value expected, got something not JSON",
      ["nil"] = "byte 6: not a JSON value",
      ["nul"] = "byte 6: not a JSON value",
      ["True"] = "byte 6: a value expected, got something not JSON",
      ["TRUE"] = "byte 6: a value expected, got something not JSON",
      ["tru"] = "byte 6: not a JSON value",
      ["falsy"] = "byte 6: not a JSON value",
      ["truex"] = "byte 10: ',' or '}' expected",
      ["nullnull"] = "byte 10: ',' or '}' expected",
      ["'x'"] = "byte 6: a value expected, got something not JSON",
      [""] = "byte 6: a value expected, got something not JSON",
      [","] = "byte 6: a value expected, got something not JSON",
      ["\0"] = "byte 6: a value expected, got something not JSON",
    } do
      assert.equal(telling, refusal('{"x":' .. value .. "}"))
    end
  end)

  it("refuses what is not a number", function()
    for value, telling in pairs {
      ["0x10"] = "byte 7: ',' or '}' expected",
      ["01"] = "byte 7: a leading zero",
      ["-01"] = "byte 8: a leading zero",
      ["00"] = "byte 7: a leading zero",
      ["-"] = "byte 7: a number without a digit",
      ["--1"] = "byte 7: a number without a digit",
      ["+1"] = "byte 6: a value expected, got something not JSON",
      [".5"] = "byte 6: a value expected, got something not JSON",
      ["-.5"] = "byte 7: a number without a digit",
      ["1."] = "byte 8: a number without a digit",
      ["1.e5"] = "byte 8: a number without a digit",
      ["1e"] = "byte 8: a number without a digit",
      ["1e+"] = "byte 9: a number without a digit",
      ["1E-"] = "byte 9: a number without a digit",
      ["1e1.5"] = "byte 9: ',' or '}' expected",
      ["1.5.5"] = "byte 9: ',' or '}' expected",
      ["1,5"] = "byte 8: a field's name expected, got number",
      ["1 5"] = "byte 8: ',' or '}' expected",
      ["1_000"] = "byte 7: ',' or '}' expected",
      ["1f"] = "byte 7: ',' or '}' expected",
      ["1n"] = "byte 7: ',' or '}' expected",
    } do
      assert.equal(telling, refusal('{"x":' .. value .. "}"))
    end
  end)

  it("refuses wrong punctuation", function()
    for body, telling in pairs {
      ['{"x":1,}'] = "byte 8: a field's name expected, got something not JSON",
      ['{,}'] = "byte 2: a field's name expected, got something not JSON",
      ['{,"x":1}'] = "byte 2: a field's name expected, got something not JSON",
      ['{"x":1,,"y":2}'] = "byte 8: a field's name expected, got something not JSON",
      ['{"x":[1,]}'] = "byte 9: a value expected, got something not JSON",
      ['{"x":[,1]}'] = "byte 7: a value expected, got something not JSON",
      ['{"x":[1 2]}'] = "byte 9: ',' or ']' expected",
      ['{"x":[1}'] = "byte 8: ',' or ']' expected",
      ['{"x":{"y":1]'] = "byte 12: ',' or '}' expected",
      ['{"x":1 "y":2}'] = "byte 8: ',' or '}' expected",
      ['{"x":1;"y":2}'] = "byte 7: ',' or '}' expected",
      ['{"x" 1}'] = "byte 6: ':' expected",
      ['{"x"}'] = "byte 5: ':' expected",
      ['{"x"=1}'] = "byte 5: ':' expected",
      ['{"x"::1}'] = "byte 6: a value expected, got something not JSON",
      ["{x:1}"] = "byte 2: a field's name expected, got something not JSON",
      ['{canSend:true,"x":1}'] = "byte 2: a field's name expected, got something not JSON",
      ["{'x':1}"] = "byte 2: a field's name expected, got something not JSON",
      ["{1:1}"] = "byte 2: a field's name expected, got number",
      ["{null:1}"] = "byte 2: a field's name expected, got null",
      ["{"] = "byte 2: a field's name expected, got the end of the text",
      ["{/**/}"] = "byte 2: a field's name expected, got something not JSON",
      ['{"x":1/**/}'] = "byte 7: ',' or '}' expected",
      ['{"x":/**/1}'] = "byte 6: a value expected, got something not JSON",
      ['{"x":1// y\n}'] = "byte 7: ',' or '}' expected",
      ['{"eligibleNumbers":[{},]}'] =
        "byte 24, eligibleNumbers[2]: object expected, got something not JSON",
      ['{"eligibleNumbers":[{}{}]}'] = "byte 23, eligibleNumbers[1]: ',' or ']' expected",
    } do
      assert.equal(telling, refusal(body))
    end
    assert.matches("^byte 17.*: a field's name expected", refusal '{"canSend":true,}')
    assert.matches("^byte 35.*: a field's name expected",
      refusal '{"eligibleNumbers":[{"label":null,}]}')
  end)

  it("refuses whatever stands behind the end", function()
    for _, behind in ipairs {
      "\0", "x", "{}", "}", "]", ",", "null", "//", "\239\187\191", "\0\0\0", "\11",
    } do
      assert.equal("byte 17: more text behind the end of the object",
        refusal('{"canSend":true}' .. behind))
      assert.equal("byte 19: more text behind the end of the object",
        refusal('{"canSend":true} \n' .. behind))
    end
  end)
end)

describe("leadping.decode: strings", function()
  --- Each place where a string can stand, as before, behind, and who reads it.
  local PLACES = {
    { '{"setupMessage":"', '"}', function(s) return s.setupMessage end },
    { '{"eligibleNumbers":[{"label":"', '"}]}',
      function(s) return s.eligibleNumbers[1].label end },
    { '{"later":"', '"}', function(s) return s.later end },
    { '{"later":["', '"]}', function(s) return s.later[1] end },
    { '{"', '":1}', function(s) return (next(s)) end },
    { '{"later":{"', '":1}}', function(s) return (next(s.later)) end },
  }

  local function refused_everywhere(text, telling, shift)
    for _, place in ipairs(PLACES) do
      local message = refusal(place[1] .. text .. place[2])
      assert.matches(telling .. "$", message)
      if shift then
        assert.equal(#place[1] + 1 + shift, tonumber(message:match("^byte (%d+)")), message)
      end
    end
  end

  local function read_everywhere(text, expected)
    for _, place in ipairs(PLACES) do
      assert.equal(expected, place[3](accepted(place[1] .. text .. place[2])))
    end
  end

  it("reads every escape", function()
    read_everywhere([[\"\\\/\b\f\n\r\t]], '"\\/\8\12\10\13\9')
    read_everywhere([[a\u0041\u00e9\u00E9\u20ac\uFFFF]],
      "aA\195\169\195\169\226\130\172\239\191\191")
  end)

  it("reads \\u0000 as a byte of the text", function()
    read_everywhere([[a\u0000b]], "a\0b")
    read_everywhere([[\u0000]], "\0")
  end)

  it("reads an escape at each border of UTF-8's lengths", function()
    for escape, expected in pairs {
      [ [[\u007f]] ] = "\127", [ [[\u0080]] ] = "\194\128", [ [[\u07ff]] ] = "\223\191",
      [ [[\u0800]] ] = "\224\160\128", [ [[\ud7ff]] ] = "\237\159\191",
      [ [[\ue000]] ] = "\238\128\128", [ [[\ud800\udc00]] ] = "\240\144\128\128",
      [ [[\ud83d\ude00]] ] = "\240\159\152\128",
      [ [[\uDBFF\uDFFF]] ] = "\244\143\191\191",
    } do
      read_everywhere(escape, expected)
    end
  end)

  it("reads UTF-8 of each length as it stands", function()
    for _, text in ipairs {
      "\127", "\194\128", "\223\191", "\224\160\128", "\226\128\168", "\237\159\191",
      "\238\128\128", "\239\187\191", "\239\191\191", "\240\144\128\128",
      "\240\159\152\128", "\244\143\191\191",
    } do
      read_everywhere(text, text)
      read_everywhere("a\\n" .. text, "a\n" .. text)
    end
  end)

  it("refuses a bad escape", function()
    for _, escape in ipairs { [[\x41]], [[\a]], [[\0]], [[\']], [[\U0041]], "\\\n", "\\\0" } do
      refused_everywhere("a" .. escape, "not a JSON escape", 2)
    end
  end)

  it("refuses \\u without four hexadecimal digits", function()
    for _, escape in ipairs {
      [[\u]], [[\u1]], [[\u12]], [[\u123]], [[\u123g]], [[\u+123]], [[\u 123]],
      [[\u-001]], [[\u0x1]], [[\uu000]], [[\u{41}]],
    } do
      refused_everywhere("a" .. escape, "\\u without four hexadecimal digits", 3)
    end
  end)

  it("refuses a surrogate that is alone or in the wrong order", function()
    for _, escape in ipairs {
      [[\ud800]], [[\udbff]], [[\udc00]], [[\udfff]], [[\ude00\ud83d]],
      [[\ud83d\ud83d]], [[\ud83d\u0041]], [[\ud83dx]], [[\ud83d\n]], [[\ud83d\ude0]],
      [[\ud83d\u]], [[\ud83d\xde00]], [[\ud83d \ude00]],
    } do
      refused_everywhere("a" .. escape, "a lone surrogate")
    end
  end)

  it("refuses a control byte in a string, each of them", function()
    for byte = 0, 31 do
      refused_everywhere("a" .. string.char(byte) .. "b", "a control byte in a string", 1)
    end
  end)

  it("refuses what is not UTF-8, each class of it", function()
    for _, broken in ipairs {
      "\128", "\191", -- continuation without a start
      "\192\175", "\193\191", "\224\128\175", "\224\159\191", -- overlong
      "\240\128\128\175", "\240\143\191\191",
      "\237\160\128", "\237\191\191", -- surrogates
      "\244\144\128\128", "\245\128\128\128", "\247\191\191\191", -- over U+10FFFF
      "\248\136\128\128\128", "\252\132\128\128\128\128", "\254", "\255",
      "\195", "\226\130", "\226", "\240\159\152", "\240\159", "\240", -- cut short
      "\195A", "\226\130A", "\226A\130", "\240\159\152A", "\233", -- Latin-1
    } do
      refused_everywhere("a" .. broken, "not UTF%-8", 1)
      refused_everywhere("\195\169\\n" .. broken .. "b", "not UTF%-8", 4)
    end
  end)

  it("refuses a string without its end", function()
    assert.equal("byte 13, number: a string without its end", refusal '{"number":"x')
    assert.equal("byte 5: a string without its end", refusal '{"nu')
    assert.equal("byte 8: a string without its end", refusal '{"x":"y')
  end)

  it("reads texts of 1 MiB, escaped or not", function()
    local size = 2 ^ 20
    local long = ("a"):rep(size)
    read_everywhere(long, long)
    read_everywhere(("\\u00e9"):rep(size / 2), ("\195\169"):rep(size / 2))
    read_everywhere(("\195\169"):rep(size / 2), ("\195\169"):rep(size / 2))
    assert.matches("not UTF%-8$", refusal('{"number":"' .. long .. "\255" .. '"}'))
  end)
end)

describe("leadping.decode: long lists", function()
  it("reads 20000 eligible numbers and names the last one in an error", function()
    local items = ('{"label":"a","canSend":true},'):rep(20000)
    local selection = accepted('{"eligibleNumbers":[' .. items .. "{}]}")
    assert.equal(20001, #selection.eligibleNumbers)
    assert.equal("a", selection.eligibleNumbers[20000].label)
    assert.equal(("byte %d, eligibleNumbers[20001].canSend: boolean expected, got string")
      :format(#'{"eligibleNumbers":[' + #items + #'{"canSend":' + 1),
      refusal('{"eligibleNumbers":[' .. items .. '{"canSend":"no"}]}'))
  end)

  it("keeps 5000 unknown fields", function()
    local members = {}
    for i = 1, 5000 do members[i] = ('"f%d":%d'):format(i, i) end
    local selection = accepted("{" .. table.concat(members, ",") .. "}")
    for i = 1, 5000 do assert.equal(i, selection["f" .. i]) end
  end)
end)

describe("leadping.decode: paths", function()
  it("follows the place of the error", function()
    for body, message in pairs {
      ['{"canSend":true,"number":5}'] = "byte 26, number: string expected, got number",
      ['{"eligibleNumbers":[{},{"canSend":"x"}]}'] =
        "byte 35, eligibleNumbers[2].canSend: boolean expected, got string",
      ['{"eligibleNumbers":[{"label":"a"}],"canSend":[]}'] =
        "byte 46, canSend: boolean expected, got array",
      ['{"eligibleNumbers":[{"later":01}]}'] =
        "byte 31, eligibleNumbers[1]: a leading zero",
      ['{"number":"a","later":01}'] = "byte 24: a leading zero",
      ['{"eligibleNumbers":[{"label":"a"}{}]}'] =
        "byte 34, eligibleNumbers[1]: ',' or ']' expected",
      ['{"eligibleNumbers":[{"label":"a"},[]]}'] =
        "byte 35, eligibleNumbers[2]: object expected, got array",
      ['{"eligibleNumbers":[],"later":01}'] = "byte 32: a leading zero",
      ['{"eligibleNumbers":[{"label":"\255"}]}'] =
        "byte 31, eligibleNumbers[1].label: not UTF-8",
      ['{"eligibleNumbers":'] =
        "byte 20, eligibleNumbers: array expected, got the end of the text",
      ['{"eligibleNumbers":['] =
        "byte 21, eligibleNumbers[1]: object expected, got the end of the text",
      ['{"canSend":@}'] = "byte 12, canSend: boolean expected, got something not JSON",
      ['{"canSend":tru}'] = "byte 12, canSend: not a JSON value",
      ['{"number":nil}'] = "byte 11, number: not a JSON value",
    } do
      assert.equal(message, refusal(body))
    end
  end)
end)

describe("leadping.decode: beside lua-cjson", function()
  local function without_nulls(value)
    local copy = {}
    for name, item in pairs(value) do
      if item ~= cjson.null then copy[name] = item end
    end
    return copy
  end

  it("gives the same for what both accept", function()
    local rows = {
      contract "selection-documented", contract "selection-later",
      contract "selection-cannot-send", "{}", ' {"canSend":true}\n',
      [[{"setupMessage":"\u00e9\ud83d\ude00\u0000\"\\\/\b\f\n\r\t"}]],
      '{"number":"a","number":"b"}', '{"number":"a","number":null}',
      '{"x":[1,2.5,-0.5e-3,1e999,-1e999,1.5e300],"y":{"z":[[],{}]}}',
      '{"eligibleNumbers":[{"label":"a"},{"label":null,"isSelected":true},{}]}',
      '{"\\u0000":"\\u0000","":""}',
    }
    for _, body in ipairs(rows) do
      local expected = without_nulls(cjson.decode(body))
      for i, number in ipairs(expected.eligibleNumbers or {}) do
        expected.eligibleNumbers[i] = without_nulls(number)
      end
      assert_fields(expected, accepted(body))
    end
  end)

  it("refuses what one lua-cjson or the other lets pass", function()
    for _, body in ipairs {
      '{"x":NaN}', '{"x":0x10}', '{"x":01}', '{"x":Infinity}', "{}\0x", '{"x":"\255"}',
    } do
      refusal(body)
    end
  end)
end)

describe("leadping.decode: its face", function()
  it("returns an error of kind decode, with the place in its message", function()
    local selection, err = leadping.decode '{"canSend":"false"}'
    assert.is_nil(selection)
    assert.equal("decode", err.kind)
    assert.equal("not an OutgoingNumberSelection: byte 12, canSend: boolean expected, "
      .. "got string", err.message)
    assert.equal("leadping: decode: " .. err.message, tostring(err))
    assert.is_false(err.retryable)
  end)

  it("raises for what is no string", function()
    for _, value in ipairs { 5, true, {}, print } do
      assert.has_error(function() leadping.decode(value) end,
        ("bad argument #1 to 'decode' (string expected, got %s)"):format(type(value)))
    end
    assert.has_error(function() leadping.decode() end,
      "bad argument #1 to 'decode' (string expected, got nil)")
  end)

  it("gives a table of its own each time", function()
    local body = '{"eligibleNumbers":[{}]}'
    local one, two = accepted(body), accepted(body)
    assert.is_false(rawequal(one, two))
    assert.is_false(rawequal(one.eligibleNumbers, two.eligibleNumbers))
  end)
end)
