-- leadping.request: the one request of the operation, as a table.
-- { method, url, headers }: what any HTTP stack needs. The id's segment comes
-- checked and escaped from csrc/segment.c. Sends nothing.
-- MIT, see LICENSE.

local core = require "leadping.core"

local request = {}

request.METHOD = "DELETE"

local PATH_BEFORE, PATH_BEHIND = "/phone-numbers/outgoing/conversation/", "/override"

---@class leadping.Request
local Request = { __name = "leadping.request" }

--- Shows no header: the key is one.
function Request:__tostring()
  return ("%s %s"):format(self.method, self.url)
end

--- The URL for a conversation.
---@return string? url
---@return table? fields for errors.new, where the id cannot be in one
function request.url(settings, id)
  local segment, wrong = core.segment(id)
  if segment then
    return settings.base_url .. PATH_BEFORE .. segment .. PATH_BEHIND
  end
  return nil, {
    kind = "invalid_id", outcome = "not_sent", conversation_id = id,
    message = "the conversation's id cannot be sent: " .. wrong,
  }
end

local function unescape(digits)
  return string.char(tonumber(digits, 16))
end

--- The conversation that such a URL is for; nil where it is another URL.
---@return string? id
function request.conversation_id(url)
  if url:sub(-#PATH_BEHIND) ~= PATH_BEHIND then return nil end
  local before, segment = url:sub(1, -#PATH_BEHIND - 1):match("^(.*/)([^/]+)$")
  if not before or before:sub(-#PATH_BEFORE) ~= PATH_BEFORE then return nil end
  return (segment:gsub("%%(%x%x)", unescape))
end

--- The headers for a key; a new table at each call.
function request.headers(settings, key)
  local headers = {}
  for name, value in pairs(settings.headers) do headers[name] = value end
  headers["Accept"] = "application/json"
  headers["Authorization"] = "Bearer " .. key
  headers["User-Agent"] = settings.user_agent
  return headers
end

---@return leadping.Request
function request.new(settings, url, key)
  return setmetatable({
    method = request.METHOD,
    url = url,
    headers = request.headers(settings, key),
  }, Request)
end

return request
