-- spec/doorbell_spec.lua: the unix socket by which a session tells a loop that
-- can only connect; the specs connect by cqueues. What nginx does with it is in
-- nginx_spec.lua, and the pipe of the other loops is in theirs.
-- MIT, see LICENSE.

local core = require "leadping.core"
local support = require "spec.support"

local has_cqueues, socket = pcall(require, "cqueues.socket")

local session, directory

local function submit(id)
  return assert(session:submit {
    method = "DELETE", headers = { Authorization = "Bearer " .. support.key },
    url = ("%s/phone-numbers/outgoing/conversation/%s/override"):format(support.http, id),
    timeout = 5, connect_timeout = 5, max_body = 100000,
  })
end

--- Takes all results that come within 5 s until there were so many.
local function take(count)
  for _ = 1, count do
    support.eventually(function() return session:step(0.1) > 0 end)
    session:next()
  end
end

local function is_there(path)
  return select(2, support.shell("test -e " .. path)) == 0
end

--- Connects; the path is gone once the session has the connection.
local function connect(path)
  local client = socket.connect { path = path }
  client:setmode("bn", "bn")
  assert(client:connect(5))
  support.eventually(function() return not is_there(path) end)
  return client
end

--- A byte that comes within so many seconds.
local function read(client, seconds)
  local byte = client:xread(1, nil, seconds)
  client:clearerr()
  return byte
end

describe("the doorbell", function()
  if not has_cqueues then return pending("cqueues is not installed for this Lua") end

  before_each(function()
    directory = support.new_directory()
    session = core.session { proxy = "" }
  end)

  after_each(function()
    session:close()
    assert.equal("", (support.shell("ls " .. directory)))
    support.remove_directory(directory)
  end)

  it("is in a directory that only this user can enter", function()
    local path = assert(session:listen(directory))
    assert.equal(directory, path:sub(1, #directory))
    assert.matches("^drwx%-%-%-%-%-%-", (support.shell("ls -ld " .. path:match("(.*)/"))))
  end)

  it("gives a byte when results begin to wait, and no other before it is heard", function()
    local client = connect(session:listen(directory))
    submit "doorbell-1"
    assert.equal("\1", read(client, 5))
    take(1)
    submit "doorbell-2"
    take(1)
    assert.is_nil(read(client, 0.1))
    session:hear()
    submit "doorbell-3"
    assert.equal("\1", read(client, 5))
    take(1)
    client:close()
  end)

  it("gives a byte for what came before there was a connection", function()
    local path = session:listen(directory)
    submit "doorbell-before"
    support.eventually(function() return session:step(0) > 0 end)
    local client = connect(path)
    assert.equal("\1", read(client, 5))
    client:close()
  end)

  it("that is hushed gives none, and says whether one is still to be read", function()
    local client = connect(session:listen(directory))
    assert.is_false(session:hush())
    submit "doorbell-hushed"
    take(1)
    assert.is_nil(read(client, 0.1))
    session:hear()
    submit "doorbell-heard"
    take(1)
    assert.is_true(session:hush())
    assert.equal("\1", read(client, 5))
    client:close()
  end)

  it("can be rung though nothing waits", function()
    local client = connect(session:listen(directory))
    session:ring()
    assert.equal("\1", read(client, 5))
    assert.equal(0, session:step(0))
    client:close()
  end)

  it("outlives a reader that is gone, and takes a new one at a new path", function()
    local first = session:listen(directory)
    connect(first):close()
    submit "doorbell-gone"
    take(1)
    local second = session:listen(directory)
    assert.not_equal(first, second)
    local third = session:listen(directory)
    assert.is_false(is_there(second))
    local client = connect(third)
    submit "doorbell-back"
    assert.equal("\1", read(client, 5))
    client:close()
  end)

  it("is not for other processes", function()
    local path = session:listen(directory)
    local output = support.run(([[
      local client = require "cqueues.socket".connect { path = %q }
      print("read", (client:xread(1, nil, 5)))]]):format(path))
    assert.equal("read\tnil\n", output)
    assert.is_true(is_there(path))
    submit "doorbell-own"
    local client = connect(path)
    assert.equal("\1", read(client, 5))
    client:close()
  end)

  it("is given up where no descriptor is left for it, and does not spin", function()
    local path = os.tmpname()
    finally(function() os.remove(path) end)
    support.write(path, ([[
      local core = require "leadping.core"
      local session = core.session { proxy = "" }
      local socket, path = require "cqueues.socket", session:listen %q
      local files = {}
      for file in function() return (io.open "/dev/null") end do files[#files + 1] = file end
      table.remove(files):close() -- for this end
      local client = socket.connect { path = path }
      client:setmode("bn", "bn")
      client:connect(5)
      local started, used = core.clock(), os.clock()
      while core.clock() < started + 0.3 do session:step(0.1) end
      used = os.clock() - used
      for _, file in ipairs(files) do file:close() end
      started = core.clock()
      print(pcall(client.xread, client, 1, nil, 5), core.clock() - started < 1, used < 0.1)
      session:close()]]):format(directory))
    local output = support.shell(("ulimit -n 50; exec %s %s"):format(support.lua, path))
    assert.equal("false\ttrue\ttrue\n", output)
  end)

  it("says why there can be none", function()
    local _, message = session:listen(directory .. "/missing")
    assert.equal("No such file or directory", message)
    local long = directory .. "/" .. ("x"):rep(100)
    support.shell("mkdir " .. long)
    _, message = session:listen(long)
    assert.equal("File name too long", message)
    support.shell("rmdir " .. long)
  end)
end)
