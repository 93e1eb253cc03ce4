-- answer: sends a whole answer: any body, problem details, a stored file.
-- It does not decide which answer a request gets: see emulator.lua.
-- MIT, see LICENSE.

local text = require "text"

local answer = {}

local TITLES = {
  [400] = "Bad Request", [401] = "Unauthorized", [403] = "Forbidden",
  [404] = "Not Found", [405] = "Method Not Allowed",
  [408] = "Request Timeout", [409] = "Conflict", [410] = "Gone",
  [422] = "Unprocessable Content", [429] = "Too Many Requests",
  [500] = "Internal Server Error", [501] = "Not Implemented",
  [502] = "Bad Gateway", [503] = "Service Unavailable",
  [504] = "Gateway Timeout",
}

function answer.title(status)
  return TITLES[status] or "Status " .. status
end

function answer.head(status, content_type, length)
  local header = ngx.header
  ngx.status = status
  if content_type then header["Content-Type"] = content_type end
  header["Content-Length"] = length
end

function answer.send(status, content_type, body)
  answer.head(status, content_type, #body)
  ngx.print(body)
end

function answer.json(body)
  return answer.send(200, "application/json", body)
end

function answer.empty(status)
  if status == 204 then
    ngx.status = 204
    return ngx.send_headers()
  end
  answer.head(status, nil, 0)
  ngx.send_headers()
end

function answer.problem_body(status, detail)
  return ('{"type":"about:blank","title":%s,"status":%d,"detail":%s,' ..
    '"instance":%s}'):format(text.quote(answer.title(status)), status,
    text.json(detail), text.json(ngx.var.request_uri))
end

function answer.problem(status, detail)
  return answer.send(status, "application/problem+json",
    answer.problem_body(status, detail))
end

local function read(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local bytes = file:read("*a")
  file:close()
  return bytes
end

local function stored_head(lines)
  local headers, status = {}, nil
  for line in lines:gmatch "[^\r\n]+" do
    local name, value = line:match "^([^:%s]+):%s*(.*)$"
    if not status then
      status = tonumber(line:match "%d%d%d")
    elseif name then
      headers[name] = headers[name] or {}
      table.insert(headers[name], value)
    end
  end
  return status or 200, headers
end

-- Read at each request, so that a spec may change the files at any time.
function answer.stored(name)
  local path = ngx.config.prefix() .. "answers/" .. name
  local body, head = read(path), read(path .. ".head")
  if not body and not head then
    return answer.problem(404, "No answer of this name is stored.")
  end
  body = body or ""
  if not head then return answer.json(body) end
  local status, headers = stored_head(head)
  answer.head(status, nil, #body)
  for header, values in pairs(headers) do ngx.header[header] = values end
  ngx.print(body)
end

return answer
