-- spec/system_spec.lua: core.system: signals, terminals, the log of a journal.
-- Signals are real ones, sent to a process of its own; locks are held by one.
-- What the command line makes of them is in its own specs.
-- MIT, see LICENSE.

local core = require "leadping.core"
local support = require "spec.support"

local system = core.system

--- What a child of the spec begins with. kill() comes back when the signal has
-- been sent; not by os.execute, which ignores SIGINT while it waits.
local SIGNALS = [[
  local system = require("leadping.core").system
  local function kill(...)
    for _, name in ipairs { ... } do io.popen("kill -" .. name .. " $PPID"):close() end
  end
  local function kill_soon(name)
    return io.popen("{ sleep 0.1; kill -" .. name .. " $PPID; } >/dev/null 2>&1 &"):close()
  end
]]

local function run(program, variables)
  return support.run(SIGNALS .. program, variables)
end

--- Runs it by a command in front, such as "env --ignore-signal=TERM".
local function run_by(command, program)
  local path = os.tmpname()
  finally(function() os.remove(path) end)
  support.write(path, SIGNALS .. program)
  return support.shell(("%s %s %s"):format(command, support.lua, path))
end

describe("core.system: catch", function()
  it("calls the function at SIGINT and SIGTERM, with name and count", function()
    assert.equal("SIGINT\t1\nSIGTERM\t2\nSIGTERM\t3\n0\n", (run [[
      system.catch(print)
      kill("INT", "TERM", "TERM")
      print(0)
    ]]))
  end)

  it("starts to count anew after release", function()
    assert.equal("SIGINT\t1\nSIGINT\t1\n", (run [[
      for _ = 1, 2 do
        system.catch(print)
        kill "INT"
        system.release()
      end
    ]]))
  end)

  it("lets the function raise, at whatever runs", function()
    assert.equal("false\tSIGTERM\nfalse\tSIGTERM\n", (run [[
      system.catch(function(name) error(name, 0) end)
      for _ = 1, 2 do
        kill_soon "TERM"
        print(pcall(function() while true do os.clock() end end))
      end
    ]]))
  end)

  local waits = {
    { "for an answer", "fault:never", [[client:clear_override(id)]] },
    { "for an answer, in a coroutine", "fault:never",
      [[error(select(2, coroutine.resume(coroutine.create(client.clear_override), client, id)),
        0)]] },
    { "between two attempts", "fault:retry-after-503-30", [[client:clear_override(id)]] },
  }

  for _, row in ipairs(waits) do
    it("stops a call that waits " .. row[1], function()
      local output = run(([[
        local core, id = require "leadping.core", "%s"
        local client = require("leadping").new { max_retries = 1 }
        system.catch(function(name) error(name, 0) end)
        io.popen("{ until grep -qF '" .. id .. "' $EMULATOR_DIR/requests.jsonl; do sleep 0.01; "
          .. "done; sleep 0.1; kill -INT $PPID; } >/dev/null 2>&1 &"):close()
        local started = core.clock()
        print(pcall(function() %s end))
        print(core.clock() - started)
      ]]):format(support.id(row[2]), row[3]))
      local raised, seconds = output:match("^false\t(%S+)\n(%S+)\n$")
      assert.equal("SIGINT", raised, output)
      assert.is_true(tonumber(seconds) < 20, seconds) -- how soon, interrupt_spec.lua says
    end)
  end

  it("ends a read that waits", function()
    local pipe = os.tmpname() -- that nobody writes, nor ends
    os.remove(pipe)
    os.execute("mkfifo " .. pipe)
    finally(function() os.remove(pipe) end)
    local output = run(([[
      io.input(io.open("%s", "r+"))
      system.catch(print)
      kill_soon "INT"
      print(io.read "*l")
    ]]):format(pipe))
    assert.matches("^SIGINT\t1\nnil", output)
  end)

  it("tells signals that come faster than Lua runs in one call", function()
    assert.equal("SIGTERM\t2\n", (run [[
      system.catch(print)
      os.execute "kill -TERM $PPID; sleep 0.1; kill -TERM $PPID"
    ]]))
  end)

  it("lets the third end the process where Lua has not run since the first", function()
    local output, status = run [[
      system.catch(print)
      os.execute "for i in 1 2 3; do kill -TERM $PPID; sleep 0.1; done; sleep 5"
      print "it goes on"
    ]]
    assert.equal(128 + 15, status)
    assert.is_nil(output:find("goes on", 1, true))
  end)

  it("leaves a signal alone that the parent process has ignored", function()
    assert.equal("SIGINT\t1\ngoes on\n", (run_by("env --ignore-signal=TERM", [[
      system.catch(print)
      kill("TERM", "INT")
      print "goes on"
    ]])))
  end)

  it("takes a function, once, outside coroutines", function()
    assert.error_matches(function() system.catch() end, "function expected")
    assert.error_matches(coroutine.wrap(function() system.catch(print) end),
      "catch: not in a coroutine")
    assert.equal("false\tcatch: this state catches signals: release() first\n"
      .. "SIGINT\t1\n", (run [[
      system.catch(print)
      print(pcall(system.catch, error))
      kill "INT"
    ]]))
  end)

  it("is over when the state is closed", function()
    -- What was made before the module is finalized behind it.
    local output, status = support.run [[
      local function kill() os.execute "kill -TERM $PPID" end
      if newproxy then -- in 5.1 tables have no finalizers
        first = newproxy(true)
        getmetatable(first).__gc = kill
      else
        first = setmetatable({}, { __gc = kill })
      end
      require("leadping.core").system.catch(print)
    ]]
    assert.is_nil(output:find("SIGTERM", 1, true))
    assert.equal(128 + 15, status)
  end)
end)

describe("core.system: release", function()
  it("puts the handlers from before back", function()
    local output, status = run [[
      system.catch(error)
      system.release()
      system.release()
      print(pcall(kill, "INT"))
      kill "TERM"
      print "it goes on"
    ]]
    assert.matches("^false\t.*interrupted!\n", output)
    assert.equal(128 + 15, status)
    assert.is_nil(output:find("goes on", 1, true))
  end)

  it("forgets a signal that Lua has not seen", function()
    if rawget(_G, "jit") then return pending "LuaJIT has one hook for all threads, and sees it" end
    assert.equal("over\n", (run [[
      system.catch(print)
      coroutine.wrap(function() -- where the main thread's hook is not run
        kill "TERM"
        system.release()
      end)()
      print "over"
    ]]))
  end)
end)

describe("core.system: ignore_sigpipe", function()
  it("has a write that nobody reads fail", function()
    for call, ends in pairs { ["system.ignore_sigpipe()"] = "Broken pipe 32", [""] = "" } do
      assert.equal(ends, (run(call .. [[
        local reader = io.popen("exec 0<&-; exec sleep 0.3", "w")
        reader:setvbuf "no"
        os.execute "sleep 0.1"
        local _, message, code = reader:write "lost"
        io.write(message, " ", code)
      ]]):gsub("Broken pipe\n$", "")), call)
    end
  end)
end)

describe("core.system: terminals", function()
  --- Runs a program whose standard streams are a terminal of that many columns.
  local function on_terminal(program, columns)
    local path = os.tmpname()
    finally(function() os.remove(path) end)
    support.write(path, "local system = require('leadping.core').system\n" .. program)
    local output, status = support.shell(
      ("script -qec 'stty cols %d 2>/dev/null; %s %s' /dev/null </dev/null")
        :format(columns, support.lua, path))
    return output:gsub("\r", ""), status
  end

  it("are told from other files", function()
    assert.equal("true\tfalse\n", (on_terminal(
      [[print(system.isatty(io.stdout), system.isatty(io.tmpfile()))]], 80)))
  end)

  it("have columns where they know how many", function()
    assert.equal("47\tnil\n", (on_terminal(
      [[print(system.columns(io.stdout), (system.columns(io.tmpfile())))]], 47)))
    assert.equal("nil\n", (on_terminal([[print((system.columns(io.stdout)))]], 0)))
  end)

  it("can be kept from showing what is typed, and other files cannot", function()
    assert.equal("true\n-echo\ntrue\necho\nfalse\n", (on_terminal([[
      local function mode() os.execute "stty -a | grep -o -- '-*echo ' | tr -d ' '" end
      io.stdout:setvbuf "no"
      print(system.echo(io.stdin, false))
      mode()
      print(system.echo(io.stdin, true))
      mode()
      print(system.echo(io.tmpfile(), false))
    ]], 80)))
  end)

  for _, name in ipairs { "isatty", "columns", "echo" } do
    it(("%s takes an open file"):format(name), function()
      assert.error_matches(function() system[name]() end, "FILE%*")
      assert.error_matches(function() system[name] "/dev/tty" end, "FILE%*")
      local file = io.tmpfile()
      file:close()
      assert.error_matches(function() system[name](file) end, "the file is closed")
    end)
  end
end)

describe("core.system: open", function()
  local path
  before_each(function()
    path = os.tmpname()
    os.remove(path)
  end)
  after_each(function() os.remove(path) end)

  it("makes a file for its owner alone, where it is asked to", function()
    local log, message, code = system.open(path)
    assert.is_nil(log)
    assert.equal(path .. ": No such file or directory", message)
    assert.equal(2, code)
    assert(system.open(path, true)):close()
    assert.matches("^%-rw%-%-%-%-%-%-%- ", (support.shell("ls -l " .. path)))
    assert(system.open(path)):close()
  end)

  local refused = {
    { "/", "Is a directory" }, { "/dev/null", "not an ordinary file" },
    { "/nonexistent/journal", "No such file or directory" },
    { "", "No such file or directory" },
  }

  for _, row in ipairs(refused) do
    it(("refuses %q"):format(row[1]), function()
      local log, message = system.open(row[1], true)
      assert.is_nil(log)
      assert.equal(("%s: %s"):format(row[1], row[2]), message)
    end)
  end

  it("refuses a pipe that nobody writes, without waiting for one", function()
    os.execute("mkfifo " .. path)
    assert.equal(path .. ": not an ordinary file", select(2, system.open(path)))
  end)

  it("refuses a path that C would cut", function()
    assert.error_matches(function() system.open("a\0b") end, "a path without NUL expected")
  end)

  it("appends at the end, whoever wrote there", function()
    local log = assert(system.open(path, true))
    assert.is_true(log:append "one\n")
    os.execute("echo two >>" .. path)
    assert.is_true(log:append "three\0\n")
    assert.is_true(log:append "")
    assert.equal("one\ntwo\nthree\0\n", log:read())
    log:close()
    assert.equal("one\ntwo\nthree\0\n", support.read(path))
  end)

  it("reads what is longer than any buffer, and what is empty", function()
    local log = assert(system.open(path, true))
    assert.equal("", log:read())
    local text = ("0123456789abcde\n"):rep(2 ^ 17)
    assert(log:append(text))
    assert.is_true(log:read() == text)
    log:close()
  end)

  it("cuts the file where it is told to", function()
    local log = assert(system.open(path, true))
    log:append "whole\ntorn"
    assert.is_true(log:truncate(6))
    log:append "next\n"
    assert.equal("whole\nnext\n", log:read())
    local cut, message = log:truncate(-1)
    assert.is_nil(cut)
    assert.equal(path .. ": Invalid argument", message)
    log:close()
  end)

  it("flushes, the directory too", function()
    local log = assert(system.open(path, true))
    assert.is_true(log:sync())
    log:append "a"
    assert.is_true(log:sync())
    log:close()
    log = assert(system.open(path))
    assert.is_true(log:sync())
    log:close()
  end)

  for name, place in pairs { ["the working directory"] = "", ["the root"] = "/" } do
    it("flushes a file in " .. name, function()
      local here = place .. path:match("[^/]+$")
      local log = system.open(here, true)
      if not log then return pending("not permitted here") end
      finally(function() os.remove(here) end)
      assert.is_true(log:sync())
      log:close()
    end)
  end

  it("raises for each method once it is closed, but for close", function()
    local log = assert(system.open(path, true))
    log:close()
    log:close()
    for _, method in ipairs { "append", "lock", "read", "sync", "truncate" } do
      assert.error_matches(function() log[method](log, "1") end, "the file is closed")
    end
  end)

  it("closes what is collected", function()
    assert.equal("", (support.shell(([[ulimit -n 32; %s -e '
      for _ = 1, 100 do
        assert(require("leadping.core").system.open("%s", true))
        collectgarbage()
      end
    ']]):format(support.lua, path))))
  end)

  it("says that a file cannot grow", function()
    local output = support.shell(([[trap '' XFSZ; ulimit -f 8; %s -e '
      local log = require("leadping.core").system.open("%s", true)
      local done, message = log:append(("x"):rep(100000))
      print(done, message)
      print(#log:read() > 0, log:truncate(3), log:read())
    ']]):format(support.lua, path))
    -- Behind it, a coverage build says that its own files cannot grow either.
    local expected = ("nil\t%s: File too large\ntrue\ttrue\txxx\n"):format(path)
    assert.equal(expected, output:sub(1, #expected))
  end)

  --- A small disk of its own, until the spec is over; nil where only root may.
  local function mount(options)
    local directory = path .. ".d"
    local _, status = support.shell(("mkdir %s && mount -t tmpfs -o %s none %s")
      :format(directory, options, directory))
    finally(function()
      support.shell(("umount %s; rmdir %s"):format(directory, directory))
    end)
    return status == 0 and directory .. "/journal" or nil
  end

  it("says that the disk is full", function()
    local file = mount "size=16k"
    if not file then return pending("only root can mount a small disk") end
    local log = assert(system.open(file, true))
    local done, message = log:append(("x"):rep(100000))
    assert.is_nil(done)
    assert.equal(file .. ": No space left on device", message)
    assert.is_true(log:truncate(0))
    assert.is_true(log:append "room again\n")
    log:close()
  end)

  it("says that a file may only be read", function()
    local file, reason = mount "ro", "Read-only file system"
    if not file then file, reason = "/etc/passwd", "Permission denied" end
    assert.equal(("%s: %s"):format(file, reason), select(2, system.open(file, true)))
  end)
end)

describe("core.system: lock", function()
  local path
  before_each(function() path = os.tmpname() end)
  after_each(function() os.remove(path) end)

  --- A process that holds the lock until it is killed; its pid. It waits for
  -- somebody who writes to a pipe.
  local function start_holder()
    local pipe = path .. ".pipe"
    os.execute("mkfifo " .. pipe)
    finally(function() os.remove(pipe) end)
    local holder = io.popen(([[exec %s -e '
      local log = assert(require("leadping.core").system.open("%s"))
      assert(log:lock())
      print((io.open("/proc/self/stat"):read("*l"):match("%%d+")))
      io.stdout:flush()
      io.open("%s")
    ']]):format(support.lua, path, pipe))
    return holder, holder:read("*l")
  end

  it("is refused while another process has it, and names that", function()
    local holder, pid = start_holder()
    local log = assert(system.open(path))
    local locked, message = log:lock()
    os.execute("kill " .. pid)
    holder:close()
    assert.is_nil(locked)
    assert.equal(("%s: in use by process %s"):format(path, pid), message)
    assert.is_true(log:lock())
    assert.is_true(log:lock()) -- it is this process's already
    log:close()
  end)

  it("goes when its process is killed", function()
    local holder, pid = start_holder()
    os.execute("kill -KILL " .. pid)
    holder:close()
    local log = assert(system.open(path))
    assert.is_true(log:lock())
    log:close()
  end)
end)
