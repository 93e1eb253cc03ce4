-- leadping.loop.nginx: waits in nginx's Lua, which serves others meanwhile.
-- nginx cannot wait for a descriptor. So one light thread in a timer, which no
-- request's end can stop, reads a byte from a unix socket for each batch of
-- results; the callers wait by semaphore.
-- MIT, see LICENSE.

local semaphore = require "ngx.semaphore"

local loop = {}

local PHASES = { rewrite = true, access = true, content = true, timer = true,
  ssl_cert = true, ssl_session_fetch = true, preread = true }

local POLL = 0.001 -- seconds, where no directory takes a socket
local READ_TIMEOUT = 1000 -- milliseconds, to see that nothing is in flight

function loop.waiter()
  local phase = ngx.get_phase()
  if PHASES[phase] then return semaphore.new(0) end
  return nil, ("a call has to wait, which nginx cannot do in its %s phase: make it in a "
    .. "request's rewrite, access or content phase, or in a timer (ngx.timer.at)"):format(phase)
end

function loop.suspend(waiter, seconds)
  waiter:wait(seconds or 3600)
end

function loop.resume(waiter)
  waiter:post(1)
end

-- where results come from ----------------------------------------------------

local function directories()
  return { os.getenv("TMPDIR") or "/tmp", "/tmp", "/var/tmp", "/dev/shm", ngx.config.prefix() }
end

--- A socket that gets a byte for each batch; nil where there can be none.
local function connect(session)
  for _, directory in ipairs(directories()) do
    local path = session:listen(directory)
    local socket = path and ngx.socket.tcp()
    if socket then socket:settimeout(READ_TIMEOUT) end
    if socket and socket:connect("unix:" .. path) then return socket end
  end
end

--- Waits until results may be there; false where the socket is good no more.
local function wait_for_byte(socket)
  local byte, message = socket:receive(1)
  return byte ~= nil or message == "timeout"
end

local Watcher = {}
Watcher.__index = Watcher

local function run_by_socket(self)
  local socket = connect(self.session)
  while socket and self.wanted and wait_for_byte(socket) do self.ready() end
  if socket then socket:close() end
end

local function run_by_polling(self)
  assert(self.session:start())
  while self.wanted do
    ngx.sleep(POLL)
    if self.wanted then self.ready() end
  end
end

--- Also when the worker exits (`premature`), as calls are still in flight.
local function run(_, self)
  local ok, message = pcall(function()
    if self.wanted then run_by_socket(self) end
    if self.wanted then run_by_polling(self) end
  end)
  self.running = false
  if not ok then ngx.log(ngx.ERR, "leadping: ", message) end
  if self.wanted and ok then self:start() end
end

function Watcher:start()
  self.wanted = true
  if self.running then return true end
  local started, message = ngx.timer.at(0, run, self)
  self.running = started
  return started, message
end

function Watcher:stop()
  self.wanted = false
end

function loop.watch(session, ready)
  return setmetatable({
    session = session, ready = ready, wanted = false, running = false,
  }, Watcher)
end

return loop
