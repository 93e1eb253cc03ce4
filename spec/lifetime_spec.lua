-- spec/lifetime_spec.lua: clients that are closed, collected or used at odd
-- moments: in a hook, in a finalizer, again and again.
-- Descriptors are counted in /proc, so this file needs Linux.
-- MIT, see LICENSE.

local core = require "leadping.core"
local support = require "spec.support"

local open_files, settled_files = support.open_files, support.settled_files

describe("a client's connections", function()
  local function used_client()
    local client = support.client()
    assert(client:clear_override(support.id()))
    return client
  end

  it("are closed by close", function()
    local before = settled_files()
    local client = used_client()
    assert.is_true(open_files() > before)
    client:close()
    assert.equal(before, open_files())
  end)

  it("are closed by the garbage collector", function()
    local before = settled_files()
    for _ = 1, 5 do used_client() end
    collectgarbage()
    collectgarbage()
    assert.equal(before, open_files())
  end)

  it("are closed by the garbage collector where the hook refers to the client", function()
    local before = settled_files()
    for _ = 1, 5 do
      local client
      client = support.client { on_event = function() return client end }
      assert(client:clear_override(support.id()))
    end
    collectgarbage()
    collectgarbage()
    assert.equal(before, open_files())
  end)

  local it_on_5_4 = tonumber(support.lua_version) >= 5.4 and it or pending
  it_on_5_4("are closed at the end of a block by <close>, which Lua 5.4 has", function()
    local program = [[
      local kept
      do
        local client <close> = require("leadping").new()
        client:clear_override("x")
        kept = client
      end
      print(kept)
    ]]
    assert.equal("leadping.client: closed\n", (support.run(program)))
  end)

  it("are closed by the collector before descriptors run out, with much in memory", function()
    local output = support.shell(([[ulimit -n 1024 && %s - <<'END'
      local leadping = require "leadping"
      local kept = {}
      for i = 1, 60000 do kept[i] = { i } end
      for i = 1, 1000 do assert(leadping.new():clear_override("dropped " .. i)) end
      print(#kept)
END]]):format(support.lua))
    assert.equal("60000\n", output)
  end)

  it("that need more descriptors than there are have an error that says so", function()
    local output = support.shell(([[ulimit -n 32 && %s - <<'END'
      local leadping = require "leadping"
      local clients, err = {}, nil
      while not err do
        clients[#clients + 1] = leadping.new { max_retries = 0 }
        _, err = clients[#clients]:clear_override "a"
        if #clients == 32 then break end
      end
      print(err, err.outcome)
END]]):format(support.lua))
    assert.equal("leadping: connection: no socket: this process has too many open files\t"
      .. "not_sent\n", output)
  end)

  it("are not held open by a program that is started meanwhile", function()
    local client = used_client()
    finally(function() client:close() end)
    -- The child's own connections, told by their inodes.
    local output = support.shell([[
      ls -l /proc/self/fd | sed -n 's/.*socket:.\([0-9]*\).*/\1/p' | while read inode; do
        grep " $inode " /proc/net/tcp
      done]])
    assert.equal("", output)
  end)
end)

describe("a descriptor's number that libcurl has given back", function()
  -- libcurl 7.88.0 to 8.2.0 do not tell that they close a socket that was still
  -- connecting.
  local function cancel_connecting(session)
    local id = assert(session:submit {
      url = os.getenv "EMULATOR_HTTP", method = "DELETE", headers = {},
      timeout = 5, connect_timeout = 5, max_body = 1000,
    })
    session:step(0)
    assert.is_true(session:cancel(id))
  end

  it("is no longer the session's to close", function()
    local session = core.session {}
    cancel_connecting(session)
    local file = assert(io.tmpfile())
    finally(function() file:close() end)
    session:close()
    assert(file:write "kept")
    assert(file:flush())
  end)

  it("may come again in the same session", function()
    local before = settled_files()
    local session = core.session {}
    for _ = 1, 3 do cancel_connecting(session) end
    session:close()
    assert.equal(before, open_files())
  end)
end)

describe("memory", function()
  it("stays flat over many calls", function()
    local client = support.client()
    finally(function() client:close() end)
    local function used_after(calls)
      for _ = 1, calls do assert(client:clear_override("flat")) end
      collectgarbage()
      collectgarbage()
      return collectgarbage("count")
    end
    local before = used_after(1000) -- by when LuaJIT has compiled what it will
    assert.is_true(used_after(1000) - before < 4, "KiB")
  end)
end)

describe("a client that is closed in its own hook", function()
  local rows = {
    { "request", "cancelled", "not_sent" }, { "retry", "cancelled", "unknown" },
    { "wait", "cancelled", "unknown" }, { "response", "cancelled", "unknown" },
    { "done", "server_error", "unknown" },
  }
  for _, row in ipairs(rows) do
    it(("at %s ends its call, and opens nothing new"):format(row[1]), function()
      local before = settled_files()
      local client
      client = support.client {
        max_retries = 1,
        on_event = function(event)
          if event.name == row[1] then client:close() end
        end,
      }
      local selection, err = client:clear_override(support.id("fault:status-503"))
      assert.is_nil(selection)
      assert.equal(row[2], err.kind)
      assert.equal(row[3], err.outcome)
      assert.equal(before, open_files())
    end)
  end

  it("has the answer that had come", function()
    local client
    client = support.client {
      on_event = function(event)
        if event.name == "response" then client:close() end
      end,
    }
    assert(client:clear_override(support.id()))
  end)
end)

describe("a call inside a hook", function()
  it("works, and so does the call around it", function()
    local client, inner, is_inside
    client = support.client {
      on_event = function(event)
        if event.name == "response" and not is_inside then
          is_inside = true
          inner = assert(client:clear_override(support.answer('{"number":"inner"}')))
        end
      end,
    }
    finally(function() client:close() end)
    local outer = assert(client:clear_override(support.answer('{"number":"outer"}')))
    assert.equal("outer", outer.number)
    assert.equal("inner", inner.number)
  end)
end)

--- A session driven by hand, with so many headers that Lua collects garbage
-- while it submits and while it takes a result.
describe("a finalizer that runs inside the session", function()
  local headers = {}
  for i = 1, 60 do headers["X-Long-" .. i] = ("h"):rep(500) .. i end

  local function request(id, given)
    return {
      url = ("%s/phone-numbers/outgoing/conversation/%s/override"):format(support.http, id),
      method = "DELETE", headers = given or headers,
      timeout = 5, connect_timeout = 5, max_body = 100000,
    }
  end

  local function authorized()
    local copy = { Authorization = "Bearer " .. support.key }
    for name, value in pairs(headers) do copy[name] = value end
    return copy
  end

  --- Garbage with a finalizer; in Lua 5.1 only userdata has one.
  local function drop(finalizer)
    local newproxy = rawget(_G, "newproxy")
    if newproxy then getmetatable(newproxy(true)).__gc = finalizer
    else setmetatable({}, { __gc = finalizer }) end
  end

  --- Garbage whose finalizer calls the function, again and again.
  local function haunt(act)
    local alive = true
    local function spawn()
      drop(function()
        if alive then
          act()
          spawn()
        end
      end)
    end
    spawn()
    return function() alive = false end
  end

  local function set_pause(percent)
    local is_set = pcall(collectgarbage, "setpause", percent)
    if not is_set then collectgarbage("param", "pause", percent) end -- Lua 5.5
  end

  before_each(function() set_pause(1) end)
  after_each(function() set_pause(200) end)

  it("cannot change the request that is being submitted", function()
    local session = core.session { proxy = "" }
    finally(function() session:close() end)
    local _, mark = support.requests()
    local rest = haunt(function() session:submit(request("nested", {})) end)
    local last
    for i = 1, 30 do last = session:submit(request("outer-" .. i, authorized())) end
    rest()
    local waiting = last -- ids count from 1
    support.eventually(function()
      session:step(0.05)
      while session:next() do waiting = waiting - 1 end
      return waiting == 0
    end)
    local outer = 0
    for _, seen in ipairs((support.requests(mark))) do
      if seen.key == support.key then
        assert.matches("^outer%-%d+$", seen.id)
        outer = outer + 1
      end
    end
    assert.equal(30, outer)
  end)

  it("may close the session whose result is being taken", function()
    for _ = 1, 20 do
      local session = core.session { proxy = "" }
      session:submit(request("closing", authorized()))
      while session:step(1) == 0 do end -- luacheck: ignore 542
      local rest = haunt(function() session:close() end)
      pcall(session.next, session)
      rest()
      session:close()
    end
  end)

  -- Lua 5.1 ends the process without closing the state.
  it("may close the state that the session is in", function()
    local output, status = support.run(([[
      local core = require "leadping.core"
      local garbage = {} -- which takes the end of the state some time
      for i = 1, 300000 do garbage[i] = { i } end
      local session = core.session { proxy = "" }
      local function submit(fault)
        assert(session:submit {
          url = (%q):gsub("FAULT", fault), method = "DELETE", headers = { Authorization = %q },
          timeout = 5, connect_timeout = 5, max_body = 1e5,
        })
      end
      session:start()
      for i = 1, 100 do submit(("slow-%%.3f"):format(i / 200)) end
      for _ = 1, 20 do submit "headers-20000" end
      while session:step(0.05) < 20 do end
      collectgarbage "stop"
      local is_in_next, is_over = false, false
      local function close_state()
        if not is_in_next or is_over then return end
        is_over = true
        os.exit(7, true)
      end
      for _ = 1, 1000 do
        local newproxy = rawget(_G, "newproxy")
        if newproxy then getmetatable(newproxy(true)).__gc = close_state
        else setmetatable({}, { __gc = close_state }) end
      end
      collectgarbage("setpause", 1)
      collectgarbage("setstepmul", 1000000)
      collectgarbage "restart"
      is_in_next = true
      while session:next() do end
      print "no finalizer has run there"
    ]]):format(request("fault:FAULT").url, "Bearer " .. support.key))
    assert.equal("", output)
    assert.equal(7, status)
  end)

  it("may use the client that is in use", function()
    local client = support.client { headers = headers }
    finally(function() client:close() end)
    local nested = 0
    local rest = haunt(function()
      nested = nested + 1
      if nested % 10 == 0 then client:clear_override("nested") end
    end)
    for i = 1, 20 do
      local selection = assert(client:clear_override(support.answer(
        ('{"number":"%d"}'):format(i))))
      assert.equal(tostring(i), selection.number)
    end
    rest()
  end)
end)
