-- fuzz_refusals.lua: what the decoder refuses and lua-cjson takes, all of it:
-- a row for each reason. fuzz_decode.lua reports a refusal that no row explains.
-- Not here: what both refuse.
-- MIT, see LICENSE.

-- luacheck: std lua54

local codec = require "leadping.codec"

local GOT = { -- the first byte of a value that the message calls so
  object = "{", array = "%[", string = '"', boolean = "[tf]", number = "[-%d]",
  null = "n", ["something not JSON"] = "[+NIi]",
}

--- The schema's type of the field at a path such as "eligibleNumbers[2].label".
local function field_type(path)
  local item = path:match("^eligibleNumbers%[%d+%]%.(.+)$")
  local fields = codec.schema[item and "EligibleNumber" or "OutgoingNumberSelection"]
  for _, field in ipairs(fields) do
    if field.name == (item or path) then return field.type end
  end
end

--- Each row: name; message, a pattern behind "byte N" whose captures `holds` is
-- given; holds(before, behind, …), which looks at the text on both sides of that
-- byte and says whether it is so; example, a text that the row is needed for.
return {
  {
    name = "bytes after the end, behind a NUL, where lua-cjson stops reading",
    message = "^: more text behind the end of the object$",
    holds = function(_, behind) return behind:find("^\0") end,
    example = "{}\0x",
  },
  {
    name = "not an object",
    message = "^: object expected, got (.+)$",
    holds = function(before, behind, got)
      return not before:find("%S") and got ~= "object"
        and GOT[got] and behind:find("^" .. GOT[got])
    end,
    example = "[]",
  },
  {
    name = "wrong type for the schema",
    message = "^, (%S+): (%S+) expected, got (%S+)$",
    holds = function(before, behind, path, expected, got)
      return GOT[got] and behind:find("^" .. GOT[got]) and before:find(":%s*$")
        and field_type(path) == expected and got ~= expected and got ~= "null"
    end,
    example = '{"canSend":"false"}',
  },
  {
    name = "an eligible number that is no object",
    message = "^, eligibleNumbers%[%d+%]: object expected, got (.+)$",
    holds = function(before, behind, got)
      return GOT[got] and behind:find("^" .. GOT[got]) and before:find("[%[,]%s*$")
        and got ~= "object"
    end,
    example = '{"eligibleNumbers":[null]}',
  },
  {
    name = "NaN, Infinity, or a plus sign, where a value is due",
    message = "^.*: %S.* expected, got something not JSON$",
    holds = function(_, behind)
      return behind:find("^[Nn][Aa][Nn]") or behind:find("^[Ii][Nn][Ff]")
        or behind:find("^%+[%d.NnIi]")
    end,
    example = '{"a":NaN}',
  },
  {
    name = "nan in small letters, which begins as null does",
    message = "^.*: not a JSON value$",
    holds = function(_, behind) return behind:find("^n[Aa][Nn]") end,
    example = '{"a":nan}',
  },
  {
    name = "a leading zero",
    message = "^.*: a leading zero$",
    holds = function(before, behind)
      return before:find("[^%d.]0$") and behind:find("^%d")
    end,
    example = '{"a":01}',
  },
  {
    name = "hexadecimal",
    message = "^.*: ',' or '[%]}]' expected$",
    holds = function(before, behind)
      return before:find("[^%d.]0$") and behind:find("^[xX]")
    end,
    example = '{"a":0x1F}',
  },
  {
    name = "no digit where one is due: 1. -.5 -inf -nan",
    message = "^.*: a number without a digit$",
    holds = function(before, behind)
      return not behind:find("^%d") and (before:find("%d%.$") or before:find("%-$"))
    end,
    example = '{"a":1.}',
  },
  {
    name = "a control byte in a string",
    message = "^.*: a control byte in a string$",
    holds = function(_, behind) return behind:find("^[\0-\31]") end,
    example = '{"a":"\1"}',
  },
  {
    name = "broken UTF-8",
    message = "^.*: not UTF%-8$",
    holds = function(before, behind)
      local _, at = utf8.len(behind)
      return utf8.len(before) and at == 1
    end,
    example = '{"a":"\255"}',
  },
  {
    name = "nested deeper than 100 levels in an unknown field",
    message = "^.*: nested deeper than 100 levels$",
    holds = function(before, behind)
      local _, opened = before:gsub("[%[{]", "")
      return opened > 100 and behind:find("^[%[{]")
    end,
    example = '{"a":' .. ("["):rep(101) .. ("]"):rep(101) .. "}",
  },
}
