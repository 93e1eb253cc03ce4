-- wire_server: a server that misbehaves on each connection as it is told to.
-- Usage: lua5.4 wire_server.lua DIRECTORY. It is driven through DIRECTORY's
-- socket "control" (see commands) and ends when the driver lets go of that.
-- Knows no case: a plan says what each connection does, step by step; behind
-- its steps a connection behaves well. HTTP/2 frames are read and written by
-- hand: what has to be broken no library would write.
-- MIT, see LICENSE.

local bytes = require "wire_bytes"
local condition = require "cqueues.condition"
local context = require "openssl.ssl.context"
local cqueues = require "cqueues"
local pkey = require "openssl.pkey"
local socket = require "cqueues.socket"
local wire_socket = require "wire_socket"
local x509 = require "openssl.x509"

local directory = assert(arg[1], "usage: wire_server.lua DIRECTORY")
local READ = -65536 -- what there is, at most that much
local PATIENCE = 20 -- seconds that a connection which stalls is kept

local queue = cqueues.new()
local plan = { connections = {}, accept = true }
local accepted = 0 -- connections since the plan was set
local seen = {} -- id -> how many requests
local flight -- bytes of the server's first flight of the last handshake
local gate, passed = condition.new(), condition.new()
local open_gates = 0

-- sockets --------------------------------------------------------------------

local function return_why(_, _, why) return why end

local function prepare(con)
  con:setmode("bn", "bn")
  con:onerror(return_why)
  return con
end

--- What a coroutine does with a socket that another has closed, or that it
-- goes on to write to when the client has left, ends it.
local function is_expected(message)
  return message:find("socket closed", 1, true) or message:find("unchecked error", 1, true)
end

local function spawn(run, ...)
  local arguments = table.pack(...)
  queue:wrap(function()
    local ok, message = pcall(run, table.unpack(arguments, 1, arguments.n))
    if not ok and not is_expected(tostring(message)) then
      io.stderr:write("wire_server: ", tostring(message), "\n")
    end
  end)
end

local function write(con, text, piece, pause)
  if not piece then return con:write(text) end
  for at = 1, #text, piece do
    if not con:write(text:sub(at, at + piece - 1)) then return end
    if pause then cqueues.sleep(pause) end
  end
end

local function finish(raw, how)
  if how == "reset" then wire_socket.reset_at_close(raw:pollfd()) end
  raw:close()
end

-- TLS ------------------------------------------------------------------------
-- OpenSSL talks to one end of a pair, and a pump moves records from the other
-- to the network: there they are counted, cut and sliced.

local function read_file(name)
  local file = assert(io.open(directory .. "/" .. name))
  local content = file:read("a")
  file:close()
  return content
end

local function new_context(protocol)
  local made = context.new("TLS", true)
  made:setPrivateKey(pkey.new(read_file "server.key"))
  made:setCertificate(x509.new(read_file "local.pem"))
  made:setAlpnSelect(function() return protocol end)
  return made
end

local contexts = { tls = new_context "http/1.1", h2 = new_context "h2" }

local function pump_in(con)
  while true do
    local data = con.raw:read(READ)
    if not data then break end
    con.received = con.received + 1
    if con.received == 2 then flight = con.sent end
    con.inner:write(data)
  end
  con.inner:shutdown("w")
end

local function pump_out(con, rule)
  local left = rule.cut or math.huge
  while left > 0 do
    local data = con.inner:read(READ)
    if not data then return finish(con.raw, con.ending) end
    data = #data > left and data:sub(1, left) or data
    left = left - #data
    con.sent = con.sent + #data
    write(con.raw, data, rule.piece, rule.pause)
  end
  if rule.after ~= "stall" then finish(con.raw, rule.after) end
end

local function start_tls(con, rule)
  con.inner, con.io = socket.pair()
  prepare(con.inner)
  prepare(con.io)
  con.sent, con.received = 0, 0
  spawn(pump_in, con)
  spawn(pump_out, con, rule)
  return con.io:starttls(contexts[con.protocol], PATIENCE)
end

-- requests -------------------------------------------------------------------

local function fill(con)
  local data = con.io:read(READ)
  if not data then return false end
  con.buffer = con.buffer .. data
  return true
end

local function take(con, length)
  while #con.buffer < length do
    if not fill(con) then return nil end
  end
  local text = con.buffer:sub(1, length)
  con.buffer = con.buffer:sub(length + 1)
  return text
end

--- Ids end in so many tildes that no client gains by Huffman's code for them:
-- the path can then be read out of a header block as it stands.
local function note(con, text)
  local id = text:match("/conversation/([%w_]+)~+/override")
  if not id then return nil end
  seen[id] = (seen[id] or 0) + 1
  con.id = id
  return id
end

local function read_h1(con)
  while true do
    local _, last = con.buffer:find("\r\n\r\n", 1, true)
    if last then return note(con, take(con, last)) end
    if not fill(con) then return nil end
  end
end

local function reply(con, kind, flags, payload)
  if con.mute then return end
  if kind == bytes.SETTINGS and flags & bytes.ACK == 0 then
    con.io:write(bytes.ack())
  elseif kind == bytes.PING and flags & bytes.ACK == 0 then
    con.io:write(bytes.frame(bytes.PING, bytes.ACK, 0, payload))
  end
end

local function read_h2(con)
  if not con.begun then
    if take(con, #bytes.PREFACE) ~= bytes.PREFACE then return nil end
    con.begun = true
  end
  while true do
    local head = take(con, 9)
    if not head then return nil end
    local length, kind, flags, stream = string.unpack(">I3BBI4", head)
    local payload = take(con, length)
    if not payload then return nil end
    reply(con, kind, flags, payload)
    if kind == bytes.HEADERS then
      con.stream = stream
      return note(con, payload)
    end
  end
end

local function read_request(con)
  return (con.protocol == "h2" and read_h2 or read_h1)(con)
end

local function greet(con)
  if con.protocol ~= "h2" or con.greeted then return end
  con.greeted = true
  con.io:write(bytes.settings())
end

local function answer_well(con)
  con.io:write(con.protocol == "h2" and bytes.good_h2(con.stream, con.id)
    or bytes.good(con.id))
end

-- steps ----------------------------------------------------------------------
-- Each gets the connection and the step's arguments. One that returns false
-- was the connection's last.

local steps = {}

function steps.greet(con) greet(con) end

function steps.mute(con) con.mute = true end

function steps.request(con) return read_request(con) ~= nil end

function steps.good(con) answer_well(con) end

function steps.send(con, text, piece, pause) write(con.io, text, piece, pause) end

function steps.pause(_, seconds) cqueues.sleep(seconds) end

--- Reads one TLS record: the client's hello.
function steps.hello(con)
  local head = take(con, 5)
  return head and take(con, string.unpack(">I2", head, 4)) ~= nil
end

function steps.drain(con) return fill(con) end

function steps.close(con)
  con.ending = "close"
  if con.inner then con.io:close() else finish(con.raw, "close") end
  return false
end

function steps.reset(con)
  con.ending = "reset"
  if con.inner then con.io:close() else finish(con.raw, "reset") end
  return false
end

--- Says goodbye by TLS's own close_notify first.
function steps.goodbye(con)
  if con.inner then con.io:shutdown("w") end
  cqueues.sleep(0.005)
  return steps.close(con)
end

--- Holds the connection until the client leaves.
function steps.stall(con)
  local deadline = cqueues.monotime() + PATIENCE
  while cqueues.monotime() < deadline and con.io:read(READ) do con.buffer = "" end
  return steps.close(con)
end

--- Waits for the driver's word. The driver waits until `passed`.
function steps.gate()
  while open_gates == 0 do gate:wait() end
  open_gates = open_gates - 1
end

function steps.passed() passed:signal() end

local function run(con, list)
  for _, step in ipairs(list or {}) do
    if steps[step[1]](con, table.unpack(step, 2)) == false then return false end
  end
  return true
end

local function behave(con)
  greet(con)
  while read_request(con) do answer_well(con) end
  steps.close(con)
end

local function serve(raw, protocol, script)
  local con = {
    raw = prepare(raw), io = raw, protocol = protocol, buffer = "", ending = "close",
  }
  if not run(con, script.before) then return end
  if protocol ~= "http" and not start_tls(con, script.pump or {}) then
    return con.io:close()
  end
  if run(con, script.steps) then behave(con) end
end

-- listening ------------------------------------------------------------------

local listener, port
local fillers = {} -- connections that fill the queue

local function listen()
  if listener then return end
  listener = assert(socket.listen {
    host = "127.0.0.1", port = port or 0, nodelay = true, reuseaddr = true,
  })
  assert(listener:listen())
  listener:onerror(return_why)
  port = select(3, listener:localname())
end

--- The listener may be closed while it is waited on.
local function accept_one()
  if not plan.accept or not listener then return nil end
  local ok, raw = pcall(listener.accept, listener, { nodelay = true }, 0.005)
  return ok and raw or nil
end

local function accept_all()
  while true do
    local raw = accept_one()
    if raw then
      accepted = accepted + 1
      spawn(serve, raw, plan.protocol, plan.connections[accepted] or {})
    elseif not plan.accept or not listener then
      cqueues.sleep(0.002)
    end
  end
end

--- Leaves no room for another connection: the kernel then drops its SYN.
local function fill_queue()
  wire_socket.backlog(listener:pollfd(), 0)
  for i = 1, 4 do
    fillers[i] = socket.connect { host = "127.0.0.1", port = port }
    prepare(fillers[i]):connect(0.02)
  end
end

local function empty_queue()
  for _, filler in ipairs(fillers) do filler:close() end
  if #fillers > 0 then wire_socket.backlog(listener:pollfd(), 128) end
  fillers = {}
end

-- the driver's commands ------------------------------------------------------

local commands = {}

local function drop_queued()
  while true do
    local raw = listener:accept({}, 0.002)
    if not raw then return end
    raw:close()
  end
end

--- Takes a new plan, whose connections count from 1 again.
function commands.plan(text)
  local held = not plan.accept
  plan = assert(load("return " .. text, "plan", "t", {}))()
  accepted, open_gates = 0, 0
  if plan.closed then
    if listener then listener:close() end
    listener = nil
  else
    listen()
  end
  empty_queue()
  if held and plan.accept then drop_queued() end
  if plan.full then fill_queue() end
  if not plan.accept then cqueues.sleep(0.01) end -- for an accept on its way
  return tostring(port)
end

--- How many requests came for an id.
function commands.seen(id)
  return tostring(seen[id] or 0)
end

function commands.flight()
  return tostring(flight or 0)
end

--- Lets a connection on that waits at its gate.
function commands.go()
  open_gates = open_gates + 1
  gate:signal()
  local done = passed:wait(2)
  cqueues.sleep(0.004) -- for what is still in the pump
  return done and "passed" or "stuck"
end

local function obey(control)
  while true do
    local line = control:read("*l")
    if not line then os.exit(0) end
    local name, length = line:match("^(%a+) (%d+)$")
    local text = tonumber(length) > 0 and control:read(tonumber(length)) or ""
    control:write(commands[name](text), "\n")
    control:flush()
  end
end

listen()
local control = assert(socket.listen { path = directory .. "/control", unlink = true })
queue:wrap(function()
  local driver = control:accept()
  driver:setmode("bf", "bf")
  obey(driver)
end)
queue:wrap(accept_all)
assert(queue:loop())
