-- leadping.client: the client and its methods, as users see it.
-- Checks arguments and raises for wrong ones; everything else is delegated.
-- A client's state, its engine, is hidden in it, so that a REPL or a dump of it
-- does not show the key.
-- MIT, see LICENSE.

local answer = require "leadping.answer"
local Engine = require "leadping.engine"
local errors = require "leadping.errors"
local hidden = require "leadping.hidden"
local iterator = require "leadping.iterator"
local options = require "leadping.options"
local request = require "leadping.request"
local settings = require "leadping.settings"
local text = require "leadping.text"

---@class leadping.Client
local Client = { __name = "leadping.client" }
Client.__index = Client

--- Raises at the line that called the public function.
local function raise(method, message)
  error(("%s: %s"):format(method, message), 3)
end

local function type_error(name, expected, value)
  local hint = expected == "string" and type(value) == "number" and ": use tostring" or ""
  return ("bad argument '%s' (%s expected, got %s%s)"):format(name, expected, type(value), hint)
end

--- The client's engine, and what is wrong where it has none.
local function get_engine(client, method)
  local engine = hidden.get(client)
  if engine then return engine end
  if engine == false then return nil, "the client is closed" end
  return nil, ("bad argument 'self' (a client expected, got %s): call "
    .. "client:%s(…), with a colon"):format(type(client), method)
end

--- Makes a client.
---@param given leadping.ClientOptions?
---@return leadping.Client? client
---@return leadping.Error? err no_api_key
function Client.new(given)
  local values, err, wrong = settings.new(given == nil and {} or given)
  if wrong then raise("leadping.new", wrong) end
  if not values then return nil, err end
  local client = setmetatable({}, Client)
  hidden.set(client, Engine.new(values))
  return client
end

--- Clears a conversation's sender-number override: the conversation goes back
-- to automatic choice. DELETE /phone-numbers/outgoing/conversation/{id}/override
---@param id string the conversation's id, as the API gives it, not escaped
---@param given leadping.CallOptions?
---@return leadping.Selection? selection the number that is chosen now
---@return leadping.Error? err
---@return leadping.Response? response the last answer, where one came whole
function Client:clear_override(id, given)
  local engine, wrong = get_engine(self, "clear_override")
  if not engine then raise("clear_override", wrong) end
  if type(id) ~= "string" then
    raise("clear_override", type_error("conversation_id", "string", id))
  end
  local limits, bad_option = options.for_call(given, engine.settings)
  if not limits then raise("clear_override", bad_option) end
  return engine:call(id, limits):results()
end

--- What is wrong with a key of an array of so many ids; table.pack's n is fine.
local function wrong_key(key, value, count)
  if key == "n" and value == count then return nil end
  if type(key) ~= "number" then
    return ("bad argument 'ids' (an array expected, got a table with the key '%s')")
      :format(text.sample(tostring(key), 40))
  elseif key < 1 or key > count or key % 1 ~= 0 then
    return ("bad argument 'ids' (ids[%s] is not in the array, which ends at %d)")
      :format(tostring(key), count)
  end
end

--- What is wrong with an array of ids, which is checked whole: what is sent cannot
-- be taken back. What its length leaves out would never be sent.
local function wrong_array(ids)
  local count = #ids
  for i = 1, count do
    if type(ids[i]) ~= "string" then
      return type_error(("ids[%d]"):format(i), "string", ids[i])
    end
  end
  for key, value in next, ids do
    local wrong = wrong_key(key, value, count)
    if wrong then return wrong end
  end
end

local function next_of_array(ids)
  local at = 0
  return function()
    at = at + 1
    return ids[at]
  end
end

--- An iterator's ids are checked as they come: the list may be longer than memory.
local function next_of_iterator(next_id)
  local count = 0
  return function()
    local id = next_id()
    count = count + 1
    if id == nil or type(id) == "string" then return id end
    error("clear_overrides: " .. type_error(("ids, id %d"):format(count), "string", id), 0)
  end
end

local function is_callable(value)
  local metatable = type(value) == "table" and getmetatable(value)
  return type(value) == "function" or type(metatable) == "table" and metatable.__call ~= nil
end

---@return (fun(): string?)? next_id
---@return string? message what is wrong
local function next_of(ids)
  if is_callable(ids) then return next_of_iterator(ids) end
  if type(ids) ~= "table" then return nil, type_error("ids", "table or function", ids) end
  local wrong = wrong_array(ids)
  return not wrong and next_of_array(ids) or nil, wrong
end

--- Clears many overrides, for a generic for: yields id, selection, err and
-- response as they finish, exactly once for each id, duplicates included.
-- Sends at most `rate` requests a second (the API allows 300 in 60 s), and
-- nothing at all for as long as a 429 asks for. An error with `ends_run` says
-- that no further id is sent: the key was refused, the API asks for too long a
-- pause, or `max_failures` ids in a row met a server or connection error.
---@param ids string[]|fun(): string? asked for the next only when it can be sent
---@param given leadping.RunOptions?
---@return fun(): string?, leadping.Selection?, leadping.Error?, leadping.Response?
---@return nil
---@return nil
---@return leadping.Iterator handle ends the run where the loop is left early; has stop and cancel
function Client:clear_overrides(ids, given)
  local engine, wrong = get_engine(self, "clear_overrides")
  if not engine then raise("clear_overrides", wrong) end
  local next_id, bad_ids = next_of(ids)
  if not next_id then raise("clear_overrides", bad_ids) end
  local limits, bad_option = options.for_run(given, engine.settings)
  if not limits then raise("clear_overrides", bad_option) end
  return iterator.new(engine:stream(next_id, limits))
end

local KEYS_MAX = 100

--- Keeps what an answer given to response() may repeat, newest first.
local function remember_key(engine, key)
  local keys = engine.requested_keys
  if keys[1] == key then return end
  table.insert(keys, 1, key)
  keys[KEYS_MAX + 1] = nil
end

--- The request of clear_override, for another HTTP stack. Its headers hold the
-- key; tostring() of it does not.
---@param id string
---@return leadping.Request? request
---@return leadping.Error? err invalid_id, no_api_key
function Client:request(id)
  local engine, wrong = get_engine(self, "request")
  if not engine then raise("request", wrong) end
  if type(id) ~= "string" then
    raise("request", type_error("conversation_id", "string", id))
  end
  local url, fields = request.url(engine.settings, id)
  if not url then return nil, errors.new(fields) end
  local key, err = settings.current_key(engine.settings)
  if not key then
    err.conversation_id = id
    return nil, err
  end
  remember_key(engine, key)
  return request.new(engine.settings, url, key)
end

--- Reads an answer that another HTTP stack got for that request.
---@param status integer
---@param headers table<string, string|string[]>? name -> value or values, names
-- in any case
---@param body string?
---@return leadping.Selection? selection
---@return leadping.Error? err
---@return leadping.Response? response
function Client:response(status, headers, body)
  local engine, wrong = get_engine(self, "response")
  if not engine then raise("response", wrong) end
  if not answer.is_status(status) then
    raise("response", type_error("status", answer.STATUS, status))
  end
  local lower, bad_header = answer.headers(headers == nil and {} or headers)
  if not lower then raise("response", "bad argument 'headers' (" .. bad_header .. ")") end
  if body ~= nil and type(body) ~= "string" then
    raise("response", type_error("body", "string", body))
  end
  local response = answer.response {
    status = status, headers = lower, body = body or "",
  }
  local keys = engine.settings.api_key
  if type(keys) ~= "string" then keys = engine.requested_keys end
  local selection, fields = answer.read(response, keys, os.time())
  return selection, fields and errors.new(fields), response
end

--- Closes the client's connections. More than once does no harm; any other
-- method raises afterwards.
function Client:close()
  local engine, wrong = get_engine(self, "close")
  if engine then
    hidden.set(self, false) -- also where a given transport's close raises
    engine:close()
  elseif hidden.get(self) == nil then
    raise("close", wrong)
  end
end

Client.__close = Client.close

function Client:__tostring()
  local engine = hidden.get(self)
  return engine and ("leadping.client: %s"):format(engine.settings.base_url)
    or "leadping.client: closed"
end

return Client
