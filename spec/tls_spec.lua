-- spec/tls_spec.lua: TLS against the emulator's certificates.
-- Which servers are trusted, what the errors say to do, and that nothing turns
-- verification off. Times and answers are in client_spec.lua.
-- MIT, see LICENSE.

local failure = require "leadping.failure"
local leadping = require "leadping"
local support = require "spec.support"

local WRONG_HOST = os.getenv "EMULATOR_WRONG_HOST"
local EXPIRED = os.getenv "EMULATOR_EXPIRED"

-- What OpenSSL is told by a system that still takes TLS 1.1.
local LENIENT = [[
openssl_conf = settings
[settings]
ssl_conf = ssl
[ssl]
system_default = lenient
[lenient]
MinProtocol = TLSv1
CipherString = DEFAULT@SECLEVEL=0
]]

--- The error of one call to a server that is not to be trusted.
local function refusal(options)
  local client = support.client(options)
  local _, mark = support.requests()
  local selection, err = client:clear_override(support.id())
  client:close()
  assert.is_nil(selection)
  assert.equal("tls", err.kind)
  assert.equal("not_sent", err.outcome)
  assert.is_false(err.retryable)
  assert.same({}, (support.requests(mark)))
  return err.message
end

describe("TLS", function()
  it("works with the authority in ca_file, over HTTP/2", function()
    local client = support.client { base_url = support.tls, ca_file = support.ca }
    finally(function() client:close() end)
    local _, mark = support.requests()
    local selection, err = client:clear_override("a/b?c")
    assert.is_nil(err)
    assert.is_boolean(selection.canSend)
    local request = support.requests(mark)[1]
    assert.equal("HTTP/2.0", request.protocol)
    assert.equal("/phone-numbers/outgoing/conversation/a%2Fb%3Fc/override", request.uri)
    assert.equal("a/b?c", request.id)
  end)

  it("refuses an unknown authority and says what to do", function()
    assert.matches("; the certificate's authority is not trusted here: name its certificate "
      .. "in ca_file or SSL_CERT_FILE", refusal { base_url = support.tls })
  end)

  it("refuses another host's certificate and says what to do", function()
    assert.matches("; the certificate is for another host: check the host in base_url$",
      refusal { base_url = WRONG_HOST, ca_file = support.ca })
  end)

  it("refuses an expired certificate and says what to do", function()
    assert.matches("; the certificate has expired: its owner must renew it",
      refusal { base_url = EXPIRED, ca_file = support.ca })
  end)

  it("says that a CA file cannot be read", function()
    assert.matches("; check that ca_file, ca_path, SSL_CERT_FILE and CURL_CA_BUNDLE name",
      refusal { base_url = support.tls, ca_file = "/nonexistent/ca.pem" })
  end)

  it("works with the authority in ca_path, a directory of hashed names", function()
    local path = support.new_directory()
    finally(function() support.remove_directory(path) end)
    local hash = support.shell("openssl x509 -noout -hash -in " .. support.ca):match("%x+")
    support.write(("%s/%s.0"):format(path, hash), support.read(support.ca))
    local client = support.client { base_url = support.tls, ca_path = path }
    assert(client:clear_override(support.id()))
    client:close()
  end)

  it("trusts what is given alone, not the environment's beside it", function()
    local path = support.new_directory()
    finally(function() support.remove_directory(path) end)
    local output = support.run(([[
      local client = require("leadping").new { ca_path = %q }
      print(select(2, client:clear_override("env")).kind)
    ]]):format(path), {
      SSL_CERT_FILE = support.ca, CURL_CA_BUNDLE = support.ca,
      LEADPING_BASE_URL = support.tls, LEADPING_API_KEY = support.key,
    })
    assert.equal("tls\n", output)
  end)

  it("goes on after a refusal", function()
    local client = support.client { base_url = support.tls }
    finally(function() client:close() end)
    for _ = 1, 3 do
      assert.equal("tls", select(2, client:clear_override(support.id())).kind)
    end
  end)

  for variable, other in pairs {
    SSL_CERT_FILE = "CURL_CA_BUNDLE", CURL_CA_BUNDLE = "SSL_CERT_FILE",
  } do
    it(("trusts the authority in %s"):format(variable), function()
      local output = support.run(([[
        local selection, err = require("leadping").clear_override("env")
        print(selection and selection.canSend, err)
      ]]), {
        [variable] = support.ca, [other] = false, LEADPING_BASE_URL = support.tls,
        LEADPING_API_KEY = support.key,
      })
      assert.equal("true\tnil\n", output)
    end)
  end

  it("before 1.2 is refused, to a server and to a proxy, whatever the system takes", function()
    local variables, server = { OPENSSL_CONF = os.tmpname() }, nil
    finally(function()
      if server then
        server:kill "TERM"
        server:finish()
      end
      os.remove(variables.OPENSSL_CONF)
    end)
    support.write(variables.OPENSSL_CONF, LENIENT)
    if select(2, support.shell("openssl ciphers -s -tls1_1", variables)) ~= 0 then
      return pending("this OpenSSL has no TLS 1.1")
    end
    server = support.start(("openssl s_server -www -accept localhost:0 -tls1_1 "
      .. "-cert %s/local.pem -key %s/server.key </dev/null")
      :format(support.directory, support.directory), variables)
    local output = support.run(([[
      local leadping, url = require "leadping", "https://localhost:%s"
      for _, options in ipairs {
        { base_url = url }, { base_url = "http://api.example", allow_http = true, proxy = url },
      } do
        options.ca_file, options.max_retries = os.getenv "EMULATOR_CA", 0
        local _, err = leadping.new(options):clear_override "old"
        print(err.kind, err.outcome, err.message)
      end
    ]]):format(server:wait_for("ACCEPT"):match("ACCEPT.-:(%d+)\n")), variables)
    local line = "tls\tnot_sent\t[^\n]*version[^\n]*\n"
    assert.matches("^" .. line .. line .. "$", output)
  end)

  for _, name in ipairs { "insecure", "verify", "ssl_verify", "verify_peer", "tls" } do
    it(("has no option %q to turn verification off"):format(name), function()
      local ok, message = pcall(leadping.new, { api_key = "k", [name] = false })
      assert.is_false(ok)
      assert.matches(("unknown option '%s'"):format(name), message)
    end)
  end
end)

describe("http", function()
  local refused = {
    "http://example.com", "http://127.0.0.1.example.com", "http://192.168.0.1",
    "http://localhost.example.com", "http://[::2]", "HTTP://example.com",
    "http://127.0.0.1@example.com", "http://0.0.0.0",
    "http://127.999.1.1", "http://127.08.0.1", "http://[fe80::1%25lo]",
  }

  for _, url in ipairs(refused) do
    it(("to %s is refused"):format(url), function()
      local ok, message = pcall(leadping.new, { api_key = "k", base_url = url })
      assert.is_false(ok)
      assert.matches("option 'base_url': ", message)
    end)
  end

  it("to another host says what to do, and allow_http lets it", function()
    local _, message = pcall(leadping.new, { api_key = "k", base_url = "http://example.com" })
    assert.matches("http:// would send the key in clear to example%.com: use https://, "
      .. "or set allow_http = true$", message)
    local client = leadping.new {
      api_key = "k", base_url = "http://example.com", allow_http = true,
    }
    assert.matches("^http://example%.com/", client:request("a").url)
  end)

  local loopback = {
    "http://localhost:1", "http://LOCALHOST", "http://127.0.0.1", "http://127.8.8.8:80",
    "http://[::1]:9",
  }

  for _, url in ipairs(loopback) do
    it(("to %s is local, and allowed"):format(url), function()
      assert.is_table(leadping.new { api_key = "k", base_url = url })
    end)
  end

  it("to this machine does not go through the environment's proxy", function()
    local output = support.run([[
      print(require("leadping").clear_override("env") ~= nil)
    ]], { http_proxy = os.getenv "EMULATOR_CLOSED", all_proxy = os.getenv "EMULATOR_CLOSED",
      no_proxy = false, NO_PROXY = false })
    assert.equal("true\n", output)
  end)
end)

describe("a proxy", function()
  local function options(proxy, ca_file)
    return {
      base_url = "http://api.example", allow_http = true, proxy = proxy, ca_file = ca_file,
    }
  end

  local function assert_passes_on(given)
    local client = support.client(given)
    finally(function() client:close() end)
    local _, mark = support.requests()
    assert(client:clear_override("through"))
    assert.equal("api.example", support.requests(mark)[1].headers.host)
  end

  it("given by the option is used", function()
    assert_passes_on(options(support.http))
  end)

  it("over TLS is trusted as a server is", function()
    assert.matches("; the certificate's authority is not trusted here",
      refusal(options(support.tls)))
    assert.matches("; the certificate has expired", refusal(options(EXPIRED, support.ca)))
    assert_passes_on(options(support.tls, support.ca))
  end)

  it("may say much before it connects, which is no part of the answer", function()
    if not pcall(require, "cqueues.socket") then
      return pending("cqueues is not installed for this Lua")
    end
    local output = support.run([[
      local cqueues, socket = require "cqueues", require "cqueues.socket"
      local loop, listener = cqueues.new(), socket.listen("127.0.0.1", 0)
      local _, _, port = listener:localname()
      local function pass_on(from, to)
        local bytes = from:xread(-4096)
        while bytes and to:xwrite(bytes, "n") do bytes = from:xread(-4096) end
      end
      loop:wrap(function()
        local near = listener:accept()
        near:setmode("bn", "bn")
        local far_port = near:xread("*L"):match "^CONNECT localhost:(%d+) "
        repeat until near:xread "*L" == "\r\n"
        local far = socket.connect("localhost", far_port)
        far:setmode("bn", "bn")
        local header = "X-Proxy: " .. ("x"):rep(10000) .. "\r\n"
        near:xwrite("HTTP/1.1 200 Connected\r\n" .. header:rep(7) .. "\r\n", "n")
        loop:wrap(pass_on, near, far)
        pass_on(far, near)
      end)
      loop:wrap(function()
        local _, err, response = require("leadping").new({
          loop = "cqueues", base_url = os.getenv "EMULATOR_TLS", max_retries = 0,
          ca_file = os.getenv "EMULATOR_CA", proxy = "http://127.0.0.1:" .. port,
        }):clear_override "through"
        print(err, response and response.status, response and response.headers["x-proxy"])
        os.exit(0)
      end)
      assert(loop:loop())
    ]], { no_proxy = false, NO_PROXY = false })
    assert.equal("nil\t200\tnil\n", output)
  end)

  it("that does not answer is a connection error", function()
    local client = support.client {
      base_url = "https://api.example", proxy = os.getenv "EMULATOR_CLOSED",
    }
    finally(function() client:close() end)
    local _, err = client:clear_override("through")
    assert.equal("connection", err.kind)
    assert.equal("not_sent", err.outcome)
  end)

  it("in libcurl's words is told without its user and password", function()
    local words = "no way to http://%sproxy.example:8080/ today"
    for _, user in ipairs { "user:s3cret@", "user@home:s3@cret@", "" } do
      assert.equal(words:format "", failure.fields {
        kind = "connection", message = words:format(user), sends = 0, retryable = true,
      }.message)
    end
  end)

  it("whose name is not found may be found another time", function()
    local client = support.client {
      base_url = "https://api.example", proxy = "http://no-such-host.invalid:8080",
    }
    finally(function() client:close() end)
    local _, err = client:clear_override("through", { timeout = 5 })
    assert.equal("connection", err.kind)
    assert.equal("not_sent", err.outcome)
    assert.is_true(err.retryable)
  end)

  it("in the environment whose URL is wrong is an error without its password", function()
    local output = support.run([[
      local client = require("leadping").new { base_url = "https://api.example" }
      print(select(2, client:clear_override("through")))
    ]], { https_proxy = "foo://user:s3cret@h:1", no_proxy = false, NO_PROXY = false })
    assert.matches("the proxy's URL is wrong: check proxy, https_proxy and all_proxy", output)
    assert.is_nil(output:find("s3cret", 1, true))
  end)
end)

describe("base_url", function()
  local NO_URL = "a URL that begins with https:// expected"
  local wrong = {
    { "", NO_URL }, { "api.leadping.ai", NO_URL }, { "https://", NO_URL },
    { "ftp://example.com", NO_URL }, { "https://a b", NO_URL },
    { "https://user@example.com", "a user has no place in it" },
    { "https://user:secret@example.com", "a user has no place in it" },
    { "https://example.com/?a=1", "a query has no place in it" },
    { "https://example.com/#a", "a fragment has no place in it" },
    { "https://example.com\0.evil.example", NO_URL },
    { "https://%7f/", "the name of a host expected, got \\x7F" },
    { "https://%2541/", "the name of a host expected, got %41" },
  }

  for _, row in ipairs(wrong) do
    it(("%q is refused"):format(row[1]), function()
      local ok, message = pcall(leadping.new, { api_key = "k", base_url = row[1] })
      assert.is_false(ok)
      assert.is_not_nil(message:find("option 'base_url': " .. row[2], 1, true), message)
      assert.is_nil(message:find("secret", 1, true))
    end)
  end

  it("is the API's where neither option nor environment says", function()
    local output = support.run([[
      print(require("leadping").new { api_key = "k" }:request("a").url)
    ]], { LEADPING_BASE_URL = false })
    assert.equal("https://api.leadping.ai/phone-numbers/outgoing/conversation/a/override\n",
      output)
  end)

  it("is named where the environment's is wrong", function()
    local output, status = support.run([[require("leadping").clear_override("a")]],
      { LEADPING_BASE_URL = "http://example.com" })
    assert.equal(1, status)
    assert.matches("LEADPING_BASE_URL: http:// would send the key in clear", output)
  end)
end)
