-- spec/luv_spec.lua: calls in luv's loop. What holds in every loop is in
-- loop_rules.lua. An error in one of luv's callbacks ends the process, so that
-- is for child processes.
-- MIT, see LICENSE.

local core = require "leadping.core"
local loops = require "spec.loops"
local protect = require "leadping.protect"
local rules = require "spec.loop_rules"
local support = require "spec.support"

local loop, why = loops.new "luv"
local uv = loop and require "luv"

describe("in luv, a client", function()
  if not loop then return pending(why) end
  for _, rule in ipairs(rules) do
    it(rule[1], function()
      local why_not = rule[2](loop)
      if why_not then pending(why_not) end
    end)
  end
end)

describe("in luv,", function()
  if not loop then return pending(why) end

  local client
  before_each(function() client = support.client { loop = "luv", max_retries = 1 } end)
  after_each(function() client:close() end)

  local function count_handles()
    local count = 0
    uv.walk(function(handle) if not handle:is_closing() then count = count + 1 end end)
    return count
  end

  it("uv.run returns when nothing is in flight, and no handle is left", function()
    local before = count_handles()
    loop.spawn(function()
      client:clear_override(support.id())
      client:clear_override(support.id "fault:status-503*1")
    end)
    assert.equal(before + 1, count_handles())
    loop.run()
    assert.equal(before, count_handles())
  end)

  it("a call by a finalizer, while the first call makes the session, has its answer", function()
    local real, first, inner = core.session, nil, nil
    finally(function() core.session = real end)
    core.session = function(...)
      core.session = real
      coroutine.wrap(function() inner = client:clear_override(support.id()) end)()
      return real(...)
    end
    loop.spawn(function() first = client:clear_override(support.id()) end)
    loop.run()
    assert.is_true(first.canSend)
    assert.is_true(inner.canSend)
  end)

  it("a run goes on in another coroutine where an error has ended the first", function()
    local asked, seen = 0, {}
    local keyed = support.client { loop = "luv", api_key = function()
      asked = asked + 1
      return asked == 2 and error("mine", 0) or support.key
    end }
    finally(function() keyed:close() end)
    local next_result = keyed:clear_overrides({ "a", "b", "c" }, { rate = false })
    local function go()
      for _ = 1, 4 do
        local id = next_result()
        seen[#seen + 1] = id or "end"
        if not id then return end
      end
    end
    local function try()
      local _, raised = pcall(go)
      seen[#seen + 1] = raised
    end
    coroutine.wrap(protect.is_able and try or function() pcall(loop.spawn, go) end)()
    loop.run()
    loop.spawn(go)
    loop.run()
    table.sort(seen)
    -- On Lua 5.1 the error comes at once, and what is in flight behind it.
    assert.equal(protect.is_able and "a end mine" or "a c end", table.concat(seen, " "))
  end)

  it("uv.run may be called within a callback", function()
    local inner, outer
    loop.spawn(function()
      client:clear_override(support.id())
      loop.spawn(function() inner = client:clear_override(support.id()) end)
      loop.run()
      outer = client:clear_override(support.id())
    end)
    loop.run()
    assert.is_true(inner.canSend)
    assert.is_true(outer.canSend)
  end)

  it("a coroutine may be resumed by somebody else while it waits", function()
    local selection
    local thread = coroutine.create(function()
      selection = client:clear_override(support.id "fault:status-503*1")
    end)
    coroutine.resume(thread)
    local timer = uv.new_timer()
    timer:start(1, 5, function()
      if selection then timer:close() else coroutine.resume(thread) end
    end)
    loop.run()
    assert.is_true(selection.canSend)
  end)

  it("a coroutine may be closed while it waits", function()
    local close = rawget(coroutine, "close")
    if not close then return pending("there is no coroutine.close before Lua 5.4") end
    local threads = {}
    for i, id in ipairs { "fault:slow-0.1", "fault:status-503" } do
      threads[i] = coroutine.create(function() client:clear_override(support.id(id)) end)
      coroutine.resume(threads[i])
    end
    local timer = uv.new_timer()
    timer:start(50, 0, function()
      timer:close()
      for _, thread in ipairs(threads) do assert(close(thread)) end
    end)
    loop.run()
    assert.equal(0, count_handles())
  end)

  for method, stub in pairs {
    new_poll = function() return nil, "EMFILE: too many open files" end,
    start = function() return nil, "ENOMEM: not enough memory" end,
  } do
    it(("a call fails, unsent, where %s of its poll handle does"):format(method), function()
      local err
      local new_poll = uv.new_poll
      finally(function() uv.new_poll = new_poll end)
      uv.new_poll = method == "new_poll" and stub or function()
        return { start = stub, close = function() end }
      end
      loop.spawn(function() err = select(2, client:clear_override(support.id())) end)
      loop.run()
      assert.equal("connection", err.kind)
      assert.equal("not_sent", err.outcome)
      assert.equal(select(2, stub()), err.message)
      uv.new_poll = new_poll
      local selection
      loop.spawn(function() selection = client:clear_override(support.id()) end)
      loop.run()
      assert.is_true(selection.canSend)
    end)
  end

  it("an error in a coroutine comes out of uv.run, and others are resumed first", function()
    local output, status = support.run [[
      local uv = require "luv"
      local client = assert(require("leadping").new { loop = "luv" })
      for i = 1, 3 do
        coroutine.wrap(function()
          client:clear_override("fault:never")
          if i == 2 then error("mine") end
          print("another goes on")
        end)()
      end
      local timer = uv.new_timer()
      timer:start(50, 0, function() timer:close() client:close() end)
      uv.run()
    ]]
    assert.equal(255, status) -- so luv ends
    assert.equal(2, select(2, output:gsub("another goes on\n", "")))
    assert.matches("Uncaught Error: [^\n]*mine\nstack traceback:", output)
  end)
end)
