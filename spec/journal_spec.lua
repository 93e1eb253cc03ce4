-- spec/journal_spec.lua: the journal of a run: what is written when, and with
-- what a later run goes on. Files are real ones; nothing is sent.
-- Kills at any moment are in spec/torture/journal.
-- MIT, see LICENSE.

local errors = require "leadping.errors"
local journal = require "leadping.cli.journal"
local json = require "leadping.json"
local support = require "spec.support"

local URL = "https://api.example/v1"

local path
before_each(function()
  path = os.tmpname()
  os.remove(path)
end)
after_each(function() os.remove(path) end)

local function open(options)
  return journal.open(path, support.with({ base_url = URL }, options))
end

local function start(ids) return assert(open { ids = ids }) end
local function resume(ids) return assert(open { ids = ids, resume = true }) end

local function refusal(options)
  local opened, message, kind = open(options)
  assert.is_nil(opened)
  return message, kind
end

local function err(fields)
  fields.message = fields.message or "it failed"
  return errors.new(fields)
end

local function lines()
  local list = {}
  for line in support.read(path):gmatch("([^\n]*)\n") do list[#list + 1] = line end
  return list
end

--- A journal of two ids; what its lines are.
local function write_whole()
  local first = start { "a", "b" }
  first:sent "a"
  first:finished("a", "done")
  first:sent "b"
  first:close()
  return support.read(path)
end

describe("a new journal", function()
  it("begins with the base URL and all ids, in order", function()
    local opened = start { "b", "a", "ü/\\\"\n" }
    local header = json.decode(lines()[1])
    assert.equal(1, header.leadping_journal)
    assert.equal(URL, header.base_url)
    assert.matches("^%d+%-%d%d%-%d%dT%d%d:%d%d:%d%dZ$", header.started)
    assert.same({ "b", "a", "ü/\\\"\n" }, header.ids)
    assert.same({ "b", "a", "ü/\\\"\n" }, opened.pending)
    assert.same({ done = 0, failed = 0, unknown = 0, sent = 0 }, opened.counts)
    opened:close()
  end)

  it("has a line for each thing that is known of an id, at once", function()
    local opened = start { "a", "b", "c" }
    assert.is_true(opened:sent "a")
    assert.equal('{"id":"a","state":"sent"}', lines()[2])
    assert.is_true(opened:finished("a", "done"))
    assert.equal('{"id":"a","state":"done"}', lines()[3])
    opened:finished("b", "failed", err { kind = "not_found", status = 404,
      outcome = "not_applied", message = 'no "b"' })
    assert.equal('{"id":"b","state":"failed","kind":"not_found","status":404,'
      .. '"outcome":"not_applied","message":"no \\"b\\""}', lines()[4])
    opened:finished("c", "unknown", err { kind = "timeout", outcome = "unknown" })
    assert.equal('{"id":"c","state":"unknown","kind":"timeout","outcome":"unknown",'
      .. '"message":"it failed"}', lines()[5])
    assert.is_true(opened:close())
  end)

  it("takes an empty file, and refuses any other", function()
    support.write(path, "")
    start({ "a" }):close()
    local before = support.read(path)
    local message, kind = refusal { ids = { "a" } }
    assert.equal(path .. " is there already: add --resume to go on with it, or give --journal "
      .. "another file", message)
    assert.equal("usage", kind)
    assert.equal(before, support.read(path))
  end)

  it("can be flushed at its end alone", function()
    local opened = assert(open { ids = { "a" }, sync = false })
    opened:sent "a"
    assert.equal(2, #lines())
    assert.is_true(opened:close())
  end)
end)

describe("a journal that is resumed", function()
  local PASSING = "sent again"
  local SETTLED = "not sent again"
  local rows = {
    { "done", nil, SETTLED },
    { "failed", { kind = "decode", status = 200, outcome = "applied" }, SETTLED },
    { "failed", { kind = "too_large", status = 200, outcome = "applied" }, SETTLED },
    { "failed", { kind = "bad_request", status = 400, outcome = "not_applied" }, SETTLED },
    { "failed", { kind = "not_found", status = 404, outcome = "not_applied" }, SETTLED },
    { "failed", { kind = "unexpected_status", status = 409, outcome = "not_applied" }, SETTLED },
    { "failed", { kind = "unexpected_status", status = 422, outcome = "not_applied" }, SETTLED },
    { "failed", { kind = "invalid_id", outcome = "not_sent" }, SETTLED },
    { "failed", { kind = "unexpected_status", status = 302, outcome = "not_applied" }, PASSING },
    { "failed", { kind = "unexpected_status", status = 407, outcome = "not_applied" }, PASSING },
    { "failed", { kind = "unexpected_status", status = 408, outcome = "not_applied" }, PASSING },
    { "failed", { kind = "unauthorized", status = 401, outcome = "not_applied" }, PASSING },
    { "failed", { kind = "forbidden", status = 403, outcome = "not_applied" }, PASSING },
    { "failed", { kind = "rate_limited", status = 429, outcome = "not_applied" }, PASSING },
    { "failed", { kind = "connection", outcome = "not_sent" }, PASSING },
    { "failed", { kind = "no_api_key", outcome = "not_sent" }, PASSING },
    { "failed", nil, PASSING },
    { "unknown", { kind = "server_error", status = 500, outcome = "unknown" }, PASSING },
    { "unknown", { kind = "timeout", outcome = "unknown" }, PASSING },
    { "unknown", { kind = "not_found", status = 404, outcome = "unknown" }, PASSING },
    { "unknown", nil, PASSING },
  }

  for _, row in ipairs(rows) do
    local state, fields, again = row[1], row[2], row[3]
    it(("has %s what is %s (%s %s %s)"):format(again, state, tostring(fields and fields.kind),
      tostring(fields and fields.status), tostring(fields and fields.outcome)), function()
      local first = start { "a", "b" }
      first:sent "a"
      first:finished("a", state, fields and err(fields))
      first:close()
      local second = resume()
      assert.same(again == PASSING and { "a", "b" } or { "b" }, second.pending)
      assert.equal(1, second.counts[state])
      second:close()
    end)
  end

  it("has what was sent without a result, and what was never sent", function()
    local first = start { "a", "b" }
    first:sent "b"
    first:close()
    local second = resume()
    assert.same({ "a", "b" }, second.pending)
    assert.same({ done = 0, failed = 0, unknown = 0, sent = 1 }, second.counts)
    second:close()
  end)

  it("goes by the last that is known of an id", function()
    local first = start { "a", "b", "c" }
    first:finished("a", "unknown", err { kind = "timeout", outcome = "unknown" })
    first:close()
    local second = resume()
    second:sent "a"
    second:finished("a", "done")
    second:close()
    local third = resume()
    assert.same({ "b", "c" }, third.pending)
    assert.same({ done = 1, failed = 0, unknown = 0, sent = 0 }, third.counts)
    third:close()
  end)

  it("takes the same ids, in any order", function()
    write_whole()
    local second = resume { "b", "a" }
    assert.same({ "b" }, second.pending)
    second:close()
  end)

  it("refuses other ids, and says which", function()
    write_whole()
    for _, row in ipairs {
      { { "a", "b", "c\27" }, '"c\\x1B" is not among its ids' },
      { { "a" }, 'its id "b" is not given' },
    } do
      local message, kind = refusal { ids = row[1], resume = true }
      assert.equal(("%s was begun for other ids: %s; leave the ids out, or give --journal "
        .. "another file"):format(path, row[2]), message)
      assert.equal("usage", kind)
    end
  end)

  it("refuses another base URL, and says which", function()
    write_whole()
    local message, kind = refusal { base_url = "https://other.example", resume = true }
    assert.equal(("%s was begun for %s, not for https://other.example: give --base-url %s, or "
      .. "--journal another file"):format(path, URL, URL), message)
    assert.equal("usage", kind)
  end)

  it("has to be there", function()
    local message, kind = refusal { ids = { "a" }, resume = true }
    assert.equal(path .. ": there is no such journal to go on with; leave out --resume to begin "
      .. "one", message)
    assert.equal("usage", kind)
    assert.is_nil(support.read(path))
  end)
end)

describe("a journal that was torn", function()
  it("at any byte of its last line goes on before that line", function()
    local whole = write_whole()
    local last = #'{"id":"b","state":"sent"}\n'
    for cut = 1, last do
      support.write(path, whole:sub(1, -cut - 1))
      local second = resume()
      assert.same({ "b" }, second.pending)
      assert.equal(0, second.counts.sent)
      second:sent "b"
      second:finished("b", "done")
      second:close()
      assert.equal(whole .. '{"id":"b","state":"done"}\n', support.read(path))
    end
  end)

  it("in its last line, with a newline behind, goes on before that line", function()
    local whole = write_whole()
    for _, torn in ipairs { '{"id":"b","st\n', "\0\0\0\0\n", "\n", "\0\0\0\0" } do
      support.write(path, whole .. torn)
      resume():close()
      assert.equal(whole, support.read(path))
    end
  end)

  it("at any byte of its header starts anew where the ids are given", function()
    start({ "a", "b" }):close()
    local header = support.read(path)
    for length = 0, #header - 1 do
      support.write(path, header:sub(1, length))
      local message, kind = refusal { resume = true }
      assert.equal(path .. " was begun and does not hold its ids, nothing was sent: give the ids "
        .. "again", message)
      assert.equal("usage", kind)
      assert.equal(length, #support.read(path))
      local second = resume { "a" }
      assert.same({ "a" }, second.pending)
      second:close()
      assert.equal(1, #lines())
      resume({ "a" }):close()
    end
  end)

  it("by a crash that left zeros for its header starts anew", function()
    support.write(path, ("\0"):rep(100))
    resume({ "a" }):close()
    assert.equal(1, #lines())
  end)
end)

describe("a journal that is none", function()
  local NONE = " is no journal of leadping: give --journal another file"
  local rows = {
    { "conv_1", "usage", NONE }, { "conv_1\n", "usage", NONE }, { "{}\n", "usage", NONE },
    { "\n", "usage", NONE }, { "null\n", "usage", NONE }, { "{\n", "usage", NONE },
    { "{ ", "usage", NONE }, { '"leadping_journal"\n', "usage", NONE },
    { '{"leadping_journal":2}\n', "usage",
      " was written by another version of leadping: go on with that one" },
    { '{"leadping_journal":1}\n', "journal",
      " line 1 was changed by something else: start another journal" },
    { ('{"leadping_journal":1,"base_url":"%s","ids":[1]}\n'):format(URL), "journal",
      " line 1 was changed by something else: start another journal" },
  }

  for _, row in ipairs(rows) do
    it(("is refused and not touched: %q"):format(row[1]), function()
      support.write(path, row[1])
      local message, kind = refusal { ids = { "a" }, resume = true }
      assert.equal(path .. row[3], message)
      assert.equal(row[2], kind)
      assert.equal(row[1], support.read(path))
    end)
  end

  for _, line in ipairs {
    "", "x", "{}", "[]", "null", '{"id":"a"}', '{"id":"c","state":"done"}',
    '{"id":"a","state":"cleared"}', '{"id":"a","state":"sent"', "\0\0\0",
  } do
    it(("is refused with the line's number: %q"):format(line), function()
      local whole = write_whole()
      support.write(path, whole .. line .. '\n{"id":"b","state":"done"}\n')
      local message, kind = refusal { resume = true }
      assert.equal(path .. " line 5 was changed by something else: start another journal with "
        .. "the ids that are not done", message)
      assert.equal("journal", kind)
    end)
  end
end)

describe("a journal in use", function()
  it("by another process is refused, with or without resume", function()
    local opened = start { "a" }
    local program = ([[
      for _, resume in ipairs { false, true } do
        print(select(2, require("leadping.cli.journal").open("%s",
          { base_url = "%s", ids = { "a" }, resume = resume })))
      end
    ]]):format(path, URL)
    local output = support.run(program)
    local one = "the journal cannot be used: %s: in use by process %%d+; nothing was sent"
      .. "\tjournal\n"
    assert.matches("^" .. one:format(path):rep(2) .. "$", output)
    opened:close()
    assert.matches("is there already", (support.run(program)))
  end)
end)

describe("a journal that cannot be written", function()
  it("is refused before anything is sent", function()
    for place, reason in pairs {
      ["/"] = "Is a directory", ["/dev/full"] = "not an ordinary file",
      ["/nonexistent/a"] = "No such file or directory",
    } do
      local opened, message, kind = journal.open(place, { base_url = URL, ids = { "a" } })
      assert.is_nil(opened)
      assert.equal(("the journal cannot be opened: %s: %s; nothing was sent"):format(place, reason),
        message)
      assert.equal("journal", kind)
    end
  end)

  --- Runs a program whose files may be no longer than 64 KiB.
  local function run_limited(program)
    local file = os.tmpname()
    finally(function() os.remove(file) end)
    support.write(file, ([[
      local journal = require "leadping.cli.journal"
      local path, given = "%s", { base_url = "u", ids = { "a" } }
    ]]):format(path) .. program)
    return (support.shell(("trap '' XFSZ; ulimit -f 128; %s %s"):format(support.lua, file)))
  end

  it("is refused where not even its header can", function()
    assert.equal(("nil\tthe journal cannot be written: %s: File too large; nothing was sent\t"
      .. "journal\n"):format(path), run_limited [[
        given.ids[1] = ("x"):rep(70000)
        print(journal.open(path, given))
      ]])
    assert.equal("", support.read(path))
  end)

  it("says so at each line, and leaves none in part", function()
    local output = run_limited [[
      given.sync = false -- some thousand lines
      local opened = assert(journal.open(path, given))
      local written = 0
      while opened:sent "a" do written = written + 1 end
      print(written, opened:sent "a")
      -- What is shorter may have its place; here there is none for this either.
      print(opened:finished("a", "done"))
    ]]
    local message = ("nil\tthe journal cannot be written: %s: File too large"):format(path)
    local written, first, second = output:match("^(%d+)\t([^\n]*)\n([^\n]*)\n$")
    assert.equal(message, first)
    assert.equal(message, second)
    assert.equal(tonumber(written) + 1, #lines())
    assert.matches("\n$", support.read(path))
  end)
end)
