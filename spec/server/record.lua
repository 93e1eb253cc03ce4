-- record: one JSON line per request in requests.jsonl, before any answer.
-- It does not run at all unless EMULATOR_RECORD=1 was set for the launcher.
-- MIT, see LICENSE.

local text = require "text"

local record = {}

local function headers()
  local out = {}
  for name, value in pairs(ngx.req.get_headers(0)) do
    if type(value) == "table" then value = table.concat(value, ", ") end
    out[#out + 1] = text.quote(name) .. ":" .. text.json(value)
  end
  table.sort(out)
  return "{" .. table.concat(out, ",") .. "}"
end

local function line(method, uri, id, key)
  return table.concat {
    '{"method":', text.json(method),
    ',"uri":', text.json(uri),
    ',"id":', text.json(id),
    ',"protocol":', text.json(ngx.var.server_protocol),
    ',"headers":', headers(),
    ',"connection":', ngx.var.connection,
    ',"key":', text.json(key), "}\n",
  }
end

-- Opened each time, so that a spec may remove or empty the file.
local function append(entry)
  local path = ngx.config.prefix() .. "requests.jsonl"
  local file = assert(io.open(path, "ab"))
  file:write(entry)
  file:close()
end

function record.write(id, key)
  append(line(ngx.var.request_method, ngx.var.request_uri, id, key))
end

-- nginx has read no headers then, and calls the method GET whatever it was.
-- Over HTTP/2 there is no request line either, and all that is left is null.
function record.malformed()
  local method, uri =
    (ngx.var.request or ""):match "^(%S+) (.*) HTTP/[%d.]+$"
  append(line(method, uri, nil, nil))
end

return record
