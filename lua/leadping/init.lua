-- leadping: clears a Leadping conversation's sender-number override.
-- What `require "leadping"` returns: the public face, and nothing else.
-- README.md says how to use it, and has the way of one call through the files.
-- MIT, see LICENSE.

local function load_core()
  local ok, loaded = pcall(require, "leadping.core")
  if ok then return loaded end
  local this = rawget(_G, "jit") and "LUA=luajit" or "LUA_VERSION=" .. _VERSION:match("%d+%.%d+")
  error(("leadping: its C module is missing, or was built for another Lua: for this one it is "
    .. "make %s, or make install %s\n%s"):format(this, this, loaded), 0)
end

local core = load_core() -- before all that needs it
local Client = require "leadping.client"
local codec = require "leadping.codec"
local errors = require "leadping.errors"

local leadping = {
  --- Name and version.
  _VERSION = "leadping " .. core.version,

  --- Fields and enum texts, in the API's order. The program's own copy.
  schema = core.schema(),
}

local function check_dot(first, name)
  if first == leadping then
    error(("leadping.%s: call it with a dot, not a colon"):format(name), 3)
  end
end

--- Makes a client.
---@param options leadping.ClientOptions?
---@return leadping.Client? client
---@return leadping.Error? err no_api_key
function leadping.new(options)
  check_dot(options, "new")
  return Client.new(options)
end

local default_client

--- Clears an override with a client made from the environment at the first
-- use. See leadping.client.
---@param id string the conversation's id, as the API gives it, not escaped
---@param options leadping.CallOptions?
---@return leadping.Selection? selection the number that is chosen now
---@return leadping.Error? err
---@return leadping.Response? response the last answer, where one came whole
function leadping.clear_override(id, options)
  check_dot(id, "clear_override")
  if not default_client then
    local err
    default_client, err = Client.new()
    if not default_client then return nil, err end
  end
  return default_client:clear_override(id, options)
end

--- Decodes the JSON text of a selection.
---@param json_text string
---@return leadping.Selection? selection
---@return leadping.Error? err of kind decode
function leadping.decode(json_text)
  if type(json_text) ~= "string" then
    error(("bad argument #1 to 'decode' (string expected, got %s)")
      :format(type(json_text)), 2)
  end
  local selection, message = codec.decode(json_text)
  if selection then return selection end
  return nil, errors.new {
    kind = "decode", message = "not an OutgoingNumberSelection: " .. message,
  }
end

--- Encodes a selection: every documented field, null where it is nil, and the
-- unknown fields behind them. The inverse of decode. Raises where a field has a
-- type that the API's does not.
---@param selection table
---@return string json_text
leadping.encode = codec.encode

--- Whether an enum of the API has that text, as far as this version knows.
---@param enum "healthStatus"|"selectionReason"
---@param text any false for everything that is not one of the texts, also nil
---@return boolean
leadping.is_known = codec.is_known

return leadping
