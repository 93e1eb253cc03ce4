-- spec/client_spec.lua: the client against a real server, over real sockets.
-- Paths, headers, statuses, limits and times. TLS and Ctrl-C have files of
-- their own; retries are in call_spec.lua.
-- MIT, see LICENSE.

local leadping = require "leadping"
local support = require "spec.support"

local function unescape(segment)
  return (segment:gsub("%%(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end))
end

describe("the path of a call", function()
  local ids = {
    "conv_20481", "two words", "a/b", "a?b", "a#b", "100%", "%2F", "a;b=c", "a+b&c",
    "Zoë", "会话", "😀", "...", "..a", "-", "~", "'\"<>\\^`{|}", "http://example.com/",
    "../../PN123?", "../override", "a/../b", ("é"):rep(512), ("x"):rep(1024),
  }

  local client
  setup(function() client = support.client() end)
  teardown(function() client:close() end)

  for _, id in ipairs(ids) do
    it(("has %q as one segment"):format(#id > 40 and id:sub(1, 8) .. "…" or id), function()
      local _, mark = support.requests()
      local selection = assert(client:clear_override(id))
      assert.is_false(selection.wasManuallyOverridden)

      local requests = support.requests(mark)
      assert.equal(1, #requests)
      assert.equal("DELETE", requests[1].method)
      local segment = requests[1].uri:match(
        "^/phone%-numbers/outgoing/conversation/([^/?#]+)/override$")
      assert.equal(id, unescape(segment))
      assert.equal(id, requests[1].id)
    end)
  end

  local refused = {
    { "", "it is empty" },
    { ".", '"." and ".." are steps in a path, not names' },
    { "..", '"." and ".." are steps in a path, not names' },
    { "a\0b", "its byte 2 (0x00) is a control byte" },
    { "a\r\nX: y", "its byte 2 (0x0D) is a control byte" },
    { "a\127", "its byte 2 (0x7F) is a control byte" },
    { "ab\255", "its byte 3 (0xFF) is not UTF-8" },
    { ("x"):rep(1025), "it is longer than 1024 bytes" },
  }

  it("is not sent for an id that cannot be in one", function()
    local _, mark = support.requests()
    for _, row in ipairs(refused) do
      local selection, err, response = client:clear_override(row[1])
      assert.is_nil(selection)
      assert.is_nil(response)
      assert.equal("invalid_id", err.kind)
      assert.equal("not_sent", err.outcome)
      assert.is_false(err.retryable)
      assert.equal(row[1], err.conversation_id)
      assert.equal("the conversation's id cannot be sent: " .. row[2], err.message)
    end
    assert.same({}, (support.requests(mark)))
  end)

  it("starts with the path of base_url", function()
    local prefixed = support.client { base_url = support.http .. "/prefix/" }
    finally(function() prefixed:close() end)
    local _, mark = support.requests()
    assert(prefixed:clear_override("c1"))
    assert.equal("/prefix/phone-numbers/outgoing/conversation/c1/override",
      support.requests(mark)[1].uri)
  end)
end)

describe("the request", function()
  it("has the key, what is accepted, and nothing of a body", function()
    local client = support.client { headers = { ["X-Team"] = "ops" } }
    finally(function() client:close() end)
    local _, mark = support.requests()
    assert(client:clear_override(support.id()))
    local headers = support.requests(mark)[1].headers
    assert.equal("Bearer " .. support.key, headers.authorization)
    assert.equal("application/json", headers.accept)
    assert.equal("gzip", headers["accept-encoding"])
    assert.equal("ops", headers["x-team"])
    assert.matches("^leadping%-lua/%d+%.%d+%.%d+ libcurl/%d+%.%d+%.%d+$", headers["user-agent"])
    for _, absent in ipairs { "content-length", "content-type", "transfer-encoding", "cookie" } do
      assert.is_nil(headers[absent])
    end
  end)

  it("does not change with the table that was given as headers", function()
    local headers = { ["X-Team"] = "ops", ["X-Empty"] = "", ["X-Blank"] = "  " }
    local client = support.client { headers = headers }
    finally(function() client:close() end)
    headers["X-Team"] = "changed\r\nX-Other: 1"
    local _, mark = support.requests()
    assert(client:clear_override(support.id()))
    local sent = support.requests(mark)[1].headers
    assert.equal("ops", sent["x-team"])
    assert.equal("", sent["x-empty"])
    assert.equal("", sent["x-blank"]) -- RFC 9110, section 5.5
  end)

  it("is the one that client:request gives to another HTTP stack", function()
    local client = support.client { user_agent = "mine/1" }
    finally(function() client:close() end)
    local request = client:request("a/b")
    assert.equal("DELETE", request.method)
    assert.equal(support.http .. "/phone-numbers/outgoing/conversation/a%2Fb/override",
      request.url)
    assert.same({
      Accept = "application/json", ["User-Agent"] = "mine/1",
      Authorization = "Bearer " .. support.key,
    }, request.headers)
    assert.is_nil(tostring(request):find(support.key, 1, true))
    assert.equal("invalid_id", select(2, client:request("")).kind)
  end)

  it("keeps the connection from one call to the next", function()
    local client = support.client()
    finally(function() client:close() end)
    local _, mark = support.requests()
    for _ = 1, 3 do assert(client:clear_override(support.id())) end
    local requests = support.requests(mark)
    assert.equal(requests[1].connection, requests[3].connection)
  end)
end)

describe("an answer", function()
  local client
  setup(function() client = support.client() end)
  teardown(function() client:close() end)

  for _, name in ipairs { "selection-documented", "selection-later", "selection-cannot-send" } do
    it(("is decoded from %s.json"):format(name), function()
      local body = support.example(name)
      local selection, err, response = client:clear_override(support.answer(body))
      assert.is_nil(err)
      assert.same(leadping.decode(body), selection)
      assert.equal(200, response.status)
      assert.equal(body, response.body)
      assert.equal(1, response.attempts)
      assert.is_true(response.elapsed > 0 and response.elapsed < 5)
      assert.equal("application/json", response.headers["Content-Type"])
    end)
  end

  it("shows the override as it was before and is afterwards", function()
    local selection = assert(client:clear_override(support.id()))
    assert.is_false(selection.wasManuallyOverridden)
    assert.is_true(leadping.is_known("selectionReason", selection.selectionReason))
    assert.not_equal("ManualOverride", selection.selectionReason)
    assert.is_true(selection:selected().isSelected)
  end)

  it("keeps its own headers, whenever they are looked at", function()
    local first = select(3, client:clear_override(support.answer("{}", "200\nX-A: 1")))
    local second = select(3, client:clear_override(support.answer("{}", "200\nX-A: 2")))
    assert.equal("1", first.headers["X-a"])
    assert.equal("2", second.headers["X-a"])
    assert.equal(first.headers, first.headers)
    assert.is_nil(first.header)
    local names = {}
    for name in pairs(first) do names[#names + 1] = name end
    table.sort(names)
    assert.equal("attempts body elapsed headers status", table.concat(names, " "))
  end)

  it("is unpacked where it is compressed", function()
    assert(client:clear_override(support.id("fault:gzip")))
  end)

  it("may come behind an interim one", function()
    local selection, err, response = client:clear_override(support.id("fault:early-hints"))
    assert.is_nil(err)
    assert.is_table(selection.eligibleNumbers)
    assert.equal(200, response.status)
    assert.is_nil(response.headers.link)
  end)

  local bad_bodies = {
    { "truncated", '{"canSend":true' },
    { "null", "null" },
    { "an array", "[]" },
    { "HTML", "<!DOCTYPE html><title>Welcome</title>" },
    { "empty", "" },
    { "broken UTF-8", '{"number":"\255"}' },
    { "too deep", '{"x":' .. ("["):rep(1000) .. ("]"):rep(1000) .. "}" },
    { "NaN", '{"x":NaN}' },
    { "a leading zero", '{"x":01}' },
    { "a trailing comma", '{"canSend":true,}' },
    { "a NUL behind the end", '{"canSend":true}\0' },
    { "a lone surrogate", '{"number":"\\ud800"}' },
    { "a wrong type", '{"canSend":"false"}' },
    { "an escape sequence", "\27[31mred" },
  }

  for _, row in ipairs(bad_bodies) do
    it(("of a 200 that is %s is a decode error, and applied"):format(row[1]), function()
      local selection, err, response = client:clear_override(support.answer(row[2]))
      assert.is_nil(selection)
      assert.equal("decode", err.kind)
      assert.equal("applied", err.outcome)
      assert.equal(200, err.status)
      assert.is_false(err.retryable)
      assert.equal(row[2], response.body)
      assert.equal(response, err.response)
      assert.matches("^not an OutgoingNumberSelection: byte %d+", err.message)
      assert.is_nil(tostring(err):find("[%z\1-\31\127]"))
      assert.is_not_nil(err.message:find(row[2] == "" and "the body is empty"
        or "the body begins", 1, true))
    end)
  end

  it("of status 204 is a decode error, and applied", function()
    local _, err = client:clear_override(support.id("fault:empty-204"))
    assert.equal("decode", err.kind)
    assert.equal("applied", err.outcome)
    assert.equal(204, err.status)
  end)

  it("of a 200 that does not unpack is a decode error, and applied", function()
    local _, err = client:clear_override(support.id("fault:bad-gzip"))
    assert.equal("decode", err.kind)
    assert.equal("applied", err.outcome)
    assert.equal(200, err.status)
  end)

  it("of a 201 with a selection is one", function()
    local body = support.example("selection-cannot-send")
    assert(client:clear_override(support.answer(body, "201\nContent-Type: application/json\n")))
  end)

  local statuses = {
    { 400, "bad_request", "not_applied", false },
    { 401, "unauthorized", "not_applied", false },
    { 403, "forbidden", "not_applied", false },
    { 404, "not_found", "not_applied", false },
    { 405, "unexpected_status", "not_applied", false },
    { 408, "unexpected_status", "not_applied", true },
    { 409, "unexpected_status", "not_applied", false },
    { 418, "unexpected_status", "not_applied", false },
    { 425, "unexpected_status", "not_applied", true },
    { 429, "rate_limited", "not_applied", true },
    { 500, "server_error", "unknown", true },
    { 501, "server_error", "unknown", false },
    { 502, "server_error", "unknown", true },
    { 503, "server_error", "unknown", true },
    { 504, "server_error", "unknown", true },
  }

  for _, row in ipairs(statuses) do
    local status, kind, outcome, retryable = row[1], row[2], row[3], row[4]
    it(("of status %d is %s, whatever its body"):format(status, kind), function()
      for _, form in ipairs { "status", "json", "text", "html", "empty" } do
        local id = support.id(("fault:%s-%d"):format(form, status))
        local selection, err, response = client:clear_override(id)
        assert.is_nil(selection)
        assert.equal(kind, err.kind)
        assert.equal(status, err.status)
        assert.equal(outcome, err.outcome)
        assert.equal(retryable, err.retryable)
        assert.equal(id, err.conversation_id)
        assert.equal(response, err.response)
        if form == "html" or form == "empty" then
          assert.is_nil(err.problem)
        else
          assert.equal(status, err.problem.status)
          assert.is_not_nil(err.message:find(err.problem.title, 1, true))
        end
      end
    end)
  end

  for _, status in ipairs { 301, 302, 303, 307, 308 } do
    it(("of status %d is not followed"):format(status), function()
      local _, mark = support.requests()
      local _, err = client:clear_override(support.id("fault:redirect-" .. status))
      assert.equal("unexpected_status", err.kind)
      assert.equal("not_applied", err.outcome)
      assert.equal(status, err.status)
      assert.is_string(err.response.headers.location)
      assert.equal(1, #(support.requests(mark)))
    end)
  end

  it("that sets a cookie gets none back", function()
    local id = support.answer(support.example "selection-later", "200\nSet-Cookie: a=b; Path=/\n")
    local _, mark = support.requests()
    for _ = 1, 2 do
      assert.equal("a=b; Path=/", select(3, client:clear_override(id)).headers["set-cookie"])
    end
    assert.is_nil(support.requests(mark)[2].headers.cookie)
  end)

  it("with a Retry-After says so in the error", function()
    local _, err = client:clear_override(support.id("fault:retry-after-429-7"))
    assert.equal("rate_limited", err.kind)
    assert.equal(7, err.retry_after)
  end)

  it("without the right key is unauthorized, and says what the server said", function()
    local stranger = support.client { api_key = "sk_of_somebody_else" }
    finally(function() stranger:close() end)
    local _, err = stranger:clear_override(support.id())
    assert.equal("unauthorized", err.kind)
    assert.matches("^Bearer resource_metadata=", err.response.headers["WWW-Authenticate"])
    assert.equal(401, err.problem.status)
  end)

  it("read by client:response is the same as over the network", function()
    local body = support.example("problem-429")
    local selection, err, response = client:response(429, { ["RETRY-AFTER"] = "7" }, body)
    assert.is_nil(selection)
    assert.equal("rate_limited", err.kind)
    assert.equal(7, err.retry_after)
    assert.equal("60s", err.problem.window)
    assert.is_nil(err.problem.type)
    assert.equal(body, response.body)
    for _, absent in ipairs { "attempts", "elapsed", "reasons" } do
      assert.is_nil(response[absent], absent)
    end
    assert.is_table((client:response(200, nil, support.example("selection-later"))))
  end)
end)

describe("a limit on size", function()
  it("ends an answer whose body is over max_body", function()
    local client = support.client { max_body = 2000 }
    finally(function() client:close() end)
    assert(client:clear_override(support.id("fault:big-2000")))
    local _, err = client:clear_override(support.id("fault:big-2001"))
    assert.equal("too_large", err.kind)
    assert.equal("applied", err.outcome)
    assert.equal(200, err.status)
    assert.equal("the answer's body is over max_body (2000 bytes)", err.message)
    assert(client:clear_override(support.id()))
  end)

  it("holds for what a compressed body unpacks to, in memory too", function()
    local output, status = support.run(([[
      local client = require("leadping").new { api_key = %q, base_url = %q }
      local function peak()
        return tonumber(io.open("/proc/self/status"):read("*a"):match("VmHWM:%%s*(%%d+)"))
      end
      client:clear_override("warm")
      local before = peak()
      local _, err = client:clear_override("fault:gzip-bomb")
      print(err.kind, err.outcome, peak() - before < 2048)
    ]]):format(support.key, support.http))
    assert.equal("too_large\tapplied\ttrue\n", output)
    assert.equal(0, status)
  end)

  it("ends an answer whose header section is over 64 KiB", function()
    local client = support.client()
    finally(function() client:close() end)
    assert(client:clear_override(support.id("fault:headers-20000")))
    local _, err = client:clear_override(support.id("fault:headers-100000"))
    assert.equal("too_large", err.kind)
    assert.equal("the answer's header section is over 65536 bytes", err.message)
    assert(client:clear_override(support.id()))
  end)
end)

describe("a time limit", function()
  local client
  setup(function() client = support.client() end)
  teardown(function() client:close() end)

  for _, fault in ipairs { "never", "drip" } do
    it(("ends a call to a server with the fault %q at the deadline"):format(fault), function()
      local id = support.id("fault:" .. fault)
      local seconds, selection, err = support.timed(client.clear_override, client, id,
        { timeout = 0.4 })
      assert.is_nil(selection)
      assert.equal("timeout", err.kind)
      assert.equal("unknown", err.outcome)
      assert.is_true(err.retryable)
      assert.matches("%(timeout = 0%.4 s%)$", err.message)
      assert.is_true(seconds >= 0.39 and seconds < 0.45, tostring(seconds))
    end)
  end

  it("names attempt_timeout where that is the one", function()
    local _, err = client:clear_override(support.id("fault:never"), { attempt_timeout = 0.1 })
    assert.equal("timeout", err.kind)
    assert.matches("%(attempt_timeout = 0%.1 s%)$", err.message)
  end)
end)

describe("a failure of the connection", function()
  it("that is refused was not sent", function()
    local client = support.client { base_url = os.getenv "EMULATOR_CLOSED" }
    finally(function() client:close() end)
    local _, err, response = client:clear_override(support.id())
    assert.equal("connection", err.kind)
    assert.equal("not_sent", err.outcome)
    assert.is_true(err.retryable)
    assert.is_nil(response)
    assert.is_nil(err.response)
  end)

  it("by name look-up was not sent", function()
    local client = support.client { base_url = "https://no-such-host.invalid" }
    finally(function() client:close() end)
    local _, err = client:clear_override(support.id(), { timeout = 5 })
    assert.equal("not_sent", err.outcome)
    assert.equal("connection", err.kind)
    assert.is_true(err.retryable)
  end)

  for _, fault in ipairs { "close", "half", "garbage", "reset" } do
    it(("with the fault %q leaves the outcome unknown"):format(fault), function()
      local client = support.client()
      finally(function() client:close() end)
      local _, err = client:clear_override(support.id("fault:" .. fault))
      assert.equal("connection", err.kind)
      assert.equal("unknown", err.outcome)
    end)
  end
end)

describe("after any error", function()
  local faults = {
    "never", "drip", "close", "half", "garbage", "reset", "gzip-bomb", "bad-gzip",
    "big-2000000", "headers-100000", "status-500", "html-502", "empty-503",
    "redirect-302", "goodbye",
  }

  it("the same client's next call works and has its own answer", function()
    local client = support.client()
    finally(function() client:close() end)
    for i, fault in ipairs(faults) do
      client:clear_override(support.id("fault:" .. fault), { timeout = 0.2 })
      local own = ('{"number":"%d"}'):format(i)
      local selection, err = client:clear_override(support.answer(own))
      assert.is_nil(err, fault)
      assert.equal(tostring(i), selection.number, fault)
    end
  end)

  it("a late answer is not taken for a later call's", function()
    local client = support.client()
    finally(function() client:close() end)
    local _, err = client:clear_override(support.id("fault:slow-0.3"), { timeout = 0.1 })
    assert.equal("timeout", err.kind)
    for i = 1, 5 do
      os.execute("sleep 0.1")
      local selection = assert(client:clear_override(support.answer(
        ('{"number":"%d"}'):format(i))))
      assert.equal(tostring(i), selection.number)
    end
  end)
end)

describe("a bad call", function()
  local client
  setup(function() client = support.client() end)
  teardown(function() client:close() end)

  local rows = {
    { "clear_override: bad argument 'conversation_id' (string expected, got nil)",
      function() client:clear_override() end },
    { "clear_override: bad argument 'conversation_id' (string expected, got number: use tostring)",
      function() client:clear_override(42) end },
    { "clear_override: unknown option 'time_out'; there are timeout, attempt_timeout, max_retries",
      function() client:clear_override("a", { time_out = 1 }) end },
    { "clear_override: option 'timeout': seconds over 0 and at most 86400 expected, got \"5\"",
      function() client:clear_override("a", { timeout = "5" }) end },
    { "clear_override: option 'base_url' is the client's: give it to leadping.new",
      function() client:clear_override("a", { base_url = "https://x" }) end },
    { "clear_override: options: table expected, got number",
      function() client:clear_override("a", 5) end },
    { "clear_override: bad argument 'self' (a client expected, got string): "
      .. "call client:clear_override(…), with a colon",
      function() client.clear_override("a") end },
    { "close: bad argument 'self' (a client expected, got nil): call client:close(…), "
      .. "with a colon", function() client.close() end },
    { "call selection:selected(), with a colon",
      function() leadping.decode("{}").selected() end },
    { "leadping.new: call it with a dot, not a colon",
      function() leadping:new() end },
    { "leadping.clear_override: call it with a dot, not a colon",
      function() leadping:clear_override("a") end },
    { "leadping.new: option 'proxy': a URL expected, got a string that is not shown",
      function() leadping.new { api_key = "k", proxy = "http://user:secret@bad host" } end },
    { "leadping.new: option 'proxy': http, https, socks4, socks4a, socks5 or socks5h expected",
      function() leadping.new { api_key = "k", proxy = "ftp://user:secret@x" } end },
    { "request: bad argument 'conversation_id' (string expected, got table)",
      function() client:request({}) end },
    { "response: bad argument 'status' (a whole number from 100 to 999 expected, got string)",
      function() client:response("200") end },
    { "response: bad argument 'headers' (table expected, got string)",
      function() client:response(200, "x") end },
    { "response: bad argument 'body' (string expected, got table)",
      function() client:response(200, nil, {}) end },
    { "leadping.new: options: table expected, got string",
      function() leadping.new("sk_x") end },
    { "leadping.new: unknown option 'insecure'; there are api_key, base_url, timeout, ",
      function() leadping.new { insecure = true } end },
    { "bad argument #1 to 'decode' (string expected, got nil)",
      function() leadping.decode() end },
  }

  for _, row in ipairs(rows) do
    it(("raises %q"):format(row[1]), function()
      local ok, message = pcall(row[2])
      assert.is_false(ok)
      assert.is_not_nil(message:find(row[1], 1, true), message)
    end)
  end

  it("raises at the line of the caller", function()
    local _, message = pcall(function() client:clear_override(42) end)
    assert.matches("client_spec%.lua:%d+: clear_override", message)
  end)

  it("on a closed client raises, and closing again does not", function()
    local closed = support.client()
    assert(closed:clear_override(support.id()))
    closed:close()
    closed:close()
    for _, method in ipairs { "clear_override", "request" } do
      assert.has_error(function() closed[method](closed, "a") end)
      local _, message = pcall(closed[method], closed, "a")
      assert.matches(method .. ": the client is closed$", message)
    end
    assert.equal("leadping.client: closed", tostring(closed))
  end)
end)
