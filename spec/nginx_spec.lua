-- spec/nginx_spec.lua: calls inside nginx: where they can be made, that they
-- hold up nobody, and what is left when requests, workers and timers end early.
-- Each describe has an nginx of its own (nginx_server.lua).
-- MIT, see LICENSE.

local nginx_server = require "spec.nginx_server"
local support = require "spec.support"

local function with_nginx(given, use)
  local server = nginx_server.start(given)
  local ok, raised = pcall(use, server)
  server:stop()
  if not ok then error(raised, 0) end
end

local function many(path, count)
  local paths = {}
  for i = 1, count do paths[i] = path:format(i) end
  return paths
end

--- How often each text is in a list.
local function tally(list)
  local counts = {}
  for _, text in ipairs(list) do counts[text] = (counts[text] or 0) + 1 end
  return counts
end

local function requests_for(id, mark)
  local count = 0
  for _, request in ipairs((support.requests(mark))) do
    if request.id == id then count = count + 1 end
  end
  return count
end

--- What all servers below have: a call for ?id=…, and what is left of calls.
local SERVER = [[
  location = /call {
    content_by_lua_block { say(client:clear_override(ngx.var.arg_id or "conv")) }
  }
  location = /left {
    content_by_lua_block { ngx.say(ngx.timer.pending_count(), " ", ngx.timer.running_count()) }
  }
]]

local function server_of(locations) return SERVER .. locations end

-- where ----------------------------------------------------------------------

local WHERE = {
  { "rewrite", [[
    rewrite_by_lua_block { say(client:clear_override "rewrite") ngx.exit(200) }]] },
  { "access", [[access_by_lua_block { say(client:clear_override "access") ngx.exit(200) }]] },
  { "content", [[content_by_lua_block { say(client:clear_override "content") }]] },
  { "a subrequest", [[
    content_by_lua_block { ngx.print(ngx.location.capture("/call").body) }]] },
  { "a light thread", [[content_by_lua_block {
    ngx.thread.wait(ngx.thread.spawn(function() say(client:clear_override "thread") end)) }]] },
  { "a coroutine", [[content_by_lua_block {
    coroutine.wrap(function() say(client:clear_override "coroutine") end)() }]] },
  { "a timer", [[content_by_lua_block {
    local semaphore = require("ngx.semaphore").new()
    local results
    ngx.timer.at(0, function()
      results = { client:clear_override "timer" }
      semaphore:post()
    end)
    semaphore:wait(10)
    say(unpack(results, 1, 2)) }]] },
  { "a timer of init_worker", [[content_by_lua_block { say(unpack(of_init_worker, 1, 2)) }]] },
  { "server_rewrite", "" },
  { "ssl_certificate", [[content_by_lua_block {
    local socket = ngx.socket.tcp()
    assert(socket:connect("unix:$directory/tls.sock"))
    assert(socket:sslhandshake(nil, "localhost", false))
    socket:close()
    say(of_certificate) }]] },
  { "clear_overrides", [[content_by_lua_block {
    local count = 0
    for _, selection in client:clear_overrides({ "a", "b", "c" }, { rate = false }) do
      if selection then count = count + 1 end
    end
    say(count == 3, count) }]] },
}

local function locations_of(rows)
  local locations = {}
  for i, row in ipairs(rows) do
    locations[i] = ("location = /%s { %s }"):format((row[1]:gsub(" ", "-")), row[2])
  end
  return table.concat(locations, "\n")
end

local TLS = ([[
  init_worker_by_lua_block {
    ngx.timer.at(0, function()
      of_init_worker = { client:clear_override "init_worker" }
    end)
  }
  server {
    listen unix:$directory/tls.sock ssl;
    ssl_certificate %s/local.pem;
    ssl_certificate_key %s/server.key;
    ssl_certificate_by_lua_block { of_certificate = client:clear_override "certificate" }
  }
]]):format(support.directory, support.directory)

local SERVER_REWRITE = [[
  server_rewrite_by_lua_block {
    if ngx.var.uri ~= "/server_rewrite" then return end
    say(client:clear_override "server_rewrite")
    ngx.exit(200)
  }
]]

describe("in nginx, a call", function()
  local server
  setup(function()
    server = nginx_server.start {
      init = "of_init_worker, of_certificate = {}, false",
      http = TLS, server = server_of(SERVER_REWRITE .. locations_of(WHERE)),
    }
  end)
  teardown(function() server:stop() end)

  for _, row in ipairs(WHERE) do
    it("can be made in " .. row[1], function()
      assert.equal("cleared\n", (server:get("/" .. row[1]:gsub(" ", "-"))), server:log())
    end)
  end
end)

-- where not ------------------------------------------------------------------

local WHERE_NOT = {
  { "init", "" },
  { "init_worker", "" },
  { "set", [[set_by_lua_block $unused { try "set" return "" } return 200;]] },
  { "balancer", [[proxy_pass http://nowhere;]] },
  { "header_filter", [[header_filter_by_lua_block { try "header_filter" } return 200;]] },
  { "body_filter", [[body_filter_by_lua_block { try "body_filter" } return 200 "x";]] },
  { "log", [[log_by_lua_block { try "log" } return 200;]] },
}

describe("in nginx, a call that cannot wait", function()
  local server, mark
  setup(function()
    mark = select(2, support.requests())
    server = nginx_server.start {
      init = [[
        messages = {}
        function try(phase)
          local _, message = pcall(client.clear_override, client, "refused:" .. phase)
          messages[phase] = message
        end
        try "init"]],
      http = [[
        init_worker_by_lua_block { try "init_worker" }
        upstream nowhere {
          server 0.0.0.1;
          balancer_by_lua_block { try "balancer" ngx.exit(502) }
        }]],
      server = server_of(locations_of(WHERE_NOT) .. [[
        location = /message { content_by_lua_block { ngx.print(messages[ngx.var.arg_phase]) } }
        location = /gsub { content_by_lua_block {
          local _, message = pcall(string.gsub, "refused:gsub", ".+", function(id)
            return client:clear_override(id)
          end)
          ngx.print(message)
        } }]]),
    }
  end)
  teardown(function() server:stop() end)

  for _, row in ipairs(WHERE_NOT) do
    local phase = row[1]
    it(("raises in the %s phase, before anything is sent"):format(phase), function()
      server:get("/" .. phase)
      assert.equal("a call has to wait, which nginx cannot do in its " .. phase .. " phase: "
        .. "make it in a request's rewrite, access or content phase, or in a timer "
        .. "(ngx.timer.at)", (server:get("/message?phase=" .. phase)))
      assert.equal(0, requests_for("refused:" .. phase, mark))
    end)
  end

  it("raises inside a C function, before anything is sent", function()
    assert.equal("a call has to wait, which nginx cannot do inside a C function that calls "
      .. "Lua, such as require, string.gsub or table.sort: make it outside of it",
      (server:get("/gsub")))
    assert.equal(0, requests_for("refused:gsub", mark))
  end)
end)

-- one driver -----------------------------------------------------------------

local COUNTED = [[
  local loop = require "leadping.loop.nginx"
  resumes, drains = 0, 0
  local resume, watch = loop.resume, loop.watch
  function loop.resume(waiter)
    resumes = resumes + 1
    return resume(waiter)
  end
  function loop.watch(session, ready)
    return watch(session, function()
      drains = drains + 1
      return ready()
    end)
  end
]]

describe("in nginx, calls", function()
  local server
  setup(function()
    server = nginx_server.start {
      init = COUNTED,
      server = server_of [[
        location = /counts {
          content_by_lua_block {
            ngx.print(resumes)
            resumes, drains = 0, 0
          }
        }
        location = /threads { content_by_lua_block {
          local threads = {}
          for i = 1, 20 do
            threads[i] = ngx.thread.spawn(client.clear_override, client, "shared:" .. i)
          end
          for _, thread in ipairs(threads) do assert(ngx.thread.wait(thread)) end
          for i = 1, 20 do assert(client:clear_override("shared:again:" .. i)) end
        } }
        location = /mixed { content_by_lua_block {
          local semaphore = require("ngx.semaphore").new()
          ngx.timer.at(0, function() client:clear_override "timer" semaphore:post() end)
          say(client:clear_override "fault:slow-0.05")
          semaphore:wait(10)
        } }
        location = /cancel { content_by_lua_block {
          local next_result, _, _, run = client:clear_overrides({ "fault:never" })
          local thread = ngx.thread.spawn(next_result)
          ngx.sleep(0.1)
          ngx.thread.kill(thread)
          run:cancel()
          ngx.sleep(0.05)
          ngx.print("cancelled")
        } }
        location = /busy { content_by_lua_block {
          local thread = ngx.thread.spawn(client.clear_override, client, "busy")
          local core = require "leadping.core"
          local started = core.clock()
          while core.clock() < started + 0.1 do end
          say(select(2, ngx.thread.wait(thread)))
        } }
        location = /pauses { content_by_lua_block {
          say(client:clear_override("fault:retry-after-503-1*1:pauses", { max_retries = 1 }))
        } }]],
    }
  end)
  teardown(function() server:stop() end)

  it("hold up neither others nor each other", function()
    local _, mark = support.requests()
    local requests = server:send { "/call?id=fault:slow-1.5" }
    requests:reach(mark, 1)
    local seconds = support.timed(server.get, server, "/trivial")
    assert.is_true(seconds < 0.5, tostring(seconds))
    seconds = support.timed(server.get, server, "/call?id=quick")
    assert.is_true(seconds < 0.5, tostring(seconds))
    assert.equal("cleared\n", requests:finish()[1].body)
  end)

  for _, count in ipairs { 1, 50, 500 } do
    it(("cost one wake-up each where %d wait"):format(count), function()
      server:get("/counts")
      local bodies = server:get_all(many("/call?id=fault:slow-0.3:" .. count .. ":%d", count))
      assert.same({ ["cleared\n"] = count }, tally(bodies))
      assert.equal(tostring(count), (server:get("/counts")))
    end)
  end

  it("leave neither a timer nor a light thread", function()
    server:get("/call")
    assert.equal("0 0\n", (server:get("/left")))
    server:get_all(many("/call?id=%d", 20))
    assert.equal("0 0\n", (server:get("/left")))
  end)

  it("leave neither where they are cancelled", function()
    assert.equal("cancelled", (server:get("/cancel")))
    assert.equal("0 0\n", (server:get("/left")))
  end)

  it("share one session in light threads, and in timers", function()
    local _, mark = support.requests()
    server:get("/threads")
    local connections = {}
    for _, request in ipairs((support.requests(mark))) do
      if request.id:find("^shared:again") then connections[request.connection] = true end
    end
    local one = next(connections)
    assert.is_nil(next(connections, one))
    assert.equal("cleared\n", (server:get("/mixed")))
  end)

  it("give way while they wait to try again", function()
    local _, mark = support.requests()
    local requests = server:send { "/pauses" }
    requests:reach(mark, 1)
    for _ = 1, 5 do
      local seconds = support.timed(server.get, server, "/trivial")
      assert.is_true(seconds < 0.3, tostring(seconds))
    end
    assert.equal("cleared\n", requests:finish()[1].body)
  end)

  it("may be answered before nginx comes to their timer", function()
    server:get("/call") -- so that a socket is kept
    for _ = 1, 3 do assert.equal("cleared\n", (server:get("/busy"))) end
  end)

  it("write nothing into nginx's log", function()
    assert.not_matches("%[warn%]", server:log())
    assert.not_matches("%[error%]", server:log())
    assert.not_matches("%[crit%]", server:log())
    assert.not_matches("%[alert%]", server:log())
  end)
end)

-- many calls -----------------------------------------------------------------

describe("in nginx, clear_overrides", function()
  local server
  setup(function()
    server = nginx_server.start {
      init = [[
        -- Counts results: all, those of ids not seen before, those that are cleared.
        function count(next_result)
          local seen, all, distinct, cleared = {}, 0, 0, 0
          for id, selection in next_result do
            all = all + 1
            if not seen[id] then distinct = distinct + 1 end
            if selection then cleared = cleared + 1 end
            seen[id] = true
          end
          return ("%d %d %d "):format(all, distinct, cleared)
        end
        function make_ids(beginning, count)
          local ids = {}
          for i = 1, count do ids[i] = beginning .. i end
          return ids
        end]],
      server = server_of [[
        location = /run { content_by_lua_block {
          local ids = make_ids("paced:" .. ngx.var.arg_name .. ":", 15)
          ngx.print(count(client:clear_overrides(ids, { rate = 20 })))
        } }
        location = /runs { content_by_lua_block {
          local threads = {}
          for i = 1, 2 do
            threads[i] = ngx.thread.spawn(function()
              ngx.print(count(client:clear_overrides(make_ids("thread:" .. i .. ":", 15),
                { rate = 20 })))
            end)
          end
          for _, thread in ipairs(threads) do assert(ngx.thread.wait(thread)) end
        } }
        location = /limited { content_by_lua_block {
          local limited = new_client { api_key = "sk_emulator_limit_60_2_nginx" }
          ngx.print(count(limited:clear_overrides(make_ids("limited:", 120), { rate = 200 })))
          limited:close()
        } }
        location = /stop { content_by_lua_block {
          local asked = 0
          local next_result, _, _, run = client:clear_overrides(function()
            asked = asked + 1
            return "fault:slow-0.5:stop:" .. asked
          end, { rate = false, concurrency = 4 })
          local stopper = ngx.thread.spawn(function()
            ngx.sleep(0.2)
            run:stop()
          end)
          ngx.print(count(next_result), asked)
          ngx.thread.wait(stopper)
        } }
        location = /stop-retry { content_by_lua_block {
          local next_result, _, _, run = client:clear_overrides({
            "fault:retry-after-503-30:stop" }, { max_retries = 1 })
          ngx.thread.spawn(function()
            ngx.sleep(0.2)
            run:stop()
          end)
          local _, _, err = next_result()
          ngx.print(err.kind)
        } }]],
    }
  end)
  teardown(function() server:stop() end)

  --- Asks for these while trivial requests have to be answered at once; the
  -- bodies, and the seconds until the last of them came.
  local function ask_beside_trivial(paths, count)
    local _, mark = support.requests()
    local requests = server:send(paths)
    requests:reach(mark, 1)
    return support.timed(function()
      for _ = 1, count do
        local seconds = support.timed(server.get, server, "/trivial")
        assert.is_true(seconds < 0.3, tostring(seconds))
      end
      local bodies = {}
      for i, result in ipairs(requests:finish()) do bodies[i] = result.body end
      return bodies
    end)
  end

  for name, paths in pairs {
    ["two requests"] = { "/run?name=a", "/run?name=b" }, ["two light threads"] = { "/runs" },
  } do
    it(("share the pace in %s, and hold up nobody"):format(name), function()
      local _, mark = support.requests()
      local seconds, bodies = ask_beside_trivial(paths, 10)
      assert.equal("15 15 15 15 15 15 ", table.concat(bodies))
      assert.equal(30, #(support.requests(mark)))
      assert.is_true(seconds > 1.2 and seconds < 2.5, tostring(seconds)) -- 29 twentieths
    end)
  end

  it("waits out a 429, and yields each of 120 ids once", function()
    local _, mark = support.requests()
    local seconds, bodies = ask_beside_trivial({ "/limited" }, 20)
    assert.equal("120 120 120 ", bodies[1])
    local sent = #(support.requests(mark))
    assert.is_true(sent > 120 and sent < 140, sent .. " requests") -- the rest got a 429
    assert.is_true(seconds > 1.5, tostring(seconds))
    assert.equal("0 0\n", (server:get("/left")))
  end)

  it("is stopped by another light thread, and yields what is in flight", function()
    local seconds = support.timed(function()
      assert.equal("4 4 4 4", (server:get("/stop")))
    end)
    assert.is_true(seconds < 1, tostring(seconds))
    seconds = support.timed(function()
      assert.equal("server_error", (server:get("/stop-retry")))
    end)
    assert.is_true(seconds < 1, tostring(seconds))
    assert.equal("0 0\n", (server:get("/left")))
    assert.not_matches("%[error%]", server:log())
  end)
end)

-- ends that come early -------------------------------------------------------

describe("in nginx, a request that its client leaves", function()
  it("takes neither the calls of others along nor its own answer's place", function()
    with_nginx({
      http = "lua_check_client_abort on;",
      server = SERVER,
    }, function(server)
      local _, mark = support.requests()
      local ids = many("/call?id=fault:slow-0.4:left:%d", 20)
      local requests = server:send(ids)
      requests:reach(mark, #ids)
      for place = 1, 19 do requests:leave(place) end
      assert.equal("cleared\n", requests:finish()[20].body)
      assert.equal("0 0\n", (server:get("/left")))
      assert.equal("cleared\n", (server:get("/call")))
      assert.not_matches("%[error%]", server:log())
    end)
  end)

  it("leaves nothing in the worker's memory", function()
    with_nginx({
      http = "lua_check_client_abort on;",
      init = "streams = setmetatable({}, { __mode = 'k' })\n"
        .. "local Stream = require 'leadping.stream'\n"
        .. "local new = Stream.new\n"
        .. "function Stream.new(...) local s = new(...) streams[s] = true return s end",
      server = server_of [[
        location = /streams { content_by_lua_block {
          collectgarbage() collectgarbage()
          local count = 0
          for _ in pairs(streams) do count = count + 1 end
          ngx.print(count)
        } }]],
    }, function(server)
      local requests = server:send(many("/call?id=fault:slow-0.3:%d", 10))
      requests:next(0.1)
      for place = 1, 10 do requests:leave(place) end
      requests:finish()
      support.eventually(function() return server:get("/left") == "0 0\n" end)
      assert.equal("0", (server:get("/streams")))
    end)
  end)
end)

describe("an nginx worker", function()
  it("ends within a second of TERM with calls in flight", function()
    with_nginx({ server = SERVER }, function(server)
      local _, mark = support.requests()
      local requests = server:send(many("/call?id=fault:never:%d", 20))
      requests:reach(mark, 20)
      local seconds = server:ends_at("TERM")
      requests:finish()
      assert.is_true(seconds < 1, tostring(seconds))
      assert.not_matches("exited on signal", server:log())
    end)
  end)

  it("ends at QUIT when the calls in flight have their answers", function()
    with_nginx({ server = SERVER }, function(server)
      local _, mark = support.requests()
      local requests = server:send(many("/call?id=fault:slow-0.5:%d", 20))
      requests:reach(mark, 20)
      server:signal("QUIT")
      local bodies = {}
      for i, result in ipairs(requests:finish()) do bodies[i] = result.body end
      assert.same({ ["cleared\n"] = 20 }, tally(bodies))
      support.eventually(function() return server:has_ended() end)
      assert.not_matches("%[error%]", server:log())
    end)
  end)

  it("ends at once at QUIT where calls have been made, and none is in flight", function()
    with_nginx({ server = SERVER }, function(server)
      server:get("/call")
      local seconds = server:ends_at("QUIT")
      assert.is_true(seconds < 1, tostring(seconds))
    end)
  end)

  it("that is reloaded ends when its calls have their answers; the new one takes over",
    function()
      with_nginx({ server = SERVER }, function(server)
        local worker = server:worker()
        local _, mark = support.requests()
        local requests = server:send(many("/call?id=fault:slow-0.5:reload:%d", 10))
        requests:reach(mark, 10)
        server:signal("HUP")
        support.eventually(function() return server:worker() ~= worker end)
        assert.equal("cleared\n", (server:get("/call")))
        local bodies = {}
        for i, result in ipairs(requests:finish()) do bodies[i] = result.body end
        assert.same({ ["cleared\n"] = 10 }, tally(bodies))
        support.eventually(function() return not support.is_running(worker) end)
        assert.not_matches("%[error%]", server:log())
      end)
    end)
end)

-- what nginx refuses ---------------------------------------------------------

describe("in nginx, a call", function()
  it("is not sent where nginx refuses a timer, and says so", function()
    with_nginx({
      http = "lua_max_pending_timers 0;",
      server = server_of [[
        location = /refused { content_by_lua_block {
          local _, err = client:clear_override "refused:timer"
          ngx.print(err.kind, " ", err.outcome, " ", err.message)
        } }]],
    }, function(server)
      local _, mark = support.requests()
      assert.equal("connection not_sent nginx gives no timer, in which to wait for the answer: "
        .. "too many pending timers", (server:get("/refused")))
      assert.equal(0, requests_for("refused:timer", mark))
    end)
  end)

  it("has its answer where nginx drops the timer, and is in time", function()
    with_nginx({
      http = [[
        lua_max_running_timers 1;
        init_worker_by_lua_block { ngx.timer.at(0, function() ngx.sleep(60) end) }]],
      server = server_of [[
        location = /timeout { content_by_lua_block {
          local _, err = client:clear_override("fault:never", { timeout = 0.5 })
          ngx.print(err.kind)
        } }
        location = /closed { content_by_lua_block {
          local closed = new_client()
          say(closed:clear_override "closed")
          closed:close()
        } }
        location = /last { content_by_lua_block {
          collectgarbage() collectgarbage()
          ngx.print(tostring(last.watcher))
        } }]],
      init = [[
        last = setmetatable({}, { __mode = "v" })
        local loop = require "leadping.loop.nginx"
        local watch = loop.watch
        function loop.watch(...)
          last.watcher = watch(...)
          return last.watcher
        end]],
    }, function(server)
      assert.equal("cleared\n", (server:get("/call")))
      assert.same({ ["cleared\n"] = 20 }, tally(server:get_all(many("/call?id=%d", 20))))
      local seconds = support.timed(function()
        assert.equal("timeout", (server:get("/timeout")))
      end)
      assert.is_true(seconds < 1, tostring(seconds))
      assert.equal("0 1\n", (server:get("/left")))
      assert.equal("cleared\n", (server:get("/closed")))
      assert.equal("nil", (server:get("/last")))
    end)
  end)

  it("has its answer where no directory takes a socket", function()
    with_nginx({
      init = [[
        local methods = debug.getregistry()["leadping.session"].__index
        refused = "no"
        function methods.listen()
          refused = "yes"
          return nil, "Read-only file system"
        end]],
      server = server_of [[
        location = /refused { content_by_lua_block { ngx.print(refused) } }]],
    }, function(server)
      assert.same({ ["cleared\n"] = 20 }, tally(server:get_all(many("/call?id=%d", 20))))
      assert.equal("yes", (server:get("/refused")))
      assert.equal("0 0\n", (server:get("/left")))
      assert.not_matches("%[error%]", server:log())
    end)
  end)

  it("puts one socket into TMPDIR for all, and leaves nothing there", function()
    local directory = support.new_directory "777"
    with_nginx({
      main = "env TMPDIR=" .. directory .. ";",
      init = [[
        local methods = debug.getregistry()["leadping.session"].__index
        local listen = methods.listen
        paths = {}
        function methods.listen(...)
          paths[#paths + 1] = listen(...)
          return paths[#paths]
        end]],
      server = server_of [[
        location = /paths { content_by_lua_block { ngx.say(table.concat(paths, "\n")) } }]],
    }, function(server)
      for _ = 1, 3 do server:get("/call") end
      assert.matches("^" .. directory .. "/leadping%-%w+/bell\n$", (server:get("/paths")))
      assert.equal("", (support.shell("ls " .. directory)))
    end)
    support.remove_directory(directory)
  end)

  it("of a client that was used before the workers were forked is refused", function()
    with_nginx({
      init = [[
        early = new_client { loop = "blocking" }
        assert(early:clear_override "in the master")]],
      server = server_of [[
        location = /early { content_by_lua_block {
          local _, message = pcall(early.clear_override, early, "in a worker")
          ngx.print(message)
        } }]],
    }, function(server)
      local _, mark = support.requests()
      assert.matches("made before a fork: a child process, such as a worker of nginx, has to "
        .. "make a client of its own$", (server:get("/early")))
      assert.equal(0, requests_for("in a worker", mark))
      assert.equal("cleared\n", (server:get("/call")))
    end)
  end)

  it("works without nginx's code cache", function()
    with_nginx({ http = "lua_code_cache off;", server = SERVER }, function(server)
      assert.same({ ["cleared\n"] = 10 }, tally(server:get_all(many("/call?id=%d", 10))))
      assert.not_matches("%[error%]", server:log())
    end)
  end)
end)
