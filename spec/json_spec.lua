-- spec/json_spec.lua: the two kinds of lua-cjson, the system's and OpenResty's,
-- give the same selections. The second is a stand-in: see openresty_cjson.lua.
-- Not here: what is read and written; the specs that are run again have that.
-- MIT, see LICENSE.

local support = require "spec.support"

local BUSTED = "busted --lua=%s -o plainTerminal --helper=%s %s"

local STAND_IN = "spec.openresty_cjson"

local PROGRAM = [[
  require %q
  local leadping = require "leadping"
  local null = require "cjson".null

  local function names(value)
    local list = {}
    for name in pairs(value) do list[#list + 1] = tostring(name) end
    table.sort(list)
    return list
  end

  --- All that a program can tell of a value: subtypes, nulls and arrays too.
  local function show(name, value)
    if type(value) ~= "table" then
      local subtype = math.type and math.type(value) or type(value)
      print(name, subtype, value == null and "null" or value)
      return
    end
    print(name, getmetatable(value) and "marked" or "table")
    for _, key in ipairs(names(value)) do
      local item = rawget(value, key)
      if item == nil then item = value[tonumber(key)] end
      show(name .. "." .. key, item)
    end
  end

  local client = leadping.new()
  for line in io.lines(%q) do
    local selection = assert(leadping.decode(line))
    show("decoded", selection)
    print(leadping.encode(selection))
  end
  show("answered", assert(client:clear_override(%q)))
]]

--- What a program sees of selections where it has that lua-cjson.
local function seen(cjson, bodies, id)
  local output, status = support.run(PROGRAM:format(cjson, bodies, id))
  assert.equal(0, status, output)
  return output
end

local function one_line(name)
  return (support.example(name):gsub("\n", " "))
end

describe("OpenResty's lua-cjson", function()
  it("differs, as its stand-in does, from the system's", function()
    local program = [[
      local cjson = require(%q).new()
      if cjson.array_mt then cjson.decode_array_with_array_mt(true) end
      local value = cjson.decode '{"array":[],"large":18446744073709551615,"zero":-0}'
      print(getmetatable(value.array) ~= nil, value.large > 2 ^ 63, 1 / value.zero < 0)
    ]]
    if require("cjson").array_mt then return pending("the system's is OpenResty's here") end
    assert.equal("false\ttrue\ttrue\n", (support.run(program:format "cjson")))
    assert.equal("true\tfalse\tfalse\n", (support.run(program:format(STAND_IN))))
  end)

  it("gives the same selections, to the last subtype", function()
    local bodies = os.tmpname()
    finally(function() os.remove(bodies) end)
    support.write(bodies, table.concat({
      one_line "selection-documented", one_line "selection-later",
      '{"x":[0,-0,1,1.0,1e3,12345678901234567,9223372036854775807,9223372036854775808,1e999]}',
      '{"x":[],"y":{},"z":[[],{},[[]],null,{"a":null,"b":[]}],"eligibleNumbers":[]}',
      '{"eligibleNumbers":[{"later":[1,[],null,"/\\u007f\\u0000"]},{"id":18446744073709551615}]}',
    }, "\n") .. "\n")
    local id = support.answer '{"canSend":true,"later":[1,[],{},18446744073709551615]}'
    local expected = seen("cjson", bodies, id)
    assert.matches("answered.later.2%s+marked\n", expected)
    assert.equal(expected, seen(STAND_IN, bodies, id))
  end)

  it("passes the specs of decoding, encoding, selections and problem details", function()
    local output, status = support.shell(BUSTED:format(support.lua, "spec/openresty_cjson.lua",
      "spec/decode_spec.lua spec/encode_spec.lua spec/selection_spec.lua spec/problem_spec.lua"))
    assert.equal(0, status, output)
    assert.is_true(tonumber(output:match("(%d+) success")) > 90, output)
  end)
end)
