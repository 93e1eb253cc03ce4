-- spec/mock_spec.lua: what programs' own specs can rely on in leadping.mock.
-- Needs no server: nothing here opens a socket. What a transport has to do
-- anyway is in spec/transport_spec.lua.
-- MIT, see LICENSE.

local core = require "leadping.core"
local leadping = require "leadping"
local mock = require "leadping.mock"
local support = require "spec.support"

--- A client that tries each request once, and its mock.
local function new_client(answers, more)
  return mock.client(support.with({ answers = answers, max_retries = 0 }, more))
end

local function error_of(answer, limits)
  local selection, err = new_client { c1 = answer }:clear_override("c1", limits)
  assert.is_nil(selection)
  return err
end

local function assert_refused(message, make, ...)
  local accepted, raised = pcall(make, ...)
  assert.is_false(accepted)
  assert.is_not_nil(raised:find("leadping.mock: " .. message, 1, true), raised)
end

describe("leadping.mock: an answer", function()
  it("is by default a cleared override, with every field as the API's", function()
    local selection, err, response = mock.client():clear_override("any")
    assert.is_nil(err)
    assert.equal(200, response.status)
    assert.equal("application/json", response.headers["Content-Type"])
    assert.is_true(selection.canSend)
    assert.is_false(selection.wasManuallyOverridden)
    assert.is_true(leadping.is_known("healthStatus", selection.healthStatus))
    assert.is_true(leadping.is_known("selectionReason", selection.selectionReason))
    assert.equal(selection.number, selection:selected().number)
    assert.equal(1, #selection:sendable())
    assert.equal(response.body, leadping.encode(selection))
  end)

  it("named cannot_send has no number to send from", function()
    local selection = assert(new_client({ c1 = "cannot_send" }):clear_override("c1"))
    assert.is_false(selection.canSend)
    assert.equal("Add a phone number before sending.", selection.setupMessage)
    assert.is_nil(selection.number)
    assert.same({}, selection.eligibleNumbers)
  end)

  it("is a status, with problem details where it is no 2xx", function()
    for status, kind in pairs {
      [302] = "unexpected_status", [400] = "bad_request", [401] = "unauthorized",
      [403] = "forbidden", [404] = "not_found", [409] = "unexpected_status",
      [429] = "rate_limited", [500] = "server_error", [503] = "server_error",
    } do
      local err = error_of(status)
      assert.equal(kind, err.kind)
      assert.equal(status, err.status)
      assert.equal(status, err.problem.status)
      assert.equal("Scripted by leadping.mock", err.problem.title)
    end
  end)

  it("is a status, with a selection where it is a 2xx, but for 204", function()
    for _, status in ipairs { 200, 201, 202, 299 } do
      local selection, _, response = new_client({ c1 = status }):clear_override("c1")
      assert.is_true(selection.canSend)
      assert.equal(status, response.status)
    end
    local err = error_of(204)
    assert.equal("decode", err.kind)
    assert.equal("applied", err.outcome)
    assert.equal("", err.response.body)
  end)

  it("has the status, headers and body that it is given", function()
    local err = error_of {
      status = 429, headers = { ["Retry-After"] = "9", ["content-type"] = "text/html" },
      body = "<html>",
    }
    assert.equal(429, err.status)
    assert.equal(9, err.retry_after)
    assert.equal("<html>", err.response.body)
    assert.equal("text/html", err.response.headers["Content-Type"])
    assert.equal("decode", error_of({ body = "<html>" }).kind)
  end)

  it("has the selection's fields that it is given, and the usual ones", function()
    local given = { healthStatus = "Quarantined", healthWarning = "Do not use" }
    local selection = assert(new_client({ c1 = { selection = given } }):clear_override("c1"))
    for name, value in pairs(given) do assert.equal(value, selection[name]) end
    assert.equal("+15125550143", selection.number)
  end)

  it("has fields that the API does not have where its body has them", function()
    local given = { body = '{"canSend":true,"pool":3}' }
    assert.equal(3, new_client({ c1 = given }):clear_override("c1").pool)
  end)

  it("is chosen by the id as the program gives it, whatever it holds", function()
    for _, id in ipairs { "a b", "../../PN123?", "100%", "%2F", "Zoë", "a/override" } do
      local client, transport = new_client({ [id] = 404 }, { base_url = "https://h/v1" })
      assert.equal("not_found", select(2, client:clear_override(id)).kind)
      assert.is_truthy(client:clear_override(id .. "x"))
      assert.same({ id, id .. "x" }, transport:asked())
    end
  end)
end)

describe("leadping.mock: a failure", function()
  it("has the outcome that it usually has, or the one that it is given", function()
    for _, row in ipairs {
      { "connection", "not_sent", true },
      { "timeout", "unknown", true },
      { "tls", "not_sent", false },
      { { kind = "connection", outcome = "unknown" }, "unknown", true },
      { { kind = "timeout", outcome = "not_sent" }, "not_sent", true },
      { { kind = "tls", retryable = true }, "not_sent", true },
    } do
      local err = error_of(row[1])
      assert.equal(row[1].kind or row[1], err.kind)
      assert.equal(row[2], err.outcome)
      assert.equal(row[3], err.retryable)
      assert.is_nil(err.status)
    end
  end)

  it("has the message that it is given", function()
    assert.equal("leadping: connection: scripted by leadping.mock",
      tostring(error_of "connection"))
    assert.equal("leadping: connection: no route to host",
      tostring(error_of { kind = "connection", message = "no route to host" }))
  end)

  it("of kind timeout takes the time that the attempt has, and names the option", function()
    for _, row in ipairs {
      { "timeout", 30, " (attempt_timeout = 30 s)" },
      { { kind = "timeout", outcome = "not_sent" }, 10, " (connect_timeout)" },
    } do
      local client, transport = new_client { c1 = row[1] }
      local _, err = client:clear_override("c1")
      assert.equal(row[2], transport:clock())
      assert.equal("scripted by leadping.mock" .. row[3], err.message)
    end
  end)
end)

describe("leadping.mock: a list of answers", function()
  it("gives them in turn, and the last to all that follow", function()
    local client, transport = new_client { c1 = { 503, "connection", 200, 404 } }
    local seen = {}
    for i = 1, 6 do
      local _, err, response = client:clear_override("c1")
      seen[i] = response and response.status or err.kind
    end
    assert.same({ 503, "connection", 200, 404, 404, 404 }, seen)
    assert.same({}, transport:unused())
  end)

  it("is each conversation's own, also as the default", function()
    local client, transport = mock.client { default = { 503, 200 } }
    for _, id in ipairs { "a", "b" } do
      local _, _, response = client:clear_override(id)
      assert.equal(2, response.attempts)
    end
    assert.same({ "a", "a", "b", "b" }, transport:asked())
  end)

  it("is tried through by the client's retries", function()
    local client = mock.client { answers = { c1 = { 503, "timeout", 200 } } }
    local _, _, response = client:clear_override("c1", { timeout = 100 })
    assert.equal(3, response.attempts)
    assert.same({ "status 503", "timeout" }, response.reasons)
  end)
end)

describe("leadping.mock: a function", function()
  it("is called for each request with what is kept of it", function()
    local given = {}
    local client, transport = new_client { c1 = function(request)
      given[#given + 1] = request
      return #given == 1 and 503 or "cannot_send"
    end }
    assert.equal(503, select(2, client:clear_override("c1")).status)
    assert.is_false(client:clear_override("c1").canSend)
    assert.equal(2, #given)
    assert.equal(transport.requests[1], given[1])
    assert.equal("c1", given[1].conversation_id)
  end)

  it("may answer for all conversations", function()
    local client, transport = new_client(function(request)
      if request.conversation_id:find("^bad") then return 404 end
    end)
    assert.equal(404, select(2, client:clear_override("bad-1")).status)
    assert.is_truthy(client:clear_override("good"))
    assert.same({}, transport:unused())
  end)

  it("leaves what it does not answer to the default", function()
    local client = new_client({ c1 = function() end, c2 = { function() end, 500 } },
      { default = 403 })
    assert.equal(403, select(2, client:clear_override("c1")).status)
    assert.equal(403, select(2, client:clear_override("c2")).status)
    assert.equal(500, select(2, client:clear_override("c2")).status)
  end)

  it("that raises is raised by the call, and does no harm to the next", function()
    local client = new_client { c1 = { function() error("my spec's own", 0) end, 200 } }
    assert.has_error(function() client:clear_override("c1") end, "my spec's own")
    assert.is_truthy(client:clear_override("c1"))
  end)

  it("may close the client", function()
    local client
    client = mock.client { answers = function() client:close() end }
    local selection, err = client:clear_override("c1")
    assert.is_nil(selection)
    assert.equal("cancelled", err.kind)
    assert.equal("not_sent", err.outcome)
  end)

  it("that returns no answer raises, with its place", function()
    for _, row in ipairs {
      { "nonsense", 'answers["c1"](): a status, cannot_send, ' },
      { function() end, 'answers["c1"](): no function is expected from a function' },
      { { 503, 200 }, 'answers["c1"](): no list is expected in here' },
      { { status = 42 }, 'answers["c1"](): status: a whole number from 100 to 999 expected' },
    } do
      local client = new_client { c1 = function() return row[1] end }
      assert_refused(row[2], client.clear_override, client, "c1")
    end
  end)

  it("that returns no answer is refused with the line of its script", function()
    local client = new_client { c1 = function() return "nonsense" end }
    local _, message = pcall(client.clear_override, client, "c1")
    assert.matches('^[^\n]*mock_spec.lua:%d+: leadping.mock: answers%["c1"%]%(%): a status, ',
      message)
  end)
end)

describe("leadping.mock: time", function()
  it("passes on the mock's clock alone", function()
    local seconds = support.timed(function()
      local client, transport = mock.client { answers = {
        slow = { delay = 25 }, never = "timeout",
        limited = { { status = 429, headers = { ["Retry-After"] = "100" } }, 200 },
      } }
      assert.is_truthy(client:clear_override("slow"))
      assert.equal(25, transport:clock())
      local _, _, response = client:clear_override("limited", { timeout = 1000 })
      assert.is_true(response.elapsed >= 100 and response.elapsed <= 110)
      assert.equal(25 + response.elapsed, transport:clock())
      local _, err = client:clear_override("never", { timeout = 5000, max_retries = 100 })
      assert.is_true(err.elapsed > 2000)
    end)
    assert.is_true(seconds < 1, seconds)
  end)

  it("is told with each request", function()
    local client, transport = mock.client { answers = {
      c1 = { { status = 503, delay = 2, headers = { ["Retry-After"] = "5" } }, 200 },
    } }
    assert.is_truthy(client:clear_override("c1"))
    assert.equal(0, transport.requests[1].at)
    local waited = transport.requests[2].at
    assert.is_true(waited >= 7 and waited <= 7.5, waited)
  end)

  it("over the attempt's limit makes an answer a timeout", function()
    local err = error_of({ delay = 8 }, { attempt_timeout = 7 })
    assert.equal("timeout", err.kind)
    assert.equal("unknown", err.outcome)
    assert.equal(7, err.elapsed)
    assert.equal("not_sent", error_of({ kind = "connection", delay = 1e9 }).outcome)
  end)
end)

describe("leadping.mock: the record", function()
  it("has what was asked, in order, headers and key as they were sent", function()
    local keys = { "sk_one", "sk_two" }
    local client, transport = mock.client {
      answers = { c1 = { 503, 200 } }, base_url = "https://example.test/api",
      attempt_timeout = 7, connect_timeout = 3, max_body = 5000,
      api_key = function() return table.remove(keys, 1) end, headers = { ["X-Team"] = "a" },
    }
    assert.is_truthy(client:clear_override("c1"))
    assert.equal(2, #transport.requests)
    local first, second = transport.requests[1], transport.requests[2]
    assert.same({
      conversation_id = "c1", method = "DELETE",
      url = "https://example.test/api/phone-numbers/outgoing/conversation/c1/override",
      headers = {
        ["Accept"] = "application/json", ["Authorization"] = "Bearer sk_one",
        ["User-Agent"] = first.headers["User-Agent"], ["X-Team"] = "a",
      },
      timeout = 7, connect_timeout = 3, max_body = 5000, at = 0,
    }, first)
    assert.equal("Bearer sk_two", second.headers["Authorization"])
  end)

  it("stays when the client is closed", function()
    local client, transport = new_client { c1 = 404, never_asked = 404 }
    client:clear_override("c1")
    client:close()
    assert.same({ "c1" }, transport:asked())
    assert.same({ "never_asked" }, transport:unused())
    assert.equal(1, #transport.requests)
    assert.equal(0, transport:clock())
  end)

  it("has nothing of an id that cannot be sent", function()
    local client, transport = new_client { [""] = 200 }
    assert.equal("invalid_id", select(2, client:clear_override("")).kind)
    assert.same({}, transport:asked())
    assert.same({ "" }, transport:unused())
  end)

  it("tells whose answers were not all asked for", function()
    local client, transport = new_client {
      b = 200, a = { 503, 503, 200 }, d = function() return 200 end, c = 404,
    }
    client:clear_override("c")
    client:clear_override("a")
    assert.same({ "a", "b", "d" }, transport:unused())
    client:clear_override("a", { max_retries = 1 })
    assert.same({ "b", "d" }, transport:unused())
  end)
end)

describe("leadping.mock: an id without an answer", function()
  it("gets the default", function()
    local client = new_client({ c1 = 404 }, { default = "cannot_send" })
    assert.equal(404, select(2, client:clear_override("c1")).status)
    assert.is_false(client:clear_override("c2").canSend)
  end)

  it("raises where there is no default, and is recorded all the same", function()
    local client, transport = new_client({ c1 = 404 }, { default = false })
    assert_refused('no answer for the conversation "c2": give it one in answers, or a default',
      client.clear_override, client, "c2")
    assert.same({ "c2" }, transport:asked())
    assert.equal(404, select(2, client:clear_override("c1")).status)
  end)

  it("raises with the line of the script, not of this module, also in a loop", function()
    local function make() return (mock.client { default = false }) end
    local function make_alone() return (mock.new { default = false }) end
    for client, made in pairs {
      [make()] = make, [leadping.new { api_key = "k", transport = make_alone() }] = make_alone,
    } do
      for _, call in ipairs {
        function() client:clear_override("c2") end,
        function() for id in client:clear_overrides { "c2" } do assert.is_nil(id) end end,
      } do
        local _, message = pcall(call)
        local line = debug.getinfo(made, "S").linedefined
        assert.equal(("spec/mock_spec.lua:%d: leadping.mock: no answer for the conversation "
          .. '"c2": give it one in answers, or a default'):format(line), message)
      end
    end
  end)

  it("raises without a line where nothing tells it", function()
    local client = assert(coroutine.wrap(mock.client) { default = false })
    local _, message = pcall(client.clear_override, client, "c2")
    assert.matches("^leadping.mock: no answer ", message)
  end)
end)

describe("leadping.mock: a script that makes no sense", function()
  local EXPECTED = "a status, cannot_send, connection, timeout, tls, a table of fields, "
    .. "a function or a list of these expected, got "

  for _, row in ipairs {
    { 99, "status: a whole number from 100 to 999 expected, got 99" },
    { 200.5, "status: a whole number from 100 to 999 expected, got 200.5" },
    { "404", EXPECTED .. '"404"' },
    { true, EXPECTED .. "true" },
    { {}, EXPECTED .. "an empty table" },
    { { stauts = 404 },
      'unknown field "stauts"; there are body, delay, headers, selection, status' },
    { { kind = "timeout", status = 200 }, 'unknown field "status"; there are delay, kind, '
      .. "message, outcome, retryable" },
    { { kind = "rate_limited" }, 'kind: connection, timeout or tls expected, got "rate_limited"' },
    { { kind = false }, "kind: connection, timeout or tls expected, got false" },
    { { kind = "tls", outcome = "applied" },
      'outcome: not_sent or unknown expected, got "applied"' },
    { { kind = "tls", message = 7 }, "message: a string expected, got 7" },
    { { kind = "tls", retryable = 1 }, "retryable: a boolean expected, got 1" },
    { { delay = -1 }, "delay: seconds expected, got -1" },
    { { delay = "1" }, 'delay: seconds expected, got "1"' },
    { { delay = 0 / 0 }, "delay: seconds expected, got " },
    { { kind = "timeout", delay = 1 }, "delay: a timeout takes the time that the attempt has" },
    { { body = 7 }, "body: a string expected, got 7" },
    { { headers = "Retry-After: 1" }, "headers: table expected, got string" },
    { { headers = { ["Retry-After"] = 1 } }, "headers: a string or a list of strings for each "
      .. "name expected, Retry-After is number" },
    { { selection = "x" }, 'selection: a table expected, got "x"' },
    { { selection = { canSend = "no" } }, "selection: canSend: boolean expected, got string" },
    { { selection = { number = "1" }, body = "{}" }, "body or selection expected, not both" },
    { { selection = { healthstatus = "Blocked" } }, 'selection: the API has no field '
      .. '"healthstatus": did you mean healthStatus? (body is for answers with fields that the '
      .. "API does not have)" },
    { { selection = { can_send = false } },
      'selection: the API has no field "can_send": did you mean canSend? (body is for ' },
    { { selection = { pool = 3 } }, 'selection: the API has no field "pool" (body is for ' },
    { { selection = { "Blocked" } }, 'selection: the API has no field "1" (body is for ' },
    { { selection = { isSelected = true } },
      'selection: the API has no field "isSelected" (body is for ' },
    { { selection = { eligibleNumbers = { { canSend = true }, { cansend = true } } } },
      'selection: the API has no field "eligibleNumbers[2].cansend": did you mean canSend? (' },
    { { selection = { eligibleNumbers = { "x" } } },
      "selection: eligibleNumbers[1]: table expected, got string" },
    { { selection = { eligibleNumbers = "x" } },
      "selection: eligibleNumbers: table expected, got string" },
    { { status = 404, selection = { number = "1" } },
      "selection: an answer of status 404 has none" },
    { { status = 204, selection = { number = "1" } },
      "selection: an answer of status 204 has none" },
  } do
    it(("is refused, with its place: %s"):format(row[2]), function()
      assert_refused('answers["c1"]: ' .. row[2], mock.new, { answers = { c1 = row[1] } })
      assert_refused('answers["c1"][2]: ' .. row[2], mock.new,
        { answers = { c1 = { 200, row[1] } } })
      assert_refused("default: " .. row[2], mock.client, { default = row[1] })
    end)
  end

  it("is refused where a list has fields, holes or lists in it", function()
    assert_refused('answers["c1"]: "delay" in a list: a list or fields expected, not both',
      mock.new, { answers = { c1 = { 503, delay = 1 } } })
    assert_refused('answers["c1"]: 3 in a list: a list or fields expected, not both',
      mock.new, { answers = { c1 = { 503, nil, 200 } } })
    assert_refused('answers["c1"][1]: no list is expected in here',
      mock.new, { answers = { c1 = { { 503, 200 }, 200 } } })
  end)

  it("is refused where it is no script at all", function()
    for _, row in ipairs {
      { 7, ".new: options: table expected, got number" },
      { { conv_1 = 404 }, ".new: unknown option 'conv_1'; there are answers, default" },
      { mock, ".new: call it with a dot: mock.new { … }" },
      { { answers = 404 }, ": answers: table or function expected, got number" },
      { { answers = { 404 } }, ": answers: a conversation's id (string) expected as name, got 1" },
    } do
      local _, message = pcall(function() mock.new(row[1]) end)
      assert.is_not_nil(message:find(": leadping.mock" .. row[2], 1, true), message)
    end
  end)

  it("is refused at the line that gives it", function()
    for _, make in ipairs { mock.new, mock.client } do
      local _, message = pcall(function() make { answers = { c1 = 99 } } end)
      assert.matches("mock_spec.lua:%d+: leadping.mock: ", message)
    end
  end)
end)

describe("leadping.mock.client", function()
  it("takes the options of leadping.new", function()
    local events = {}
    local client, transport = mock.client {
      max_retries = 1, default = 503,
      on_event = function(event) events[#events + 1] = event.name end,
    }
    local _, err = client:clear_override("c1")
    assert.equal(2, err.attempts)
    assert.equal(2, #transport.requests)
    assert.equal("done", events[#events])
  end)

  it("refuses what leadping.new refuses, and another transport", function()
    for _, row in ipairs {
      { 7, "options: table expected, got number" },
      { mock, "call it with a dot: mock.client { … }" },
      { { timeout = 0 }, "option 'timeout': seconds over 0" },
      { { rate = 1 }, "option 'rate' is for clear_overrides alone" },
      { { transport = mock.new() }, "option 'transport': the mock is the client's transport" },
    } do
      local accepted, message = pcall(function() mock.client(row[1]) end)
      assert.is_false(accepted)
      assert.is_not_nil(message:find("leadping.mock.client: " .. row[2], 1, true), message)
      assert.matches("mock_spec.lua:%d+: leadping", message)
    end
  end)

  it("names all that it takes where an option is unknown", function()
    local _, message = pcall(function() mock.client { answer = 404 } end)
    assert.matches("mock_spec.lua:%d+: leadping.mock.client: unknown option 'answer'; there are "
      .. "answers, default, api_key, base_url, [%l_, ]+, loop, on_event$", message)
  end)

  it("returns the error of a client without a key", function()
    local client, err = mock.client { api_key = "" }
    assert.is_nil(client)
    assert.equal("no_api_key", err.kind)
  end)

  it("takes neither key nor address from the environment", function()
    local output, status = support.run([[
      local client, transport = require("leadping.mock").client()
      assert(client:clear_override("c1"))
      print(transport.requests[1].url, transport.requests[1].headers.Authorization)
    ]], { LEADPING_API_KEY = "sk_of_the_environment", LEADPING_BASE_URL = "http://127.0.0.1:1" })
    assert.equal(0, status, output)
    assert.matches("^https://api.leadping.ai/phone%-numbers/[%l/]+/c1/override\t%a+ sk_mock\n$",
      output)
  end)

  it("makes no session of libcurl's", function()
    local real = core.session
    finally(function() core.session = real end)
    core.session = function() error("a session was made") end
    assert.is_truthy(mock.client():clear_override("c1"))
  end)
end)

describe("leadping.mock: the README's example", function()
  it("runs", function()
    local example = support.read("README.md"):match("```lua\n(local mock = .-)```")
    local output, status = support.run(example)
    assert.equal(0, status, output)
    assert.matches("^2\t%d[%d.e-]*\n$", output)
  end)
end)

describe("leadping.mock: a method called with a dot", function()
  for _, method in ipairs { "asked", "unused", "clock" } do
    it("says so: " .. method, function()
      local transport = mock.new()
      local _, message = pcall(function() transport[method]() end)
      assert.matches(("mock_spec.lua:%%d+: %s: bad argument 'self' %%(a mock expected, got nil%%): "
        .. "call transport:%s%%(%%), with a colon$"):format(method, method), message)
    end)
  end
end)

describe("leadping.mock: driven by hand", function()
  it("knows conversations by the operation's URLs alone", function()
    for _, url in ipairs {
      "https://h/phone-numbers/pn_1", "https://h/phone-numbers/outgoing/conversation//override",
      "https://h/outgoing/conversation/c1/override", "",
    } do
      assert_refused("no conversation is in the URL " .. url, mock.new().submit, mock.new(),
        { url = url, headers = {} })
    end
  end)
end)

describe("leadping.mock: many at once", function()
  it("go at their pace, on the mock's clock", function()
    local client, transport = mock.client()
    local ids, cleared = {}, 0
    for i = 1, 500 do ids[i] = "conv_" .. i end
    local seconds = support.timed(function()
      for _, selection in client:clear_overrides(ids, { rate = 5 }) do
        cleared = cleared + (selection and 1 or 0)
      end
    end)
    assert.equal(500, cleared)
    assert.same(ids, transport:asked())
    assert.near(100, transport:clock(), 2)
    assert.is_true(seconds < 5, seconds)
  end)

  it("come as they end", function()
    local client = mock.client { answers = { a = { delay = 2 }, b = { delay = 1 }, c = "timeout" } }
    local order = {}
    for id in client:clear_overrides({ "c", "a", "b", "d" }, { max_retries = 0 }) do
      order[#order + 1] = id
    end
    assert.same({ "d", "b", "a", "c" }, order)
  end)

  it("end with a function's error, and leave nothing in flight", function()
    local client, transport = mock.client { answers = {
      a = { delay = 5 }, b = function() error("my spec's own", 0) end,
    } }
    assert.has_error(function()
      for id in client:clear_overrides { "a", "b" } do assert.is_nil(id) end
    end, "my spec's own")
    assert.equal(0, transport:step(10))
  end)
end)
