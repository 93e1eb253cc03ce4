-- examples/loop-socket.lua: a loop of one's own, on LuaSocket's select: a small
-- scheduler, and the four functions by which calls wait in it. Write another
-- loop's by these; lua/leadping/loops.lua says what each has to do.
-- MIT, see LICENSE.
--
--   local scheduler = dofile "examples/loop-socket.lua"
--   local client = assert(leadping.new { loop = scheduler.loop })
--   for _, id in ipairs(ids) do
--     scheduler.spawn(function() print(id, client:clear_override(id)) end)
--   end
--   scheduler.run()

local socket = require "socket"

local ready = {} -- coroutines that can go on
local asleep = {} -- waiter -> when its coroutine goes on at the latest
local watched = {} -- objects for select, as keys

-- the scheduler --------------------------------------------------------------

local scheduler = {}

function scheduler.spawn(body)
  table.insert(ready, coroutine.create(body))
end

local function run_ready()
  local threads = ready
  ready = {} -- for those that get ready meanwhile
  for _, thread in ipairs(threads) do
    local ok, raised = coroutine.resume(thread)
    if not ok then io.stderr:write(debug.traceback(thread, tostring(raised)), "\n") end
  end
end

local function wake_late(now)
  for waiter, time in pairs(asleep) do
    if time <= now then scheduler.loop.resume(waiter) end
  end
end

--- Seconds until somebody is to go on; nil where only a descriptor can tell.
local function seconds_left(now)
  if next(ready) then return 0 end
  local first = math.huge
  for _, time in pairs(asleep) do first = math.min(first, time) end
  return first < math.huge and math.max(first - now, 0) or nil
end

local function wait()
  local objects = {}
  for object in pairs(watched) do objects[#objects + 1] = object end
  local readable = socket.select(objects, nil, seconds_left(socket.gettime()))
  for _, object in ipairs(readable) do object.ready() end
end

--- Returns when every coroutine has ended.
function scheduler.run()
  while next(ready) or next(asleep) do
    run_ready()
    if next(ready) or next(asleep) then wait() end
    wake_late(socket.gettime())
  end
end

function scheduler.sleep(seconds)
  scheduler.loop.suspend(assert(scheduler.loop.waiter()), seconds)
end

-- the loop -------------------------------------------------------------------

scheduler.loop = {}

--- What stands for the caller. Not just its coroutine: that may be waiting for
-- something else by the time that a client resumes it once more.
function scheduler.loop.waiter()
  local thread, is_main = coroutine.running()
  if thread and not is_main then return { thread = thread } end
  return nil, "a call has to be made in scheduler.spawn(function() … end)"
end

function scheduler.loop.suspend(waiter, seconds)
  asleep[waiter] = seconds and socket.gettime() + seconds or math.huge
  coroutine.yield()
  asleep[waiter] = nil
end

function scheduler.loop.resume(waiter)
  if not asleep[waiter] then return end
  asleep[waiter] = nil
  table.insert(ready, waiter.thread)
end

--- One descriptor for each client, watched while something is in flight: it is
-- readable when a call has its result, and object.ready() resumes who waits.
function scheduler.loop.watch(session, object_ready)
  local fd, message = session:fd()
  if not fd then return nil, message end
  local object = { getfd = function() return fd end, ready = object_ready }
  return {
    start = function()
      session:fd() -- raises in a forked child, whose scheduler is its parent's
      watched[object] = true
      return true
    end,
    stop = function() watched[object] = nil end,
  }
end

--- In place of it, for a loop that cannot wait for a bare descriptor: one
-- coroutine for each client looks every few milliseconds.
function scheduler.watch_by_polling(session, object_ready)
  local wanted, running = false, false
  local function run()
    while wanted do
      local ok, raised = true, nil
      if session:step(0) ~= 0 then ok, raised = pcall(object_ready) end
      if not ok then scheduler.spawn(function() error(raised, 0) end) end
      scheduler.sleep(0.002)
    end
    running = false
  end
  return {
    start = function()
      local started, message = session:start()
      if not started then return nil, message end
      wanted = true
      if not running then running = true scheduler.spawn(run) end
      return true
    end,
    stop = function() wanted = false end,
  }
end

return scheduler
