-- leadping.iterator: what clear_overrides returns: a generic for's iterator.
-- Its closing value puts away what is in flight where the loop is left early:
-- Lua 5.4 closes it at once, other versions when it is collected.
-- MIT, see LICENSE.

local hidden = require "leadping.hidden"
local protect = require "leadping.protect"

local iterator = {}

---@class leadping.Iterator
local Handle = { __name = "leadping.iterator" }
Handle.__index = Handle

local function get_stream(handle, method)
  local stream = hidden.get(handle)
  if stream then return stream end
  error(("%s: bad argument 'self' (the fourth value of clear_overrides expected, got %s): "
    .. "call run:%s(), with a colon"):format(method, type(handle), method), 3)
end

--- Sends no further id and gives up retries that wait. What is in flight goes
-- on, and the loop yields it; then the loop ends.
function Handle:stop()
  get_stream(self, "stop"):stop()
end

--- Puts away what is in flight, and what is done but not yet yielded; the loop
-- ends. What was sent may have been carried out.
function Handle:cancel()
  get_stream(self, "cancel"):cancel()
end

Handle.__close = Handle.cancel
Handle.__gc = Handle.cancel -- on 5.1 and LuaJIT, tables have none

--- On 5.1 and LuaJIT only a userdata can be told of its collection.
local function watch_collection(handle, stream)
  if not newproxy then return end
  local proxy = newproxy(true)
  getmetatable(proxy).__gc = function() stream:cancel() end
  handle.proxy = proxy
end

--- An iterator over a stream's results. Nothing that the engine keeps refers to
-- the handle, so that it is collected when the loop is gone.
---@return fun(): string?, leadping.Selection?, leadping.Error?, leadping.Response?
---@return nil
---@return nil
---@return leadping.Iterator handle
function iterator.new(stream)
  local handle = setmetatable({}, Handle)
  hidden.set(handle, stream)
  watch_collection(handle, stream)
  local function next_result(...)
    if select("#", ...) > 0 and stream.engine.loop.waiter then protect.check_for_loop() end
    local call = hidden.get(handle):result()
    if not call then return nil end
    return call.id, call:results()
  end
  return next_result, nil, nil, handle
end

return iterator
