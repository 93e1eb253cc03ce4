-- leadping.events: tells the caller's hook, and the log, what happens.
-- Events hold no headers, no body and no key, so there is nothing to hide.
-- A hook's error never harms the call: the engine raises it at the end.
-- MIT, see LICENSE.

local text = require "leadping.text"

local events = {}

---@class leadping.Event
---@field name "request"|"response"|"retry"|"wait"|"done"
---@field conversation_id string
---@field attempt integer 1 for the first; 0 where nothing was tried
---@field status integer? response, done: of the answer
---@field kind leadping.Kind? response, done: of the error
---@field reason string? retry, wait: why
---@field delay number? retry, wait: seconds until the next attempt
---@field elapsed number? response: seconds of the attempt; done: of the call

local LOG_FIELDS = { "attempt", "status", "kind", "reason", "delay", "elapsed" }

--- Quoted where it could be taken for more than one value.
local function log_value(value)
  if type(value) == "number" then return text.number(value) end
  local shown = text.escape(tostring(value))
  if not shown:find('[ ="]') then return shown end
  return '"' .. shown:gsub('"', '\\"') .. '"'
end

--- One line of an event, for LEADPING_LOG=debug.
function events.line(event)
  local parts = { "leadping: " .. event.name, "id=" .. log_value(event.conversation_id) }
  for _, name in ipairs(LOG_FIELDS) do
    if event[name] ~= nil then
      parts[#parts + 1] = ("%s=%s"):format(name, log_value(event[name]))
    end
  end
  return table.concat(parts, " ")
end

local function log(event)
  io.stderr:write(events.line(event), "\n")
end

--- A function that takes events, as the settings ask for it; nil where nobody
-- listens. It may raise what the hook raises.
function events.listener(settings)
  local hook = settings.on_event
  if settings.log ~= "debug" then return hook end
  if not hook then return log end
  return function(event)
    log(event)
    hook(event)
  end
end

return events
