-- spec/call_spec.lua: one call from its id to its result, on a clock that stands still.
-- Covers leadping.call and leadping.engine, over a scripted session.
-- Not here: libcurl, sockets, real time; calls for many ids at once.
-- MIT, see LICENSE.

local core = require "leadping.core"
local Engine = require "leadping.engine"
local errors = require "leadping.errors"
local options = require "leadping.options"
local settings = require "leadping.settings"

local KEY = "sk_test/\"+%d"
local BODY = '{"canSend":true,"phoneNumberId":"pn_1"}'
local UNIX_TIME = 1700000000 -- Tue, 14 Nov 2023 22:13:20 GMT
local TAKES = 0.125 -- seconds that an attempt takes where a row says nothing

-- results of a session -------------------------------------------------------

local function answer(status, body, headers)
  return { status = status, body = body or "", headers = headers or {}, sends = 1 }
end

local function ok(body)
  return answer(200, body or BODY, { ["Content-Type"] = "application/json" })
end

local function broken(kind, fields)
  local result = { kind = kind, message = "it broke", sends = 1, retryable = true }
  for name, value in pairs(fields or {}) do result[name] = value end
  return result
end

--- An attempt that uses up the time that it is given.
local function hangs(request)
  return broken("timeout", { message = "too slow", takes = request.timeout })
end

-- a session that follows a script --------------------------------------------

local Session = {}
Session.__index = Session

--- Rows of a script are results, or functions that get the request and return
-- one; the last row stands for all that follow.
local function new_session(world, script)
  return setmetatable({
    world = world, script = script, requests = {}, cancelled = {}, closed = 0,
    pending = {}, finished = {},
  }, Session)
end

function Session:submit(request)
  self.requests[#self.requests + 1] = request
  local row = self.script[math.min(#self.requests, #self.script)]
  local result = type(row) == "function" and row(request) or row
  if result.refused then return nil, result.refused end
  self.pending[#self.pending + 1] = { #self.requests, result }
  return #self.requests
end

function Session:step(seconds)
  if self.broken then
    self.world.now = self.world.now + TAKES
    return nil, self.broken
  end
  local first = table.remove(self.pending, 1)
  if first then
    self.world.now = self.world.now + (first[2].takes or TAKES)
    self.finished[#self.finished + 1] = first
  elseif #self.finished == 0 then
    self.world.now = self.world.now + seconds
    self.world.slept[#self.world.slept + 1] = seconds
  end
  return #self.finished
end

function Session:next()
  local first = table.remove(self.finished, 1)
  if not first then return nil end
  local copy = {}
  for name, value in pairs(first[2]) do copy[name] = value end
  return first[1], copy
end

--- Remembers the cancelling, and lets the result come all the same: the worst
-- that a session can do.
function Session:cancel(id)
  self.cancelled[#self.cancelled + 1] = id
  return true
end

function Session:close()
  self.closed = self.closed + 1
end

-- a world --------------------------------------------------------------------

local World = {}
World.__index = World

--- An engine over that script. `given`: options; random: what it returns.
local function new_world(script, given, random)
  local world = setmetatable({
    now = 1000, slept = {}, events = {}, random = random or 0.5,
  }, World)
  world.session = new_session(world, script)
  local chosen = {
    api_key = KEY, base_url = "http://127.0.0.1:9", transport = world.session,
    on_event = function(event) world.events[#world.events + 1] = event end,
  }
  for name, value in pairs(given or {}) do chosen[name] = value end
  if chosen.transport == false then chosen.transport = nil end
  local values, err, wrong = settings.new(chosen)
  assert(values, wrong or tostring(err))
  values.log = nil
  world.settings = values
  world.engine = Engine.new(values, {
    clock = function() return world.now end,
    time = function() return UNIX_TIME end,
    random = function() return world.random end,
    wait = function(session, seconds)
      if world.on_wait then world.on_wait() end
      return session:step(seconds)
    end,
  })
  return world
end

function World:call(id, limits)
  local values, wrong = options.for_call(limits, self.settings)
  assert(values, wrong)
  return self.engine:call(id or "c1", values):results()
end

function World:sent()
  return #self.session.requests
end

function World:keys()
  local keys = {}
  for i, request in ipairs(self.session.requests) do
    keys[i] = request.headers["Authorization"]
  end
  return keys
end

function World:event_names()
  local names = {}
  for i, event in ipairs(self.events) do names[i] = event.name end
  return table.concat(names, " ")
end

local function failing(world, ...)
  local selection, err = world:call(...)
  assert.is_nil(selection)
  assert.is_true(errors.is_error(err))
  return err
end

--- A function that returns its arguments one after the other, then the last.
local function in_turn(...)
  local values, calls = { n = select("#", ...), ... }, 0
  return function()
    calls = calls + 1
    return values[math.min(calls, values.n)]
  end, function() return calls end
end

describe("leadping.call: a success", function()
  it("gives the selection, no error and the response", function()
    local world = new_world { ok() }
    local selection, err, response = world:call()
    assert.equal("pn_1", selection.phoneNumberId)
    assert.is_nil(err)
    assert.equal(200, response.status)
    assert.equal(BODY, response.body)
    assert.equal("application/json", response.headers["content-TYPE"])
    assert.equal(1, response.attempts)
    assert.equal(TAKES, response.elapsed)
    assert.same({}, response.reasons)
  end)

  it("sends one DELETE, the id as one segment, with the limits of the client", function()
    local world = new_world({ ok() }, {
      headers = { ["X-Team"] = "a" }, user_agent = "spec", connect_timeout = 3,
      attempt_timeout = 7, max_body = 99, base_url = "http://127.0.0.1:9/base/",
    })
    world:call("../../PN123?")
    assert.equal(1, world:sent())
    assert.same({
      method = "DELETE",
      url = "http://127.0.0.1:9/base/phone-numbers/outgoing/conversation/"
        .. "..%2F..%2FPN123%3F/override",
      headers = {
        ["Accept"] = "application/json", ["Authorization"] = "Bearer " .. KEY,
        ["User-Agent"] = "spec", ["X-Team"] = "a",
      },
      timeout = 7, connect_timeout = 3, max_body = 99,
    }, world.session.requests[1])
  end)

  it("takes every 2xx with a selection for one", function()
    for _, status in ipairs { 200, 201, 202, 203, 207, 299 } do
      local selection, _, response = new_world({ answer(status, BODY) }):call()
      assert.equal("pn_1", selection.phoneNumberId)
      assert.equal(status, response.status)
    end
  end)
end)

describe("leadping.call: an id that cannot be sent", function()
  it("fails with invalid_id, sends nothing and asks for no key", function()
    local key, key_calls = in_turn("sk_a")
    local world = new_world({ ok() }, { api_key = key })
    for id, why in pairs {
      [""] = "it is empty", ["."] = '"." and ".." are steps in a path, not names',
      ["a\0"] = "its byte 2 (0x00) is a control byte", ["\255"] = "its byte 1 (0xFF) is not UTF-8",
    } do
      local err = failing(world, id)
      assert.equal("invalid_id", err.kind)
      assert.equal("the conversation's id cannot be sent: " .. why, err.message)
      assert.equal("not_sent", err.outcome)
      assert.equal(id, err.conversation_id)
      assert.equal(0, err.attempts)
      assert.is_false(err.retryable)
    end
    assert.equal(0, world:sent())
    assert.equal(0, key_calls())
  end)
end)

describe("leadping.call: retries", function()
  it("tries again after what may pass", function()
    local rows = {
      { broken("connection"), "connection" }, { broken("connection", { sends = 0 }), "connection" },
      { broken("timeout"), "timeout" }, { broken("timeout", { status = 200 }), "timeout" },
      { broken("tls"), "tls" }, { { refused = "no memory" }, "connection" },
    }
    for _, status in ipairs { 408, 425, 429, 500, 502, 503, 504 } do
      rows[#rows + 1] = { answer(status), "status " .. status }
    end
    for _, row in ipairs(rows) do
      local world = new_world { row[1], ok() }
      local selection, err, response = world:call()
      assert.is_nil(err)
      assert.equal("pn_1", selection.phoneNumberId)
      assert.equal(2, response.attempts)
      assert.same({ row[2] }, response.reasons)
      assert.equal(2, world:sent())
    end
  end)

  it("does not try again after what would come again", function()
    for _, row in ipairs {
      { answer(400), "bad_request" }, { answer(401), "unauthorized" },
      { answer(403), "forbidden" }, { answer(404), "not_found" },
      { answer(409), "unexpected_status" }, { answer(410), "unexpected_status" },
      { answer(422), "unexpected_status" }, { answer(300), "unexpected_status" },
      { answer(301), "unexpected_status" }, { answer(302), "unexpected_status" },
      { answer(303), "unexpected_status" }, { answer(304), "unexpected_status" },
      { answer(307), "unexpected_status" }, { answer(308), "unexpected_status" },
      { answer(501), "server_error" }, { answer(505), "server_error" },
      { answer(200, "<html>"), "decode" }, { answer(204), "decode" },
      { broken("tls", { retryable = false, sends = 0 }), "tls" },
      { broken("connection", { retryable = false, sends = 0 }), "connection" },
      { broken("decode", { retryable = false, status = 200 }), "decode" },
      { broken("too_large", { retryable = false, status = 503 }), "too_large" },
    } do
      local world = new_world { row[1], ok() }
      local err = failing(world)
      assert.equal(row[2], err.kind)
      assert.equal(row[1].status, err.status)
      assert.equal(1, err.attempts)
      assert.same({}, err.reasons)
      assert.is_false(err.retryable)
      assert.equal(1, world:sent())
      assert.same({}, world.slept)
    end
  end)

  it("does not follow a redirect", function()
    local world = new_world {
      answer(307, "", { Location = "http://127.0.0.1:9/elsewhere" }), ok(),
    }
    local err = failing(world)
    assert.equal("leadping: unexpected_status (307): a redirect, which is never followed: "
      .. "check base_url", tostring(err))
    assert.equal("http://127.0.0.1:9/elsewhere", err.response.headers["location"])
    assert.equal(1, world:sent())
  end)

  it("makes max_retries attempts after the first, the client's or the call's", function()
    for _, retries in ipairs { 0, 1, 2, 5 } do
      local world = new_world({ answer(503) }, { max_retries = retries })
      assert.equal(retries + 1, failing(world).attempts)
      assert.equal(retries + 1, world:sent())
      world = new_world({ answer(503) })
      assert.equal(retries + 1, failing(world, "c1", { max_retries = retries }).attempts)
      assert.equal(retries + 1, world:sent())
    end
    assert.equal(3, failing(new_world { answer(503) }).attempts)
  end)

  it("tells attempts, elapsed and reasons with the error and its response", function()
    local err = failing(new_world {
      answer(429), broken("connection"), answer(404, "gone", { ["X-A"] = "b" }),
    })
    local elapsed = 3 * TAKES + 0.25 + 0.5
    for _, bearer in ipairs { err, err.response } do
      assert.equal(3, bearer.attempts)
      assert.equal(elapsed, bearer.elapsed)
      assert.same({ "status 429", "connection" }, bearer.reasons)
      assert.equal(404, bearer.status)
    end
    assert.equal("gone", err.response.body)
    assert.equal("b", err.response.headers["x-a"])
    assert.equal("c1", err.conversation_id)
  end)

  it("gives the response as third result, behind an error too", function()
    local _, err, response = new_world({ answer(404) }):call()
    assert.equal(err.response, response)
    _, err, response = new_world({ broken("connection", { retryable = false }) }):call()
    assert.equal("connection", err.kind)
    assert.is_nil(response)
  end)

  it("says that the same call may work later, where retries ran out", function()
    assert.is_true(failing(new_world { answer(503) }).retryable)
    assert.is_true(failing(new_world { broken("timeout") }).retryable)
  end)

  it("doubles the delay, with jitter, up to 8 seconds", function()
    local world = new_world({ answer(503) }, { max_retries = 7, timeout = 1000 })
    failing(world)
    assert.same({ 0.25, 0.5, 1, 2, 4, 4, 4 }, world.slept)
    world = new_world({ answer(503) }, { max_retries = 7, timeout = 1000 }, 0)
    failing(world)
    assert.same({}, world.slept)
    assert.equal(8, world:sent())
  end)

  it("stops at once where the delay would outlast the time left", function()
    local world = new_world({ answer(503) }, { timeout = 0.25 })
    local err = failing(world)
    assert.equal("server_error", err.kind)
    assert.equal(1, err.attempts)
    assert.same({}, world.slept)
  end)

  it("spends 100 retries without a success, and then none", function()
    local world = new_world({ answer(503) }, { max_retries = 100, timeout = 86400 }, 0)
    assert.equal(101, failing(world).attempts)
    assert.equal(1, failing(world).attempts)
    assert.equal(102, world:sent())
  end)

  it("earns a retry back with five successes", function()
    local script = {}
    for i = 1, 102 do script[i] = answer(503) end
    for i = 103, 107 do script[i] = ok() end
    script[108] = answer(503)
    local world = new_world(script, { max_retries = 100, timeout = 86400 }, 0)
    assert.equal(101, failing(world).attempts)
    assert.equal(1, failing(world).attempts)
    for _ = 1, 5 do assert.is_truthy(world:call()) end
    assert.equal(2, failing(world).attempts)
    assert.equal(1, failing(world).attempts)
  end)
end)

describe("leadping.call: Retry-After", function()
  local function asks(value, status)
    return answer(status or 429, "", { ["Retry-After"] = value })
  end

  it("is waited for, and at most a tenth longer", function()
    for _, row in ipairs {
      { asks("8"), 8 }, { asks("8", 503), 8 }, { asks("0.5"), 0.5 }, { asks("120"), 120 },
      { asks("Tue, 14 Nov 2023 22:13:30 GMT"), 10 },
      { asks("Tuesday, 14-Nov-23 22:13:30 GMT"), 10 },
      { asks("Tue Nov 14 22:13:30 2023"), 10 },
    } do
      for _, random in ipairs { 0, 0.5, 1 - 2 ^ -53 } do
        local world = new_world({ row[1], ok() }, { timeout = 300 }, random)
        local _, err, response = world:call()
        assert.is_nil(err)
        local waited = response.elapsed - 2 * TAKES
        assert.is_true(waited >= row[2] and waited <= row[2] * 1.1 + 1e-9, waited)
        assert.near(row[2] * (1 + 0.1 * random), waited, 1e-9)
      end
    end
  end)

  it("of 0 or of the past means at once", function()
    for _, value in ipairs { "0", "-5", "Tue, 14 Nov 2023 22:13:20 GMT",
      "Sun, 06 Nov 1994 08:49:37 GMT" } do
      local world = new_world { asks(value), ok() }
      assert.is_truthy(world:call())
      assert.same({}, world.slept)
    end
  end)

  it("that is garbage leaves the delay to the back-off", function()
    for _, value in ipairs { "", "soon", "nan", "inf", "1e999", "0x10", "1, 2" } do
      local world = new_world { asks(value), ok() }
      assert.is_truthy(world:call())
      assert.same({ 0.25 }, world.slept)
    end
  end)

  it("over max_retry_after returns at once and tells it", function()
    local world = new_world { asks("121"), ok() }
    local err = failing(world, "c1", { timeout = 1000 })
    assert.equal("rate_limited", err.kind)
    assert.equal(121, err.retry_after)
    assert.is_true(err.retryable)
    assert.equal(1, world:sent())
    assert.same({}, world.slept)
    world = new_world({ asks("3"), ok() }, { max_retry_after = 2 })
    assert.equal(3, failing(world).retry_after)
    assert.equal(1, world:sent())
  end)

  it("over the time left returns at once and tells it", function()
    for _, timeout in ipairs { 5, 10, 10.125 } do
      local world = new_world { asks("10"), ok() }
      local err = failing(world, "c1", { timeout = timeout })
      assert.equal(10, err.retry_after)
      assert.equal(TAKES, err.elapsed)
      assert.equal(1, world:sent())
    end
    assert.is_truthy(new_world({ asks("10"), ok() }):call("c1", { timeout = 10.5 }))
  end)
end)

describe("leadping.call: timeout", function()
  it("bounds all attempts and waits together", function()
    local world = new_world({ hangs }, {
      timeout = 5, attempt_timeout = 2, max_retries = 10,
    }, 0)
    local err = failing(world)
    assert.equal("timeout", err.kind)
    assert.equal(3, err.attempts)
    assert.equal(5, err.elapsed)
    local given = {}
    for i, request in ipairs(world.session.requests) do given[i] = request.timeout end
    assert.same({ 2, 2, 1 }, given)
  end)

  it("bounds the first attempt", function()
    local world = new_world({ hangs }, { timeout = 1 })
    assert.equal(1, failing(world).elapsed)
    assert.equal(1, world.session.requests[1].timeout)
    assert.equal(1, world:sent())
  end)

  it("counts the time that the key's function takes", function()
    local world
    world = new_world({ ok() }, { timeout = 5, api_key = function()
      world.now = world.now + 6
      return "sk_a"
    end })
    local err = failing(world)
    assert.equal("leadping: timeout: no time left of 5 s (timeout)", tostring(err))
    assert.equal("not_sent", err.outcome)
    assert.equal(0, err.attempts)
    assert.equal(0, world:sent())
  end)

  it("is named where it ran out, and so are the other limits", function()
    local function message(given, takes)
      return failing(new_world({
        broken("timeout", { message = "too slow", takes = takes }),
      }, given)).message
    end
    assert.equal("too slow (timeout = 5 s)", message({ timeout = 5, max_retries = 0 }, 5))
    for _, takes in ipairs { 1.99, 2 } do -- libcurl's clock is not ours
      assert.equal("too slow (attempt_timeout = 2 s)",
        message({ attempt_timeout = 2, max_retries = 0 }, takes))
    end
    assert.equal("too slow (connect_timeout)",
      message({ attempt_timeout = 2, connect_timeout = 1.9, max_retries = 0 }, 1.9))
  end)
end)

describe("leadping.call: the key", function()
  it("is asked for at each attempt where it is a function", function()
    local key, calls = in_turn("sk_1", "sk_2", "sk_3")
    local world = new_world({ answer(503) }, { api_key = key })
    failing(world)
    assert.equal(3, calls())
    assert.same({ "Bearer sk_1", "Bearer sk_2", "Bearer sk_3" }, world:keys())
  end)

  it("gets one more attempt after a 401, where the function has another", function()
    local key, calls = in_turn("sk_old", "sk_new")
    local world = new_world({ answer(401), ok() }, { api_key = key })
    local selection, _, response = world:call()
    assert.equal("pn_1", selection.phoneNumberId)
    assert.equal(2, response.attempts)
    assert.same({ "status 401" }, response.reasons)
    assert.same({ "Bearer sk_old", "Bearer sk_new" }, world:keys())
    assert.equal(2, calls())
    assert.same({}, world.slept)
  end)

  it("gets only one more, however many keys there are", function()
    local world = new_world({ answer(401) }, {
      api_key = in_turn("sk_1", "sk_2", "sk_3", "sk_4"), max_retries = 5,
    })
    local err = failing(world)
    assert.equal("unauthorized", err.kind)
    assert.equal(2, err.attempts)
    assert.equal("not_applied", err.outcome)
    assert.same({ "Bearer sk_1", "Bearer sk_2" }, world:keys())
  end)

  it("gets none after a 401 where it is the same, gone, or a string", function()
    for _, key in ipairs { in_turn("sk_1"), in_turn("sk_1", nil), in_turn("sk_1", ""), "sk_1" } do
      local world = new_world({ answer(401), ok() }, { api_key = key })
      assert.equal("unauthorized", failing(world).kind)
      assert.equal(1, world:sent())
    end
  end)

  it("gets none after a 401 where max_retries is used up", function()
    local world = new_world({ answer(401), ok() }, {
      api_key = in_turn("sk_1", "sk_2"), max_retries = 0,
    })
    assert.equal("unauthorized", failing(world).kind)
    assert.equal(1, world:sent())
  end)

  it("that the function does not have is no_api_key", function()
    for _, key in ipairs { (in_turn(nil)), (in_turn("")) } do
      local world = new_world({ ok() }, { api_key = key })
      local err = failing(world)
      assert.equal("leadping: no_api_key: no API key: the function given as api_key "
        .. "returned none", tostring(err))
      assert.equal("not_sent", err.outcome)
      assert.equal(0, err.attempts)
      assert.equal("c1", err.conversation_id)
      assert.equal(0, world:sent())
    end
  end)

  it("that the function has no more is no_api_key, the outcome kept", function()
    local err = failing(new_world({ answer(503), ok() }, { api_key = in_turn("sk_1", nil) }))
    assert.equal("no_api_key", err.kind)
    assert.equal("unknown", err.outcome)
    assert.equal(1, err.attempts)
    assert.same({ "status 503" }, err.reasons)
  end)

  it("of a wrong type or with impossible bytes raises, without its text", function()
    for _, row in ipairs {
      { 5, "string expected, got number" }, { {}, "string expected, got table" },
      { false, "string expected, got boolean" },
      { "sk_secret\n", "its byte 10 is 0x0A, which no key holds; a key read from a file "
        .. "may end in a newline" },
      { "sk_secret\r\nX: y", "its byte 10 is 0x0D, which no key holds; a key read from a "
        .. "file may end in a newline" },
      { "sk secret", "its byte 3 is 0x20, which no key holds" },
      { "sk_\195\169", "its byte 4 is 0xC3, which no key holds" },
    } do
      local world = new_world({ ok() }, { api_key = in_turn(row[1], "sk_good") })
      local raised, message = pcall(world.call, world)
      assert.is_false(raised)
      assert.equal("the function given as api_key: " .. row[2], message)
      assert.equal(0, world:sent())
      assert.is_truthy(world:call())
    end
  end)

  it("raises what its function raises, at a later attempt too", function()
    local reason = { "the vault is shut" }
    for _, status in ipairs { 503, 401 } do
      local calls = 0
      local world = new_world({ answer(status), ok() }, { api_key = function()
        calls = calls + 1
        if calls == 2 then error(reason) end
        return "sk_" .. calls
      end })
      local raised, message = pcall(world.call, world)
      assert.is_false(raised)
      assert.equal(reason, message)
      assert.is_truthy(world:call())
      assert.equal(2, world:sent())
    end
  end)
end)

describe("leadping.call: outcome", function()
  local function outcome_of(script, given)
    return failing(new_world(script, given)).outcome
  end

  it("is not_sent where nothing left", function()
    assert.equal("not_sent", outcome_of { broken("connection", { sends = 0 }) })
    assert.equal("not_sent", outcome_of { broken("timeout", { sends = 0 }) })
    assert.equal("not_sent", outcome_of { broken("tls", { sends = 0, retryable = false }) })
    assert.equal("not_sent", outcome_of { { refused = "no memory" } })
  end)

  it("is unknown where it left and no answer tells", function()
    for _, result in ipairs {
      broken("connection"), broken("timeout"), broken("tls"), broken("timeout", { status = 200 }),
      answer(500), answer(502), answer(503), answer(504), answer(501),
    } do
      assert.equal("unknown", outcome_of { result })
    end
  end)

  it("is not_applied where the server refused", function()
    for _, status in ipairs { 301, 302, 307, 400, 401, 403, 404, 408, 409, 425, 429 } do
      assert.equal("not_applied", outcome_of { answer(status) })
    end
  end)

  it("is applied after a 2xx, whatever its body", function()
    for _, result in ipairs {
      answer(200, "<html>"), answer(204), answer(200, '{"canSend":"x"}'),
      broken("decode", { status = 200, retryable = false }),
      broken("too_large", { status = 200, retryable = false }),
    } do
      assert.equal("applied", outcome_of { result })
    end
  end)

  it("follows the status of an answer that was too large", function()
    assert.equal("not_applied", outcome_of {
      broken("too_large", { status = 404, retryable = false }) })
    assert.equal("unknown", outcome_of {
      broken("too_large", { status = 503, retryable = false }) })
    assert.equal("unknown", outcome_of { broken("too_large", { retryable = false }) })
  end)

  it("stays unknown behind an attempt of which nothing is known", function()
    for _, first in ipairs { broken("connection"), broken("timeout"), answer(503) } do
      for _, last in ipairs {
        answer(404), answer(400), answer(401), answer(307),
        broken("connection", { sends = 0, retryable = false }),
        broken("tls", { sends = 0, retryable = false }),
      } do
        assert.equal("unknown", outcome_of { first, last })
      end
    end
  end)

  it("is applied where a later 2xx tells", function()
    assert.equal("applied", outcome_of { broken("connection"), answer(200, "x") })
  end)

  it("is the later one's behind an attempt that did not count", function()
    assert.equal("not_applied", outcome_of {
      broken("connection", { sends = 0 }), answer(404) })
    assert.equal("not_applied", outcome_of { answer(429), answer(404) })
  end)

  it("is unknown where libcurl sent twice and the second was refused", function()
    local twice = answer(404)
    twice.sends = 2
    assert.equal("unknown", outcome_of { twice })
    twice = answer(200, "x")
    twice.sends = 2
    assert.equal("applied", outcome_of { twice })
  end)
end)

describe("leadping.call: events", function()
  local function event(name, attempt, fields)
    fields.name, fields.attempt, fields.conversation_id = name, attempt, "c1"
    return fields
  end

  it("of a success are request, response, done", function()
    local world = new_world { ok() }
    world:call()
    assert.same({
      event("request", 1, {}),
      event("response", 1, { status = 200, elapsed = TAKES }),
      event("done", 1, { status = 200, elapsed = TAKES }),
    }, world.events)
  end)

  it("of a retry tell why and how long", function()
    local world = new_world { answer(503), broken("connection"), ok() }
    world:call()
    assert.same({
      event("request", 1, {}),
      event("response", 1, { status = 503, kind = "server_error", elapsed = TAKES }),
      event("retry", 1, { reason = "status 503", delay = 0.25 }),
      event("wait", 1, { reason = "status 503", delay = 0.25 }),
      event("request", 2, {}),
      event("response", 2, { kind = "connection", elapsed = TAKES }),
      event("retry", 2, { reason = "connection", delay = 0.5 }),
      event("wait", 2, { reason = "connection", delay = 0.5 }),
      event("request", 3, {}),
      event("response", 3, { status = 200, elapsed = TAKES }),
      event("done", 3, { status = 200, elapsed = 3 * TAKES + 0.75 }),
    }, world.events)
  end)

  it("have no wait where there is none", function()
    local world = new_world({ answer(503), ok() }, nil, 0)
    world:call()
    assert.equal("request response retry request response done", world:event_names())
  end)

  it("of a failure end with its kind and status", function()
    local world = new_world { answer(404) }
    failing(world)
    assert.same({
      event("request", 1, {}),
      event("response", 1, { status = 404, kind = "not_found", elapsed = TAKES }),
      event("done", 1, { status = 404, kind = "not_found", elapsed = TAKES }),
    }, world.events)
  end)

  it("of a call that sends nothing are done alone", function()
    local world = new_world { ok() }
    failing(world, "")
    assert.same({ {
      name = "done", attempt = 0, conversation_id = "", kind = "invalid_id", elapsed = 0,
    } }, world.events)
    world = new_world({ ok() }, { api_key = in_turn(nil) })
    failing(world)
    assert.same({ event("done", 0, { kind = "no_api_key", elapsed = 0 }) }, world.events)
  end)

  it("are told before the request leaves", function()
    local world, sent_before
    world = new_world({ ok() }, { on_event = function(told)
      if told.name == "request" then sent_before = world:sent() end
    end })
    world:call()
    assert.equal(0, sent_before)
  end)

  it("need no hook", function()
    local world = new_world({ answer(503), ok() })
    world.engine.listener = nil
    assert.is_truthy(world:call())
  end)

  it("raise what the hook raises, once, without another attempt", function()
    for _, reason in ipairs { "hook!", { code = 5 }, false } do
      local seen, raise = {}, true
      local world = new_world({ answer(503), ok() }, { on_event = function(told)
        seen[#seen + 1] = told.name
        if raise then error(reason, 0) end
      end })
      local raised, message = pcall(world.call, world)
      assert.is_false(raised)
      assert.equal(reason, message)
      assert.equal("request response done", table.concat(seen, " "))
      assert.equal(1, world:sent())
      raise = false
      assert.is_truthy(world:call())
      assert.equal(2, world:sent())
    end
  end)

  it("raise the first of several errors of a hook", function()
    local world = new_world({ answer(404) }, {
      on_event = function(told) error("at " .. told.name, 0) end,
    })
    assert.has_error(function() world:call() end, "at request")
    assert.equal(1, world:sent())
  end)

  it("raise also where the hook raises nil", function()
    local world = new_world({ ok() }, { on_event = function() error(nil) end })
    assert.is_false((pcall(world.call, world)))
  end)
end)

describe("leadping.call: secrecy", function()
  --- Fails where a text anywhere in the value holds the key.
  local function assert_clean(value, key, seen)
    seen = seen or {}
    if type(value) == "string" then
      assert.is_nil(value:find(key, 1, true), value)
    elseif type(value) == "table" and not seen[value] then
      seen[value] = true
      for name, item in pairs(value) do
        assert_clean(name, key, seen)
        assert_clean(item, key, seen)
      end
    end
  end

  local function assert_no_key(result, key, given)
    given = given or {}
    given.api_key = key
    local world = new_world({ result }, given)
    local err = failing(world)
    assert_clean(err, key)
    assert_clean(tostring(err), key)
    assert_clean(world.events, key)
    return err
  end

  it("keeps the key out of errors and events", function()
    for _, result in ipairs {
      answer(401), answer(503), answer(200, "x"), broken("connection"),
      broken("tls", { retryable = false }), broken("timeout"),
    } do
      assert_no_key(result, KEY)
    end
  end)

  it("keeps it out where the server repeats it in its body", function()
    for _, status in ipairs { 200, 301, 400, 401, 404, 429, 500 } do
      local err = assert_no_key(answer(status, "<p>" .. KEY .. "</p><p>" .. KEY), KEY)
      assert.equal("<p>[key]</p><p>[key]", err.response.body)
    end
  end)

  it("keeps it out where the server repeats it in its headers", function()
    local err = assert_no_key(answer(401, "", {
      ["WWW-Authenticate"] = 'Bearer token="' .. KEY .. '"',
    }), KEY)
    assert.equal('Bearer token="[key]"', err.response.headers["www-authenticate"])
  end)

  it("keeps it out where problem details repeat it", function()
    local err = assert_no_key(answer(401,
      '{"title":"Unauthorized","detail":"sk_plain is wrong","sent":{"key":"sk_plain"}}'),
      "sk_plain")
    assert.equal("[key] is wrong", err.problem.detail)
    assert.equal("[key]", err.problem.sent.key)
  end)

  it("keeps it out where problem details repeat it escaped", function()
    for key, escaped in pairs {
      ["sk_a/b"] = [[sk_a\/b]], ['sk_a"b'] = [[sk_a\"b]], ["sk_a\\b"] = [[sk_a\\b]],
      ["sk_ab"] = [[sk_\u0061b]], ["sk_a+b"] = [[sk_a\u002Bb]],
      ["sk_a<b"] = [[\u0073k_a\u003Cb]],
    } do
      local err = assert_no_key(answer(401, ('{"title":"Unauthorized","detail":"%s is wrong",'
        .. '"sent":{"keys":["%s"]},"%s":1}'):format(escaped, escaped, escaped)), key)
      assert.equal("[key] is wrong", err.problem.detail)
    end
  end)

  it("leaves a body out that repeats it escaped, whatever the status", function()
    for _, status in ipairs { 200, 400, 401, 404, 500 } do
      for _, body in ipairs {
        [[{"detail":"sk_a\u002Bb is wrong","canSend":0}]],
        [[{"detail":"sk_a+b","canSend":"\u0073k_a+b"}]],
        [[{"canSend":"\u0073\u006b\u005F\u0061\u002b\u0062"}]], [[{"cut off":"\u0073k_a+b]],
      } do
        local err = assert_no_key(answer(status, body), "sk_a+b")
        assert.equal("[left out: it repeats the key, escaped]", err.response.body)
        assert.is_nil(err.message:find("\\u", 1, true))
      end
    end
  end)

  it("takes out the key of the attempt that was answered", function()
    local world = new_world({ answer(503), answer(404, "sk_one sk_two") }, {
      api_key = in_turn("sk_one", "sk_two"),
    })
    local err = failing(world)
    assert.is_nil(err.response.body:find("sk_two", 1, true))
  end)
end)

describe("leadping.engine: an error raised while it waits", function()
  --- Raises at that wait, as the hook does that a Ctrl-C sets.
  local function interrupt_at(world, at, reason)
    local waits = 0
    world.on_wait = function()
      waits = waits + 1
      if waits == at then error(reason, 0) end
    end
  end

  it("cancels the transfer and is raised as it is", function()
    for _, reason in ipairs { "interrupted!", { signal = 2 } } do
      local world = new_world { ok() }
      interrupt_at(world, 1, reason)
      local raised, message = pcall(world.call, world)
      assert.is_false(raised)
      assert.equal(reason, message)
      assert.same({ 1 }, world.session.cancelled)
      assert.is_nil(next(world.engine.calls))
    end
  end)

  it("does no harm to the next call, which never gets the earlier answer", function()
    local world = new_world { ok '{"number":"first"}', ok '{"number":"second"}' }
    interrupt_at(world, 1, "interrupted!")
    assert.has_error(function() world:call("a") end, "interrupted!")
    local selection, err, response = world:call("b")
    assert.is_nil(err)
    assert.equal("second", selection.number)
    assert.equal(1, response.attempts)
    assert.equal(2, world:sent())
    assert.matches("/b/override$", world.session.requests[2].url)
    assert.equal(0, world.session.closed)
  end)

  it("during a back-off leaves nothing to be sent later", function()
    local world = new_world { answer(503), ok '{"number":"second"}' }
    interrupt_at(world, 2, "interrupted!")
    assert.has_error(function() world:call("a") end, "interrupted!")
    assert.same({}, world.session.cancelled)
    assert.equal(1, world:sent())
    assert.equal("second", world:call("b").number)
    assert.matches("/b/override$", world.session.requests[2].url)
    assert.equal(2, world:sent())
  end)
end)

describe("leadping.engine: its session", function()
  --- Lets the engine's own sessions be scripted ones, until the spec ends.
  local function with_sessions(scripts, given)
    given = given or {}
    given.transport = false
    local world = new_world({ ok() }, given)
    local real, made = core.session, {}
    core.session = function(values)
      assert.equal(world.settings, values)
      made[#made + 1] = new_session(world, assert(scripts[#made + 1], "one session too many"))
      return made[#made]
    end
    return world, made, function() core.session = real end
  end

  it("is made at the first use, and once", function()
    local world, made, restore = with_sessions { { ok() } }
    finally(restore)
    failing(world, "")
    assert.equal(0, #made)
    assert.is_truthy(world:call())
    assert.is_truthy(world:call())
    assert.equal(1, #made)
    world.engine:close()
    assert.equal(1, made[1].closed)
  end)

  it("that cannot be driven fails the call, and the next one gets a new one", function()
    local world, made, restore = with_sessions({ { ok() }, { ok() } }, { max_retries = 0 })
    finally(restore)
    world.on_wait = function() made[1].broken = "the multi handle is broken" end
    local err = failing(world)
    assert.equal("connection", err.kind)
    assert.equal("the multi handle is broken", err.message)
    assert.equal("unknown", err.outcome)
    assert.is_true(err.retryable)
    assert.equal(1, made[1].closed)
    assert.is_truthy(world:call())
    assert.equal(2, #made)
    assert.equal(0, made[2].closed)
    assert.equal(1, #made[2].requests)
  end)

  it("that cannot be driven is replaced for the retry", function()
    local world, made, restore = with_sessions { { ok() }, { ok() } }
    finally(restore)
    world.on_wait = function() made[1].broken = "the multi handle is broken" end
    local selection, err, response = world:call()
    assert.is_nil(err)
    assert.equal("pn_1", selection.phoneNumberId)
    assert.same({ "connection" }, response.reasons)
    assert.equal(2, #made)
  end)

  it("that takes no request fails the attempt, which was not sent", function()
    local world = new_world({ { refused = "libcurl could not prepare the request" } },
      { max_retries = 1 })
    local err = failing(world)
    assert.equal("leadping: connection: libcurl could not prepare the request", tostring(err))
    assert.equal("not_sent", err.outcome)
    assert.equal(2, err.attempts)
    assert.equal(2, world:sent())
  end)

  it("is closed with the engine, and a result for nobody is let go", function()
    local world = new_world { ok() }
    world:call()
    world.session.finished = { { 99, ok() } }
    assert.is_truthy(world:call())
    world.engine:close()
    world.engine:close()
    assert.equal(1, world.session.closed)
  end)
end)
