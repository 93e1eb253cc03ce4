-- leadping.loop.nginx: waits in nginx's Lua, which serves others meanwhile.
-- nginx cannot wait for a descriptor. So one light thread in a timer, which no
-- request's end can stop, reads a byte from a unix socket for each batch of
-- results; the callers wait by semaphore.
-- MIT, see LICENSE.

local core = require "leadping.core"
local semaphore = require "ngx.semaphore"

local loop = {}

-- Not those where only a patched nginx or OpenSSL can wait.
local PHASES = { server_rewrite = true, rewrite = true, access = true, content = true,
  timer = true, ssl_cert = true }

local IDLE = 3600 -- seconds, where a waiter has no moment of its own
local POLL = 0.001 -- seconds, where no directory takes a socket
local LATE = 0.1 -- seconds after which a timer that did not run is done without
local RECOVERY = 0.1 -- seconds behind an error that should not be
local READ_TIMEOUT = 2 * 86400 * 1000 -- milliseconds; nothing is in flight longer

-- waiting --------------------------------------------------------------------

--- Watchers whose light thread has not begun yet.
local starting = {}

local function why_not_here(phase)
  if not PHASES[phase] then
    return ("a call has to wait, which nginx cannot do in its %s phase: make it in a "
      .. "request's rewrite, access or content phase, or in a timer (ngx.timer.at)"):format(phase)
  end
  if not core.can_yield() then
    return "a call has to wait, which nginx cannot do inside a C function that calls Lua, "
      .. "such as require, string.gsub or table.sort: make it outside of it"
  end
end

function loop.waiter()
  local message = why_not_here(ngx.get_phase())
  if message then return nil, message end
  return semaphore.new(0)
end

--- Does a watcher's work where nginx has not run its timer: it drops those over
-- lua_max_running_timers or worker_connections, and tells nobody but its log.
local function stand_in(watcher)
  if ngx.now() - watcher.asked < LATE then return end
  watcher.session:start()
  watcher.ready()
  if watcher.wanted then watcher:ask() end
end

--- nginx's timers know whole milliseconds; a part of one would be none.
local function wait(waiter, seconds)
  local posted, message = waiter:wait(math.ceil(seconds * 1000) / 1000)
  if not posted and message ~= "timeout" then error(message, 0) end
  return posted
end

function loop.suspend(waiter, seconds)
  seconds = seconds or IDLE
  if not next(starting) then return wait(waiter, seconds) end
  if wait(waiter, math.min(seconds, LATE)) then return end
  for watcher in pairs(starting) do stand_in(watcher) end
end

function loop.resume(waiter)
  waiter:post(1)
end

-- where results come from ----------------------------------------------------

local function directories()
  return { os.getenv("TMPDIR") or "/tmp", "/tmp", "/var/tmp", "/dev/shm", ngx.config.prefix() }
end

local Watcher = {}
Watcher.__index = Watcher

local function connect_to(path)
  local socket = ngx.socket.tcp()
  socket:settimeout(READ_TIMEOUT)
  return socket:connect("unix:" .. path) and socket
end

--- The socket that was kept, the path of which is gone. nginx that exits keeps
-- none.
local function connect_again(self)
  local path = not ngx.worker.exiting() and self.kept
  local socket = path and connect_to(path)
  self.kept = nil
  if socket then self.session:hear() end
  return socket, path
end

--- A socket that gets a byte for each batch; nil where there can be none.
local function connect(self)
  local socket, path = connect_again(self)
  if socket then return socket, path end
  for _, directory in ipairs(directories()) do
    path = self.session:listen(directory)
    socket = path and connect_to(path)
    if socket then return socket, path end
  end
end

--- Waits until results may be there; false where the socket is good no more.
local function wait_for_byte(self, socket)
  self.reading = true
  local byte, message = socket:receive(1)
  self.reading = false
  if byte then pcall(self.session.hear, self.session) end -- it may have been closed
  return byte ~= nil or message == "timeout"
end

--- Puts the socket aside, where it keeps neither a timer nor a light thread. No
-- byte may come meanwhile, for which nginx would close it.
local function keep(self, socket, path)
  local open, unread = pcall(self.session.hush, self.session)
  if open and unread then open = socket:receive(1) end
  if open and socket:setkeepalive(0, 1) then self.kept = path
  else socket:close() end
end

local function run_by_socket(self)
  local socket, path = connect(self)
  if not socket then return end
  repeat
    if self.wanted then self.ready() end
  until not self.wanted or not wait_for_byte(self, socket)
  if self.wanted then socket:close() else keep(self, socket, path) end
end

local function run_by_polling(self)
  self.session:start()
  while self.wanted do
    ngx.sleep(POLL)
    if self.wanted then self.ready() end
  end
end

--- Runs also when the worker exits (`premature`), as calls are still in flight.
local function run(_, self, driver)
  if self.driver ~= driver then return end
  starting[self] = nil
  local drive = run_by_socket
  while self.wanted do
    local ok, message = pcall(drive, self)
    if not ok then
      ngx.log(ngx.ERR, "leadping: ", message)
      ngx.sleep(RECOVERY)
    end
    drive = run_by_polling
  end
  self.driver = nil
end

--- Asks nginx for a light thread; one that it ran late finds another in its place.
function Watcher:ask()
  self.driver, self.asked = {}, ngx.now()
  starting[self] = true
  return ngx.timer.at(0, run, self, self.driver)
end

function Watcher:start()
  self.wanted = true
  if self.driver then return true end
  local asked, message = self:ask()
  if asked then return true end
  self:stop()
  return nil, "nginx gives no timer, in which to wait for the answer: " .. message
end

--- Ends the light thread, and does not wait for one that never came.
function Watcher:stop()
  self.wanted = false
  if starting[self] then starting[self], self.driver = nil, nil end
  if self.reading then self.session:ring() end
end

function loop.watch(session, ready)
  return setmetatable({
    session = session, ready = ready,
    wanted = false, -- by calls in flight
    driver = nil, -- stands for the light thread
    asked = 0, -- when nginx was asked for it
    reading = false, -- it waits for a byte
    kept = nil, -- the path of a socket that was put aside
  }, Watcher)
end

return loop
