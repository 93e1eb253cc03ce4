-- spec/core_spec.lua: leadping.core's own functions, under the Lua modules.
-- A session is driven by hand here, over a real socket; what its results mean
-- is for other specs.
-- MIT, see LICENSE.

local core = require "leadping.core"
local support = require "spec.support"

local PATH = "/phone-numbers/outgoing/conversation/%s/override"

local function request(id, given)
  return support.with({
    url = support.http .. PATH:format(id), method = "DELETE",
    headers = { Authorization = "Bearer " .. support.key },
    timeout = 5, connect_timeout = 5, max_body = 1e6,
  }, given)
end

--- Drives a session until that many results wait.
local function await(session, count)
  support.eventually(function() return assert(session:step(0.05)) >= count end)
end

local function result_of(session, given)
  assert(session:submit(given))
  await(session, 1)
  return select(2, session:next())
end

describe("leadping.core: random", function()
  it("gives numbers in [0, 1), spread over it", function()
    local sum, count = 0, 10000
    for _ = 1, count do
      local number = core.random()
      assert.is_true(number >= 0 and number < 1, number)
      sum = sum + number
    end
    assert.is_true(math.abs(sum / count - 0.5) < 0.05, sum / count)
  end)

  it("gives others in each process", function()
    local program = [[print(require("leadping.core").random())]]
    assert.not_equal((support.run(program)), (support.run(program)))
  end)
end)

describe("leadping.core: base_url", function()
  it("takes a URL apart", function()
    assert.same({ scheme = "https", user = "u", password = "p", host = "h", port = "1",
      path = "/a", query = "b", fragment = "c" }, core.base_url "https://u:p@h:1/a?b#c")
  end)

  it("refuses a part of 1024 bytes, and takes one of 1023", function()
    assert.is_nil(core.base_url("https://h/" .. ("a"):rep(1023)))
    local path = "/" .. ("a"):rep(1022)
    assert.equal(path, core.base_url("https://h" .. path).path)
  end)
end)

describe("leadping.core: ca_path", function()
  local CERTS = "/etc/ssl/certs"
  local reads_directories = (core.curl_features().ssl_version or ""):find "^OpenSSL/" ~= nil

  it("names the system's first directory of 20 hashed certificates, or none", function()
    local expected
    for _, path in ipairs { CERTS, "/etc/pki/ca-trust/extracted/pem/directory-hash" } do
      local names = support.shell(("ls %s 2>&1 | grep -cE '^[0-9a-f]{8}\\.[0-9]+$'"):format(path))
      if reads_directories and tonumber(names) >= 20 then expected = expected or path end
    end
    assert.equal(expected, core.ca_path())
  end)

  it("tells 20 hashed certificates from 19 and other files", function()
    local directory = support.new_directory()
    finally(function() support.remove_directory(directory) end)
    local function with_its_files(command)
      return support.shell("unshare -rm sh -c " .. support.quote(
        ("mount --bind %s %s && %s"):format(directory, CERTS, command)))
    end
    if select(2, with_its_files "true") ~= 0 then return pending("cannot mount a directory") end
    local function ca_path()
      return (with_its_files(support.lua .. " -e 'print(require([[leadping.core]]).ca_path())'"))
    end
    for i = 1, 19 do support.write(("%s/%08x.%d"):format(directory, i * 1e6, i), "") end
    for _, name in ipairs { "ca-certificates.crt", "5AD8A5D6.0", "5ad8a5d6.0x", "5ad8a5d.0" } do
      support.write(directory .. "/" .. name, "")
    end
    assert.not_equal(CERTS .. "\n", ca_path())
    support.write(directory .. "/5ad8a5d6.0", "")
    assert.equal(reads_directories and CERTS .. "\n" or "nil\n", ca_path())
  end)
end)

describe("leadping.core: can_yield", function()
  it("is true in a coroutine", function()
    assert.is_true(coroutine.wrap(function() return core.can_yield() end)())
  end)
end)

describe("leadping.core: decode, at a buffer's end", function()
  -- Lua's own buffer starts with 1 KiB: each kind of byte comes upon its end.
  it("keeps escapes at any place of a long text", function()
    for _, row in ipairs {
      { "\\n", "\n" }, { "\\u0041", "A" }, { "\\u00e9", "é" }, { "\\u20ac", "€" },
      { "\\ud83d\\ude00", "😀" },
    } do
      for length = 1000, 1060 do
        local plain = ("a"):rep(length)
        local text = ('{"number":"%s%s\\n%s"}'):format(plain, row[1], plain)
        assert.equal(plain .. row[2] .. "\n" .. plain, core.decode(text, {}).number)
      end
    end
  end)
end)

describe("leadping.core: decode", function()
  it("refuses a name without quotes in a long text", function()
    local _, message = core.decode('{canSend:true,"later":"' .. ("a"):rep(50) .. '"}', {})
    assert.matches("^byte 2: a field's name expected", message)
  end)
end)

describe("leadping.core: head", function()
  for words, row in pairs {
    ["nothing"] = { "", {} },
    ["names in lower case"] = { "X-A: b\r\n\r\n", { ["x-a"] = "b" } },
    ["the lines of one name joined"] = { "a: 1\r\nA:2 \r\n", { a = "1, 2" } },
    ["a value without the space around it"] = { "a: \t b c\t \r\n", { a = "b c" } },
    ["an empty value"] = { "a: \r\nb:\r\n", { a = "", b = "" } },
    ["a name longer than a buffer"] = { ("N"):rep(5000) .. ":1\r\n", { [("n"):rep(5000)] = "1" } },
    ["no line without a name"] = { "garbage\r\n folded: line\r\n", {} },
    ["a last line without its end"] = { "a: b\r\nc: d", { a = "b", c = "d" } },
  } do
    it("gives " .. words, function() assert.same(row[2], core.head(row[1])) end)
  end
end)

describe("leadping.core: header_list", function()
  it("is sent with each request that has it", function()
    local session = core.session {}
    finally(function() session:close() end)
    local _, mark = support.requests()
    local list = core.header_list { Authorization = "Bearer " .. support.key, ["X-A"] = "b" }
    local other = core.header_list { Authorization = "Bearer " .. support.key, ["X-A"] = "c" }
    for i, headers in ipairs { list, list, other, list } do
      assert.equal(200, result_of(session, request("listed-" .. i, { headers = headers })).status)
    end
    list, other = nil, nil -- luacheck: ignore 311
    collectgarbage()
    local sent = {}
    for i, seen in ipairs((support.requests(mark))) do sent[i] = seen.headers["x-a"] end
    assert.same({ "b", "b", "c", "b" }, sent)
  end)

  it("is made of a table alone, and taken for nothing else", function()
    assert.error_matches(function() core.header_list(core.header_list {}) end, "table expected")
    local session = core.session {}
    finally(function() session:close() end)
    assert.error_matches(function()
      session:submit(request("a", { headers = io.stdout }))
    end, "leadping.header_list expected")
  end)

  it("that has been collected is refused, at the end of Lua too", function()
    assert.equal("the list of headers is closed\n", (support.run [[
      local core = require "leadping.core"
      local session, headers = core.session {}, nil
      local function try()
        print(select(2, pcall(session.submit, session, {
          url = "http://127.0.0.1:1", method = "DELETE", headers = headers,
          timeout = 1, connect_timeout = 1, max_body = 1,
        })))
      end
      last = newproxy and newproxy(true) or setmetatable({}, { __gc = try })
      getmetatable(last).__gc = try
      headers = core.header_list {}
    ]]))
  end)
end)

describe("leadping.core: session", function()
  local session
  before_each(function() session = core.session {} end)
  after_each(function() session:close() end)

  it("needs a table of options with texts", function()
    assert.error_matches(function() core.session() end, "table expected")
    assert.error_matches(function() core.session { proxy = {} } end, "string expected")
  end)

  it("raises for each method once it is closed, but for close", function()
    session:close()
    session:close()
    for _, method in ipairs { "submit", "step", "next", "cancel" } do
      local argument = method == "submit" and request "a" or 0
      assert.error_matches(function() session[method](session, argument) end,
        "the session is closed")
    end
  end)

  for name, wrong in pairs {
    url = false, method = false, headers = "none", timeout = "soon",
    connect_timeout = false, max_body = "much",
  } do
    it(("raises for a request with a wrong %s, and goes on"):format(name), function()
      assert.error_matches(function()
        session:submit(request("a", { [name] = wrong }))
      end, "expected, got")
      assert.equal(200, result_of(session, request "a").status)
    end)
  end

  it("raises for a header that would be two", function()
    for _, text in ipairs { "a\rb", "a\nb", "a\0b" } do
      assert.error_matches(function()
        session:submit(request("a", { headers = { X = text } }))
      end, "a request's header holds CR, LF or NUL")
    end
  end)

  it("takes short, broken and long time limits", function()
    assert.equal("timeout", result_of(session, request("fault:never", { timeout = 1e-9 })).kind)
    for _, seconds in ipairs { 5.0004, 1e300 } do
      assert.equal(200, result_of(session, request("a", { timeout = seconds })).status)
    end
  end)

  it("has a URL that libcurl refuses fail with its message", function()
    local result = result_of(session, request("a", { url = "gopher://127.0.0.1/" }))
    assert.equal("connection", result.kind)
    assert.matches("not supported", result.message)
  end)

  it("gives several results in the order in which they came, and each once", function()
    local ids = {}
    for i = 1, 5 do ids[assert(session:submit(request("many-" .. i)))] = true end
    await(session, 5)
    for _ = 1, 5 do
      local id, result = session:next()
      assert.is_true(ids[id])
      ids[id] = nil
      assert.equal(200, result.status)
    end
    assert.is_nil(session:next())
  end)

  it("that a thread drives can be asked for results without a descriptor", function()
    assert.is_true(session:start())
    assert.is_true(session:start())
    local id = assert(session:submit(request "polled"))
    await(session, 1)
    assert.equal(id, (session:next()))
    assert.equal(0, session:step(0))
  end)

  it("cancels what is on its way, what has finished, and nothing else", function()
    local active = assert(session:submit(request "fault:never"))
    local first, second = session:submit(request "a"), session:submit(request "b")
    await(session, 2)
    assert.is_true(session:cancel(second))
    assert.is_true(session:cancel(active))
    assert.is_false(session:cancel(active))
    assert.is_false(session:cancel(second + 1))
    assert.equal(first, (session:next()))
    assert.is_false(session:cancel(first))
    assert.is_nil(session:next())
  end)

  it("lets one time out while another goes on", function()
    local silent = assert(session:submit(request("fault:never", { timeout = 0.05 })))
    local slow = assert(session:submit(request "fault:slow-0.3"))
    await(session, 1)
    local id, result = session:next()
    assert.equal(silent, id)
    assert.equal("timeout", result.kind)
    await(session, 1)
    id, result = session:next()
    assert.equal(slow, id)
    assert.equal(200, result.status)
  end)

  it("closes with transfers on their way and results untaken", function()
    assert(session:submit(request "fault:never"))
    assert(session:submit(request "a"))
    await(session, 1)
    session:close()
  end)

  it("takes a body below a limit that is small itself", function()
    assert.equal("{}", result_of(session, request(support.answer "{}", { max_body = 100 })).body)
  end)

  it("sends a header without a value", function()
    local _, mark = support.requests()
    local headers = { Authorization = "Bearer " .. support.key, ["X-None"] = "" }
    assert.equal(200, result_of(session, request("a", { headers = headers })).status)
    assert.equal("", support.requests(mark)[1].headers["x-none"])
  end)

  it("reads no netrc", function()
    local home = support.new_directory()
    finally(function() support.remove_directory(home) end)
    support.write(home .. "/.netrc", "machine 127.0.0.1 login user password s3cret\n")
    local _, mark = support.requests()
    local output = support.run(([[
      local session = require("leadping.core").session { proxy = "" }
      session:submit { method = "DELETE", url = os.getenv "EMULATOR_HTTP" .. %q, headers = {},
        timeout = 5, connect_timeout = 5, max_body = 1000 }
      while session:step(1) == 0 do end
      print(select(2, session:next()).status)
    ]]):format(PATH:format "a"), { HOME = home })
    assert.equal("401\n", output)
    assert.is_nil(support.requests(mark)[1].headers.authorization)
  end)

  it("trusts nobody where its directory of authorities is empty", function()
    local strict = core.session { ca_path = support.directory .. "/answers" }
    finally(function() strict:close() end)
    assert.equal("tls", result_of(strict, request("a", { url = support.tls })).kind)
  end)

  it("joins the lines of one name and trims their values", function()
    local id = support.answer("{}", "200\nX-Two: a \nX-Two: \t b\t\n")
    assert.equal("a, b", core.head(result_of(session, request(id)).head)["x-two"])
  end)
end)

describe("a SIGPIPE", function()
  --- A program that gets the signal once a server that never answers has its
  -- request, and then tells how many are pending.
  local function program(before)
    local id = support.id "fault:never"
    return before .. ([[
      local client = require("leadping").new { max_retries = 0 }
      os.execute("{ until grep -qF '%s' $EMULATOR_DIR/requests.jsonl; do sleep 0.01; done;"
        .. " kill -PIPE $PPID; } &")
      print(select(2, client:clear_override("%s", { timeout = 1 })).kind)
      local pending = 0
      for line in io.lines "/proc/self/status" do
        local set = line:match "^S%%a+Pnd:%%s*(%%x+)"
        if set then pending = pending + math.floor(tonumber(set, 16) / 0x1000) %% 2 end
      end
      print(pending)
    ]]):format(id, id)
  end

  it("that comes inside libcurl neither ends the process nor stays", function()
    assert.equal("timeout\n0\n", (support.run(program "")))
  end)

  it("that the caller holds back itself is left to the caller", function()
    local path = os.tmpname()
    finally(function() os.remove(path) end)
    support.write(path, program [[os.execute "kill -PIPE $PPID"]])
    assert.equal("timeout\n1\n",
      (support.shell(("env --block-signal=PIPE %s %s"):format(support.lua, path))))
  end)

  it("that the caller holds back and that comes inside libcurl is taken out", function()
    local path = os.tmpname()
    finally(function() os.remove(path) end)
    support.write(path, program "")
    assert.equal("timeout\n0\n",
      (support.shell(("env --block-signal=PIPE %s %s"):format(support.lua, path))))
  end)
end)
