-- spec/nginx.lua: runs Lua programs inside an nginx of their own, with LuaJIT.
-- Each runs in a timer, where cosockets and light threads work; nginx ends with
-- it. Listens nowhere: what is called is the emulator.
-- MIT, see LICENSE.

local support = require "spec.support"

local nginx = {}

local BUILD = "build/nginx"

local CONFIG = [[
  @MODULES@
  daemon off;
  master_process off;
  pid nginx.pid;
  error_log stderr crit;
  events { worker_connections 64; }
  http {
    lua_package_path "@LUA@;;";
    lua_package_cpath "@BUILD@/?.so;;";
    lua_ssl_trusted_certificate @CA@;
    lua_socket_log_errors off;
    init_worker_by_lua_block {
      ngx.timer.at(0, function()
        local file = io.open("out", "w")
        file:setvbuf("no")
        function print(...) file:write(table.concat({ ... }, " "), "\n") end
        local ok, raised = xpcall(assert(loadfile "program.lua"), debug.traceback)
        if not ok then print(raised) end
        os.exit(0)
      end)
    }
  }
]]

local function environment(name)
  return assert(os.getenv(name), name .. " is not set: run the specs by make test")
end

local root = support.checkout

--- What programs may have between at signs.
nginx.values = {
  KEY = support.key, HTTP = support.http, TLS = support.tls,
  CLOSED = environment "EMULATOR_CLOSED", HOST = environment "EMULATOR_WRONG_HOST",
  EXPIRED = environment "EMULATOR_EXPIRED",
}

function nginx.fill(template)
  return (template:gsub("@(%u+)@", nginx.values))
end

local function from_root(paths)
  return (paths:gsub("[^;]+", root .. "/%0"))
end

--- The directives that load nginx's Lua; the emulator has found out where it is.
function nginx.load_modules()
  local config = support.read(support.directory .. "/nginx.conf")
  return config:match("[^\n]*load_module[^\n]*") or ""
end

local function config(path)
  local values = {
    MODULES = nginx.load_modules(), CA = support.ca, BUILD = root .. "/" .. BUILD,
    LUA = from_root("lua/?.lua;lua/?/init.lua;" .. path),
  }
  return (CONFIG:gsub("@(%u+)@", values))
end

local is_built

--- Builds the module for nginx's LuaJIT, whichever Lua the specs run on.
---@return string directory of the checkout
---@return string build where the module is
function nginx.build()
  if not is_built then
    local output, status = support.shell("make -s all LUA=luajit BUILD=" .. BUILD)
    assert(status == 0, output)
    is_built = true
  end
  return root, root .. "/" .. BUILD
end

--- Runs a Lua program; what it printed, or what it raised.
---@param path string? where it finds modules of the specs and examples
function nginx.run(program, path)
  nginx.build()
  local directory = support.new_directory()
  support.write(directory .. "/nginx.conf", config(path or ""))
  support.write(directory .. "/program.lua", nginx.fill(program))
  local output = support.shell(
    ("cd %s && PATH=$PATH:/usr/sbin timeout 20 nginx -p . -c nginx.conf"):format(directory))
  local printed = support.read(directory .. "/out") or output
  support.remove_directory(directory)
  assert(not printed:find(support.key, 1, true), "the program printed the key")
  return printed
end

return nginx
