-- spec/cqueues_spec.lua: calls in controllers of cqueues. What holds in every
-- loop is in loop_rules.lua.
-- MIT, see LICENSE.

local core = require "leadping.core"
local loops = require "spec.loops"
local rules = require "spec.loop_rules"
local protect = require "leadping.protect"
local support = require "spec.support"

local loop, why = loops.new "cqueues"
local cqueues = loop and require "cqueues"

describe("in cqueues, a client", function()
  if not loop then return pending(why) end
  for _, rule in ipairs(rules) do
    it(rule[1], function()
      local why_not = rule[2](loop)
      if why_not then pending(why_not) end
    end)
  end
end)

describe("in cqueues,", function()
  if not loop then return pending(why) end

  local client
  before_each(function() client = support.client { loop = "cqueues" } end)
  after_each(function() client:close() end)

  it("an error in a coroutine comes out of the controller's loop, and others go on", function()
    local controller, done = cqueues.new(), 0
    for i = 1, 5 do
      controller:wrap(function()
        client:clear_override(support.id())
        if i == 2 then error("mine", 0) end
        done = done + 1
      end)
    end
    local messages = {}
    for message in controller:errors() do messages[#messages + 1] = message end
    assert.same({ "mine" }, messages)
    assert.equal(4, done)
  end)

  it("two controllers share a client, also where one alone is stepped", function()
    local first, second, done = cqueues.new(), cqueues.new(), {}
    first:wrap(function() done.first = client:clear_override(support.id "fault:slow-0.1") end)
    second:wrap(function() done.second = client:clear_override(support.id "fault:slow-0.1") end)
    assert(first:step(0))
    assert(second:loop(5))
    assert.is_true(done.second.canSend)
    assert(first:loop(5))
    assert.is_true(done.first.canSend)
  end)

  it("a controller may run within another", function()
    local inner, outer
    loop.spawn(function()
      local controller = cqueues.new()
      controller:wrap(function() inner = client:clear_override(support.id "fault:slow-0.1") end)
      assert(controller:loop())
      outer = client:clear_override(support.id())
    end)
    loop.run()
    assert.is_true(inner.canSend)
    assert.is_true(outer.canSend)
  end)

  it("two controllers may take results at the same time, in hooks that wait", function()
    if not protect.is_able then return pending("a hook is in a pcall: none waits on Lua 5.1") end
    local hooked = support.client { loop = "cqueues", on_event = function(event)
      if event.name ~= "response" then return end
      if event.conversation_id:find "^first" then cqueues.sleep(0.1) end
      if event.conversation_id:find "^second" then cqueues.sleep(0.3) end
    end }
    finally(function() hooked:close() end)
    local one, two = cqueues.new(), cqueues.new()
    local later, is_two_over
    one:wrap(function() hooked:clear_override(support.id "fault:slow-1") end)
    one:wrap(function()
      hooked:clear_override(support.id "first")
      cqueues.sleep(0.4)
      later = hooked:clear_override(support.id(), { timeout = 2 })
    end)
    two:wrap(function()
      cqueues.sleep(0.05)
      hooked:clear_override(support.id "second")
      is_two_over = true
    end)
    support.eventually(function()
      if not is_two_over then two:step(0.01) end
      one:step(0.01)
      return one:empty()
    end)
    assert.is_true(later.canSend)
  end)

  it("a controller may be dropped while calls wait in it", function()
    local before = support.settled_files()
    local dropped = support.client { loop = "cqueues" }
    local controller = cqueues.new()
    controller:wrap(function() dropped:clear_override(support.id "fault:never") end)
    assert(controller:step(0))
    dropped, controller = nil, nil -- luacheck: ignore 311
    for _ = 1, 4 do collectgarbage() end
    assert.equal(before, support.open_files())
  end)

  it("an error while results are taken comes out of the loop, and others get theirs", function()
    local real = core.session
    finally(function() core.session = real end)
    local failed = false
    core.session = function(...)
      local session = real(...)
      local proxy = {}
      for _, method in ipairs { "fd", "submit", "step", "cancel", "close" } do
        proxy[method] = function(_, ...) return session[method](session, ...) end
      end
      function proxy.next()
        if not failed then
          failed = true
          error("not enough memory", 0)
        end
        return session:next()
      end
      return proxy
    end
    local selection
    local controller = cqueues.new()
    controller:wrap(function() selection = client:clear_override(support.id()) end)
    local messages = {}
    for message in controller:errors() do messages[#messages + 1] = message end
    assert.same({ "not enough memory" }, messages)
    assert.is_true(selection.canSend)
  end)
end)
