-- nginx: the client in nginx while workers are replaced, clients leave, a name
-- look-up hangs and valgrind looks on. Each check has an nginx of its own
-- (spec/nginx_server.lua); what each must hold is said there. Injects by signal,
-- by closing connections, and by a preloaded library.
-- MIT, see LICENSE.

local nginx_server = require "spec.nginx_server"
local support = require "spec.support"

local mode, build = ...
local is_full = mode == "full"

local passed, failed = 0, 0

local function with_server(given, use)
  local server = nginx_server.start(given)
  local ok, raised = pcall(use, server)
  server:stop()
  if not ok then error(raised, 0) end
end

--- One check; what it returns is printed beside its name.
local function check(name, given, use)
  local shown
  local ok, raised = pcall(with_server, given, function(server) shown = use(server) end)
  if ok then passed = passed + 1 else failed = failed + 1 end
  print(("%-6s %s: %s"):format(ok and "ok" or "FAILED", name, ok and shown or tostring(raised)))
end

local function expect(condition, ...)
  if not condition then error(string.format(...), 0) end
end

local CALL = [[
  location = /call {
    content_by_lua_block { say(client:clear_override(ngx.var.arg_id)) }
  }
  location = /left {
    content_by_lua_block { ngx.say(ngx.timer.pending_count(), " ", ngx.timer.running_count()) }
  }
]]

-- load -----------------------------------------------------------------------

--- Keeps so many requests under way until it is told that it is enough.
---@param path string with %d for a number of its own
---@param is_enough fun(count: integer): boolean asked behind each answer
---@return table bodies text -> how many answers had it
---@return integer count
local function keep_busy(server, path, at_once, is_enough)
  local requests = server:send {}
  local bodies, sent, count = {}, 0, 0
  local enough = false
  while not enough or count < sent do
    while not enough and sent - count < at_once do
      sent = sent + 1
      requests:add(path:format(sent))
    end
    local result = requests:next(60)
    expect(result, "%d of %d requests were not answered", sent - count, sent)
    local body = result.body or result.message
    bodies[body] = (bodies[body] or 0) + 1
    count = count + 1
    enough = enough or is_enough(count)
  end
  requests:finish()
  return bodies, count
end

local function expect_all_cleared(bodies, count)
  for body, times in pairs(bodies) do
    expect(body == "cleared\n", "%d of %d answers were: %s", times, count, body)
  end
end

local function expect_quiet_log(server)
  for line in server:log():gmatch("[^\n]+") do
    expect(not line:find("%[error%]") and not line:find("%[crit%]")
      and not line:find("%[alert%]") and not line:find("signal 11"), "%s", line)
  end
end

--- Each id has to be in the emulator's record once.
local function expect_each_once(mark, prefix, count)
  local times = {}
  for _, request in ipairs((support.requests(mark))) do
    local id = request.id or ""
    if id:sub(1, #prefix) == prefix then times[id] = (times[id] or 0) + 1 end
  end
  for i = 1, count do
    local seen = times[prefix .. i] or 0
    expect(seen == 1, "the API was asked for %s%d %d times", prefix, i, seen)
  end
end

-- workers that are replaced --------------------------------------------------

local RELOADS = 10

--- Reloads each time that so many more requests have been answered; says when
-- it has done so and as many again have been answered.
local function reload_each(server, count_each)
  local reloads = 0
  return function(count)
    if count < count_each * (reloads + 1) then return false end
    if reloads == RELOADS then return true end
    server:signal "HUP"
    reloads = reloads + 1
    return false
  end
end

local function wait_for_old_workers(server)
  support.eventually(function() return server:count_workers() == 1 end)
end

check("ten reloads under load", {
  http = "keepalive_timeout 0;", server = CALL,
}, function(server)
  local _, mark = support.requests()
  local bodies, count = keep_busy(server, "/call?id=reload:%d", 50,
    reload_each(server, is_full and 1000 or 200))
  expect_all_cleared(bodies, count)
  expect_each_once(mark, "reload:", count)
  wait_for_old_workers(server)
  expect_quiet_log(server)
  return ("%d calls, each answered, each sent once"):format(count)
end)

check("ten reloads under load that waits", {
  http = "keepalive_timeout 0;", server = CALL,
}, function(server)
  local bodies, count = keep_busy(server, "/call?id=fault:slow-0.2:reload:%d", 100,
    reload_each(server, is_full and 400 or 100))
  expect_all_cleared(bodies, count)
  wait_for_old_workers(server)
  expect_quiet_log(server)
  return ("%d calls answered"):format(count)
end)

for _, id in ipairs { "fault:never", "fault:slow-0.05", "plain" } do
  check("TERM with calls in flight, " .. id, { server = CALL }, function(server)
    local slowest, rounds = 0, is_full and 20 or 3
    for _ = 1, rounds do
      local requests = server:send {}
      for i = 1, 50 do requests:add(("/call?id=%s:%d"):format(id, i)) end
      requests:next(0.2)
      local worker = server:worker()
      local seconds = support.timed(function()
        support.shell("kill -TERM " .. worker)
        support.eventually(function() return not support.is_running(worker) end)
      end)
      requests:drop()
      slowest = math.max(slowest, seconds)
      support.eventually(function() return server:worker() ~= worker end)
    end
    expect(slowest < 1, "a worker ended after %.2f s", slowest)
    expect(not server:log():find("exited on signal"), "a worker crashed")
    return ("%d workers, the slowest ended after %.2f s"):format(rounds, slowest)
  end)
end

-- clients that leave ---------------------------------------------------------

check("clients that leave at any moment", {
  http = "lua_check_client_abort on;",
  server = CALL .. [[
    location = /memory { content_by_lua_block {
      collectgarbage() collectgarbage()
      ngx.print(collectgarbage "count")
    } }]],
}, function(server)
  local left, memory = 0, {}
  for round = 1, is_full and 100 or 10 do
    local requests = server:send {}
    for i = 1, 50 do
      requests:add(("/call?id=fault:slow-0.05:left:%d:%d"):format(round, i))
    end
    requests:next(0.001 * (round % 100))
    requests:drop()
    left = left + 50
    expect(server:get("/call?id=plain") == "cleared\n", "a call behind those was not answered")
    memory[#memory + 1] = tonumber((server:get("/memory")))
  end
  support.eventually(function() return server:get("/left") == "0 0\n" end)
  local grown = tonumber((server:get("/memory"))) - memory[3]
  expect(grown < 100, "Lua's memory grew by %.0f KiB", grown)
  expect_quiet_log(server)
  return ("%d requests left, Lua's memory %+.0f KiB"):format(left, grown)
end)

-- a name look-up that hangs --------------------------------------------------

check("a name look-up that hangs", {
  before = "LD_PRELOAD=" .. build .. "/nginx_resolver.so",
  init = [[
    hanging = new_client {
      base_url = "https://hang.example", connect_timeout = 2, timeout = 3,
    }]],
  server = CALL .. [[
    location = /hang { content_by_lua_block {
      local _, err = hanging:clear_override "hang"
      ngx.print(err.kind, " ", err.outcome)
    } }
    location = /hanging { content_by_lua_block { say(hanging:clear_override "hang") } }
  ]],
}, function(server)
  local requests = server:send {}
  for _ = 1, 20 do requests:add "/hang" end
  requests:next(0.1)
  local slowest = 0
  for _, path in ipairs { "/trivial", "/call?id=beside", "/trivial", "/call?id=beside" } do
    slowest = math.max(slowest, (support.timed(server.get, server, path)))
  end
  expect(slowest < 0.5, "others waited %.2f s", slowest)
  for _ = 1, 20 do
    local result = requests:next(10)
    expect(result and result.body == "timeout not_sent", "a hanging call ended as %s",
      result and result.body or "none")
  end
  requests:add "/hang"
  requests:next(0.2)
  local seconds = server:ends_at "TERM"
  requests:drop()
  expect(seconds < 1, "the worker ended after %.2f s", seconds)
  return ("others waited %.3f s at most, TERM took %.2f s"):format(slowest, seconds)
end)

-- valgrind -------------------------------------------------------------------

local VALGRIND = "valgrind --log-file=%s --num-callers=40 --leak-check=full "
  .. "--show-leak-kinds=definite,indirect,possible --errors-for-leak-kinds=none"

--- Blocks of lines that end where a line is empty.
local function paragraphs(text)
  local list, lines = {}, {}
  for line in text:gmatch("[^\n]+") do
    line = line:gsub("^==%d+== ?", "")
    if line == "" then
      list[#list + 1], lines = table.concat(lines, "\n"), {}
    else
      lines[#lines + 1] = line
    end
  end
  list[#list + 1] = table.concat(lines, "\n")
  return list
end

--- Whether a stack goes through our code or libcurl's: what nginx and LuaJIT
-- leave lying at their own end is not looked at.
local function is_ours(paragraph)
  for source in support.shell("ls csrc"):gmatch("%S+%.c") do
    if paragraph:find("(" .. source .. ":", 1, true) then return true end
  end
  return paragraph:find("libcurl", 1, true)
end

local function expect_clean(report)
  expect(report:find("HEAP SUMMARY", 1, true), "valgrind did not finish: %s", report)
  for _, paragraph in ipairs(paragraphs(report)) do
    expect(not (paragraph:find("lost in loss record", 1, true) and is_ours(paragraph)),
      "%s", paragraph)
  end
  expect(report:find("ERROR SUMMARY: 0 errors", 1, true), "%s", report)
end

local CALLS = is_full and 10000 or 1000

local log = build .. "/nginx.valgrind"
check(("%d calls under valgrind"):format(CALLS), {
  main = "master_process off;", before = VALGRIND:format(log), patience = 60,
  init = "client = new_client { timeout = 60 }", server = CALL,
}, function(server)
  local bodies, count = keep_busy(server, "/call?id=valgrind:%d", 20, function(count)
    return count >= CALLS - 19
  end)
  expect_all_cleared(bodies, count)
  expect(server:get("/left") == "0 0\n", "a timer is left")
  server:ends_at "TERM"
  expect_clean(support.read(log))
  return ("%d calls, no error and no leak"):format(count)
end)

print(("nginx: %d passed, %d failed"):format(passed, failed))
os.exit(failed == 0, true)
