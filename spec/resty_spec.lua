-- spec/resty_spec.lua: examples/resty-transport.lua inside nginx, with LuaJIT.
-- nginx, its light threads, semaphores and cosockets are the real ones; for
-- lua-resty-http, which no system packages, spec/resty/http.lua stands in.
-- MIT, see LICENSE.

local nginx = require "spec.nginx"
local support = require "spec.support"

local PRELUDE = [[
  local leadping = require "leadping"
  local new_transport = require("resty-transport").new
  local function new_client(options)
    local given = {
      api_key = "@KEY@", base_url = "@HTTP@", max_retries = 0, transport = new_transport(),
    }
    for name, value in pairs(options or {}) do given[name] = value end
    return leadping.new(given)
  end
  local function request(id)
    return {
      method = "DELETE", headers = { Authorization = "Bearer @KEY@" }, timeout = 5,
      url = "@HTTP@/phone-numbers/outgoing/conversation/" .. id .. "/override",
      connect_timeout = 5, max_body = 100000,
    }
  end
  local function now()
    ngx.update_time()
    return ngx.now()
  end
]]

local function assert_prints(expected, program)
  local printed = nginx.run(PRELUDE .. program, "examples/?.lua;spec/?.lua")
  assert.equal(nginx.fill(table.concat(expected, "\n")) .. "\n", printed)
end

describe("examples/resty-transport.lua", function()
  it("clears overrides, over connections that are used again", function()
    local _, mark = support.requests()
    assert_prints({ "true", "false", "true" }, [[
      local client = new_client()
      for _, id in ipairs { "a b", "cannot-send-1", "../../PN123?" } do
        print(tostring(assert(client:clear_override(id)).canSend))
      end
      client:close()
    ]])
    local requests = support.requests(mark)
    assert.equal(3, #requests)
    assert.equal("DELETE", requests[1].method)
    assert.equal("a b", requests[1].id)
    assert.equal("../../PN123?", requests[3].id)
    assert.equal(requests[1].connection, requests[3].connection)
    assert.matches("^leadping%-lua/", requests[1].headers["user-agent"])
  end)

  it("gives each fault its kind and its outcome", function()
    assert_prints({
      "status-404 not_found not_applied 404", "status-503 server_error unknown 503",
      "redirect-307 unexpected_status not_applied 307", "empty-204 decode applied 204",
      "close connection unknown nil", "half connection unknown nil",
      "garbage connection unknown nil", "big-20000 too_large applied 200",
    }, [[
      local client = new_client { max_body = 10000 }
      for _, fault in ipairs { "status-404", "status-503", "redirect-307", "empty-204", "close",
          "half", "garbage", "big-20000" } do
        local _, err = client:clear_override("fault:" .. fault)
        print(fault, err.kind, err.outcome, tostring(err.status))
      end
    ]])
  end)

  it("says of what was not sent that it was not", function()
    assert_prints({
      "@CLOSED@ connection not_sent", "@HOST@ tls not_sent", "@EXPIRED@ tls not_sent",
      "https://nowhere.invalid connection not_sent",
    }, [[
      for _, url in ipairs { "@CLOSED@", "@HOST@", "@EXPIRED@", "https://nowhere.invalid" } do
        local _, err = new_client({ base_url = url }):clear_override("c1")
        print(url, err.kind, err.outcome)
      end
    ]])
  end)

  it("verifies the server's certificate", function()
    assert_prints({ "true" }, [[
      print(tostring(assert(new_client({ base_url = "@TLS@" }):clear_override("c1")).canSend))
    ]])
  end)

  it("is tried again, behind a pause", function()
    assert_prints({ "2 status 503" }, [[
      local client = new_client { max_retries = 1 }
      local _, err, response = client:clear_override("fault:status-503*1:resty")
      print(response.attempts, response.reasons[1])
    ]])
  end)

  it("ends in time, and lets other light threads go on meanwhile", function()
    assert_prints({ "timeout unknown", "true", "true" }, [[
      local ticks, started = 0, now()
      local ticker = ngx.thread.spawn(function()
        while true do
          ngx.sleep(0.01)
          ticks = ticks + 1
        end
      end)
      local _, err = new_client({ timeout = 0.3 }):clear_override("fault:never")
      ngx.thread.kill(ticker)
      print(err.kind, err.outcome)
      print(tostring(now() - started < 2))
      print(tostring(ticks >= 5))
    ]])
  end)

  it("ends an attempt by itself when its time is over", function()
    assert_prints({ "timeout 1" }, [[
      local transport, asked = new_transport(), request("fault:never")
      asked.timeout = 0.1
      transport:submit(asked)
      assert(transport:step(2) == 1)
      local _, result = transport:next()
      print(result.kind, result.sends)
    ]])
  end)

  it("has many requests in flight at a time", function()
    assert_prints({ "20 true" }, [[
      local transport, started = new_transport(), now()
      local pending, count = {}, 0
      for i = 1, 20 do
        local id = transport:submit(request("fault:slow-0.2"))
        assert(not pending[id])
        pending[id] = true
      end
      while next(pending) do
        transport:step(1)
        local id, result = transport:next()
        while id do
          assert(pending[id] and result.status == 200)
          pending[id], count = nil, count + 1
          id, result = transport:next()
        end
      end
      print(count, tostring(now() - started < 2))
    ]])
  end)

  it("clears many at once", function()
    assert_prints({ "30 true" }, [[
      local client, started, count = new_client(), now(), 0
      local ids = {}
      for i = 1, 30 do ids[i] = "fault:slow-0.1:" .. i end
      for id, selection in client:clear_overrides(ids, { rate = false, concurrency = 10 }) do
        count = count + (selection and 1 or 0)
      end
      print(count, tostring(now() - started < 2))
    ]])
  end)

  it("puts away what is cancelled, and all when it is closed", function()
    assert_prints({ "0 nil", "0 nil" }, [[
      local transport = new_transport()
      transport:cancel(transport:submit(request("fault:slow-0.1")))
      transport:step(0.2)
      print(transport:step(0), tostring((transport:next())))
      for i = 1, 3 do transport:submit(request("fault:slow-0.1")) end
      transport:close()
      transport:close()
      transport:step(0.2)
      print(transport:step(0), tostring((transport:next())))
    ]])
  end)

  it("keeps no light thread of what has ended or was put away", function()
    assert_prints({ "60 0 0 0" }, [[
      local spawn, threads = ngx.thread.spawn, setmetatable({}, { __mode = "k" })
      function ngx.thread.spawn(...)
        local thread = spawn(...)
        threads[thread] = true
        return thread
      end
      local function count(list)
        local found = 0
        for _ in pairs(list) do found = found + 1 end
        return found
      end
      local transport, ids, done = new_transport(), {}, 0
      local client = new_client { transport = transport }
      for i = 1, 60 do ids[i] = "kept:" .. i end
      for _, selection in client:clear_overrides(ids, { rate = false }) do
        done = done + (selection and 1 or 0)
      end
      local left = count(transport.threads)
      for _ = 1, 3 do transport:cancel(transport:submit(request("fault:slow-0.1"))) end
      collectgarbage() collectgarbage()
      print(done, left, count(transport.threads), count(threads))
    ]])
  end)
end)
