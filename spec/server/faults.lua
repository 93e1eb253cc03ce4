-- faults: what ids of the form fault:NAME[*TIMES][:TAG] get for an answer.
-- It does not check keys or paths, and it keeps no conversation's state.
-- MIT, see LICENSE.
--
-- Where nginx cannot do over HTTP/2 what a name says: garbage, close and
-- reset are a RST_STREAM, half is one after half of the body, early-hints
-- and goodbye are ordinary answers. Over HTTP/1.1 early-hints also ends the
-- connection. Over TLS with HTTP/1.1 nginx does not see a client leave before
-- it writes: never and slow then last their whole time.

local answer = require "answer"
local gzip = require "gzip"
local text = require "text"

local faults = {}

local misbehaved = ngx.shared.misbehaved

local JSON = "application/json"
local PROBLEM = "application/problem+json"
local CLOSE = 444
local BOMB = 16 * 1024 * 1024
local REDIRECTED =
  "/phone-numbers/outgoing/conversation/redirected/override"

local PAGE = [[
<html>
<head><title>%d %s</title></head>
<body>
<center><h1>%d %s</h1></center>
<hr><center>proxy</center>
</body>
</html>
]]

-- Each function is named for its fault and gets what follows the name (a
-- status, a number, or nil) and a function that clears the conversation and
-- returns its body. Returning false means that the argument makes no sense.
local make = {}

local function send_problem(status, content_type)
  return answer.send(status, content_type,
    answer.problem_body(status, "The emulator was asked for this."))
end

local function with_status(send)
  return function(argument)
    local status = tonumber(argument)
    if not status or status < 200 or status > 999 then return false end
    return send(status)
  end
end

make.status = with_status(function(status)
  return send_problem(status, PROBLEM)
end)

make.json = with_status(function(status)
  return send_problem(status, JSON)
end)

make.text = with_status(function(status)
  return send_problem(status, "text/plain")
end)

make.html = with_status(function(status)
  local title = answer.title(status)
  return answer.send(status, "text/html",
    PAGE:format(status, title, status, title))
end)

make.empty = with_status(answer.empty)

make.redirect = with_status(function(status)
  ngx.header.Location = REDIRECTED
  return answer.empty(status)
end)

-- The value is percent-encoded within the id, for the sake of ":" and "*".
make["retry-after"] = function(argument)
  local status, value = (argument or ""):match "^(%d%d%d)%-(.*)$"
  if not status then return false end
  ngx.header["Retry-After"] = text.decode(value)
  return make.status(status)
end

local function close()
  return ngx.exit(CLOSE)
end

make.close = close

function make.reset()
  return ngx.exec "@reset"
end

function make.never()
  ngx.sleep(60)
  return close()
end

function make.slow(argument, normal)
  local seconds = tonumber(argument)
  if not seconds then return false end
  if seconds > 0 then ngx.sleep(seconds) end
  return answer.json(normal())
end

function make.drip(_, normal)
  local body = normal()
  answer.head(200, JSON, #body)
  ngx.send_headers()
  for i = 1, #body do
    if not ngx.flush(true) then return close() end
    ngx.sleep(1)
    ngx.print(body:sub(i, i))
  end
end

function make.half(_, normal)
  local body = normal()
  answer.head(200, JSON, #body)
  ngx.print(body:sub(1, math.floor(#body / 2)))
  ngx.flush(true)
  return close()
end

-- Over a raw socket nginx adds nothing, and closes once the handler is done.
local function send_raw(bytes)
  local socket = ngx.req.socket(true)
  if not socket then return false end
  socket:send(bytes)
  return true
end

local function is_http2()
  return ngx.var.server_protocol == "HTTP/2.0"
end

function make.garbage()
  if is_http2() or not send_raw "\0\1\2 This is not HTTP.\r\n\255\254\r\n" then
    return close()
  end
end

local function raw_answer(body)
  return "HTTP/1.1 200 OK\r\nContent-Type: " .. JSON ..
    "\r\nContent-Length: " .. #body .. "\r\n\r\n" .. body
end

local function raw_or_plain(before, body)
  if is_http2() then return answer.json(body) end
  send_raw(before .. raw_answer(body))
end

make["early-hints"] = function(_, normal)
  return raw_or_plain("HTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\n",
    normal())
end

function make.goodbye(_, normal)
  return raw_or_plain("", normal())
end

local function send_gzip(bytes)
  ngx.header["Content-Encoding"] = "gzip"
  return answer.json(bytes)
end

function make.gzip(_, normal)
  return send_gzip(gzip(normal()))
end

make["bad-gzip"] = function()
  return send_gzip "These bytes are not gzip."
end

-- The body with a last, unknown field that makes it this long, if it can be.
local function padded(body, length)
  local start, finish = body:sub(1, -2) .. ',"padding":"', '"}'
  return start .. ("x"):rep(length - #start - #finish) .. finish
end

local bomb

make["gzip-bomb"] = function(_, normal)
  bomb = bomb or gzip(padded(normal(), BOMB))
  return send_gzip(bomb)
end

function make.big(argument, normal)
  local length = tonumber(argument)
  if not length then return false end
  return answer.json(padded(normal(), length))
end

-- At most 500 lines, as nginx looks through all of them for each new one.
function make.headers(argument, normal)
  local bytes = tonumber(argument)
  if not bytes then return false end
  local line = math.max(100, math.ceil(bytes / 500))
  local overhead = #"X-Filler-000: \r\n"
  for i = 1, math.ceil(bytes / line) do
    local length = math.min(line, bytes - (i - 1) * line)
    ngx.header[("X-Filler-%03d"):format(i)] = ("x"):rep(length - overhead)
  end
  return answer.json(normal())
end

local function unknown()
  return answer.problem(400, "The emulator has no fault of this name.")
end

-- "retry-after-503-5" is "retry-after" and "503-5"; "gzip-bomb" has no digit.
local function find(name)
  local kind, argument = name:match "^(%a[%a-]-)%-(%d.*)$"
  return make[kind or name], argument
end

-- Returns false where the conversation behaves, having misbehaved enough.
function faults.run(id, clear)
  local name, times = id:match "^fault:([^*:]*)%*?(%d*)"
  times = tonumber(times)
  if times and misbehaved:incr(id, 1, 0) > times then return false end
  local fault, argument = find(name)
  local function normal() return clear(id) end
  if not fault or fault(argument, normal) == false then unknown() end
  return true
end

return faults
