-- spec/nginx_server.lua: an nginx that serves, whose Lua uses the client.
-- One at a time, unless it is told where to listen. Asserts nothing but its own
-- needs; what its locations do, each spec says.
-- MIT, see LICENSE.

local core = require "leadping.core"
local nginx = require "spec.nginx"
local support = require "spec.support"

local nginx_server = {}

local ADDRESS = assert(os.getenv "EMULATOR_FREE", "run the specs by make test")
local PROGRAM = os.getenv "EMULATOR_NGINX" or "nginx"

local CONFIGURATION = [[
$modules
daemon off;
worker_processes 1;
pid nginx.pid;
error_log error.log notice;
$main
events { worker_connections 2048; }
http {
  access_log off;
  client_body_temp_path temp/body;
  proxy_temp_path temp/proxy;
  fastcgi_temp_path temp/fastcgi;
  uwsgi_temp_path temp/uwsgi;
  scgi_temp_path temp/scgi;
  keepalive_requests 1000000;
  lua_package_path "$checkout/lua/?.lua;$checkout/lua/?/init.lua;;";
  lua_package_cpath "$cpath/?.so;;";
  init_by_lua_block {
    leadping = require "leadping"
    function new_client(options)
      local given = { api_key = "$key", base_url = "$base_url", max_retries = 0 }
      for name, value in pairs(options or {}) do given[name] = value end
      return assert(leadping.new(given))
    end
    function say(selection, err)
      ngx.say(selection and "cleared" or tostring(err))
    end
    client = new_client()
    $init
  }
  $http
  server {
    listen $address backlog=1024;
    location = /trivial { return 200 "trivial"; }
    location = /worker { content_by_lua_block { ngx.print(ngx.worker.pid()) } }
    $server
  }
}
]]

local Server = {}
Server.__index = Server

local function write_configuration(directory, given)
  local values = {
    modules = nginx.load_modules(), address = ADDRESS,
    key = support.key, base_url = support.http,
    main = "", init = "", http = "", server = "",
  }
  values.checkout, values.cpath = nginx.build()
  for name in pairs(values) do
    values[name] = (given[name] or values[name]):gsub("%$directory", directory)
  end
  support.write(directory .. "/nginx.conf", (CONFIGURATION:gsub("%$(%w[%w_]*)", values)))
end

local function command(directory, before)
  return ("env -i PATH=\"$PATH:/usr/local/sbin:/usr/sbin:/sbin\" %s %s -p %s -c %s/nginx.conf")
    :format(before or "", PROGRAM, directory, directory)
end

--- Starts nginx.
---@param given table? directives: main, http, server; init: Lua of init_by_lua;
-- address: where to listen; before: what starts the program, such as a variable
-- or valgrind; patience: seconds that it may take to start and to end, 5 where
-- not given. $directory stands for the server's own
---@return table server
function nginx_server.start(given)
  given = given or {}
  local directory = support.new_directory()
  support.shell(("mkdir -m 755 %s/temp"):format(directory))
  write_configuration(directory, given)
  local self = setmetatable({
    directory = directory, url = "http://" .. (given.address or ADDRESS), patience = given.patience,
    process = support.start(command(directory, given.before)),
  }, Server)
  support.eventually(function() return self:pid() or self:has_ended() end, self.patience)
  if self:pid() then return self end
  local output = self.process:finish()
  support.remove_directory(directory)
  error("nginx does not start: " .. output, 2)
end

--- The master's pid, once it is up.
function Server:pid()
  return (support.read(self.directory .. "/nginx.pid") or ""):match("%d+")
end

function Server:has_ended()
  return support.read(self.process.status) ~= nil
end

--- The worker's pid.
function Server:worker()
  return (self:get("/worker"))
end

function Server:count_workers()
  return select(2, support.shell("pgrep -P " .. self:pid()):gsub("\n", ""))
end

--- Sends a signal to the master.
function Server:signal(name)
  self.process:kill(name)
end

--- Sends one, and returns the seconds until it has ended.
function Server:ends_at(name)
  return (support.timed(function()
    self:signal(name)
    support.eventually(function() return self:has_ended() end, self.patience)
  end))
end

--- Stops it at once, and takes away what it wrote.
function Server:stop()
  if not self:has_ended() then self:ends_at("TERM") end
  self.process:finish()
  support.remove_directory(self.directory)
end

--- What its error log holds, of that level and worse ones too.
function Server:log()
  return support.read(self.directory .. "/error.log")
end

-- requests -------------------------------------------------------------------

--- Requests under way, each on a connection of its own.
local Requests = {}
Requests.__index = Requests

--- One more.
function Requests:add(path)
  self.ids[#self.ids + 1] = assert(self.session:submit {
    method = "GET", url = self.url .. path, headers = {},
    timeout = 60, connect_timeout = 5, max_body = 100000,
  })
end

--- Sends requests for these paths at once.
function Server:send(paths)
  local requests = setmetatable({
    session = core.session { proxy = "" }, url = self.url, ids = {}, results = {},
  }, Requests)
  for _, path in ipairs(paths) do requests:add(path) end
  return requests
end

--- The next result that comes within so many seconds.
function Requests:next(seconds)
  local deadline = core.clock() + seconds
  while self.session:step(math.max(deadline - core.clock(), 0)) == 0 do
    if core.clock() >= deadline then return nil end
  end
  local id, result = self.session:next()
  self.results[id] = result
  return result
end

--- Lets them go on until the emulator has been asked so often since the mark.
function Requests:reach(mark, count)
  support.eventually(function()
    self:next(0.01)
    return #(support.requests(mark)) >= count
  end)
end

--- Leaves without the answer to the request at that place in the list.
function Requests:leave(place)
  self.session:cancel(self.ids[place])
  self.results[self.ids[place]] = false
end

--- Leaves without further answers.
function Requests:drop()
  self.session:close()
end

--- All results, in the order of the paths; false for those that were left.
function Requests:finish()
  local results = {}
  for place, id in ipairs(self.ids) do
    while self.results[id] == nil do self:next(60) end
    results[place] = self.results[id]
  end
  self.session:close()
  return results
end

--- The body of the answer for a path, and the status.
function Server:get(path)
  local result = self:send({ path }):finish()[1]
  return result.body or result.message, result.status
end

--- The bodies of the answers for these paths, asked for at once.
function Server:get_all(paths)
  local bodies = {}
  for i, result in ipairs(self:send(paths):finish()) do
    bodies[i] = result.body or result.message
  end
  return bodies
end

return nginx_server
