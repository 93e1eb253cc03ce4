-- spec/service.lua: runs examples/openresty on the emulator, for the specs.
-- One at a time: there is one free port. Asserts nothing but its own needs.
-- MIT, see LICENSE.

local cjson = require "cjson"
local core = require "leadping.core"
local nginx = require "spec.nginx"
local support = require "spec.support"

local service = {}

service.key = "key_of_the_service_in_the_specs"
service.root = "http://" .. assert(os.getenv "EMULATOR_FREE", "run the specs by make test")

local Service = {}
Service.__index = Service

--- What the service needs of an environment.
function service.environment(variables)
  local checkout, build = nginx.build()
  return support.with({
    LUA_PATH = ("%s/lua/?.lua;%s/lua/?/init.lua;;"):format(checkout, checkout),
    LUA_CPATH = build .. "/?.so;;",
    LUA_PATH_5_1 = false, LUA_CPATH_5_1 = false,
    LEADPING_API_KEY = support.key,
    SERVICE_KEY = service.key,
    SERVICE_LISTEN = os.getenv "EMULATOR_FREE",
  }, variables)
end

--- Starts the service; what it printed where it does not start.
---@param variables table? name -> value of its environment, or false
---@return table? service
---@return string? output
function service.start(variables)
  local directory = support.new_directory()
  local pid = support.shell(("examples/openresty/start %s >%s/output 2>&1 & echo $!")
    :format(directory, directory), service.environment(variables)):match("%d+")
  local self = setmetatable({ directory = directory, pid = pid }, Service)
  local up = support.eventually(function()
    return (support.read(directory .. "/nginx.pid") or "") ~= "" and "up"
      or not support.is_running(self.pid) and "down"
  end)
  if up == "up" then return self end
  local output = support.read(directory .. "/output")
  self:remove()
  return nil, output
end

function Service:remove()
  support.remove_directory(self.directory)
end

--- Stops it at once, and takes away what it wrote.
function Service:stop()
  support.shell("kill " .. self.pid)
  support.eventually(function() return not support.is_running(self.pid) end)
  self:remove()
end

--- What is in its access log, as tables, and as text.
function Service:log()
  local text = support.read(self.directory .. "/access.log")
  local entries = {}
  for line in text:gmatch("[^\n]+") do entries[#entries + 1] = cjson.decode(line) end
  return entries, text
end

function Service:error_log()
  return support.read(self.directory .. "/error.log")
end

-- requests -------------------------------------------------------------------

--- A request for core.session, of method, path, key (false for none) and
-- further headers.
local function request(given)
  local headers = given.headers or {}
  if given.key ~= false then
    headers.Authorization = "Bearer " .. (given.key or service.key)
  end
  return {
    method = given.method or "POST", url = service.root .. given.path, headers = headers,
    timeout = 30, connect_timeout = 5, max_body = 100000,
  }
end

local Pending = {}
Pending.__index = Pending

--- Sends a request on a connection of its own, without waiting for the answer.
---@param given table see `request`
function service.begin(given)
  local session = core.session { proxy = "" }
  session:submit(request(given))
  session:step(0.01)
  return setmetatable({ session = session }, Pending)
end

--- Leaves, as a client does that has lost patience.
function Pending:leave()
  self.session:close()
end

--- Waits for the answer: status, headers, body, and the body decoded as `json`.
function Pending:answer()
  while self.session:step(1) == 0 do end
  local _, result = self.session:next()
  self.session:close()
  result.headers = core.head(result.head or "")
  local content_type = result.headers["content-type"] or ""
  if content_type:find("json") then result.json = cjson.decode(result.body) end
  return result
end

function service.send(given)
  return service.begin(given):answer()
end

--- The request to clear that id.
function service.clearing(id)
  local segment = id:gsub("[^%w_.~-]", function(byte) return ("%%%02X"):format(byte:byte()) end)
  return { path = ("/conversations/%s/clear"):format(segment) }
end

--- Its answer.
function service.clear(id)
  return service.send(service.clearing(id))
end

--- Answers to so many such requests, with ids of their own, sent at once.
function service.clear_at_once(count)
  local pending, answers = {}, {}
  for i = 1, count do pending[i] = service.begin(service.clearing(support.id())) end
  for i = 1, count do answers[i] = pending[i]:answer() end
  return answers
end

return service
