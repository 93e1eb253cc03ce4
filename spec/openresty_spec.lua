-- spec/openresty_spec.lua: the service of examples/openresty, over HTTP, in two
-- workers of nginx, on the emulator. Its page is used in spec/browser.
-- MIT, see LICENSE.

local leadping = require "leadping"
local service = require "spec.service"
local support = require "spec.support"

local unpack = table.unpack or unpack -- luacheck: ignore 113 143

--- A module of the service that needs no nginx to be loaded.
local function load_module(name)
  return dofile(("examples/openresty/lua/%s.lua"):format(name))
end

--- How many answers have that status.
local function count_status(answers, status)
  local count = 0
  for _, answer in ipairs(answers) do
    if answer.status == status then count = count + 1 end
  end
  return count
end

--- How many workers the log's entries are of.
local function count_workers(entries)
  local seen, count = {}, 0
  for _, entry in ipairs(entries) do
    if not seen[entry.pid] then seen[entry.pid], count = true, count + 1 end
  end
  return count
end

--- The one entry of the log for an id, once it is there.
local function entry_of(running, id)
  return support.eventually(function()
    for _, entry in ipairs((running:log())) do
      if entry.id == id then return entry end
    end
  end)
end

local function assert_no_key(text)
  for _, key in ipairs { support.key, service.key } do
    assert.is_nil(text:find(key, 1, true))
  end
end

describe("the service", function()
  local running

  setup(function() running = assert(service.start { SERVICE_RATE = "4.9" }) end)
  teardown(function() running:stop() end)

  it("clears an override, and answers with the whole selection", function()
    local id = support.answer(support.example "selection-later")
    local _, mark = support.requests()
    local answer = service.clear(id)
    assert.equal(200, answer.status)
    assert.equal("application/json; charset=utf-8", answer.headers["content-type"])
    assert.equal(leadping.encode(leadping.decode(support.example "selection-later")), answer.body)
    local asked = support.requests(mark)
    assert.equal(1, #asked)
    assert.equal(id, asked[1].id)
    assert.equal(support.key, asked[1].key)
  end)

  for _, id in ipairs { "a b", "a+b", "%41", "Zoë & co/42? 100%", "a/../b", "a//b", "#?;=" } do
    it(("decodes an id exactly once: %s"):format(id), function()
      local _, mark = support.requests()
      assert.equal(200, service.clear(id).status)
      assert.equal(id, support.requests(mark)[1].id)
    end)
  end

  it("takes a plus in a path for a plus", function()
    local _, mark = support.requests()
    assert.equal(200, service.send({ path = "/conversations/a+b/clear?c+d" }).status)
    assert.equal("a+b", support.requests(mark)[1].id)
  end)

  it("says that it runs, to who has no key, and does not ask the API", function()
    local _, mark = support.requests()
    local answer = service.send { method = "GET", path = "/health", key = false }
    assert.equal(200, answer.status)
    assert.same({ status = "pass", version = leadping._VERSION }, answer.json)
    local output = support.shell("curl -s -I " .. service.root .. "/health")
    assert.matches("^HTTP/1.1 200 OK\r\n", output)
    assert.same({}, support.requests(mark))
  end)

  local refusals = { -- method, path, key, status, kind, Allow
    { "GET", "/conversations/a/clear", nil, 405, "wrong_method", "POST" },
    { "DELETE", "/conversations/a/clear", nil, 405, "wrong_method", "POST" },
    { "POST", "/health", nil, 405, "wrong_method", "GET, HEAD" },
    { "POST", "/", nil, 405, "wrong_method", "GET, HEAD" },
    { "DELETE", "/app.js", nil, 405, "wrong_method", "GET, HEAD" },
    { "POST", "/conversations/a", nil, 404, "no_such_path" },
    { "POST", "/conversations/a/b/clear", nil, 404, "no_such_path" },
    { "POST", "/conversations/a/clear/", nil, 404, "no_such_path" },
    { "POST", "/conversations/a?b/clear", nil, 404, "no_such_path" },
    { "GET", "/nginx.conf", nil, 404, "no_such_path" },
    { "GET", "/lua/settings.lua", nil, 404, "no_such_path" },
    { "GET", "/index.html", nil, 404, "no_such_path" },
    { "POST", "/conversations/a/clear", false, 401, "wrong_key" },
    { "POST", "/conversations/a/clear", "wrong", 401, "wrong_key" },
    { "POST", "/conversations/a/clear", service.key .. "x", 401, "wrong_key" },
    { "POST", "/conversations/a/clear", service.key:sub(1, -2), 401, "wrong_key" },
    { "POST", "/conversations/a/clear", support.key, 401, "wrong_key" },
    { "POST", "/conversations//clear", nil, 400, "invalid_id" },
    { "POST", "/conversations/%2E%2E/clear", nil, 400, "invalid_id" },
    { "POST", "/conversations/a%0Ab/clear", nil, 400, "invalid_id" },
    { "POST", "/conversations/%FF/clear", nil, 400, "invalid_id" },
    { "POST", "/conversations/..%2F..%2FPN1/clear", nil, 400, "malformed" },
    { "POST", "/conversations/a%00/clear", nil, 400, "malformed" },
    { "POST", "/conversations/%zz/clear", nil, 400, "malformed" },
    { "GET", "/" .. ("a"):rep(20000), nil, 413, "too_long" },
  }
  for _, row in ipairs(refusals) do
    local method, path, key, status, kind, allow = unpack(row, 1, 6)
    it(("refuses %s %s with %d %s"):format(method, path:sub(1, 60), status, kind), function()
      local _, mark = support.requests()
      local answer = service.send { method = method, path = path, key = key }
      assert.equal(status, answer.status)
      assert.equal("application/problem+json; charset=utf-8", answer.headers["content-type"])
      assert.equal(allow, answer.headers.allow)
      assert.equal(status == 401 and "Bearer" or nil, answer.headers["www-authenticate"])
      local problem = answer.json
      assert.equal("/problems.html#" .. kind, problem.type)
      assert.same({ status, kind, "not_sent", 0 },
        { problem.status, problem.kind, problem.outcome, problem.attempts })
      assert.matches("^%u.+", problem.title)
      assert.matches("^%u.+%.$", problem.detail)
      if kind ~= "malformed" and kind ~= "too_long" then
        assert.equal(path:match("^[^?]*"), problem.instance)
      end
      assert.same({}, support.requests(mark))
    end)
  end

  it("takes the key in one scheme alone, however that is written", function()
    local rows = { bearer = 200, BEARER = 200, Basic = 401, ["Bearer x"] = 401 }
    for scheme, status in pairs(rows) do
      local answer = service.send {
        path = "/conversations/a/clear", key = false,
        headers = { Authorization = scheme .. " " .. service.key },
      }
      assert.equal(status, answer.status, scheme)
    end
  end)

  local failures = { -- id, status, kind, outcome, attempts, what the detail says
    { "fault:status-400", 400, "bad_request", "not_applied", 1, "^The override stands%. The API" },
    { "fault:status-401", 502, "unauthorized", "not_applied", 1, "the API key is missing"},
    { "fault:status-403", 502, "forbidden", "not_applied", 1, "The API key is not permitted" },
    { "fault:status-404", 404, "not_found", "not_applied", 1, "The API knows no such" },
    { "fault:redirect-302", 502, "unexpected_status", "not_applied", 1, "A redirect" },
    { "fault:status-501", 502, "server_error", "unknown", 1, "^It is not known whether" },
    { "fault:empty-200", 502, "decode", "applied", 1, "^The override is cleared;" },
    { "fault:big-2000000", 502, "too_large", "applied", 1, "^The override is cleared;" },
    { "fault:close", 502, "connection", "unknown", 3, "^It is not known whether" },
  }
  for _, row in ipairs(failures) do
    local id, status, kind, outcome, attempts, words = unpack(row, 1, 6)
    it(("makes %d %s, %s, of %s"):format(status, kind, outcome, id), function()
      local answer = service.clear(id)
      local problem = answer.json
      assert.same({ status, kind, outcome, attempts },
        { answer.status, problem.kind, problem.outcome, problem.attempts })
      assert.matches(words:gsub("^the", "[Tt]he"), problem.detail)
      assert_no_key(answer.body)
      local entry = entry_of(running, (id:gsub(":", "%%3A")))
      assert.same({ status, kind, outcome, attempts },
        { entry.status, entry.kind, entry.outcome, entry.attempts })
    end)
  end

  it("tries again what failed, and says how often in the log", function()
    local id = support.id "fault:status-503*1"
    assert.equal(200, service.clear(id).status)
    local entry = entry_of(running, (id:gsub(":", "%%3A")))
    assert.same({ 200, "ok", "applied", 2, "clear", "POST", "127.0.0.1" },
      { entry.status, entry.kind, entry.outcome, entry.attempts, entry.route, entry.method,
        entry.client })
    assert.is_true(entry.elapsed < 5 and entry.waited < 5)
  end)

  it("writes a line for each request, whatever is in it, and no key", function()
    service.clear 'a"\n{"kind":"ok"}\\\27[2J'
    entry_of(running, "a%22%0A%7B%22kind%22%3A%22ok%22%7D%5C%1B%5B2J")
    service.send { method = "GET", path = "/health" } -- left out
    service.send { method = "PUT", path = '/x"y\\z?key=' .. service.key }
    support.eventually(function()
      local entries = running:log()
      return entries[#entries].method == "PUT"
    end)
    local entries, text = running:log()
    assert.same({ "clear", "none" }, { entries[#entries - 1].route, entries[#entries].route })
    assert_no_key(text)
    assert_no_key(running:error_log())
  end)

  it("goes on where the client leaves, and says in the log what became of it", function()
    local _, mark = support.requests()
    local pending = service.begin(service.clearing "fault:slow-0.3:left")
    support.eventually(function() return #support.requests(mark) == 1 end)
    pending:leave()
    local entry = entry_of(running, "fault%3Aslow-0.3%3Aleft")
    assert.same({ "ok", "applied" }, { entry.kind, entry.outcome })
  end)

  it("does not make a worker wait for a call", function()
    local pending = {}
    local seconds = support.timed(function()
      for i = 1, 4 do pending[i] = service.begin(service.clearing("fault:slow-1:" .. i)) end
      assert.is_true(support.timed(service.send, { method = "GET", path = "/health" }) < 0.9)
      for i = 1, 4 do assert.equal(200, pending[i]:answer().status) end
    end)
    assert.is_true(seconds < 1.9, tostring(seconds)) -- of two workers, each had two
  end)

  it("gives page, health and problems the same headers, and caches nothing", function()
    for _, path in ipairs { "/", "/app.js", "/app.css", "/problems.html", "/health", "/none" } do
      local headers = service.send({ method = "GET", path = path, key = false }).headers
      assert.equal("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        .. "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        headers["content-security-policy"])
      assert.equal("nosniff", headers["x-content-type-options"])
      assert.equal("no-referrer", headers["referrer-policy"])
      assert.equal("no-store", headers["cache-control"])
      assert.is_nil(headers["set-cookie"])
    end
  end)

  it("serves its page", function()
    for path, content_type in pairs {
      ["/"] = "text/html", ["/problems.html"] = "text/html", ["/app.js"] = "text/javascript",
      ["/app.css"] = "text/css",
    } do
      local answer = service.send { method = "GET", path = path, key = false }
      assert.equal(content_type .. "; charset=utf-8", answer.headers["content-type"])
      local file = path == "/" and "/index.html" or path
      assert.equal(support.read("examples/openresty/html" .. file), answer.body)
    end
  end)

  it("serves on behind a reload", function()
    local worker = service.send(service.clearing "before").status == 200
      and entry_of(running, "before").pid
    support.shell("kill -HUP " .. running.pid)
    local count = 0
    support.eventually(function()
      count = count + 1
      assert.equal(200, service.send({ method = "GET", path = "/health" }).status)
      return not support.is_running(worker)
    end)
    assert.equal(200, service.clear("behind").status)
  end)
end)

describe("the service's pace", function()
  local running

  after_each(function() running:stop() end)

  local function start(variables)
    running = assert(service.start(variables))
  end

  it("is shared by the workers", function()
    start { SERVICE_RATE = "4.9" }
    local seconds, answers = support.timed(service.clear_at_once, 14)
    assert.equal(14, count_status(answers, 200))
    local entries = running:log()
    assert.equal(2, count_workers(entries))
    assert.is_true(seconds > 1.6, tostring(seconds)) -- 9 behind the first five
    local at_once = 0
    for _, entry in ipairs(entries) do
      if entry.waited < 0.05 then at_once = at_once + 1 end
    end
    assert.is_true(at_once <= 6, at_once .. " did not wait")
  end)

  it("refuses who would have to wait too long, and says when to come back", function()
    start { SERVICE_RATE = "0.5", SERVICE_LONGEST_WAIT = "0" }
    local _, mark = support.requests()
    local answers = service.clear_at_once(12)
    assert.equal(5, count_status(answers, 200))
    assert.equal(7, count_status(answers, 429))
    assert.equal(5, #support.requests(mark))
    for _, answer in ipairs(answers) do
      if answer.status == 429 then
        assert.same({ "busy", "not_sent" }, { answer.json.kind, answer.json.outcome })
        assert.equal(answer.json.retry_after, tonumber(answer.headers["retry-after"]))
        assert.is_true(answer.json.retry_after == 1 or answer.json.retry_after == 2)
      end
    end
  end)

  it("stops for all workers where the API answers 429", function()
    start { SERVICE_RATE = "4.9", LEADPING_API_KEY = "sk_emulator_limit_3_10_service" }
    local _, mark = support.requests()
    for _ = 1, 3 do assert.equal(200, service.clear(support.id()).status) end
    local answer = service.clear(support.id())
    assert.same({ 503, "10", "rate_limited", "not_applied" }, { answer.status,
      answer.headers["retry-after"], answer.json.kind, answer.json.outcome })
    local answers = service.clear_at_once(14)
    assert.equal(14, count_status(answers, 429))
    assert.equal("busy", answers[14].json.kind)
    assert.is_true(answers[14].json.retry_after > 5)
    assert.equal(2, count_workers((running:log())))
    assert.equal(4, #support.requests(mark))
  end)

  it("waits out a short pause, with all who come meanwhile", function()
    start()
    local first = service.begin(service.clearing "fault:retry-after-429-1*1:paused")
    support.eventually(function() -- the API's 429 may not have come yet
      local id = support.id "waits"
      assert.equal(200, service.clear(id).status)
      return entry_of(running, (id:gsub(":", "%%3A"))).waited > 0.4 -- a turn is a fifth
    end)
    assert.equal(200, first:answer().status)
    assert.equal(2, entry_of(running, "fault%3Aretry-after-429-1*1%3Apaused").attempts)
  end)

  it("holds for retries too", function()
    start { SERVICE_RATE = "0.5" }
    assert.equal(4, count_status(service.clear_at_once(4), 200))
    local seconds, answer = support.timed(service.clear, "fault:status-503*2:paced")
    assert.equal(200, answer.status)
    assert.is_true(seconds > 2, tostring(seconds)) -- by itself, a retry waits 1 s at most
  end)
end)

describe("the service's time", function()
  local function number_in(path, pattern)
    local text = support.read("examples/openresty/" .. path)
    return tonumber((assert(text:match(pattern), path)))
  end

  it("for a wait and a call is less than the page and a worker's end give it", function()
    local most = number_in("lua/settings.lua", '"SERVICE_LONGEST_WAIT", %d+, %d+, (%d+)')
      + number_in("lua/settings.lua", '"SERVICE_TIMEOUT", %d+, [%d.]+, (%d+)')
    assert.equal(80, most)
    assert.is_true(most < number_in("nginx.conf", "worker_shutdown_timeout (%d+)s;"))
    assert.is_true(most < number_in("html/app.js", "PATIENCE = (%d+)000;"))
  end)

  it("is no longer where a retry has to wait for its turn", function()
    local running = assert(service.start { SERVICE_RATE = "0.1", SERVICE_TIMEOUT = "2" })
    finally(function() running:stop() end)
    service.clear_at_once(4)
    local seconds, answer = support.timed(service.clear, "fault:never:late")
    assert.same({ 504, "timeout" }, { answer.status, answer.json.kind })
    assert.is_true(seconds > 1.9 and seconds < 2.8, tostring(seconds))
  end)

  it("is given to calls under way, and to who waits for a turn, at QUIT", function()
    local running = assert(service.start { SERVICE_RATE = "2" })
    finally(function() running:remove() end)
    local _, mark = support.requests()
    local pending = {}
    for i = 1, 8 do pending[i] = service.begin(service.clearing("fault:slow-1:quit:" .. i)) end
    support.wait_for_request(mark, 5)
    support.shell("kill -QUIT " .. running.pid)
    for i = 1, 8 do assert.equal(200, pending[i]:answer().status) end
    support.eventually(function() return not support.is_running(running.pid) end)
  end)
end)

describe("the service's API", function()
  for _, name in ipairs { "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY" } do
    it(("is called through the proxy that %s names, but for that in NO_PROXY"):format(name),
      function()
        for _, row in ipairs {
          { false, "The proxy's URL is wrong" }, { "api.invalid", "Could not resolve host" },
        } do
          local running = assert(service.start {
            LEADPING_BASE_URL = "https://api.invalid", [name] = "foo://h:1",
            no_proxy = false, NO_PROXY = row[1],
          })
          local answer = service.clear("a")
          running:stop()
          assert.same({ 502, "not_sent" }, { answer.status, answer.json.outcome })
          assert.is_truthy(answer.json.detail:find(row[2], 1, true), answer.json.detail)
        end
      end)
  end

  it("that cannot be reached is a 502, and nothing was sent", function()
    local running = assert(service.start { LEADPING_BASE_URL = os.getenv "EMULATOR_CLOSED" })
    finally(function() running:stop() end)
    local answer = service.clear("a")
    assert.same({ 502, "connection", "not_sent", 3 }, { answer.status, answer.json.kind,
      answer.json.outcome, answer.json.attempts })
    assert.matches("^The override stands: nothing was sent to the API%.", answer.json.detail)
  end)

  it("that does not answer is a 504, and what became of it is not known", function()
    local running = assert(service.start { SERVICE_TIMEOUT = "0.4" })
    finally(function() running:stop() end)
    local answer = service.clear("fault:never")
    assert.same({ 504, "timeout", "unknown" }, { answer.status, answer.json.kind,
      answer.json.outcome })
  end)
end)

describe("examples/openresty/start", function()
  local rows = { -- environment, what it says
    { { SERVICE_KEY = false }, "SERVICE_KEY: 16 or more visible ASCII characters expected" },
    { { SERVICE_KEY = "short" }, "SERVICE_KEY: 16 or more" },
    { { SERVICE_KEY = "with a space in the middle" }, "SERVICE_KEY: 16 or more" },
    { { LEADPING_API_KEY = false }, "no API key: give api_key or set LEADPING_API_KEY" },
    { { LEADPING_API_KEY = "a b" }, "LEADPING_API_KEY: its byte 2 is 0x20" },
    { { LEADPING_BASE_URL = "http://example.org" }, "LEADPING_BASE_URL: http:// would send" },
    { { SERVICE_RATE = "fast" }, 'SERVICE_RATE: a number from 0.01 to 4.9 expected, got "fast"' },
    { { SERVICE_RATE = "5" }, "SERVICE_RATE: a number from 0.01 to 4.9" },
    { { SERVICE_LONGEST_WAIT = "-1" }, "SERVICE_LONGEST_WAIT: a number from 0 to 20" },
    { { SERVICE_LONGEST_WAIT = "21" }, "SERVICE_LONGEST_WAIT: a number from 0 to 20" },
    { { SERVICE_TIMEOUT = "0" }, "SERVICE_TIMEOUT: a number from 0.1 to 60" },
    { { SERVICE_TIMEOUT = "61" }, "SERVICE_TIMEOUT: a number from 0.1 to 60" },
    { { LUA_PATH = "none" }, "module 'leadping' not found" },
    { { SERVICE_LISTEN = "nonsense:x" }, 'invalid port in "nonsense:x"' },
    { { NGINX = "/nonexistent" }, "start: /nonexistent not found (Debian: apt install nginx" },
  }
  for _, row in ipairs(rows) do
    it("does not start, and says why: " .. row[2]:sub(1, 50), function()
      local running, output = service.start(row[1])
      assert.is_nil(running)
      assert.is_truthy(output:find(row[2], 1, true), output)
      assert_no_key(output)
    end)
  end

  it("says how it is used", function()
    local output, status = support.shell "examples/openresty/start"
    assert.equal(2, status)
    assert.equal("usage: start DIRECTORY\n", output)
  end)
end)

describe("examples/openresty/demo", function()
  it("runs until it is stopped, and leaves nothing", function()
    local running = assert(service.start()) -- as it builds what the demo needs
    running:stop()
    local output, status = support.shell([[
      TMPDIR=$(mktemp -d); export TMPDIR
      examples/openresty/demo >$TMPDIR/output & demo=$!
      until grep -q 'curl -X POST' $TMPDIR/output; do sleep 0.02; done
      cat $TMPDIR/output
      key=$(sed -n 's/ *service key *//p' $TMPDIR/output)
      curl -s -w '%{http_code}\n' -o $TMPDIR/body -X POST -H "Authorization: Bearer $key" \
        http://$EMULATOR_FREE/conversations/conv_1/clear
      rm $TMPDIR/output $TMPDIR/body
      kill $demo; wait $demo; echo "status $?"
      ls -A $TMPDIR
      rmdir $TMPDIR]], service.environment())
    assert.equal(0, status)
    assert.matches("  page         http://127%.0%.0%.1:%d+/\n  service key  %x+\n", output)
    assert.matches("\n200\nstatus 0\n$", output)
  end)

  it("runs nowhere but on the emulator", function()
    local output, status = support.shell("examples/openresty/demo", { EMULATOR_FREE = false })
    assert.equal(1, status)
    assert.equal("no emulator: use make openresty-demo\n", output)
  end)
end)

describe("examples/openresty/lua/problem.lua", function()
  local kinds = load_module "problem".kinds

  it("has a status and a title for each kind of error", function()
    local count = 0
    for kind in support.read("lua/leadping/errors.lua"):gmatch('%-%-%-| "([%w_]+)" # [^\n]+') do
      if not kind:find("^not_") and kind ~= "applied" and kind ~= "unknown" then
        count = count + 1
        assert.is_table(kinds[kind], kind)
      end
    end
    assert.is_true(count >= 14)
  end)

  it("has a paragraph for each kind on the page of problems", function()
    local page = support.read "examples/openresty/html/problems.html"
    for kind in pairs(kinds) do
      assert.is_truthy(page:find(('<dt id="%s">%s</dt>'):format(kind, kind), 1, true), kind)
    end
  end)
end)

describe("examples/openresty/lua/pace.lua", function()
  local pace = load_module "pace"

  --- A shared dict, without the sharing.
  local function new_dict()
    local values = {}
    return {
      get = function(_, name) return values[name] end,
      set = function(_, name, value) values[name] = value end,
      add = function(_, name, value)
        if values[name] then return false, "exists" end
        values[name] = value
        return true
      end,
    }
  end

  --- The moments of so many turns that are taken at once.
  local function take(dict, count, now, latest)
    local moments = {}
    for i = 1, count do moments[i] = pace.take(dict, 2, now, latest or math.huge) end
    return moments
  end

  it("gives five turns at once where none was taken, then one after another", function()
    assert.same({ 100, 100, 100, 100, 100, 100.5, 101, 101.5 }, take(new_dict(), 8, 100))
    assert.same({ 100.3, 100.3, 100.3, 100.3, 100.3, 100.5, 101 }, take(new_dict(), 7, 100.3))
  end)

  it("saves up no more than five, however long none is taken", function()
    local dict = new_dict()
    take(dict, 5, 100)
    assert.same({ 500, 500, 500, 500, 500, 500.5 }, take(dict, 6, 500))
  end)

  it("gives no turn behind the latest moment, and says when there would be one", function()
    local dict = new_dict()
    take(dict, 6, 100)
    assert.same({ nil, 101 }, { pace.take(dict, 2, 100, 100.9) })
    assert.equal(101, (pace.take(dict, 2, 100, 101)))
  end)

  it("gives each turn once, in whatever order they are asked for", function()
    local dict, seen = new_dict(), {}
    for i = 0, 200 do
      local at = pace.take(dict, 2, 100 + (i * 7 % 10) / 10, math.huge)
      seen[at] = (seen[at] or 0) + 1
    end
    for at, count in pairs(seen) do
      assert.is_true(count <= 5 and (at < 101 or count == 1), ("%g: %d"):format(at, count))
    end
  end)

  it("has none in a pause, and goes on evenly behind it", function()
    local dict = new_dict()
    pace.pause(dict, 100, 30)
    assert.same({ nil, 130 }, { pace.take(dict, 2, 101, 106) })
    assert.same({ 130, 130.5, 131 }, take(dict, 3, 130))
  end)

  it("is not paused for less by a later answer, nor ever for over five minutes", function()
    local dict = new_dict()
    pace.pause(dict, 100, 1e9)
    pace.pause(dict, 101, 5)
    assert.same({ nil, 400 }, { pace.take(dict, 2, 102, 107) })
  end)
end)
