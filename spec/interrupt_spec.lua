-- spec/interrupt_spec.lua: Ctrl-C in a process that waits for an answer.
-- Each spec starts a Lua of its own, waits until the server has its request,
-- sends SIGINT and takes the time until the program says that it goes on.
-- MIT, see LICENSE.

local core = require "leadping.core"
local support = require "spec.support"

local LIMIT = 0.25 -- seconds

--- Runs a program that waits for a server, interrupts it when it has sent so
-- many requests (one), and returns the seconds until it printed that text, and
-- all that it printed.
local function interrupt(command, text, count)
  local _, mark = support.requests()
  local process = support.start(command)
  support.wait_for_request(mark, count)
  local started = core.clock()
  process:kill("INT")
  local output = process:wait_for(text)
  local seconds = core.clock() - started
  process:finish()
  return seconds, output
end

local function with_program(program, use)
  local path = os.tmpname()
  support.write(path, program)
  local ok, raised = pcall(use, support.lua .. " " .. path)
  os.remove(path)
  if not ok then error(raised, 0) end
end

describe("Ctrl-C", function()
  it("stops a script that waits for an answer", function()
    with_program([[require("leadping").clear_override("fault:never")]], function(command)
      local seconds, output = interrupt(command, "interrupted!")
      assert.is_true(seconds < LIMIT, tostring(seconds))
      assert.matches("interrupted!", output)
    end)
  end)

  it("stops a call that LuaJIT has compiled, too", function()
    with_program([[
      if jit then jit.opt.start("hotloop=1", "hotexit=1") end
      local client = require("leadping").new {}
      for _ = 1, 20 do client:clear_override("compile") end
      client:clear_override("fault:never")
    ]], function(command)
      local seconds = interrupt(command, "interrupted!", 21)
      assert.is_true(seconds < LIMIT, tostring(seconds))
    end)
  end)

  it("is an error that a script may catch, and the next call works", function()
    with_program([[
      local client = require("leadping").new {}
      local ok, raised = pcall(client.clear_override, client, "fault:never")
      print(ok, raised)
      print(client:clear_override("after") ~= nil)
    ]], function(command)
      local seconds, output = interrupt(command, "true\n")
      assert.is_true(seconds < LIMIT, tostring(seconds))
      assert.matches("^false\t.*interrupted!\ntrue\n$", output)
    end)
  end)

  it("stops a loop over many ids, and the next call works", function()
    with_program([[
      local client = require("leadping").new {}
      local ids = {}
      for i = 1, 50 do ids[i] = "fault:slow-5:" .. i end
      local function clear_all()
        for id in client:clear_overrides(ids, { rate = false }) do print(id) end
      end
      print(pcall(clear_all))
      print(client:clear_override("after") ~= nil)
    ]], function(command)
      local seconds, output = interrupt(command, "true\n", 8)
      assert.is_true(seconds < LIMIT, tostring(seconds))
      assert.matches("^false\t[^\n]*interrupted!\ntrue\n$", output)
    end)
  end)

  it("reaches a call that waits in a coroutine", function()
    with_program([[
      local client = require("leadping").new {}
      local thread = coroutine.create(function() client:clear_override("fault:never") end)
      print(coroutine.resume(thread))
      print("the main thread goes on")
    ]], function(command)
      local seconds, output = interrupt(command, "goes on\n")
      assert.is_true(seconds < LIMIT, tostring(seconds))
      assert.matches("^false\t.*interrupted!\nthe main thread goes on\n$", output)
    end)
  end)

  it("inside a hook ends the call without another attempt", function()
    with_program([[
      local client = require("leadping").new {
        on_event = function(event)
          if jit then jit.off(true, true) end -- compiled code does not see Ctrl-C
          while event.name == "response" do end
        end,
      }
      print(pcall(client.clear_override, client, "fault:retry-after-503-30"))
      print("over")
    ]], function(command)
      local seconds, output = interrupt(command, "over\n")
      assert.is_true(seconds < LIMIT, tostring(seconds))
      assert.matches("^false\t.*interrupted!\nover\n$", output)
    end)
  end)

  it("brings the prompt back", function()
    local feed = os.tmpname()
    support.write(feed, "require('leadping').clear_override('fault:never')\nprint('back')\n")
    local seconds, output = interrupt(("%s -i <%s"):format(support.lua, feed), "back")
    os.remove(feed)
    assert.is_true(seconds < LIMIT, tostring(seconds))
    assert.matches("interrupted!", output)
  end)

  it("stops the wait between two attempts", function()
    with_program([[
      require("leadping").clear_override("fault:retry-after-503-30")
    ]], function(command)
      local seconds = interrupt(command, "interrupted!")
      assert.is_true(seconds < LIMIT, tostring(seconds))
    end)
  end)
end)
