-- spec/loops.lua: the loops that the specs run calls in, in one form. A loop is
-- { name, option, functions, spawn(body), run(), sleep(seconds) }: `option` is
-- what a client is given, `functions` the table behind it.
-- Tests nothing: see loop_rules.lua.
-- MIT, see LICENSE.

local loops = {}

local make = {}

function make.luv(uv)
  local function sleep(seconds)
    local thread, timer = coroutine.running(), uv.new_timer()
    timer:start(math.ceil(seconds * 1000), 0, function()
      timer:close()
      coroutine.resume(thread)
    end)
    coroutine.yield()
  end
  return {
    option = "luv", functions = require "leadping.loop.luv", sleep = sleep,
    spawn = function(body) coroutine.wrap(body)() end,
    run = function() uv.run() end,
  }
end

function make.cqueues(cqueues)
  local controller = cqueues.new()
  return {
    option = "cqueues", functions = require "leadping.loop.cqueues", sleep = cqueues.sleep,
    spawn = function(body) controller:wrap(body) end,
    run = function() assert(controller:loop()) end,
  }
end

--- The example's, which is given as a table.
function make.socket()
  local scheduler = dofile "examples/loop-socket.lua"
  return {
    option = scheduler.loop, functions = scheduler.loop, sleep = scheduler.sleep,
    spawn = scheduler.spawn, run = scheduler.run,
  }
end

--- The same one, where it cannot wait for a descriptor.
function make.polling()
  local scheduler = dofile "examples/loop-socket.lua"
  local functions = {}
  for name, value in pairs(scheduler.loop) do functions[name] = value end
  functions.watch = scheduler.watch_by_polling
  return {
    option = functions, functions = functions, sleep = scheduler.sleep,
    spawn = scheduler.spawn, run = scheduler.run,
  }
end

local MODULES = { polling = "socket" }

--- luv (1.44) crashes where it is loaded once more in a state that has collected
-- it, which is what busted does to modules between two files: so it is kept.
local function require_kept(name)
  local kept = debug.getregistry()
  local key = "leadping.spec." .. name
  package.loaded[name] = package.loaded[name] or kept[key]
  kept[key] = require(name)
  return kept[key]
end

--- The loop that a Lua module brings; nil and why there is none.
---@param name "luv"|"cqueues"|"socket"|"polling"
function loops.new(name)
  local needed = MODULES[name] or name
  local ok, module = pcall(require_kept, needed)
  if not ok then return nil, ("%s has no module %q here"):format(_VERSION, needed) end
  local loop = make[name](module)
  loop.name = name
  return loop
end

--- A loop like that one, whose client counts: how often somebody is resumed, and
-- how often results are looked for.
function loops.counting(loop)
  local counts = { resumes = 0, looks = 0 }
  local functions = {}
  for name, value in pairs(loop.functions) do functions[name] = value end
  function functions.resume(waiter)
    counts.resumes = counts.resumes + 1
    return loop.functions.resume(waiter)
  end
  function functions.watch(session, ready)
    return loop.functions.watch(session, function()
      counts.looks = counts.looks + 1
      return ready()
    end)
  end
  return functions, counts
end

return loops
