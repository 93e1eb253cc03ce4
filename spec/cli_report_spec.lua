-- spec/cli_report_spec.lua: what the command line says, without saying it.
-- Covers leadping.cli.exits, words, report and progress: pure but for clocks,
-- which are given.
-- MIT, see LICENSE.

local cjson = require "cjson"
local codec = require "leadping.codec"
local errors = require "leadping.errors"
local exits = require "leadping.cli.exits"
local leadping = require "leadping"
local Progress = require "leadping.cli.progress"
local report = require "leadping.cli.report"
local support = require "spec.support"
local words = require "leadping.cli.words"

describe("leadping.cli.exits: status", function()
  local function status(fields)
    fields.unknown, fields.failed_kinds = fields.unknown or 0, fields.failed_kinds or {}
    return exits.status(fields)
  end

  it("is 0 where all is done", function()
    assert.equal(0, status {})
  end)

  it("follows the kinds where some failed", function()
    for expected, rows in pairs {
      [1] = { { not_found = 1 }, { decode = 2 }, { not_found = 1, connection = 1 },
        { unauthorized = 1, rate_limited = 1 }, { invalid_id = 1 }, { cancelled = 1 } },
      [3] = { { unauthorized = 3 }, { forbidden = 1, unauthorized = 1 }, { no_api_key = 1 } },
      [4] = { { rate_limited = 1 } },
      [5] = { { connection = 1 }, { tls = 1, timeout = 2, connection = 1 } },
    } do
      for _, kinds in ipairs(rows) do
        assert.equal(expected, status { failed_kinds = kinds })
      end
    end
  end)

  it("is 7 where some are unknown, whatever failed", function()
    assert.equal(7, status { unknown = 1 })
    assert.equal(7, status { unknown = 1, failed_kinds = { connection = 1, not_found = 1 } })
  end)

  it("is what ended the run early, whatever else came of it", function()
    for kind, expected in pairs {
      unauthorized = 3, forbidden = 3, no_api_key = 3, rate_limited = 4, connection = 5,
      timeout = 5, server_error = 5, cancelled = 5,
    } do
      assert.equal(expected,
        status { ended_by = kind, unknown = 2, failed_kinds = { not_found = 1 } })
    end
  end)

  it("is 6 where something could not be written, unless a signal came", function()
    assert.equal(6, status { disk = true, ended_by = "unauthorized", unknown = 1 })
    assert.equal(130, status { signal = "SIGINT", disk = true })
    assert.equal(143, status { signal = "SIGTERM", ended_by = "unauthorized" })
  end)
end)

describe("leadping.cli.words", function()
  it("writes times in their two largest units, rounded up", function()
    for seconds, expected in pairs {
      [0] = "0 s", [0.1] = "1 s", [59] = "59 s", [59.5] = "1 min 0 s", [222] = "3 min 42 s",
      [3599] = "59 min 59 s", [3600] = "1 h 0 min", [22222] = "6 h 10 min",
    } do
      assert.equal(expected, words.duration(seconds))
    end
    assert.equal("0 s", words.run_time(1, 4.5))
    assert.equal("3 min 42 s", words.run_time(1000, 4.5))
  end)

  it("counts", function()
    assert.equal("1 id", words.count(1, "id"))
    assert.equal("0 ids", words.count(0, "id"))
  end)

  it("quotes what a shell would take apart", function()
    for word, expected in pairs {
      ["a-b_c.d/e:f=g,h%+@1"] = "a-b_c.d/e:f=g,h%+@1", ["a b"] = "'a b'", [""] = "''",
      ["it's"] = "'it'\\''s'", ["$x"] = "'$x'", ["é"] = "'é'", ["~"] = "'~'",
    } do
      assert.equal(expected, words.quote(word))
      assert.equal(word, (support.shell("printf %s " .. expected)))
    end
  end)
end)

local function selection_of(fields)
  return assert(leadping.decode(codec.encode(fields)))
end

local SENDS = selection_of {
  canSend = true, displayNumber = "(512) 555-0143", number = "+15125550143",
  selectionReason = "LocalArea", wasManuallyOverridden = false, eligibleNumbers = {},
}
local STUCK = selection_of {
  canSend = false, setupMessage = "Add a number.", healthWarning = "Blocked\27[2J",
  wasManuallyOverridden = false, eligibleNumbers = {},
}

local function failure(outcome, fields)
  fields = fields or {}
  fields.kind, fields.message = fields.kind or "not_found", fields.message or "gone"
  fields.outcome = outcome
  return errors.new(fields)
end

describe("leadping.cli.report: line", function()
  it("says what an id has now", function()
    assert.equal("done     a  (512) 555-0143  can send  LocalArea", report.line("a", SENDS))
    assert.equal("done     a  no number  cannot send  Add a number.; Blocked\\x1B[2J",
      report.line("a", STUCK))
    assert.equal("done     a  +1  can send",
      report.line("a", selection_of { canSend = true, number = "+1" }))
  end)

  it("says what is known of an override that was not cleared", function()
    for outcome, expected in pairs {
      not_sent = "failed   a  not_found (404): gone; the override stands",
      not_applied = "failed   a  not_found (404): gone; the override stands",
      applied = "failed   a  not_found (404): gone; the override is cleared, but the "
        .. "answer cannot be read",
      unknown = "unknown  a  not_found (404): gone; look at the conversation, or send it again",
    } do
      assert.equal(expected, report.line("a", nil, failure(outcome, { status = 404 })))
    end
  end)

  it("escapes the id", function()
    assert.matches("^done     a\\xE2\\x80\\xAEb  ", report.line("a\226\128\174b", SENDS))
  end)

  it("colors the state alone", function()
    assert.matches("^\27%[32mdone   \27%[0m  a  ", report.line("a", SENDS, nil, true))
    assert.matches("^\27%[31mfailed \27%[0m  a  ",
      report.line("a", nil, failure("not_sent"), true))
    assert.matches("^\27%[33munknown\27%[0m  a  ",
      report.line("a", nil, failure("unknown"), true))
  end)
end)

describe("leadping.cli.report: json", function()
  it("has its members in one order", function()
    assert.equal(('{"schema":1,"id":"a\\"","state":"done","selection":%s,"error":null,'
      .. '"attempts":2,"elapsed":0.25}'):format(codec.encode(SENDS)),
      report.json('a"', SENDS, nil, { attempts = 2, elapsed = 0.25 }))
    assert.equal('{"schema":1,"id":"a","state":"failed","selection":null,"error":{'
      .. '"kind":"rate_limited","message":"wait","status":429,"outcome":"not_applied",'
      .. '"retry_after":1.5},"attempts":1,"elapsed":10}',
      report.json("a", nil, failure("not_applied", {
        kind = "rate_limited", message = "wait", status = 429, retry_after = 1.5,
        attempts = 1, elapsed = 10,
      })))
    assert.equal('{"schema":1,"id":"a","state":"unknown","selection":null,"error":{'
      .. '"kind":"cancelled","message":"dropped","status":null,"outcome":"unknown",'
      .. '"retry_after":null},"attempts":null,"elapsed":null}',
      report.json("a", nil, failure("unknown", { kind = "cancelled", message = "dropped" })))
  end)

  it("is one line of JSON, whatever it holds", function()
    local line = report.json("a\226\128\168/\"\\", nil, failure("unknown", { message = "x\ny" }))
    assert.is_nil(line:find("\n"))
    assert.equal("a\226\128\168/\"\\", cjson.decode(line).id)
  end)
end)

describe("leadping.cli.report: sums", function()
  local NONE = { done = 0, failed = 0 } -- in earlier runs

  it("count states, kinds and those that cannot send", function()
    local sums = report.sums()
    sums:add("a", SENDS)
    sums:add("b", STUCK)
    sums:add("c", nil, failure("not_applied"))
    sums:add("d", nil, failure("not_sent", { kind = "timeout" }))
    sums:add("e", nil, failure("not_applied"))
    sums:add("f\27", nil, failure("unknown"))
    assert.equal("2 done, 3 failed, 1 unknown, 4 not sent", sums:describe(4, NONE))
    assert.equal([[
2 done, 3 failed, 1 unknown, 4 not sent, 5 done before, 2 failed before, 1 duplicate not sent again
failed: 2 not_found, 1 timeout
unknown: look at these conversations, or send them again
  f\x1B
cannot send now: 1
  b  no number  Add a number.; Blocked\x1B[2J]], sums:summary(4, { done = 5, failed = 2 }, 1))
  end)

  it("say how many of those that failed are cleared all the same", function()
    local sums = report.sums()
    sums:add("a", nil, failure("applied", { kind = "decode" }))
    sums:add("b", nil, failure("applied", { kind = "too_large" }))
    sums:add("c", nil, failure("not_applied", { kind = "decode" }))
    assert.equal([[
0 done, 3 failed, 0 unknown, 0 not sent
failed: 2 decode, 1 too_large
cleared all the same, by an answer that cannot be read: 2]], sums:summary(0, NONE, 0))
  end)

  it("say nothing of what there is none of", function()
    local sums = report.sums()
    sums:add("a", SENDS)
    assert.equal("1 done, 0 failed, 0 unknown, 0 not sent", sums:summary(0, NONE, 0))
  end)

  it("keep 50 ids of a kind and count the rest", function()
    local sums = report.sums()
    for i = 1, 53 do
      sums:add("stuck-" .. i, STUCK)
      sums:add("unknown-" .. i, nil, failure("unknown"))
    end
    assert.equal(50, #sums.stuck_lines)
    assert.equal(50, #sums.unknown_ids)
    assert.matches("\n  unknown%-50\n  and 3 more\ncannot send now: 53\n", sums:summary(0, NONE, 0))
    assert.matches("\n  stuck%-50 [^\n]*\n  and 3 more$", sums:summary(0, NONE, 0))
  end)
end)

describe("leadping.cli.progress", function()
  --- A progress line, what it wrote, and its clock.
  local function new(total, rate, columns)
    local with = { now = 0, written = {}, rate = rate }
    function with.clock() return with.now end
    function with.columns() return columns end
    with.file = {
      write = function(_, ...) for _, part in ipairs { ... } do
        with.written[#with.written + 1] = part
      end end,
      flush = function() end,
    }
    return Progress.new(total, with), with
  end

  it("says count, rate, time left and what failed", function()
    local progress, with = new(100)
    assert.equal("0/100", progress:text())
    with.now = 10
    for _ = 1, 18 do progress:count("done") end
    progress:count("failed")
    progress:count("unknown")
    assert.equal("20/100  2.0/s  40 s left  1 failed  1 unknown", progress:text())
  end)

  it("says no rate and no time left in the first second", function()
    local progress, with = new(30)
    with.now = 0.002
    progress:count("failed")
    assert.equal("1/30  1 failed", progress:text())
    with.now = 0.99
    assert.equal("1/30  1 failed", progress:text())
    with.now = 1
    assert.equal("1/30  1.0/s  29 s left  1 failed", progress:text())
  end)

  it("expects no more than the rate that is set", function()
    local progress, with = new(100, 1)
    with.now = 5
    for _ = 1, 10 do progress:count("done") end
    assert.equal("10/100  2.0/s  1 min 30 s left", progress:text())
  end)

  it("says how long is waited, and why", function()
    local progress, with = new(2)
    progress:wait(30.2, "status 429")
    assert.equal("\r\27[K0/2  waits 31 s (status 429)", table.concat(with.written))
    with.now = 30
    assert.equal("0/2  waits 1 s (status 429)", progress:text())
    with.now = 31
    assert.equal("0/2", progress:text())
  end)

  it("is drawn at most ten times a second, and cut to the terminal", function()
    local progress, with = new(1000, nil, 5)
    progress:show()
    assert.equal("\r\27[K0/10", table.concat(with.written))
    progress:show()
    assert.equal(2, #with.written)
    with.now = 0.2
    progress:show()
    assert.equal(4, #with.written)
  end)

  it("is taken away once, and drawn again at once", function()
    local progress, with = new(3)
    progress:erase()
    assert.equal(0, #with.written)
    progress:show()
    progress:erase()
    progress:erase()
    progress:show()
    assert.equal("\r\27[K0/3\r\27[K\r\27[K0/3", table.concat(with.written))
  end)

  it("has a stand-in that does nothing", function()
    for _, method in ipairs { "count", "show", "erase", "wait" } do
      assert.is_nil(Progress.NONE[method](Progress.NONE))
      assert.is_function(Progress[method])
    end
  end)
end)
