-- sanitize_gc.lua: forces the garbage collector in any Lua that LUA_INIT=@ has
-- load it: SANITIZE_GC=generational, incremental, event or instruction. Tests
-- nothing itself; what a collection breaks, the sanitizers and the specs see.
-- MIT, see LICENSE.

local MODULES = "^@.*lua/leadping/"

local create = coroutine.create

--- Wraps a module when it is loaded.
local function when_loaded(name, change)
  local plain = require
  function require(wanted) -- luacheck: ignore 121
    local is_new = not package.loaded[wanted]
    local module = plain(wanted)
    if is_new and wanted == name then change(module) end
    return module
  end
end

--- A full collection in each event of each client.
local function collect_at_events()
  when_loaded("leadping.events", function(events)
    local listener = events.listener
    function events.listener(settings)
      local hook = listener(settings)
      return function(event)
        collectgarbage()
        if hook then hook(event) end
      end
    end
  end)
end

--- A full collection at every Nth instruction, where it is one of the client's.
local function collect_at_instructions(every)
  local function hook()
    if debug.getinfo(2, "S").source:find(MODULES) then collectgarbage() end
  end
  debug.sethook(hook, "", every)
  function coroutine.create(body) -- luacheck: ignore 122
    local thread = create(body)
    debug.sethook(thread, hook, "", every)
    return thread
  end
end

local modes = {
  generational = function() collectgarbage("generational", 1, 1) end,
  incremental = function() collectgarbage("incremental", 1, 100, 9) end,
  event = collect_at_events,
  instruction = function()
    collect_at_instructions(tonumber(os.getenv "SANITIZE_GC_EVERY"))
  end,
}

modes[assert(os.getenv "SANITIZE_GC", "SANITIZE_GC is not set")]()
