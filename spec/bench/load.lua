-- load: puts an HTTP server under load by h2load (of nghttp2), at full speed or
-- at a rate, and looks at another of its locations meanwhile.
-- Knows nothing of what the server does.
-- MIT, see LICENSE.

local support = require "spec.support"
local tools = require "spec.bench.tools"

local load = {}

local SETTLED = 1.2 -- seconds, until all connections are open and busy
local SPREAD = 1000 -- milliseconds, in which those of a rate are opened

--- A run of h2load for a URL.
---@param given table clients; seconds; rate: requests a second of all clients,
-- nil for as many as there can be; once: nothing but a request of each
local function command(url, given, log)
  local clients = given.clients
  local requests = given.rate and math.ceil(given.rate * (given.seconds + SETTLED)) or clients
  clients = math.min(clients, requests) -- h2load takes no more
  local words = { "h2load", "--h1", "--log-file=" .. log, "-c", clients }
  local function add(...)
    for _, word in ipairs { ... } do words[#words + 1] = word end
  end
  if given.once then
    add("-n", requests)
  elseif given.rate then
    -- Clients that begin together would go on in step.
    local each = math.max(1, math.floor(clients / SPREAD))
    add("-r", each, ("--rate-period=%.0fms"):format(SPREAD * each / clients),
      ("--rps=%.6f"):format(given.rate / clients), "-n", requests)
  else
    add("-D", ("%.0fms"):format((SETTLED + given.seconds) * 1000))
  end
  add(url)
  return tools.command_line(words) .. " >/dev/null"
end

--- The requests of a log: when each began and how long it took, in seconds.
local function read_log(log)
  local requests, first = {}, math.huge
  for line in io.lines(log) do
    local began, status, took = line:match("^(%d+)\t(%-?%d+)\t(%-?%d+)")
    if status ~= "200" then error("bench: a request failed: " .. line, 0) end
    began = tonumber(began) / 1e6
    first = math.min(first, began)
    requests[#requests + 1] = { began = began, took = tonumber(took) / 1e6 }
  end
  os.remove(log)
  if #requests == 0 then error("bench: h2load sent nothing", 0) end
  return requests, first
end

--- What took place between two moments, as sorted times and requests a second.
local function summarize(requests, from, to)
  local times = {}
  for _, request in ipairs(requests) do
    local ended = request.began + request.took
    if ended >= from and ended < to then times[#times + 1] = request.took end
  end
  table.sort(times)
  return { rate = #times / (to - from), times = times }
end

local function in_background(commands)
  return "{ " .. table.concat(commands, "; } & { ") .. "; } & wait"
end

--- Requests for a URL, and for another one meanwhile.
---@param url string
---@param given table see command
---@param beside string? the other URL
---@param beside_given table?
---@return table { rate, times }: requests a second, sorted seconds of each
---@return table? of the other URL, while the first was under load
function load.run(url, given, beside, beside_given)
  local log, beside_log = os.tmpname(), os.tmpname()
  local commands = { command(url, given, log) }
  if beside then table.insert(commands, 1, command(beside, beside_given, beside_log)) end
  if given.once then commands[#commands] = ("sleep %g; "):format(SETTLED) .. commands[#commands] end
  support.shell(in_background(commands))
  local requests, first = read_log(log)
  local from, to = first, 0
  if given.once then
    for _, request in ipairs(requests) do to = math.max(to, request.began + request.took) end
  else
    from = first + SETTLED
    to = from + given.seconds
  end
  local main = summarize(requests, from, to)
  if beside then return main, summarize(read_log(beside_log), from, to) end
  os.remove(beside_log)
  return main
end

return load
