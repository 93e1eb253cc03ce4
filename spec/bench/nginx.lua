-- nginx: calls within one nginx worker, beside its own proxy and beside calls
-- that block. Prints tables. Usage: nginx.lua, under the emulator, whose
-- certificates and free ports it uses; the API here answers as fast as nginx can.
-- Judges nothing: whether an aim is met is printed, and nothing fails for it.
-- MIT, see LICENSE.

local load = require "spec.bench.load"
local nginx_server = require "spec.nginx_server"
local support = require "spec.support"
local tools = require "spec.bench.tools"

local DELAYS = { 0, 20, 200 } -- milliseconds, until the API answers
local AT_ONCE = { 1, 50, 500 } -- requests
local WAYS = { "capture", "leadping", "blocking" }
local ROUNDS = 3 -- the ways in turn; medians are shown
local SECONDS = 2 -- each
local BURSTS = 5 -- of COLD connections
local COLD = 500
local PART = 0.7 -- of what the slower of capture and leadping can do, for latencies
local TRIVIAL = { clients = 8, rate = 500 } -- requests a second

-- The servers ----------------------------------------------------------------

local UPSTREAM = assert(os.getenv "EMULATOR_UPSTREAM")
local UPSTREAM_TLS = assert(os.getenv "EMULATOR_UPSTREAM_TLS")
-- The worker reads the emulator's certificates, which are its user's alone; only
-- root has a user to choose.
local MAIN = "worker_rlimit_nofile 4200; user root root;"
local BODY = support.example("selection-documented"):gsub("\n$", ""):gsub("'", "\\'")
local PATH = "/phone-numbers/outgoing/conversation/bench/override"

local function upstream_locations()
  local locations = { ([[
    default_type application/json;
    location / { return 200 '%s'; }]]):format(BODY) }
  for _, delay in ipairs(DELAYS) do
    if delay > 0 then
      locations[#locations + 1] = ([[
    location /%d/ { content_by_lua_block { ngx.sleep(%g) ngx.print(BODY) } }]])
        :format(delay, delay / 1000)
    end
  end
  return table.concat(locations, "\n")
end

--- The API. Over TLS each request needs a connection and a whole handshake.
local function start_upstream()
  return nginx_server.start {
    address = UPSTREAM,
    main = MAIN,
    init = ("BODY = '%s'"):format(BODY),
    http = ([[
  keepalive_timeout 3600s;
  server {
    listen %s ssl backlog=1024;
    ssl_certificate %s/local.pem;
    ssl_certificate_key %s/server.key;
    ssl_session_cache off;
    ssl_session_tickets off;
    keepalive_timeout 0;
    default_type application/json;
    location / { return 200 '%s'; }
  }]]):format(UPSTREAM_TLS:gsub("localhost", "127.0.0.1"), support.directory,
      support.directory, BODY),
    server = upstream_locations(),
  }
end

local INIT = [[
  function call(client)
    local selection, err = client:clear_override "bench"
    if not selection then ngx.status = 502 end
    ngx.print(selection and "cleared" or tostring(err))
  end
  function capture(uri)
    local answer = ngx.location.capture(uri .. PATH, { method = ngx.HTTP_DELETE })
    ngx.status = answer.status
    ngx.print "cleared"
  end
  clients = {}
  for _, delay in ipairs { DELAYS } do
    local base_url = "http://UPSTREAM/" .. delay
    clients["leadping/" .. delay] = new_client { base_url = base_url }
    clients["blocking/" .. delay] = new_client { base_url = base_url, loop = "blocking" }
  end
  clients["leadping/tls"] = new_client { base_url = "https://UPSTREAM_TLS/0", ca_file = "CA" }
]]

-- What the proxy does by itself, the client does too: no header of the request
-- but its own, kept connections, TLS checked.
local PROXY = [==[
    proxy_http_version 1.1;
    proxy_pass_request_headers off;
    proxy_set_header Authorization "Bearer sk_emulator";
    proxy_set_header Connection "";
    location /upstream/ { internal; proxy_pass http://upstream/; }
    location /upstream-tls/ {
      internal;
      proxy_pass https://UPSTREAM_TLS/;
      proxy_ssl_protocols TLSv1.2 TLSv1.3;
      proxy_ssl_server_name on;
      proxy_ssl_session_reuse off;
      proxy_ssl_verify on;
      proxy_ssl_trusted_certificate CA;
    }
    location = /capture/tls { content_by_lua_block { capture "/upstream-tls/0" } }
    location ~ ^/capture/(\d+)$ { content_by_lua_block { capture("/upstream/" .. ngx.var[1]) } }
    location ~ ^/(leadping/.*|blocking/.*)$ {
      content_by_lua_block { call(clients[ngx.var[1]]) }
    }
]==]

local function fill(text)
  local values = {
    UPSTREAM_TLS = UPSTREAM_TLS, UPSTREAM = UPSTREAM, CA = support.ca,
    PATH = ("%q"):format(PATH), DELAYS = table.concat(DELAYS, ", "),
  }
  return (text:gsub("%u[%u_]+", values))
end

local function start_worker()
  return nginx_server.start {
    main = MAIN,
    init = fill(INIT),
    http = fill [[
  upstream upstream {
    server UPSTREAM;
    keepalive 500;
    keepalive_requests 1000000000;
  }]],
    server = fill(PROXY),
  }
end

--- A worker that is left with hundreds of blocking calls does not see a signal.
local function kill(server)
  local workers = support.shell("pgrep -P " .. server:pid()):gsub("\n", " ")
  server:signal "KILL"
  support.shell("kill -KILL " .. workers)
  support.eventually(function() return server:has_ended() end)
  server:stop()
end

-- Measuring ------------------------------------------------------------------

--- One way's requests: at full speed, or at a rate while a trivial location is
-- looked at.
local function measure(way, what, given)
  local server = start_worker()
  local url = ("%s/%s/%s"):format(server.url, way, what)
  local trivial = given.rate or given.once
  local ok, main, beside = pcall(load.run, url, given, trivial and server.url .. "/trivial",
    { clients = TRIVIAL.clients, rate = TRIVIAL.rate, seconds = SECONDS })
  kill(server)
  if not ok then error(main, 0) end
  return main, beside
end

local function fields_of(delay, main, trivial)
  local times = trivial.times
  return {
    rate = main.rate,
    median = tools.quantile(main.times, 0.5) - delay / 1000,
    p99 = tools.quantile(main.times, 0.99) - delay / 1000,
    trivial_median = tools.quantile(times, 0.5),
    trivial_p99 = tools.quantile(times, 0.99),
    trivial_max = times[#times],
  }
end

--- Runs measure_way for each way in turn, some rounds; the medians of each.
local function in_turn(rounds, measure_way)
  local runs, medians = {}, {}
  for _, way in ipairs(WAYS) do runs[way] = {} end
  for round = 1, rounds do
    for _, way in ipairs(WAYS) do runs[way][round] = measure_way(way) end
  end
  for _, way in ipairs(WAYS) do medians[way] = tools.medians(runs[way]) end
  return medians
end

local function speeds(delay, at_once)
  return in_turn(ROUNDS, function(way)
    local main = measure(way, delay, { clients = at_once, seconds = SECONDS })
    return { rate = main.rate }
  end)
end

--- Latencies at a rate that both capture and leadping can keep up. Calls that
-- block cannot always: those get that part of what they can.
local function latencies(delay, at_once, speed)
  local rate = PART * math.min(speed.capture.rate, speed.leadping.rate)
  return in_turn(ROUNDS, function(way)
    local own = way == "blocking" and math.min(rate, PART * speed.blocking.rate) or rate
    return fields_of(delay, measure(way, delay, {
      clients = at_once, seconds = SECONDS, rate = own,
    }))
  end)
end

--- Bursts of requests, each of which needs a TLS connection of its own.
local function cold()
  local runs = {}
  for _, way in ipairs { "capture", "leadping" } do
    runs[way] = {}
    for burst = 1, BURSTS do
      runs[way][burst] = fields_of(0, measure(way, "tls", { clients = COLD, once = true }))
    end
    runs[way] = tools.medians(runs[way])
  end
  return runs
end

-- Tables ---------------------------------------------------------------------

local function ms(seconds) return ("%.2f"):format(seconds * 1000) end

local function met(value, aim) return value <= aim and "yes" or "no" end

local function print_row(...) print("| " .. table.concat({ ... }, " | ") .. " |") end

local function each_cell(cells, print_cell)
  for _, cell in ipairs(cells) do
    print_cell(("%d ms"):format(cell.delay), tostring(cell.at_once), cell)
  end
  print()
end

local function print_speeds(cells)
  print_row("calls a second: API after", "at once", "capture", "leadping", "ratio", "blocking")
  print "|---|---:|---:|---:|---:|---:|"
  each_cell(cells, function(delay, at_once, cell)
    local speed = cell.speed
    print_row(delay, at_once, tools.whole(speed.capture.rate), tools.whole(speed.leadping.rate),
      ("%.2f"):format(speed.leadping.rate / speed.capture.rate),
      tools.whole(speed.blocking.rate))
  end)
end

local function print_latencies(cells)
  print_row("added latency in ms, p50 / p99: API after", "at once", "calls a second", "capture",
    "leadping", "p50 over capture", "≤ 0.5", "blocking")
  print "|---|---:|---:|---:|---:|---:|---|---:|"
  each_cell(cells, function(delay, at_once, cell)
    local latency = cell.latency
    local function both(way) return ms(latency[way].median) .. " / " .. ms(latency[way].p99) end
    local more = latency.leadping.median - latency.capture.median
    print_row(delay, at_once, tools.whole(latency.leadping.rate), both "capture",
      both "leadping", ms(more), met(more, 0.0005), both "blocking")
  end)
end

local function trivial_cells(latency)
  local function all(way)
    local values = latency[way]
    return values and ("%s / %s / %s"):format(ms(values.trivial_median), ms(values.trivial_p99),
      ms(values.trivial_max)) or ""
  end
  local ratio = latency.leadping.trivial_p99 / latency.capture.trivial_p99
  return all "capture", all "leadping", ("%.2f"):format(ratio), met(ratio, 1.5), all "blocking"
end

local function print_trivial(cells, burst)
  print_row("a trivial location meanwhile, ms, p50 / p99 / max: API after", "at once", "capture",
    "leadping", "ratio of p99", "≤ 1.5", "blocking")
  print "|---|---:|---:|---:|---:|---|---:|"
  print_row("0 ms, cold TLS", tostring(COLD), trivial_cells(burst))
  each_cell(cells, function(delay, at_once, cell)
    print_row(delay, at_once, trivial_cells(cell.latency))
  end)
end

-- The report -----------------------------------------------------------------

local function measure_cells()
  local cells = {}
  for _, delay in ipairs(DELAYS) do
    for _, at_once in ipairs(AT_ONCE) do
      tools.tell(("nginx, API after %d ms, %d requests at a time"):format(delay, at_once))
      local speed = speeds(delay, at_once)
      cells[#cells + 1] = {
        delay = delay, at_once = at_once, speed = speed,
        latency = latencies(delay, at_once, speed),
      }
    end
  end
  return cells
end

local upstream = start_upstream()
local ok, raised = pcall(function()
  tools.tell(("nginx, %d TLS connections at once"):format(COLD))
  local burst = cold()
  local cells = measure_cells()
  print_speeds(cells)
  print_latencies(cells)
  print_trivial(cells, burst)
  print(("%d cold calls: p50 / p99 %s / %s ms by capture, %s / %s ms by leadping."):format(COLD,
    ms(burst.capture.median), ms(burst.capture.p99), ms(burst.leadping.median),
    ms(burst.leadping.p99)))
end)
upstream:stop()
if not ok then error(raised, 0) end
