-- spec/cli_doctor_spec.lua: `leadping doctor`: what it checks, and what it says.
-- On the emulator, and its checks alone where a server would have to be another
-- one. That nothing changes is seen in the emulator's record.
-- MIT, see LICENSE.

local checks = require "leadping.cli.checks"
local core = require "leadping.core"
local support = require "spec.support"

local unpack = table.unpack or unpack -- luacheck: ignore

local FINE = {
  "ok version", "ok libcurl", "ok authorities", "ok look-up", "ok connection", "ok TLS",
  "ok clock", "ok key",
}

--- Runs it; its lines as "state name", what it found by name, and its status.
local function run(arguments, variables)
  local output, status, complaints = support.leadping("doctor " .. (arguments or ""), variables)
  assert.equal("", complaints)
  local lines, found = {}, {}
  for line in output:gmatch("[^\n]+") do
    local state, name, rest = line:match("^(%l+) +(%S+) +(.*)$")
    lines[#lines + 1], found[name] = state .. " " .. name, rest
  end
  return lines, found, status
end

--- The lines of a doctor who finds everything fine but what is given.
local function fine_but(changes)
  local lines = {}
  for i, line in ipairs(FINE) do
    local name = line:match("%S+$")
    lines[i] = (changes[name] or "ok") .. " " .. name
  end
  return lines
end

describe("leadping doctor", function()
  it("finds everything fine, and changes nothing", function()
    local _, mark = support.requests()
    local lines, found, status = run()
    assert.same(FINE, lines)
    assert.equal(0, status)
    assert.matches("^leadping %d.*, Lua.*, libcurl %d.*, lua%-cjson ", found.version)
    assert.equal("127.0.0.1 is an address", found["look-up"])
    assert.equal("accepted: DELETE of a conversation that does not exist gives 200 with it, "
      .. "401 without", found.key)
    local requests = support.requests(mark)
    local id = requests[1].id
    assert.matches("^leadping%-doctor%-" .. ("%x"):rep(32) .. "$", id)
    local asked = {}
    for i, request in ipairs(requests) do
      assert.equal(id, request.id)
      asked[i] = request.method .. (request.headers.authorization and " with key" or "")
    end
    assert.same({ "GET with key", "GET", "DELETE with key", "DELETE" }, asked)
  end)

  it("asks for another id each time", function()
    local _, mark = support.requests()
    run()
    run()
    local requests = support.requests(mark)
    assert.not_equal(requests[1].id, requests[5].id)
  end)

  it("checks TLS", function()
    local lines, found, status = run(("--base-url %s --ca-file %s")
      :format(support.tls, support.ca))
    assert.same(FINE, lines)
    assert.equal(0, status)
    assert.equal("1 certificate in " .. support.ca, found.authorities)
    assert.equal("localhost has an address", found["look-up"])
    assert.equal("the server's certificate is trusted, and is for this host", found.TLS)
  end)

  local AFTER_TLS = { TLS = "failed", clock = "skipped", key = "skipped" }
  local WITH_CA = " --ca-file " .. support.ca
  local rows = {
    { "an unknown authority", 5, "--base-url " .. support.tls, AFTER_TLS, "TLS",
      "; the certificate's authority is not trusted here: name its certificate in --ca-file" },
    { "another host's certificate", 5, "--base-url " .. os.getenv "EMULATOR_WRONG_HOST" .. WITH_CA,
      AFTER_TLS, "TLS", "; the certificate is for another host: check the host in --base-url" },
    { "an expired certificate", 5, "--base-url " .. os.getenv "EMULATOR_EXPIRED" .. WITH_CA,
      AFTER_TLS, "TLS", "; the certificate has expired: its owner must renew it" },
    { "a CA file that is not there", 5, "--ca-file /nowhere --base-url " .. support.tls,
      { authorities = "failed", TLS = "failed", clock = "skipped", key = "skipped" },
      "authorities", "cannot read /nowhere: No such file or directory: name a PEM file in " },
    { "a closed port", 5, "--base-url " .. os.getenv "EMULATOR_CLOSED",
      { connection = "failed", clock = "skipped", key = "skipped" }, "connection",
      "; check http://127.0.0.1:" },
    { "a name that nobody has", 5, "--base-url https://nowhere.invalid",
      { ["look-up"] = "failed", connection = "skipped", TLS = "skipped", clock = "skipped",
        key = "skipped" }, "look-up", "nowhere.invalid; check the name, and this machine's DNS" },
    { "a wrong path", 1, ("--base-url %s/nowhere"):format(support.http), { key = "failed" }, "key",
      "gives 404 with it, 404 without; check the path in --base-url" },
    { "a wrong key", 3, "", { key = "failed" }, "key",
      "refused: the API key is missing, wrong or expired", "sk_wrong" },
    { "a key that is not permitted", 3, "", { key = "failed" }, "key",
      "refused: the API key is not permitted to do this", "sk_forbidden" },
    { "no key", 3, "", { key = "failed" }, "key",
      "no API key: set LEADPING_API_KEY or give --key-file FILE", "" },
    { "a rate limit", 4, "", { key = "failed" }, "key",
      "not checked: over the API's limit of requests", "sk_emulator_limit_0_10" },
  }

  for _, row in ipairs(rows) do
    local what, expected, arguments, changes, name, text, key = unpack(row, 1, 7)
    it(("names %s, and exits with %d"):format(what, expected), function()
      local lines, found, status = run(arguments, { LEADPING_API_KEY = key })
      assert.same(fine_but(changes), lines)
      assert.is_not_nil(found[name]:find(text, 1, true), found[name])
      assert.equal(expected, status)
    end)
  end

  it("refuses a wrong command line", function()
    local output, status, complaints = support.leadping "doctor --base-url x"
    assert.equal("", output)
    assert.equal(2, status)
    assert.matches("'%-%-base%-url'", complaints)
  end)

  it("refuses a key that cannot be one, without showing it", function()
    local _, status, complaints = support.leadping("doctor", { LEADPING_API_KEY = "sk secret" })
    assert.equal(2, status)
    assert.equal("leadping: the API key: its byte 3 is 0x20, which no key holds\n", complaints)
  end)

  it("exits with 6 where its output cannot be written", function()
    local _, status = support.leadping "doctor >/dev/full"
    assert.equal(6, status)
  end)
end)

describe("leadping doctor: version", function()
  local function version(curl)
    return checks.version { leadping = "leadping 1", lua = "Lua 5.4", curl = curl, cjson = "2.1" }
  end

  it("takes libcurl 7.80 and newer", function()
    for _, row in ipairs {
      { "7.80.0", "ok" }, { "7.100.0", "ok" }, { "8.0.1-DEV", "ok" }, { "7.79.1", "failed" },
      { "6.99", "failed" }, { "?", "failed" },
    } do
      assert.equal(row[2], version(row[1]).state, row[1])
    end
    assert.equal("libcurl 7.79.1 is too old: install 7.80 or newer", version "7.79.1".found)
  end)
end)

describe("leadping doctor: features", function()
  it("are this libcurl's", function()
    local features = core.curl_features()
    local said = "\n" .. support.shell "curl-config --features"
    for _, name in ipairs { "AsynchDNS", "HTTP2", "SSL", "libz" } do
      assert.equal(said:find(("\n%s\n"):format(name), 1, true) ~= nil, features[name], name)
    end
    assert.matches("/%d", features.ssl_version)
  end)

  it("that are missing are named with what that means", function()
    for missing, expected in pairs {
      SSL = { "failed", "has no TLS: no request can be sent: install a libcurl with TLS" },
      libz = { "failed", "has no zlib: compressed answers cannot be read: install a libcurl with "
        .. "zlib" },
      AsynchDNS = { "warning", "has no asynchronous look-up: a look-up that hangs outlasts its "
        .. "time limit: install a libcurl with one" },
      HTTP2 = { "warning", "has no HTTP/2: each request in flight takes a connection of its own" },
    } do
      local features = { SSL = true, libz = true, AsynchDNS = true, HTTP2 = true,
        ssl_version = "T/1" }
      features[missing] = false
      local check = checks.features(features)
      assert.same(expected, { check.state, check.found })
      assert.equal(expected[1] == "failed" and 1 or 0, check.code)
    end
  end)
end)

describe("leadping doctor: authorities", function()
  local function authorities(fields)
    fields.is_tls = true
    return checks.authorities(fields)
  end

  it("are a file, a directory or libcurl's own", function()
    assert.equal("those that libcurl was built for", authorities({}).found)
    assert.equal("the directory /", authorities({ ca_path = "/" }).found)
    assert.equal("/nowhere is no directory that can be read: name one with hashed certificates in "
      .. "--ca-path", authorities({ ca_path = "/nowhere" }).found)
    assert.equal("failed", authorities({ ca_path = support.ca }).state)
    assert.equal("LICENSE holds no certificate: a PEM file is needed, with a line BEGIN "
      .. "CERTIFICATE", authorities({ ca_file = "LICENSE" }).found)
  end)
end)

describe("leadping doctor: look-up", function()
  it("tells an address from a name", function()
    for host, said in pairs {
      ["127.0.0.1"] = "is an address", ["[::1]"] = "is an address", ["a.b"] = "has an address",
      ["1.2.3.4.example"] = "has an address",
    } do
      assert.equal(host .. " " .. said, checks.look_up(host, { status = 200 }).found)
    end
  end)

  it("fails for a name, a proxy's name and where it takes too long", function()
    for _, reply in ipairs {
      { code = 6, kind = "connection", message = "m" },
      { code = 5, kind = "connection", message = "m" },
      { code = 28, kind = "timeout", message = "Resolving timed out after 1 ms" },
    } do
      assert.equal("failed", checks.look_up("a", reply).state)
      assert.equal("skipped", checks.connection("https://a", reply).state)
    end
    local reply = { code = 28, kind = "timeout", message = "Connection timed out" }
    assert.equal("ok", checks.look_up("a", reply).state)
    assert.equal("failed", checks.connection("https://a", reply).state)
  end)
end)

describe("leadping doctor: TLS", function()
  it("that is none is fine on this machine alone", function()
    local check = checks.tls({ is_tls = false, is_loopback = false }, { status = 200 })
    assert.equal("warning", check.state)
    assert.equal("none: the key goes over the network in clear; use https://", check.found)
  end)
end)

describe("leadping doctor: clock", function()
  local DATE, TIME = "Sun, 06 Nov 1994 08:49:37 GMT", 784111777

  local function clock(now, headers)
    return checks.clock({ status = 200, headers = headers or { date = DATE } }, now)
  end

  it("may be a minute off", function()
    for _, off in ipairs { 0, 60, -60 } do assert.equal("ok", clock(TIME + off).state) end
    for off, said in pairs { [61] = "1 min 1 s ahead of", [-7200] = "2 h 0 min behind" } do
      local check = clock(TIME + off)
      assert.equal("warning", check.state)
      assert.equal(("%s the server's: set it, as certificates and waiting times go by it")
        :format(said), check.found)
    end
  end)

  it("is not checked without a date", function()
    for _, headers in ipairs { {}, { date = "now" } } do
      local check = clock(TIME, headers)
      assert.equal("warning", check.state)
      assert.equal("not checked: the answer has no Date", check.found)
    end
  end)
end)

describe("leadping doctor: key", function()
  local KINDS = { [401] = "unauthorized", [403] = "forbidden", [429] = "rate_limited" }

  local function reply(answer)
    if type(answer) == "string" then return { kind = answer, message = "no answer" } end
    local kind = KINDS[answer] or (answer >= 500 and "server_error") or
      (answer >= 300 and "unexpected_status") or nil
    return { status = answer, kind = kind, message = kind and "said" }
  end

  -- Answers to: GET with the key, without it, DELETE with it, without it; what is
  -- not asked for is false. Then state, exit code and what is said.
  local ACCEPTED = "accepted: %s of a conversation that does not exist gives %d with it, %d without"
  local rows = {
    { 404, 401, false, false, "ok", 0, ACCEPTED:format("GET", 404, 401) },
    { 405, 401, false, false, "ok", 0, ACCEPTED:format("GET", 405, 401) },
    { 200, 401, false, false, "ok", 0, ACCEPTED:format("GET", 200, 401) },
    { 405, 405, 404, 401, "ok", 0, ACCEPTED:format("DELETE", 404, 401) },
    { 405, 405, 400, 403, "ok", 0, ACCEPTED:format("DELETE", 400, 403) },
    { 404, 404, 200, 401, "ok", 0, ACCEPTED:format("DELETE", 200, 401) },
    { 403, false, 200, 401, "ok", 0, ACCEPTED:format("DELETE", 200, 401) },
    { 405, 429, 204, 401, "ok", 0, ACCEPTED:format("DELETE", 204, 401) },
    { 401, false, false, false, "failed", 3, "refused: said" },
    { 405, 405, 401, false, "failed", 3, "refused: said" },
    { 405, 405, 403, false, "failed", 3, "refused: said" },
    { 403, false, 403, false, "failed", 3, "refused: said" },
    { 429, false, false, false, "failed", 4, "not checked: said; wait a minute" },
    { 405, 405, 429, false, "failed", 4, "not checked: said; wait a minute" },
    { 503, false, false, false, "failed", 5, "not checked: said" },
    { 405, 405, 500, false, "failed", 5, "not checked: said" },
    { 405, "connection", "timeout", false, "failed", 5, "not checked: no answer" },
    { 302, false, false, false, "failed", 1, "not checked: said" },
    { 404, 404, 404, 404, "failed", 1, "not checked: DELETE of a conversation that does not "
      .. "exist gives 404 with it, 404 without; check the path in --base-url" },
    { 404, 404, 404, "timeout", "failed", 1, "not checked: DELETE of a conversation that does "
      .. "not exist gives 404 with it, timeout without; check the path in --base-url" },
    { 200, 200, 200, 200, "warning", 0, "not checked: DELETE of a conversation that does not "
      .. "exist gives 200 with it, 200 without: this server asks for no key" },
    { "connection", false, false, false, "skipped", 0, "there is no answer" },
  }

  for _, row in ipairs(rows) do
    it(("with answers %s, %s, %s, %s is %s"):format(tostring(row[1]), tostring(row[2]),
      tostring(row[3]), tostring(row[4]), row[5]), function()
      local asked = { GET = { false, row[2] }, DELETE = { row[3], row[4] } }
      local check = checks.key(reply(row[1]), function(method, has_key)
        local index = has_key and 1 or 2
        local answer = asked[method][index]
        assert.is_truthy(answer, ("%s was asked for"):format(method))
        asked[method][index] = false
        return reply(answer)
      end)
      assert.same({ row[5], row[6], row[7] }, { check.state, check.code, check.found })
      assert.same({ GET = { false, false }, DELETE = { false, false } }, asked)
    end)
  end
end)
