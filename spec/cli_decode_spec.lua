-- spec/cli_decode_spec.lua: `leadping decode`: the card, and what is new in it.
-- Nothing is sent. Decoding itself is in decode_spec.lua, the card in
-- selection_spec.lua.
-- MIT, see LICENSE.

local json = require "leadping.json"
local leadping = require "leadping"
local support = require "spec.support"

--- Runs it with a text on stdin; asserts its exit status and what it complains.
local function run(content, expected, arguments)
  local path = os.tmpname()
  support.write(path, content)
  local output, status, complaints = support.leadping(
    ("decode %s <%s"):format(arguments or "", path), { LEADPING_API_KEY = false })
  os.remove(path)
  expected = expected or {}
  assert.equal(expected.complaint and "leadping: " .. expected.complaint .. "\n" or "", complaints)
  assert.equal(expected.status or 0, status)
  return output
end

--- The lines about what is new.
local function findings(content)
  local lines = {}
  for line in run(content):gmatch("\n  ([^\n]*)") do
    local words = line:gsub("  +", " ")
    if words:find("^%l+ field ") or words:find("^unknown text ") then
      lines[#lines + 1] = words
    end
  end
  return lines
end

--- The documented answer with a text replaced.
local function changed(from, to)
  local content = leadping.encode(assert(leadping.decode(support.example "selection-documented")))
  local at, behind = content:find(from, 1, true)
  assert(at, from)
  return content:sub(1, at - 1) .. to .. content:sub(behind + 1)
end

describe("leadping decode", function()
  it("shows the card of a file, of stdin and of -", function()
    local content = support.example "selection-cannot-send"
    local card = tostring(leadping.decode(content))
    local expected = ("%s\n\nas the schema of %s has it\n"):format(card, leadping._VERSION)
    assert.equal(expected, run(content))
    assert.equal(expected, run(content, nil, "-"))
    local path = os.tmpname()
    finally(function() os.remove(path) end)
    support.write(path, content)
    assert.equal(expected, (support.leadping("decode " .. path)))
  end)

  it("names what a later API has, and how often", function()
    assert.same({
      "unknown field pacing: object",
      'unknown field policyVersion: string "2026-11"',
      "unknown field eligibleNumbers[].warmupDay (1 of 2): number 12",
      'unknown text eligibleNumbers[].healthStatus (1 of 2): "Quarantined"',
      'unknown text eligibleNumbers[].selectionReason (1 of 2): "PinnedByCompliance"',
      "missing field setupMessage: may be null", "missing field healthWarning: may be null",
      "missing field campaignId: may be null", "missing field sourceId: may be null",
      "missing field eligibleNumbers[].healthWarning (1 of 2): may be null",
      "missing field eligibleNumbers[].campaignId (2 of 2): may be null",
      "missing field eligibleNumbers[].sourceId (2 of 2): may be null",
    }, findings(support.example "selection-later"))
  end)

  for value, described in pairs {
    ["true"] = "boolean true", ["1e3"] = "number 1000", ['"a\\u001b"'] = 'string "a\\x1B"',
    ["null"] = "null", ["[1]"] = "array", ["{}"] = "empty object or array",
    ["[]"] = "empty object or array", ['{"a":1}'] = "object",
  } do
    it(("describes an unknown field of %s"):format(value), function()
      assert.equal("unknown field new: " .. described,
        findings(changed('{"canSend":', ('{"new":%s,"canSend":'):format(value)))[1])
    end)
  end

  it("escapes what it quotes", function()
    assert.equal('unknown field a\\x1B[2J: string "b\\x0A"',
      findings(changed('{"canSend":', '{"a\\u001b[2J":"b\\n","canSend":'))[1])
    assert.equal('unknown text healthStatus: "c\\x07"',
      findings(changed('"healthStatus":"Warming"', '"healthStatus":"c\\u0007"'))[1])
  end)

  it("tells a null where none is expected from one that is", function()
    assert.same({ "null field canSend", "null field eligibleNumbers[].selectionReason (2 of 2)" },
      findings(changed('"canSend":true', '"canSend":null')))
  end)

  it("--json prints the selection and the findings", function()
    local content = support.example "selection-later"
    local output = run(content, nil, "--json")
    local shown = json.decode(output)
    assert.matches("^[^\n]*\n$", output)
    assert.equal(1, shown.schema)
    assert.equal("pn_c0ffee", shown.selection.phoneNumberId)
    assert.same({ what = "unknown_field", path = "eligibleNumbers[].warmupDay",
      detail = "number 12", count = 1, of = 2 }, shown.findings[3])
    assert.matches('"findings":%[%]}\n$', run(support.example "selection-cannot-send", nil,
      "--json"))
  end)

  it("--help says what it exits with for what is no selection", function()
    assert.matches("and with 1\nwhere it is none;", (support.leadping("decode --help")))
  end)

  for content, complaint in pairs {
    [""] = ": byte 1",
    ["{"] = ": byte 2",
    ['{"canSend":"true"}'] = ": byte 12, canSend: boolean expected, got string",
    ['[{"canSend":true}]'] = ": byte 1",
    ["{}"] = ", but an object without any of its fields",
    ['{"error":"x"}'] = ", but an object without any of its fields",
    ["HTTP/1.1 200 OK\r\n\r\n{}"] = ", but an answer with its head: give the body alone",
    [support.example "problem-401"] =
      ", but problem details: Unauthorized: The API key has expired.",
  } do
    it(("exits with 1 for %q"):format(content:sub(1, 20)), function()
      local path = os.tmpname()
      finally(function() os.remove(path) end)
      support.write(path, content)
      local output, status, complaints = support.leadping("decode " .. path)
      assert.equal("", output)
      assert.equal(1, status)
      assert.is_not_nil(complaints:find("leadping: not an OutgoingNumberSelection" .. complaint,
        1, true), complaints)
    end)
  end

  it("exits with 2 for a file that cannot be read", function()
    run("", { status = 2, complaint = "cannot read /nowhere: No such file or directory" },
      "/nowhere")
    run("", { status = 2, complaint = "cannot read /: Is a directory" }, "/")
  end)

  it("exits with 6 where its output cannot be written", function()
    run("{\"canSend\":true}", { status = 6,
      complaint = "cannot write to stdout: No space left on device" }, ">/dev/full")
  end)

  it("does not wait for a person to type JSON", function()
    local output, status = support.shell(
      ("script -qec '%s decode' /dev/null </dev/null"):format(support.program))
    assert.equal(2, status)
    assert.matches("^leadping: nothing to decode: give a FILE, or pipe an answer in", output)
  end)
end)
