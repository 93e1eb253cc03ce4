-- spec/transport_spec.lua: what every transport does, and what becomes of one
-- that does not. The same rules for csrc/session.c, over sockets to the
-- emulator, and for leadping.mock, whose time is its own.
-- MIT, see LICENSE.

local core = require "leadping.core"
local leadping = require "leadping"
local mock = require "leadping.mock"
local support = require "spec.support"
local transport = require "leadping.transport"

local CLOSED = assert(os.getenv "EMULATOR_CLOSED")

--- What the emulator does for these ids, as a script of the mock.
local function scripted()
  return mock.new {
    answers = {
      ["fault:status-503"] = 503, ["fault:status-307"] = 307,
      ["fault:slow-0.1"] = { delay = 0.1 }, ["fault:never"] = "timeout",
      refused = "connection",
    },
  }
end

local function request(id, given)
  local base = id == "refused" and CLOSED or support.http
  return support.with({
    method = "DELETE",
    url = ("%s/phone-numbers/outgoing/conversation/%s/override"):format(base, id),
    headers = { Authorization = "Bearer " .. support.key },
    timeout = 5, connect_timeout = 5, max_body = 100000,
  }, given)
end

--- Drives a transport until that many results have come: id -> result, and the
-- ids in the order in which they came.
local function collect(given, clock, count)
  local results, order = {}, {}
  local deadline = clock() + 4
  while #order < count and clock() < deadline do
    assert(given:step(1))
    local id, result = given:next()
    while id do
      assert.is_nil(results[id])
      results[id], order[#order + 1] = result, id
      id, result = given:next()
    end
  end
  assert.equal(count, #order)
  return results, order
end

local function contract(name, make)
  describe("a transport: " .. name, function()
    local given, clock
    before_each(function()
      given = make()
      clock = transport.clock(given.clock and given)
    end)
    after_each(function() given:close() end)

    local function result_of(...)
      local id = assert(given:submit(request(...)))
      return collect(given, clock, 1)[id]
    end

    it("gives an answer with status, headers and body", function()
      local result = result_of("conv")
      assert.equal(200, result.status)
      local headers = result.headers or core.head(result.head)
      assert.equal("application/json", headers["content-type"])
      assert.is_table(leadping.decode(result.body))
      assert.equal(1, result.sends)
      assert.is_nil(result.kind)
    end)

    it("gives an answer of any status, and follows no redirect", function()
      for _, status in ipairs { 503, 307 } do
        local result = result_of("fault:status-" .. status)
        assert.equal(status, result.status)
        assert.is_nil(result.kind)
      end
    end)

    it("gives each result once, by the id that submit gave", function()
      local status = {}
      for i = 1, 30 do
        local is_odd = i % 2 == 1
        local id = given:submit(request(is_odd and "conv" or "fault:status-503"))
        assert.is_nil(status[id])
        status[id] = is_odd and 200 or 503
      end
      for id, result in pairs(collect(given, clock, 30)) do
        assert.equal(status[id], result.status)
      end
      assert.equal(0, given:step(0))
      assert.is_nil(given:next())
    end)

    it("gives results as they come, whatever the order of the requests", function()
      local slow = given:submit(request("fault:slow-0.1"))
      local fast = given:submit(request("conv"))
      local _, order = collect(given, clock, 2)
      assert.same({ fast, slow }, order)
    end)

    it("waits for a result, at most as long as told, also without a request", function()
      for _, submitted in ipairs { false, true } do
        if submitted then given:submit(request("fault:never")) end
        for _, seconds in ipairs { 0, 0.05 } do
          local before = clock()
          assert.equal(0, given:step(seconds))
          assert.is_nil(given:next())
          local passed = clock() - before
          assert.is_true(passed >= seconds - 0.001 and passed < seconds + 0.5, passed)
        end
      end
    end)

    it("does not wait where a result waits, and counts those that do", function()
      for _ = 1, 3 do given:submit(request("conv")) end
      local deadline = clock() + 4
      while given:step(0.05) < 3 do assert.is_true(clock() < deadline) end
      local before = clock()
      assert.equal(3, given:step(5))
      assert.is_true(clock() - before < 1)
      given:next()
      assert.equal(2, given:step(0))
    end)

    it("ends an attempt when its time is over", function()
      local before = clock()
      local result = result_of("fault:never", { timeout = 0.05 })
      local passed = clock() - before
      assert.equal("timeout", result.kind)
      assert.equal(1, result.sends)
      assert.is_true(result.retryable)
      assert.is_string(result.message)
      assert.is_true(passed >= 0.049 and passed < 1, passed)
    end)

    it("says of a refused connection that nothing was sent", function()
      local result = result_of("refused")
      assert.equal("connection", result.kind)
      assert.equal(0, result.sends)
      assert.is_true(result.retryable)
      assert.is_string(result.message)
      assert.is_nil(result.status)
    end)

    it("takes no longer body than is wanted", function()
      local result = result_of("conv", { max_body = 10 })
      assert.equal("too_large", result.kind)
      assert.equal("the answer's body is over max_body (10 bytes)", result.message)
      assert.equal(200, result.status)
      assert.equal(1, result.sends)
      assert.is_false(result.retryable)
    end)

    it("gives no result of what was cancelled in flight", function()
      local cancelled = given:submit(request("fault:slow-0.1"))
      local other = given:submit(request("conv"))
      assert.is_true(given:cancel(cancelled))
      assert.is_false(given:cancel(cancelled))
      assert.is_table(collect(given, clock, 1)[other])
      assert.equal(0, given:step(0.15))
      assert.is_nil(given:next())
    end)

    it("gives no result of what was cancelled when it had ended", function()
      local id = given:submit(request("conv"))
      local deadline = clock() + 4
      while given:step(0.05) == 0 do assert.is_true(clock() < deadline) end
      assert.is_true(given:cancel(id))
      assert.is_false(given:cancel(id))
      assert.is_nil(given:next())
    end)

    it("has nothing to cancel once a result was taken", function()
      local id = given:submit(request("conv"))
      collect(given, clock, 1)
      assert.is_false(given:cancel(id))
      assert.is_false(given:cancel(id + 1))
    end)

    it("can be closed with requests in flight, twice, and does nothing more", function()
      given:submit(request("fault:never"))
      given:close()
      given:close()
      for _, call in ipairs {
        function() given:submit(request("conv")) end, function() given:step(0) end,
        function() given:next() end, function() given:cancel(1) end,
      } do
        local works, message = pcall(call)
        assert.is_false(works)
        assert.matches("is closed$", message)
      end
    end)
  end)
end

contract("csrc/session.c", function() return core.session { proxy = "" } end)
contract("leadping.mock", scripted)
contract("one that leadping.transport checks", function() return transport.checked(scripted()) end)

-- what a given transport does wrong -------------------------------------------

--- A transport on a clock of its own that answers at once, but for what the
-- fields replace.
local function new_transport(fields)
  local made = { now = 0, last = 0, waiting = {}, cancelled = {}, result = { status = 404 } }
  function made:submit()
    self.last = self.last + 1
    self.waiting[#self.waiting + 1] = self.last
    return self.last
  end
  function made:step(seconds)
    if #self.waiting == 0 then self.now = self.now + seconds end
    return #self.waiting
  end
  function made:next()
    local id = table.remove(self.waiting, 1)
    if id then return id, self.result end
  end
  function made:cancel(id) self.cancelled[#self.cancelled + 1] = id end
  function made:close() self.closed = true end
  function made:clock() return self.now end
  for name, value in pairs(fields or {}) do made[name] = value end
  return made
end

local function new_client(given, options)
  return support.client(support.with({ transport = given }, options))
end

local function error_of(given, options)
  local selection, err = new_client(given, options):clear_override("c1")
  assert.is_nil(selection)
  return err
end

describe("leadping.transport: a result that makes no sense", function()
  local LATER = { max_retries = 5 }
  for _, row in ipairs {
    { nil, "table expected, got nil" },
    { "200", "table expected, got string" },
    { {}, "no status, and no kind that goes without" },
    { { kind = "decode", message = "x" }, "no status, and no kind that goes without" },
    { { status = "200" }, 'status: a whole number from 100 to 999 expected, got "200"' },
    { { status = 200.5 }, "status: a whole number from 100 to 999 expected, got 200.5" },
    { { status = 99 }, "status: a whole number from 100 to 999 expected, got 99" },
    { { status = 0 / 0 }, "status: a whole number from 100 to 999 expected, got " },
    { { status = 200, body = {} }, "body: string expected, got table" },
    { { status = 200, headers = "x" }, "headers: table expected, got string" },
    { { status = 200, head = {} }, "head: string expected, got table" },
    { { status = 200, headers = { a = 1 } }, "headers: a string or a list of strings for "
      .. "each name expected, a is number" },
    { { status = 200, sends = -1 }, "sends: a number from 0 on expected, got -1" },
    { { kind = "rate_limited", message = "x" }, "kind: connection, tls, timeout, too_large "
      .. 'or decode expected, got "rate_limited"' },
    { { kind = "timeout" }, "a kind without a message" },
    { { kind = "timeout", message = 1 }, "message: string expected, got 1" },
    { { kind = "timeout", message = "x", retryable = "yes" },
      'retryable: boolean expected, got "yes"' },
  } do
    it(("is a connection error of unknown outcome: %s"):format(row[2]), function()
      local given = new_transport()
      given.result = row[1]
      local err = error_of(given, LATER)
      assert.equal("connection", err.kind)
      assert.equal("unknown", err.outcome)
      assert.equal(1, err.attempts)
      assert.is_false(err.retryable)
      local message = "the transport's result is wrong: " .. row[2]
      assert.equal(message, err.message:sub(1, #message))
    end)
  end
end)

describe("leadping.transport: a result with little in it", function()
  it("is an answer where it has a status", function()
    local err = error_of(new_transport())
    assert.equal("not_found", err.kind)
    assert.equal("not_applied", err.outcome)
    assert.equal("", err.response.body)
    assert.same({}, err.response.headers)
  end)

  it("is a failure that may have been sent where it has kind and message", function()
    local err = error_of(new_transport { result = { kind = "connection", message = "cut" } })
    assert.equal("leadping: connection: cut", tostring(err))
    assert.equal("unknown", err.outcome)
    assert.is_false(err.retryable)
  end)

  it("may have a list of values for a header", function()
    local err = error_of(new_transport {
      result = { status = 429, headers = { ["RETRY-AFTER"] = { "7" }, Via = { "a", "b" } } },
    })
    assert.equal(7, err.retry_after)
    assert.equal("a, b", err.response.headers["via"])
  end)

  it("may have its header lines as they came", function()
    local err = error_of(new_transport {
      result = { status = 429, head = "RETRY-AFTER: 7\r\nVia: a\r\nvia: b\r\n\r\n" },
    })
    assert.equal(7, err.retry_after)
    assert.equal("a, b", err.response.headers["via"])
  end)
end)

describe("leadping.transport: one that does not say why", function()
  it("it takes no request has sent none", function()
    for _, returned in ipairs { false, 7 } do
      local err = error_of(new_transport {
        submit = function() return nil, returned end,
      })
      assert.equal("leadping: connection: the transport does not say why", tostring(err))
      assert.equal("not_sent", err.outcome)
    end
  end)

  it("it cannot go on has lost what is in flight", function()
    for _, waiting in ipairs { false, "3" } do
      local err = error_of(new_transport { step = function() return waiting end })
      assert.equal("leadping: connection: the transport cannot go on, and does not say why",
        tostring(err))
      assert.equal("unknown", err.outcome)
    end
  end)
end)

describe("leadping.transport: one that loses a request", function()
  local function losing()
    return new_transport { submit = function(self)
      self.last = self.last + 1
      return self.last
    end }
  end

  it("does not hold up the call, which is a timeout of unknown outcome", function()
    local given = losing()
    local err = error_of(given, { attempt_timeout = 7 })
    assert.equal("leadping: timeout: the transport had no result in time (attempt_timeout = 7 s)",
      tostring(err))
    assert.equal("unknown", err.outcome)
    assert.is_true(err.retryable)
    assert.equal(7, given.now)
    assert.same({ 1 }, given.cancelled)
  end)

  it("is asked again, within the call's time", function()
    local given = losing()
    local err = error_of(given, { attempt_timeout = 7, timeout = 20, max_retries = 5 })
    assert.equal(3, err.attempts)
    assert.same({ "timeout", "timeout" }, err.reasons)
    assert.is_true(given.now <= 20)
    assert.same({ 1, 2, 3 }, given.cancelled)
  end)

  it("and finds it later gives it to nobody", function()
    local given = losing()
    local client = new_client(given)
    assert.equal("timeout", select(2, client:clear_override("c1")).kind)
    given.submit = nil
    given.waiting = { 1, 2 }
    given.submit = function() return 2 end
    assert.equal("not_found", select(2, client:clear_override("c2")).kind)
    assert.same({}, given.waiting)
  end)

  it("takes a late answer all the same where it has come", function()
    local given = new_transport()
    given.step = function(self)
      self.now = self.now + 50
      return #self.waiting
    end
    assert.equal("not_found", error_of(given).kind)
    assert.same({}, given.cancelled)
  end)

  it("is not asked for what was cancelled", function()
    local given = losing()
    local checked = transport.checked(given)
    checked:cancel(checked:submit(request("c1", { timeout = 5 })))
    checked:step(20)
    assert.equal(20, given.now)
    assert.is_nil(checked:next())
    assert.same({ 1 }, given.cancelled)
  end)

  it("may change the request that it was given", function()
    local given = new_transport { submit = function(_, asked)
      for name in pairs(asked) do asked[name] = nil end
      return 1
    end }
    assert.equal("timeout", error_of(given).kind)
    assert.equal(30, given.now)
  end)
end)

describe("leadping.transport: one with a fault of its own", function()
  it("raises where it gives an id twice", function()
    local client
    local given = new_transport {
      submit = function(self)
        if not self.is_inside then
          self.is_inside = true
          return 1
        end
        return 1
      end,
      step = function()
        client:clear_override("inner")
        return 0
      end,
    }
    client = new_client(given)
    assert.has_error(function() client:clear_override("outer") end,
      "option 'transport': submit gave the id of a request in flight again")
  end)

  it("cannot put the key into an error", function()
    local said = "wrong: Authorization: Bearer " .. support.key
    for _, fields in ipairs {
      { submit = function() return nil, said end },
      { result = { kind = "connection", message = said, sends = 1 } },
    } do
      assert.matches("Bearer %[key%]$", error_of(new_transport(fields)).message)
    end
  end)

  it("is closed with its client, also where its close raises", function()
    local client = new_client(new_transport { close = function() error("mine", 0) end })
    assert.has_error(function() client:close() end, "mine")
    assert.error_matches(function() client:clear_override "a" end, "the client is closed")
  end)

  it("that is always interrupted ends a call in time", function()
    local err = error_of(new_transport {
      submit = function() return 1 end,
      step = function(self)
        self.now = self.now + 0.01
        return nil, "interrupted"
      end,
    }, { timeout = 0.1 })
    assert.equal("timeout", err.kind)
    assert.equal("unknown", err.outcome)
  end)

  it("raises where its clock tells no time", function()
    assert.has_error(function()
      error_of(new_transport { clock = function() return "12:30" end })
    end, 'option \'transport\': clock gave "12:30", not seconds')
  end)

  it("is refused where its clock is no method", function()
    local refused, message = pcall(leadping.new, {
      api_key = "k", transport = new_transport { clock = 7 },
    })
    assert.is_false(refused)
    assert.matches("option 'transport': an object whose \"clock\" is a method expected, got table",
      message)
  end)

  it("may lack the clock, as a userdata without fields of its own does", function()
    assert.equal(core.clock, transport.clock(nil))
    assert.equal(core.clock, transport.clock(core.session { proxy = "" }))
  end)
end)

describe("leadping.transport: a client's", function()
  it("is libcurl's session as well", function()
    local session = core.session { proxy = "" }
    local client = new_client(session)
    assert(client:clear_override("conv"))
    client:close()
    assert.has_error(function() session:step(0) end, "the session is closed")
  end)

  it("is closed with it", function()
    local given = new_transport()
    new_client(given):close()
    assert.is_true(given.closed)
  end)
end)
