-- spec/examples_spec.lua: the programs in examples/, run as their users would.
-- The emulator stands in for the API.
-- MIT, see LICENSE.

local support = require "spec.support"

describe("examples/clear.lua", function()
  local function clear(arguments)
    return support.shell(support.lua .. " examples/clear.lua " .. arguments)
  end

  it("clears the ids on its command line", function()
    local _, mark = support.requests()
    local output, status = clear("'a b' ../../PN123? cannot-send-1")
    assert.equal(0, status)
    assert.matches("^a b\t%S.-\tcan send\n", output)
    assert.matches("\ncannot%-send%-1\tno number\tAdd a phone number before sending%.\n", output)
    local requests = support.requests(mark)
    assert.equal(3, #requests)
    assert.equal("../../PN123?", requests[2].id)
  end)

  it("says which failed, and exits with 1", function()
    local output, status = clear("fault:status-404 x")
    assert.equal(1, status)
    assert.matches("fault:status%-404: leadping: not_found %(404%): .- %(override: not_applied%)",
      output)
    assert.matches("x\t", output)
  end)

  it("says how it is used, and exits with 2", function()
    local output, status = clear("")
    assert.equal(2, status)
    assert.matches("^usage: ", output)
  end)
end)

describe("examples/demo.lua", function()
  it("prints a card for each of three conversations", function()
    local output, status = support.shell(support.lua .. " examples/demo.lua")
    assert.equal(0, status)
    assert.equal(3, select(2, output:gsub("DELETE http://", "")))
    assert.equal(3, select(2, output:gsub("\n200 in ", "")))
    assert.matches("/Zo%%C3%%AB%%20%%26%%20co%%2F42%%3F%%20100%%25/override\n", output)
    assert.matches("cannot send %(no number%)\n  setup    Add a phone number", output)
  end)

  it("runs nowhere but on the emulator", function()
    local output, status = support.shell(support.lua .. " examples/demo.lua",
      { EMULATOR_HTTP = false })
    assert.equal(1, status)
    assert.matches("no emulator: use make demo", output)
  end)
end)

describe("examples/repl-session.txt", function()
  --- What is typed, and what is answered, each as a list of lines.
  local function split(session)
    local typed, answered = {}, {}
    for line in session:match("\n\n(.*)$"):gmatch("([^\n]*)\n") do
      local input = line:match("^> (.*)$")
      local list = input and typed or answered
      list[#list + 1] = input or line
    end
    return typed, answered
  end

  --- What the prompt printed, without its banner, the prompts, and the echo of
  -- what was typed (there where Lua was built with readline).
  local function without_prompts(output, typed)
    local is_typed, lines = {}, {}
    for _, line in ipairs(typed) do is_typed[line] = true end
    for line in output:gmatch("([^\n]*)\n") do
      local shown = line:gsub("^[> ]*> ", "")
      if not is_typed[shown] and not shown:find("^JIT: ") then lines[#lines + 1] = shown end
    end
    table.remove(lines, 1)
    return lines
  end

  --- Before 5.3 the prompt shows the values of what begins with "=" alone.
  local function with_equals_signs(typed)
    local load = rawget(_G, "loadstring") or load
    for i, line in ipairs(typed) do
      if load("return " .. line) then typed[i] = "=" .. line end
    end
  end

  it("is what Lua's prompt answers", function()
    local typed, answered = split(support.read("examples/repl-session.txt"))
    if tonumber(support.lua_version) < 5.3 then with_equals_signs(typed) end
    local path = os.tmpname()
    support.write(path, table.concat(typed, "\n") .. "\n")
    local output = support.shell(("%s -i <%s"):format(support.lua, path))
    os.remove(path)
    local lines = without_prompts(output, typed)
    if lines[#lines] == "" then table.remove(lines) end
    assert.same(answered, lines)
  end)
end)

describe("examples/mock_spec.lua", function()
  it("passes, and needs neither key nor server", function()
    local output, status = support.shell(
      support.lua .. " $(command -v busted) examples/mock_spec.lua",
      { LEADPING_API_KEY = false, LEADPING_BASE_URL = false })
    assert.equal(0, status, output)
    assert.matches("5 successes / 0 failures / 0 errors", output)
  end)
end)
