-- spec/resty/http.lua: stands in for lua-resty-http, which no system packages.
-- The functions of its documentation that examples/resty-transport.lua calls,
-- over nginx's own cosockets; written for the specs alone.
-- MIT, see LICENSE.

local http = {}
http.__index = http

-- nginx does not read /etc/hosts, and there is no resolver here.
local ADDRESSES = { localhost = "127.0.0.1" }

function http.new()
  return setmetatable({ socket = ngx.socket.tcp() }, http)
end

function http:set_timeouts(...)
  self.socket:settimeouts(...)
end

function http.parse_uri(_, url)
  local scheme, host, port, path = url:match("^(https?)://([^:/]+):?(%d*)(/.*)$")
  if not scheme then return nil, "bad uri: " .. url end
  return { scheme, host, tonumber(port) or (scheme == "https" and 443 or 80), path }
end

function http:connect(options)
  local pool = table.concat({ options.scheme, options.host, options.port,
    tostring(options.ssl_server_name) }, ":")
  local connected, message = self.socket:connect(
    ADDRESSES[options.host] or options.host, options.port, { pool = pool })
  if not connected then return nil, message end
  self.host = ("%s:%d"):format(options.host, options.port)
  if options.scheme ~= "https" or self.socket:getreusedtimes() > 0 then return true end
  local session, refused = self.socket:sslhandshake(nil, options.ssl_server_name,
    options.ssl_verify)
  if session then return true end
  self.socket:close()
  return nil, refused
end

local function head_of(params, host)
  local lines = {
    ("%s %s HTTP/1.1"):format(params.method, params.path), "Host: " .. host,
  }
  for name, value in pairs(params.headers) do
    lines[#lines + 1] = ("%s: %s"):format(name, value)
  end
  return table.concat(lines, "\r\n") .. "\r\n\r\n"
end

--- A name that comes again has a list of values, as lua-resty-http has it.
local function add_header(headers, name, value)
  local first = headers[name]
  if first == nil then headers[name] = value
  elseif type(first) == "table" then first[#first + 1] = value
  else headers[name] = { first, value } end
end

local function receive_headers(socket)
  local headers = {}
  while true do
    local line, message = socket:receive()
    if not line then return nil, message end
    if line == "" then return headers end
    add_header(headers, line:match("^([^:]+):%s*(.*)$"))
  end
end

local function receive_chunks(socket)
  local chunks = {}
  repeat
    local size, message = socket:receive()
    if not size then return nil, message end
    local length = tonumber(size, 16)
    local chunk, cut = socket:receive(length)
    if not chunk then return nil, cut end
    chunks[#chunks + 1] = chunk
    socket:receive(2)
  until length == 0
  return table.concat(chunks)
end

local function receive_body(socket, status, headers)
  if status == 204 or status == 304 then return "" end
  if headers["Transfer-Encoding"] == "chunked" then return receive_chunks(socket) end
  return socket:receive(tonumber(headers["Content-Length"]))
end

function http:request(params)
  local sent, message = self.socket:send(head_of(params, self.host))
  if not sent then return nil, message end
  local line, cut = self.socket:receive()
  if not line then return nil, cut end
  local headers, wrong = receive_headers(self.socket)
  if not headers then return nil, wrong end
  local status = tonumber(line:sub(10, 12))
  return {
    status = status, headers = headers,
    read_body = function() return receive_body(self.socket, status, headers) end,
  }
end

function http:set_keepalive()
  return self.socket:setkeepalive()
end

return http
