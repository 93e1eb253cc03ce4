-- spec/loops_spec.lua: calls in a loop of one's own, given as a table: the
-- example's; and what holds of the option `loop` and of processes that end.
-- What holds in every loop is in loop_rules.lua.
-- MIT, see LICENSE.

local core = require "leadping.core"
local loops = require "spec.loops"
local protect = require "leadping.protect"
local rules = require "spec.loop_rules"
local support = require "spec.support"

local loop, why = loops.new "socket"

for name, title in pairs { socket = "a loop given as a table", polling = "one that polls" } do
  describe(("in %s, a client"):format(title), function()
    local tested, missing = loops.new(name)
    if missing then return pending(missing) end
    for _, rule in ipairs(rules) do
      it(rule[1], function()
        local why_not = rule[2](tested)
        if why_not then pending(why_not) end
      end)
    end
  end)
end

describe("a loop given as a table", function()
  if not loop then return pending(why) end

  local function with(changes)
    return support.with(loop.functions, changes)
  end

  local function message_of(changes)
    local client = support.client { loop = with(changes) }
    finally(function() client:close() end)
    local message
    loop.spawn(function() message = select(2, pcall(client.clear_override, client, "x")) end)
    loop.run()
    return message
  end

  it("is told where its watch gives something that is no watcher", function()
    for _, watcher in ipairs { {}, { start = true, stop = print }, "watcher" } do
      assert.equal("the loop's watch has to return a table with the functions start and stop",
        message_of { watch = function() return watcher end })
    end
  end)

  it("may say why it cannot wait, or may not", function()
    assert.equal("not here", message_of { waiter = function() return nil, "not here" end })
    assert.equal("the loop's waiter gave none", message_of { waiter = function() end })
  end)

  it("resumes the others where it raises for one", function()
    local resumed, first = 0, true
    local client = support.client { loop = with { resume = function(waiter)
      loop.functions.resume(waiter)
      if first then
        first = false
        error("mine", 0)
      end
      resumed = resumed + 1
    end } }
    for _ = 1, 3 do loop.spawn(function() client:clear_override(support.id "fault:never") end) end
    local message
    loop.spawn(function()
      loop.sleep(0.05)
      message = select(2, pcall(client.close, client))
    end)
    loop.run()
    assert.equal("mine", message)
    assert.equal(2, resumed)
  end)
end)

describe("examples/loop-socket.lua", function()
  if not loop then return pending(why) end

  it("does not wait for a session that was made before a fork", function()
    local real, socket = core.session, require "socket"
    local wait = socket.select
    finally(function() core.session, socket.select = real, wait end)
    local asked = 0
    core.session = function(...)
      local session = real(...)
      return {
        fd = function()
          asked = asked + 1
          if asked > 1 then error("made before a fork", 0) end
          return session:fd()
        end,
        close = function() session:close() end,
      }
    end
    local client, message, watched = support.client { loop = loop.option }, nil, 0
    function socket.select(objects, ...)
      watched = math.max(watched, #objects)
      return wait(objects, ...)
    end
    loop.spawn(function()
      message = select(2, pcall(client.clear_override, client, support.id()))
    end)
    loop.spawn(function() loop.sleep(0.01) end)
    loop.run()
    client:close()
    assert.equal("made before a fork", message)
    assert.equal(0, watched)
  end)
end)

describe("the option loop", function()
  for _, row in ipairs {
    { "uv", '"blocking", "luv", "cqueues", "nginx" or a table expected, got "uv"' },
    { 5, '"blocking", "luv", "cqueues", "nginx" or a table expected, got 5' },
    { {}, 'a table with the function "waiter" expected' },
    { { waiter = print, suspend = print, resume = 5 },
      'a table with the function "resume" expected' },
  } do
    it(("refuses %s"):format(tostring(type(row[1]) == "table" and "a table" or row[1])), function()
      local ok, message = pcall(support.client, { loop = row[1] })
      assert.is_false(ok)
      assert.is_not_nil(message:find("option 'loop': " .. row[2], 1, true), message)
    end)
  end
end)

if loop and not protect.is_able then
  it("Lua 5.1 cannot wait in a for loop, and says so before anything is sent", function()
    local _, mark = support.requests()
    local client = support.client { loop = loop.option }
    finally(function() client:close() end)
    local message
    loop.spawn(function()
      message = select(2, pcall(function()
        for _ in client:clear_overrides { support.id() } do end -- luacheck: ignore 542
      end))
    end)
    loop.run()
    assert.matches("Lua 5.1 cannot wait in a for loop; call what it returns in a while loop",
      message)
    assert.equal(0, #(support.requests(mark)))
  end)
end

for _, name in ipairs { "luv", "cqueues", "socket", "polling" } do
  describe(("in a process of its own, %s"):format(name), function()
    local _, missing = loops.new(name)
    if missing then return pending(missing) end

    local function run(program, variables)
      return support.run(("local loop = require('spec.loops').new '%s'\n%s"):format(name, program),
        variables)
    end

    it("may be left by os.exit while calls are in flight", function()
      for calls = 20, 100, 20 do
        local output, status = run(([[
          local client = assert(require("leadping").new { loop = loop.option,
            base_url = os.getenv "EMULATOR_TLS", ca_file = os.getenv "EMULATOR_CA" })
          local count = 0
          for i = 1, 50 do
            loop.spawn(function()
              while client:clear_override("c" .. i) do
                count = count + 1
                if count == %d then os.exit(7) end
              end
            end)
          end
          loop.run()
        ]]):format(calls))
        assert.equal("", output)
        assert.equal(7, status)
      end
    end)

    --- luv 1.44 crashes where a handle is closed in the callback that closes the state.
    it("ends well where the state is closed while calls are in flight", function()
      local output, status = run [[
        local client = assert(require("leadping").new { loop = loop.option })
        for _ = 1, 5 do loop.spawn(function() client:clear_override("fault:never") end) end
        local function close() os.exit(7, true) end
        if loop.name == "luv" then require("luv").new_timer():start(50, 0, close)
        else loop.spawn(function() close(loop.sleep(0.05)) end) end
        loop.run()
      ]]
      assert.equal("", output)
      assert.equal(7, status)
    end)
  end)
end

describe("a name look-up that hangs", function()
  local library

  setup(function() library = support.build_preload "hang" end)

  it("ends at the deadline where the caller itself waits, and does not hold up the end", function()
    local seconds, output, status = support.timed(support.run, [[
      local leadping, clock = require "leadping", require("leadping.core").clock
      local client = assert(leadping.new { base_url = "https://hangs.leadping.test" })
      local started = clock()
      local _, err = client:clear_override("a", { timeout = 0.4 })
      local seconds = clock() - started
      print(err.kind, err.outcome, seconds >= 0.39 and seconds < 0.45 or seconds)
      client:close()
    ]], { LD_PRELOAD = library })
    assert.equal("timeout\tnot_sent\ttrue\n", output)
    assert.equal(0, status)
    assert.is_true(seconds < 2, seconds)
  end)

  for _, name in ipairs { "luv", "cqueues", "socket", "polling" } do
    it(("holds up nothing else in %s"):format(name), function()
      local _, missing = loops.new(name)
      if missing then return pending(missing) end
      local output, status = support.run(([[
        local loop = require("spec.loops").new "%s"
        local leadping, clock = require "leadping", require("leadping.core").clock
        local slow = assert(leadping.new { loop = loop.option, max_retries = 0,
          base_url = "https://hangs.leadping.test", connect_timeout = 1 })
        local closed = assert(leadping.new { loop = loop.option,
          base_url = "https://hangs.leadping.test", connect_timeout = 9 })
        local fast = assert(leadping.new { loop = loop.option })
        local started, right, ended = clock(), 0, nil
        loop.spawn(function() ended = select(2, slow:clear_override "a") end)
        loop.spawn(function() closed:clear_override "a" end)
        for _ = 1, 10 do
          loop.spawn(function()
            for i = 1, 10 do
              if fast:clear_override("b" .. i) then right = right + 1 end
            end
            if right == 100 then
              assert(not ended, "the look-up is over")
              closed:close()
            end
          end)
        end
        loop.run()
        print(right, ended.kind, ended.outcome, clock() - started < 3)
      ]]):format(name), { LD_PRELOAD = library })
      assert.equal("100\ttimeout\tnot_sent\ttrue\n", output)
      assert.equal(0, status)
    end)
  end
end)
