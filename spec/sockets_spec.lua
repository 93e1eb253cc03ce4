-- spec/sockets_spec.lua: a session knows which socket a request goes out on, also
-- where several have one local port. Needs cqueues, for two servers. What comes
-- of it over HTTP/2 is in spec/torture/wire.
-- MIT, see LICENSE.

local support = require "spec.support"

-- Two calls of a server that says more than it was asked, between two of another;
-- what each call was answered.
local program = [[
local core, cqueues = require "leadping.core", require "cqueues"
local socket = require "cqueues.socket"
local session, loop = core.session { proxy = "" }, cqueues.new()

local function answer(connection, body)
  connection:xwrite(("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s"):format(#body, body), "n")
end

local function serve(connection, talks)
  connection:setmode("bn", "bn")
  while connection:xread "*L" do
    repeat until connection:xread "*L" == "\r\n"
    answer(connection, "own")
    if talks then answer(connection, cqueues.sleep(0.02) or "stray") end
  end
end

local function listen(host, talks)
  local server = socket.listen(host, 0)
  local _, _, port = server:localname()
  loop:wrap(function()
    while true do loop:wrap(serve, server:accept(), talks) end
  end)
  return ("http://%s:%d/"):format(host:find ":" and "[" .. host .. "]" or host, port)
end

local function call(url)
  session:submit { method = "DELETE", url = url, headers = {}, timeout = 5,
    connect_timeout = 5, max_body = 100 }
  while session:step(0) == 0 do cqueues.sleep(0.001) end
  local _, result = session:next()
  print(result.body or result.message)
end

loop:wrap(function()
  local other, first, second = listen "127.0.0.1", listen "127.0.0.1", listen(HOST, true)
  session:start()
  call(other) -- from a port of its own
  call(first)
  call(second)
  cqueues.sleep(0.1)
  call(second)
  call(first)
  os.exit(0)
end)
assert(loop:loop())
]]

describe("two sockets at one local port", function()
  if not pcall(require, "cqueues.socket") then
    return pending("cqueues is not installed for this Lua")
  end
  local library

  setup(function() library = support.build_preload "same_port" end)

  for _, host in ipairs { "127.0.0.2", "::1" } do
    it(("are told apart where one is to 127.0.0.1 and one to %s"):format(host), function()
      local output, status = support.run(("local HOST = %q\n%s"):format(host, program),
        { LD_PRELOAD = library })
      if output:find "[Aa]ddress" then return pending(output) end
      assert.equal(("own\n"):rep(5), output)
      assert.equal(0, status)
    end)
  end
end)
