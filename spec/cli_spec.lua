-- spec/cli_spec.lua: the command line program off a terminal, as scripts run it.
-- Exit codes, what stdout and stderr hold, and what the emulator was asked.
-- Not here: journals (cli_resume_spec.lua) and terminals (terminal_spec.lua).
-- MIT, see LICENSE.

local cjson = require "cjson"
local exits = require "leadping.cli.exits"
local leadping = require "leadping"
local support = require "spec.support"

--- Runs the program; asserts its exit status and that it says nothing on stderr
-- but what is expected.
local function assert_run(expected, arguments, variables)
  local output, status, complaints = support.leadping(arguments, variables)
  assert.equal(expected.status or 0, status, complaints)
  assert.equal(expected.complaints or "", complaints)
  if expected.output then assert.equal(expected.output, output) end
  return output
end

local function refuse(status, complaint, arguments, variables)
  local _, mark = support.requests()
  assert_run({ status = status, output = "", complaints = complaint .. "\n" }, arguments, variables)
  assert.same({}, (support.requests(mark)))
end

local function lines_of(output)
  local lines = {}
  for line in output:gmatch("([^\n]*)\n") do lines[#lines + 1] = line end
  return lines
end

local function ids_asked(mark)
  local asked = {}
  for i, request in ipairs((support.requests(mark))) do asked[i] = request.id end
  return asked
end

local function with_file(content, use)
  local path = os.tmpname()
  support.write(path, content)
  local ok, raised = pcall(use, path)
  os.remove(path)
  if not ok then error(raised, 0) end
end

describe("leadping", function()
  it("alone prints short help", function()
    local output = assert_run({}, "")
    assert.matches("^Usage: leadping COMMAND %[OPTIONS%]\n", output)
    assert.matches("\n   clear ", output)
    assert.matches("\n   plan ", output)
    assert.is_true(#lines_of(output) < 12)
  end)

  it("--help leads to the commands, with examples and all exit codes", function()
    local output = assert_run({}, "--help")
    assert.equal(output, assert_run({}, "-h"))
    assert.equal(output, assert_run({}, "help"))
    assert.matches("leadping plan %-%-file ids.txt ", output)
    local of_clear = assert_run({}, "clear --help")
    for _, exit in ipairs(exits.list) do
      local line = ("\n   %-3d  %s\n"):format(exit.code, exit.words)
      assert.is_not_nil(output:find(line, 1, true))
      assert.is_not_nil(of_clear:find(line, 1, true))
    end
  end)

  it("COMMAND --help has its options, in 80 columns of ASCII", function()
    for command, option in pairs {
      clear = "--file FILE", plan = "--file FILE", decode = "--json", doctor = "--ca-file FILE",
    } do
      local output = assert_run({}, command .. " --help")
      assert.equal(output, assert_run({}, "help " .. command))
      assert.matches("^Usage: leadping " .. command, output)
      assert.is_not_nil(output:find(("\n   %s "):format(option), 1, true))
      assert.is_nil(output:find("[\128-\255]"))
      for _, line in ipairs(lines_of(output)) do assert.is_true(#line <= 80, line) end
    end
  end)

  it("--version prints the version", function()
    assert_run({ output = leadping._VERSION .. "\n" }, "--version")
  end)

  it("names what it does not know, and where help is", function()
    for arguments, complaint in pairs {
      ["claer a"] = "unknown command 'claer'; did you mean 'clear'? (see leadping --help)",
      ["clear --fiel a"] =
        "unknown option '--fiel'; did you mean '--file'? (see leadping clear --help)",
      ["clear --apikez=x a"] = "unknown option '--apikez' (see leadping clear --help)",
      ["--json"] = "unknown option '--json' (see leadping --help)",
      ["clear --file"] = "option '--file' requires an argument (see leadping clear --help)",
      ["clear --file a --file b"] =
        "option '--file' must be used at most 1 time (see leadping clear --help)",
      ["clear --format xml a"] = "argument for option '--format' must be one of 'text', 'csv', "
        .. "'jsonl' (see leadping clear --help)",
      ["plan --yes a"] = "unknown option '--yes' (see leadping plan --help)",
      ["help nothing"] = "unknown command 'nothing' (see leadping --help)",
      ["-v"] = "unknown option '-v' (see leadping --help)",
      ["decode -v"] = "unknown option '-v' (see leadping decode --help)",
      ["'a\27[2J'"] = "unknown command 'a\\x1B[2J' (see leadping --help)",
    } do
      refuse(2, "leadping: " .. complaint, arguments)
    end
  end)

  it("says where the key comes from, and does not show what a flag gave for it", function()
    for arguments, flag in pairs {
      ["clear --key KEY a"] = "clear: --key", ["clear a --api-key=KEY"] = "clear: --api-key",
      ["doctor --token KEY"] = "doctor: --token", ["--key KEY clear a"] = ": --key",
      ["--apikey=KEY"] = ": --apikey",
    } do
      local command, name = flag:match("^(%l*): (.*)$")
      refuse(2, ("leadping: unknown option '%s'; no flag takes the key: use LEADPING_API_KEY or "
        .. "--key-file (see leadping %s--help)"):format(name, command:gsub("%l$", "%0 ")),
        (arguments:gsub("KEY", support.key)))
    end
    refuse(2, "leadping: unknown option '--key'; plan needs no key (see leadping plan --help)",
      "plan a --key=" .. support.key)
  end)

  it("checks the values of options", function()
    for arguments, complaint in pairs {
      ["--rate 0"] = "'--rate': requests a second over 0, or none for no limit, expected, got '0'",
      ["--rate x"] = "'--rate': requests a second over 0, or none for no limit, expected, got 'x'",
      ["--concurrency 101"] =
        "'--concurrency': a whole number from 1 to 100 expected, got '101'",
      ["--timeout=-1"] = "'--timeout': seconds over 0 and at most 86400 expected, got '-1'",
      ["--max-retries none"] =
        "'--max-retries': a whole number from 0 to 100 expected, got 'none'",
      ["--max 1.5"] = "'--max': a whole number over 0 expected, got '1.5'",
      ["--max 0"] = "'--max': a whole number over 0 expected, got '0'",
    } do
      refuse(2, ("leadping: option %s (see leadping clear --help)"):format(complaint),
        "clear a " .. arguments)
    end
    refuse(2, "leadping: option '--base-url': http:// would send the key in clear to x: use "
      .. "https://, or set --allow-http", "clear a --base-url http://x")
    refuse(2, "leadping: LEADPING_BASE_URL: a URL that begins with https:// expected",
      "clear a", { LEADPING_BASE_URL = "x" })
  end)

  it("shows no traceback where it is at fault itself, but with LEADPING_LOG=debug", function()
    local program = [[
      package.loaded["leadping.cli.parser"] = { parse = function() error("broken", 0) end }
      os.exit(require("leadping.cli.main").main {})
    ]]
    local output, status = support.run(program)
    assert.equal("leadping: internal error: broken\n", output)
    assert.equal(1, status)
    assert.matches("^leadping: internal error: broken\nstack traceback:\n.",
      (support.run(program, { LEADPING_LOG = "debug" })))
  end)

  it("takes Lua's own error at Ctrl-C for what it is", function()
    local output, status = support.run [[
      package.loaded["leadping.cli.parser"] = { parse = function() error "interrupted!" end }
      os.exit(require("leadping.cli.main").main {})
    ]]
    assert.equal("leadping: interrupted\n", output)
    assert.equal(130, status)
  end)

  it("says what is missing where lua-argparse is", function()
    local output, status = support.run [[
      package.preload.argparse = function() error("not found") end
      os.exit(require("leadping.cli.main").main { "--help" })
    ]]
    assert.equal("leadping: the Lua module argparse is missing: install the package "
      .. "lua-argparse, or run: luarocks install argparse\n", output)
    assert.equal(2, status)
  end)
end)

describe("leadping plan", function()
  it("says what would be sent, without a key or a request", function()
    local _, mark = support.requests()
    local output = assert_run({}, "plan 'a b' c 'a b' d", { LEADPING_API_KEY = false })
    assert.equal(([[
3 ids, 1 duplicate not sent again
first  a b
last   d
time   about 1 s at 4.5 requests a second

DELETE %s/phone-numbers/outgoing/conversation/a%%20b/override
Accept: application/json
Authorization: Bearer [key]
]]):format(support.http), (output:gsub("User%-Agent: [^\n]*\n", "")))
    assert.same({}, (support.requests(mark)))
  end)

  it("does not show the key that there is", function()
    local output = assert_run({}, "plan a")
    assert.matches("\nAuthorization: Bearer %[key%]\n", output)
  end)

  it("reckons with the rate", function()
    with_file(("x\n"):rep(3):gsub("x", { "1", "2", "3" }) .. "a\nb\nc\nd\n", function(path)
      assert.matches("\ntime   about 40 s at 0.1 requests a second\n",
        (assert_run({}, "plan --rate 0.1 --file " .. path)))
      assert.matches("\ntime   as fast as 1 request at a time\n",
        (assert_run({}, "plan --rate none --concurrency 1 --file " .. path)))
    end)
  end)

  it("refuses what clear would refuse", function()
    refuse(2, "leadping: no ids: give them as arguments, or --file FILE (- for stdin) with one a "
      .. "line", "plan")
    refuse(2, "leadping: ids from stdin are read by --file -", "plan -")
    refuse(2, "leadping: 2 ids, more than --max 1 allows; nothing was sent", "plan a b --max 1")
  end)
end)

describe("leadping clear", function()
  it("clears one id, and says what it has now", function()
    local id = support.id()
    local _, mark = support.requests()
    local output = assert_run({}, "clear " .. id)
    assert.matches(("^done     %s  %%(512%%) 555%%-01%%d%%d  can send  %%a+\n$"):format(id), output)
    assert.same({ id }, ids_asked(mark))
  end)

  it("takes an id behind -- for an id, whatever it begins with", function()
    local _, mark = support.requests()
    assert_run({}, "clear -- --help")
    assert.same({ "--help" }, ids_asked(mark))
    refuse(2, "leadping: unknown option '-1'; an id that begins with - goes behind -- (see "
      .. "leadping clear --help)", "clear -123")
  end)

  it("clears many once --yes is given, each once, with a summary", function()
    local a, b, c = support.id(), support.id("cannot-send"), support.id()
    local _, mark = support.requests()
    local output = assert_run({}, ("clear --yes --concurrency 1 %s %s %s %s"):format(a, b, a, c))
    local lines = lines_of(output)
    assert.matches("^done     " .. a, lines[1])
    assert.equal(("done     %s  no number  cannot send  Add a phone number before sending.")
      :format(b), lines[2])
    assert.matches("^done     " .. c, lines[3])
    assert.equal(([[

3 done, 0 failed, 0 unknown, 0 not sent, 1 duplicate not sent again
cannot send now: 1
  %s  no number  Add a phone number before sending.
]]):format(b), output:match("\n\n.*$"):sub(2))
    assert.same({ a, b, c }, ids_asked(mark))
  end)

  it("refuses many without --yes, where nobody can be asked", function()
    refuse(2, "leadping: 2 ids, and nobody can be asked here: add --yes; nothing was sent",
      "clear a b")
  end)

  it("sends nothing where one id is wrong, or there are too many", function()
    refuse(2, "leadping: an id cannot be used; nothing was sent\n  argument 2: \"..\" is no id: "
      .. "\".\" and \"..\" are steps in a path, not names", "clear --yes a .. b")
    refuse(2, "leadping: 2 ids, more than --max 1 allows; nothing was sent",
      "clear --yes --max 1 a b")
  end)

  it("reads ids from a file and from stdin", function()
    with_file("name,id\nx,csv-1\ny,csv-2\n", function(path)
      local _, mark = support.requests()
      assert_run({}, ("clear --yes --concurrency 1 --file %s --format csv"):format(path))
      assert.same({ "csv-1", "csv-2" }, ids_asked(mark))
    end)
    with_file('{"conversationId":"json-1"}\n', function(path)
      local _, mark = support.requests()
      assert_run({}, "clear --file - --format jsonl <" .. path)
      assert.same({ "json-1" }, ids_asked(mark))
    end)
  end)

  it("--json prints one object an id and nothing else", function()
    local a, b = support.id("json"), support.id("fault:status-404")
    local output = assert_run({ status = 1,
      complaints = "leadping: 1 done, 1 failed, 0 unknown, 0 not sent\n" },
      ("clear --yes --json --concurrency 1 %s %s"):format(a, b))
    local lines = lines_of(output)
    assert.equal(2, #lines)
    assert.matches(('^{"schema":1,"id":"%s","state":"done","selection":{"canSend":true,.*},'
      .. '"error":null,"attempts":1,"elapsed":[%%d.]+}$'):format(a), lines[1])
    assert.is_true(cjson.decode(lines[1]).selection.canSend)
    assert.matches(('^{"schema":1,"id":"%s","state":"failed","selection":null,"error":{"kind":'
      .. '"not_found","message":"[^"]+","status":404,"outcome":"not_applied",'
      .. '"retry_after":null},"attempts":1,"elapsed":[%%d.]+}$'):format(b:gsub("%-", "%%-")),
      lines[2])
  end)

  it("--quiet leaves the summary out", function()
    assert.equal(2, #lines_of((assert_run({}, "clear --yes --quiet quiet-1 quiet-2"))))
  end)

  it("has no colors and no progress off a terminal", function()
    local output = assert_run({}, "clear --yes plain-1 plain-2", { TERM = "xterm" })
    assert.is_nil(output:find("\27"))
  end)

  it("names a file safely", function()
    refuse(2, "leadping: cannot read /no\\x1Bwhere: No such file or directory",
      "clear --file '/no\27where'")
  end)
end)

describe("leadping clear: the key", function()
  it("comes from LEADPING_API_KEY or, before that, from --key-file", function()
    with_file(" sk_emulator_of_a_file\n", function(path)
      local _, mark = support.requests()
      assert_run({}, "clear key-1")
      assert_run({}, "clear key-2 --key-file " .. path)
      local requests = support.requests(mark)
      assert.equal(support.key, requests[1].key)
      assert.equal("sk_emulator_of_a_file", requests[2].key)
    end)
  end)

  it("has to be there", function()
    refuse(3, "leadping: no API key: set LEADPING_API_KEY or give --key-file FILE", "clear a",
      { LEADPING_API_KEY = false })
    refuse(3, "leadping: no API key: set LEADPING_API_KEY or give --key-file FILE", "clear a",
      { LEADPING_API_KEY = "" })
    refuse(2, "leadping: --key-file: cannot read /nowhere/key: No such file or directory",
      "clear a --key-file /nowhere/key")
    refuse(2, "leadping: --key-file: cannot read /: Is a directory", "clear a --key-file /")
    with_file("\n", function(path)
      refuse(2, ("leadping: --key-file: %s is empty"):format(path),
        "clear a --key-file " .. path)
    end)
  end)

  it("is not shown where it cannot be one", function()
    refuse(2, "leadping: the API key: its byte 3 is 0x20, which no key holds", "clear a",
      { LEADPING_API_KEY = "sk secret" })
  end)
end)

describe("leadping clear: the exit status", function()
  local CLOSED = os.getenv "EMULATOR_CLOSED"

  for _, row in ipairs {
    { "0 where a retry helps", 0, "fault:status-503*1:exit" },
    { "1 where an id failed", 1, "a fault:status-409" },
    { "1 where an answer cannot be read", 1, "a fault:empty-200" },
    { "1 where failures are of several kinds", 1, "fault:status-404 fault:status-400" },
    { "3 where the key is refused", 3, "a", { LEADPING_API_KEY = "sk_wrong" } },
    { "3 where the key is not permitted", 3, "a", { LEADPING_API_KEY = "sk_forbidden" } },
    { "4 where the API asks to wait too long", 4, "a b --max-retry-after 1",
      { LEADPING_API_KEY = "sk_emulator_limit_1_60" } },
    { "5 where there is no connection", 5, "a b --max-retries 0 --base-url " .. CLOSED },
    { "5 where the server keeps failing", 5, "fault:status-500:1 fault:status-500:2 a "
      .. "--max-retries 0 --max-failures 2 --concurrency 1" },
    { "6 where stdout is full", 6, "a b >/dev/full" },
    { "6 where stdout is closed", 6, "a b >&-" },
    { "7 where an id is unknown", 7, "a fault:half fault:status-404 --max-retries 0" },
  } do
    it("is " .. row[1], function()
      local _, status, complaints = support.leadping("clear --yes --rate none " .. row[3], row[4])
      assert.equal(row[2], status, complaints)
    end)
  end
end)

describe("leadping clear: on stderr", function()
  it("is why an id failed, with flags for the library's options", function()
    local host = os.getenv("EMULATOR_TLS")
    assert_run({ status = 5, complaints = "leadping: tls: SSL certificate problem: unable to get "
      .. "local issuer certificate; the certificate's authority is not trusted here: name its "
      .. "certificate in --ca-file or SSL_CERT_FILE, or install the system's CA certificates\n" },
      "clear a --base-url " .. host, { SSL_CERT_FILE = false, CURL_CA_BUNDLE = false })
  end)

  it("is why one id failed", function()
    assert_run({ status = 1, complaints = "leadping: unexpected_status (409): a status that "
      .. "the API does not document for this call: Conflict: The emulator was asked for this.\n" },
      "clear fault:status-409")
  end)

  it("is why a run ended early, and that the same command starts it again", function()
    assert_run({ status = 3, complaints = [[
leadping: unauthorized (401): the API key is missing, wrong or expired: Unauthorized: ]] ..
      [[The API key is missing or wrong.; the run ends here, no further id is sent
leadping: 0 done, 1 failed, 0 unknown, 2 not sent
nothing was cleared: to start again, give the same command
]] }, "clear --yes --concurrency 1 a b c", { LEADPING_API_KEY = "sk_wrong" })
  end)

  it("is what could not be written", function()
    assert_run({ status = 6, complaints = [[
leadping: cannot write to stdout: No space left on device
]] }, "clear a >/dev/full")
  end)
end)
