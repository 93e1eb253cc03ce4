-- spec/cli_resume_spec.lua: runs that stop, by themselves, by a signal or killed,
-- and how they go on. Off a terminal: terminal_spec.lua has Ctrl-C.
-- Not here: what a journal holds (journal_spec.lua).
-- MIT, see LICENSE.

local support = require "spec.support"

local directory

local function path_of(name)
  return directory .. "/" .. name
end

local function ids_asked(mark)
  local asked = {}
  for i, request in ipairs((support.requests(mark))) do asked[i] = request.id end
  return asked
end

--- Runs `leadping clear --yes` in the directory.
local function clear(arguments, variables)
  return support.leadping(("clear --yes --rate none --concurrency 1 %s"):format(arguments),
    variables)
end

local function start(arguments)
  return support.start(("%s clear --yes --rate none %s"):format(support.program, arguments),
    { LEADPING_API_KEY = support.key })
end

before_each(function() directory = support.new_directory() end)
after_each(function() support.remove_directory(directory) end)

describe("leadping clear --journal", function()
  it("leaves nothing to go on with where all is done", function()
    local journal, a, b = path_of("run.journal"), support.id(), support.id()
    local _, status = clear(("%s %s --journal %s"):format(a, b, journal))
    assert.equal(0, status)
    local _, mark = support.requests()
    local output, again, complaints = clear("--resume --journal " .. journal)
    assert.equal("\n0 done, 0 failed, 0 unknown, 0 not sent, 2 done before\n", output)
    assert.equal(0, again, complaints)
    assert.same({}, ids_asked(mark))
  end)

  it("names a file of its own, and --resume one that is there", function()
    support.write(path_of("mine"), "text\n")
    for _, row in ipairs {
      { 2, "a --resume", "--resume goes on with a journal: add --journal FILE" },
      { 2, "--resume --journal " .. path_of("none"), path_of("none")
        .. ": there is no such journal to go on with; leave out --resume to begin one" },
      { 2, "a --journal " .. path_of("mine"), path_of("mine")
        .. " is there already: add --resume to go on with it, or give --journal another file" },
      { 6, "a --journal /nowhere/journal", "the journal cannot be opened: /nowhere/journal: "
        .. "No such file or directory; nothing was sent" },
    } do
      local _, mark = support.requests()
      local _, status, complaints = clear(row[2])
      assert.equal(row[1], status)
      assert.equal(("leadping: %s\n"):format(row[3]), complaints)
      assert.same({}, ids_asked(mark))
    end
    assert.equal("text\n", support.read(path_of("mine")))
  end)

  it("is of one base URL and one list of ids", function()
    local journal = path_of("run.journal")
    clear("one-1 one-2 --journal " .. journal)
    local _, status, complaints = clear("one-1 one-3 --resume --journal " .. journal)
    assert.equal(2, status)
    assert.matches('was begun for other ids: "one%-3" is not among its ids', complaints)
    _, status, complaints = clear("--resume --base-url https://localhost --journal " .. journal)
    assert.equal(2, status)
    assert.matches("was begun for " .. support.http:gsub("%p", "%%%0"), complaints)
    _, status = clear("one-2 one-1 --resume --journal " .. journal)
    assert.equal(0, status)
  end)

  it("goes on with what another key may do, and not with what failed for good", function()
    local journal = path_of("run.journal")
    local _, status, complaints = clear("fault:status-404:good passing-1 passing-2 --journal "
      .. journal, { LEADPING_API_KEY = "sk_forbidden" })
    assert.equal(3, status)
    assert.matches("\nto go on: leadping clear %-%-resume %-%-journal=%S+ %-%-yes ", complaints)

    local _, mark = support.requests()
    _, status = clear("--resume --journal " .. journal)
    assert.equal(1, status)
    assert.same({ "fault:status-404:good", "passing-1", "passing-2" }, ids_asked(mark))

    _, mark = support.requests()
    local output
    output, status, complaints = clear("--resume --journal " .. journal)
    assert.equal("\n0 done, 0 failed, 0 unknown, 0 not sent, 2 done before, 1 failed before\n",
      output)
    assert.equal(1, status)
    assert.equal("leadping: 0 done, 0 failed, 0 unknown, 0 not sent, 2 done before, "
      .. "1 failed before\n", complaints)
    assert.same({}, ids_asked(mark))
  end)

  it("is asked for --yes and --max with what is left", function()
    local journal = path_of("run.journal")
    clear("left-1 left-2 left-3 --journal " .. journal, { LEADPING_API_KEY = "sk_wrong" })
    local _, status, complaints = support.leadping("clear --resume --journal " .. journal)
    assert.equal(2, status)
    assert.equal("leadping: 3 ids, and nobody can be asked here: add --yes; nothing was sent\n",
      complaints)
    _, status, complaints = clear("--max 2 --resume --journal " .. journal)
    assert.equal(2, status)
    assert.equal("leadping: 3 ids, more than --max 2 allows; nothing was sent\n", complaints)
  end)
end)

describe("a run whose journal can be written no more", function()
  it("sends no id that is not in it, exits with 6, and goes on later", function()
    local journal, ids = path_of("run.journal"), {}
    for i = 1, 12 do ids[i] = "full-" .. i end
    local _, mark = support.requests()
    local output = support.shell(("{ trap '' XFSZ; ulimit -f 1; %s clear --yes --rate none "
      .. "--concurrency 1 %s --journal %s; echo status $? >&2; } 2>&1 >/dev/null | cat"):format(
      support.program, table.concat(ids, " "), journal), { LEADPING_API_KEY = support.key })
    assert.matches("\nstatus 6\n$", output)
    assert.matches("^leadping: the journal cannot be written: " .. journal .. ": File too large\n"
      .. "leadping: %d+ done, 0 failed, 0 unknown, %d+ not sent\nto go on: ", output)
    local sent = #(support.requests(mark))
    assert.is_true(sent > 0 and sent < 12)
    assert.equal(sent, tonumber(output:match("leadping: (%d+) done")))

    _, mark = support.requests()
    local _, status = clear("--resume --journal " .. journal)
    assert.equal(0, status)
    local again = #(support.requests(mark))
    assert.is_true(again == 12 - sent or again == 12 - sent + 1) -- its last entry may be lost
  end)
end)

describe("a run that is killed", function()
  it("goes on where it stopped: what is done is not sent again, what is unknown is", function()
    local journal = path_of("run.journal")
    local never = support.id("fault:slow-20*1")
    local _, mark = support.requests()
    local process = start(("--concurrency 1 killed-1 killed-2 %s killed-4 --journal %s"):format(
      never, journal))
    support.wait_for_request(mark, 3)
    process:kill("KILL")
    local _, status = process:finish()
    assert.equal(137, status)

    _, mark = support.requests()
    local output
    output, status = clear("--resume --journal " .. journal)
    assert.equal(0, status)
    assert.matches("\n2 done, 0 failed, 0 unknown, 0 not sent, 2 done before\n$", output)
    assert.same({ never, "killed-4" }, ids_asked(mark))
  end)
end)

describe("a run that SIGTERM stops", function()
  it("finishes what is in flight, sends no more, and exits with 143", function()
    local journal, slow = path_of("run.journal"), support.id("fault:slow-1")
    local _, mark = support.requests()
    local process = start(("--concurrency 1 %s term-2 --journal %s"):format(slow, journal))
    support.wait_for_request(mark)
    process:kill("TERM")
    local output, status = process:finish()
    assert.equal(143, status)
    assert.matches("^done     " .. slow:gsub("%p", "%%%0"), output)
    assert.matches("\n1 done, 0 failed, 0 unknown, 1 not sent\nleadping: terminated\n", output)
    assert.matches("\nto go on: leadping clear %-%-resume %-%-journal=" .. journal, output)
    assert.same({ slow }, ids_asked(mark))
  end)

  it("drops what is in flight at the second, and has it as unknown", function()
    local journal, never = path_of("run.journal"), support.id("fault:never")
    local _, mark = support.requests()
    local process = start(("%s --json --journal %s"):format(never, journal))
    support.wait_for_request(mark)
    process:kill("TERM")
    os.execute("sleep 0.3")
    process:kill("TERM")
    local output, status = process:finish()
    assert.equal(143, status)
    assert.matches('"state":"unknown","selection":null,"error":{"kind":"cancelled","message":'
      .. '"dropped while in flight","status":null,"outcome":"unknown"', output)
    assert.matches('"state":"unknown","kind":"cancelled"', support.read(journal))
  end)

  it("does not wait for a pause to end", function()
    local _, mark = support.requests()
    local process = support.start(
      ("%s clear --yes --rate none --concurrency 1 pause-1 pause-2 --journal %s")
        :format(support.program, path_of("run.journal")),
      { LEADPING_API_KEY = "sk_emulator_limit_1_60_of_the_pause" })
    support.wait_for_request(mark, 2)
    os.execute("sleep 0.2")
    process:kill("TERM")
    local seconds, output, status = support.timed(process.finish, process)
    assert.is_true(seconds < 2)
    assert.equal(143, status)
    assert.matches("\n1 done, 1 failed, 0 unknown, 0 not sent\n.*\nto go on: ", output)
  end)
end)

describe("a run whose results nobody reads", function()
  --- Runs it for the reader of one line, in the directory.
  local function read_one(ids)
    local output = support.shell(("cd %s; { %s clear --yes --rate none --concurrency 1 %s; "
      .. "echo $? >status; } 2>errors | head -n 1"):format(directory, support.program, ids),
      { LEADPING_API_KEY = support.key })
    return output, support.read(path_of("status")), support.read(path_of("errors"))
  end

  it("stops, and says how to go on", function()
    local _, mark = support.requests()
    local output, status, complaints = read_one("head-1 fault:slow-0.3:head head-3 head-4")
    assert.matches("^done     head%-1 [^\n]*\n$", output)
    assert.equal("6\n", status)
    assert.matches("^leadping: nobody reads the results\nleadping: 3 done, 0 failed, 0 unknown, "
      .. "1 not sent\nto go on: leadping clear [^\n]*\n$", complaints)
    assert.equal(3, #ids_asked(mark))
  end)

  it("says nothing where it was over by then", function()
    local _, status, complaints = read_one("head-1 fault:slow-0.3:head")
    assert.equal("6\n", status)
    assert.equal("", complaints)
  end)
end)

describe("a run that ends early without a journal", function()
  it("writes one, and the command that it prints goes on", function()
    local names = {}
    for i = 1, 6 do names[i] = "early-" .. i end
    local arguments = ("fault:status-404:early %s fault:half:early --max-retries 0 --yes --rate "
      .. "none --concurrency 2 --max-retry-after 1 --no-color"):format(table.concat(names, " "))
    support.write(path_of("key"), "sk_emulator_limit_4_60_of_early\n")
    local _, mark = support.requests()
    local run = ("cd %s; %s clear --key-file ./key %s 2>errors; echo $?"):format(directory,
      support.program, arguments)
    local output = support.shell(run, { LEADPING_API_KEY = false })
    assert.matches("\n4\n$", output)
    local command, journal = support.read(path_of("errors")):match("\nto go on: (leadping clear "
      .. "%-%-resume %-%-journal=(leadping%-%d+%-%d+%.journal) [^\n]*)\n$")
    assert.equal(("leadping clear --resume --journal=%s --yes --rate=none --concurrency=2 "
      .. "--max-retries=0 --max-retry-after=1 --key-file=./key --no-color"):format(journal),
      command)
    assert.is_true(#ids_asked(mark) >= 5)

    support.write(path_of("key"), "sk_emulator_of_early\n")
    _, mark = support.requests()
    local status
    support.write_program(directory)
    output, status = support.shell(("cd %s; PATH=.:$PATH; %s"):format(directory, command),
      { LEADPING_API_KEY = false })
    assert.equal(7, status)
    assert.matches("\n3 done, 0 failed, 1 unknown, 0 not sent, 3 done before, "
      .. "1 failed before\n", output)
    assert.equal(4, #ids_asked(mark))
  end)

  it("does not say that nothing was cleared where an answer cannot be read", function()
    local arguments = "--max-retry-after 1 fault:empty-200 unread-2 unread-3"
    local _, status, complaints = clear(arguments,
      { LEADPING_API_KEY = "sk_emulator_limit_1_60_of_unread" })
    assert.equal(4, status)
    assert.matches("\nleadping: 0 done, 2 failed, 0 unknown, 1 not sent\nto go on: leadping clear ",
      complaints)
    local journal = complaints:match("%-%-journal=(%S+)")
    local _, mark = support.requests()
    _, status = clear("--resume --journal " .. journal)
    assert.equal(1, status)
    assert.same({ "unread-2", "unread-3" }, ids_asked(mark))
  end)

  it("writes another where a run that ended in the same second has written one", function()
    local written = {}
    support.write(path_of("program.lua"), [[
      os.date = function() return "leadping-then" end
      os.exit(require("leadping.cli.main").main(arg))
    ]])
    for i = 1, 2 do
      local output = support.shell(("cd %s; %s program.lua clear --yes --rate none --concurrency 1 "
        .. "--max-retry-after 1 a b c"):format(directory, support.lua),
        { LEADPING_API_KEY = "sk_emulator_limit_1_60_of_second_" .. i })
      written[i] = output:match("%-%-journal=(%S+)")
    end
    assert.same({ "leadping-then.journal", "leadping-then-2.journal" }, written)
  end)

  it("is not stopped by a signal while it writes that", function()
    local program = path_of("program.lua")
    support.write(program, [[
      local Memory = require "leadping.cli.memory"
      local copy = Memory.copy
      function Memory.copy(...)
        for _ = 1, 3 do io.popen("kill -TERM $PPID"):close() end
        return copy(...)
      end
      os.exit(require("leadping.cli.main").main(arg))
    ]])
    local run = ("%s %s clear --yes --rate none --concurrency 1 --max-retry-after 1 a b c")
      :format(support.lua, program)
    local output, status = support.shell(("cd %s; exec %s"):format(support.directory, run),
      { LEADPING_API_KEY = "sk_emulator_limit_1_60_of_the_hand_over" })
    assert.equal(4, status, output)
    local journal = output:match("\nto go on: leadping clear %-%-resume %-%-journal=(%S+) ")
    local _, lines = support.read(support.directory .. "/" .. journal):gsub("\n", "")
    assert.equal(3, lines) -- a header, one done, one refused
  end)

  it("says so where it cannot write one", function()
    local output, status = support.shell(("cd /proc; %s clear --yes --rate none --concurrency 1 "
      .. "--max-retry-after 1 a b c"):format(support.program),
      { LEADPING_API_KEY = "sk_emulator_limit_1_60_of_proc" })
    assert.equal(4, status)
    assert.matches("\nand no journal could be written to go on with: the journal cannot be "
      .. "opened: leadping%-%d+%-%d+%.journal: [^\n;]+\n$", output)
  end)
end)
