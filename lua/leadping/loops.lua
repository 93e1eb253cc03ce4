-- leadping.loops: how a call waits: which loop, and what a loop is.
-- Each loop is one file of loop/, and loaded when it is used, since it needs its
-- library; a program may give a table of its own. Does not wait itself.
-- MIT, see LICENSE.

local blocking = require "leadping.loop.blocking"

local loops = {}

--- What a loop is. A call that has to wait takes a waiter, suspends it, and is
-- resumed when its result is there. Results are looked for by one watcher for
-- each client, which is running only while something is in flight.
-- examples/loop-socket.lua is the example to write another one by, loop/luv.lua
-- and loop/cqueues.lua are more.
--
-- Of ready() a watcher has to know that it may call stop and start from within,
-- as callers are resumed there, and that it may raise: that is the loop's to
-- report, and the watcher goes on, as others still wait for their results.
--
-- Where a loop waits for objects of its own alone, not for any descriptor: start
-- calls session:start() and sees that one coroutine runs, which looks and sleeps
-- a few milliseconds in turn while the watcher is wanted, and calls ready() where
-- session:step(0) is not 0. The example's watch_by_polling does so.
---@class leadping.Loop
---@field waiter fun(): any? , string? a new object that stands for the caller
-- (holding its coroutine, or a condition, a semaphore), or nil and why it cannot
-- wait where it is
---@field suspend fun(waiter: any, seconds: number?) gives way to others until the
-- waiter is resumed, or that many seconds are over; too early does no harm
---@field resume fun(waiter: any) may run the caller at once, or let it run soon;
-- what the caller raises then is the loop's to report, not raised here
---@field watch fun(session: leadping.Session, ready: fun()): leadping.Watcher?, string?
-- makes a watcher, or says why there can be none

--- Both are called again and again, also where they have nothing to do.
---@class leadping.Watcher
---@field start fun(self): any, string? from now on calls ready() whenever
-- session:fd() is readable; nil and why not, and then stop comes. Called before
-- each request, by its coroutine. Calls session:fd() first, each time: it raises
-- in a forked child, whose loop is still its parent's and better left alone
---@field stop fun(self) does so no more, so that the loop may end

--- What a loop needs of a session.
---@class leadping.Session
---@field fd fun(self): integer?, string? has a thread drive the session; the
-- descriptor is readable exactly while results wait. Not to be read or closed
---@field step fun(self, seconds: number): integer? waits that long, at most
-- 0.2 s, for a result; how many there are, or nil where ready() has to see why not
---@field start fun(self): boolean?, string? has a thread drive the session, as fd
-- does, without a descriptor: for who polls
---@field listen fun(self, directory: string): string?, string? has a thread drive the
-- session; the path of a unix socket: the first connection to it gets a byte when
-- results begin to wait, and no other before hear
---@field hear fun(self) has the next results rung for; step(0) tells of those before
---@field hush fun(self): boolean sends no byte before hear; whether one is unread
---@field ring fun(self) wakes who waits for the descriptor or reads the socket,
-- though no result waits

local NAMES = { "blocking", "luv", "cqueues", "nginx" }
local METHODS = { "waiter", "suspend", "resume", "watch" }

local is_name = {}
for _, name in ipairs(NAMES) do is_name[name] = true end

--- What is wrong with a value for the option `loop`; nil where nothing is.
function loops.check(value)
  if is_name[value] then return nil end
  if type(value) ~= "table" then
    return ('"%s" or a table expected'):format(table.concat(NAMES, '", "'))
  end
  for _, method in ipairs(METHODS) do
    if type(value[method]) ~= "function" then
      return ("a table with the function %q expected"):format(method)
    end
  end
end

--- A loop's watcher; raises where the loop, somebody's own, gives none.
---@return leadping.Watcher? watcher
---@return string? message why there can be none
function loops.watch(loop, session, ready)
  local watcher, message = loop.watch(session, ready)
  if not watcher then return nil, message or "the loop's watch gave no watcher" end
  if type(watcher) ~= "table" or type(watcher.start) ~= "function"
    or type(watcher.stop) ~= "function" then
    error("the loop's watch has to return a table with the functions start and stop", 0)
  end
  return watcher
end

local function is_nginx()
  local ngx = rawget(_G, "ngx")
  return type(ngx) == "table" and type(ngx.get_phase) == "function"
end

local function load_loop(name)
  local ok, loop = pcall(require, "leadping.loop." .. name)
  if ok then return loop end
  error(("option 'loop': %q cannot be used here, it needs %s\n%s"):format(name,
    name == "nginx" and "nginx with its Lua" or "the Lua module " .. name, tostring(loop)), 0)
end

--- The loop that the option names; nginx's inside nginx where it names none.
function loops.get(value)
  if type(value) == "table" then return value end
  local name = value or is_nginx() and "nginx" or "blocking"
  return name == "blocking" and blocking or load_loop(name)
end

return loops
