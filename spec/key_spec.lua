-- spec/key_spec.lua: where the key comes from, and where it never goes.
-- spec/run looks for keys in all that the suite prints, besides.
-- MIT, see LICENSE.

local leadping = require "leadping"
local support = require "spec.support"

describe("the key", function()
  it("is asked for where there is none", function()
    local output = support.run([[
      local leadping = require "leadping"
      for _, key in ipairs { false, "" } do
        local client, err = leadping.new { api_key = key or nil }
        print(client, err.kind, err.outcome, err.message)
      end
      local selection, err = leadping.clear_override("a")
      print(selection, err.kind)
    ]], { LEADPING_API_KEY = false })
    local line = "nil\tno_api_key\tnot_sent\tno API key: give api_key or set LEADPING_API_KEY\n"
    assert.equal(line .. line .. "nil\tno_api_key\n", output)
  end)

  it("in the environment counts as unset where it is empty", function()
    local output = support.run([[print(select(2, require("leadping").new()).kind)]],
      { LEADPING_API_KEY = "" })
    assert.equal("no_api_key\n", output)
  end)

  it("is the environment's for the default client", function()
    local _, mark = support.requests()
    local output = support.run([[print(require("leadping").clear_override("a") ~= nil)]],
      { LEADPING_API_KEY = support.key .. "_env" })
    assert.equal("true\n", output)
    assert.equal(support.key .. "_env", support.requests(mark)[1].key)
  end)

  local impossible = {
    { "sk_1\n", "its byte 5 is 0x0A", true }, { "sk_1\r\n", "its byte 5 is 0x0D", true },
    { "sk\0_1", "its byte 3 is 0x00" }, { "sk 1", "its byte 3 is 0x20" },
    { "sk_é", "its byte 4 is 0xC3" }, { "\27[1m", "its byte 1 is 0x1B" },
    { "sk_1\127", "its byte 5 is 0x7F" },
  }

  for _, row in ipairs(impossible) do
    it(("raises where %s"):format(row[2]), function()
      local ok, message = pcall(leadping.new, { api_key = row[1] })
      assert.is_false(ok)
      assert.matches("leadping%.new: option 'api_key': " .. row[2] .. ", which no key holds",
        message)
      assert.equal(row[3] or false, message:find("may end in a newline", 1, true) ~= nil)
      assert.is_nil(message:find(row[1], 1, true))
    end)
  end

  it("of the wrong type raises without showing it", function()
    local _, message = pcall(leadping.new, { api_key = 12345 })
    assert.matches("option 'api_key': string or function expected, got a number "
      .. "that is not shown$", message)
  end)

  it("from a function is asked for at each call", function()
    local calls = 0
    local client = support.client {
      api_key = function()
        calls = calls + 1
        return support.key .. "_" .. calls
      end,
    }
    finally(function() client:close() end)
    local _, mark = support.requests()
    for _ = 1, 2 do assert(client:clear_override(support.id())) end
    local requests = support.requests(mark)
    assert.equal(support.key .. "_1", requests[1].key)
    assert.equal(support.key .. "_2", requests[2].key)
  end)

  it("that its function does not have is no_api_key, with the reason it gives", function()
    local client = support.client { api_key = function() return nil, "vault\nsealed" end }
    finally(function() client:close() end)
    local _, err = client:clear_override(support.id())
    assert.equal("no_api_key", err.kind)
    assert.matches("the function given as api_key returned none: vault\\x0Asealed$", err.message)
  end)

  it("that raises in its function reaches the caller, and the next call works", function()
    local broken = true
    local client = support.client {
      api_key = function()
        if broken then error({ mine = true }) end
        return support.key
      end,
    }
    finally(function() client:close() end)
    local ok, raised = pcall(client.clear_override, client, support.id())
    assert.is_false(ok)
    assert.is_true(raised.mine)
    broken = false
    assert(client:clear_override(support.id()))
  end)
end)

--- Every string that can be reached from a value, metatables included.
local function strings_in(value, found, seen)
  if type(value) == "string" then found[#found + 1] = value end
  if type(value) == "userdata" then found[#found + 1] = tostring(value) end
  if type(value) ~= "table" or seen[value] then return found end
  seen[value] = true
  found[#found + 1] = tostring(value)
  for name, item in pairs(value) do
    strings_in(name, found, seen)
    strings_in(item, found, seen)
  end
  return found
end

local function assert_keyless(value, what)
  for _, text in ipairs(strings_in(value, {}, {})) do
    assert.is_nil(text:find(support.key, 1, true), what)
  end
end

describe("the key is not in", function()
  local events = {}
  local client
  setup(function()
    client = support.client { on_event = function(event) events[#events + 1] = event end }
  end)
  teardown(function() client:close() end)

  it("the client, nor in what it prints", function()
    assert_keyless(client, "client")
    assert.equal("leadping.client: " .. support.http, tostring(client))
  end)

  local echo = ('{"title":"No","detail":"Key %s is wrong"}'):format(support.key)
  local ids = {
    "fault:status-401", "fault:status-500", "fault:never", "fault:close", "fault:garbage",
    "fault:html-502", "fault:redirect-302", "..", "answer",
    support.answer(echo, "401\nContent-Type: application/problem+json\nX-Key: "
      .. support.key .. "\n"),
    support.answer("not JSON: " .. support.key),
  }

  it("any error, even where the server repeats it", function()
    for _, id in ipairs(ids) do
      local _, err, response = client:clear_override(id, { timeout = 0.1 })
      assert_keyless(err, id)
      assert_keyless(response, id)
    end
  end)

  it("an answer to any of the requests that were made for another stack", function()
    local count = 0
    local changing = support.client { api_key = function()
      count = count + 1
      return ("sk_number_%d"):format(count)
    end }
    finally(function() changing:close() end)
    for _ = 1, 3 do assert(changing:request "a") end
    local _, err = changing:response(401, nil,
      '{"title":"no","detail":"sk_number_1, sk_number_2 and sk_number_3 are wrong"}')
    assert.matches("no: %[key%], %[key%] and %[key%] are wrong$", tostring(err))
    assert.is_nil(err.response.body:find("sk_number", 1, true))
  end)

  it("any event", function()
    assert.is_true(#events > 20)
    assert_keyless(events, "events")
  end)

  it("the log of LEADPING_LOG=debug", function()
    local output = support.run([[
      local leadping = require "leadping"
      local client = leadping.new { max_retries = 1 }
      client:clear_override("fault:status-503*1")
      client:clear_override("fault:status-401")
      client:clear_override("..")
    ]], { LEADPING_LOG = "debug", LEADPING_API_KEY = support.key })
    assert.matches("leadping: request id=fault:status%-503%*1 attempt=1\n", output)
    assert.matches("leadping: retry id=%S+ attempt=1 reason=\"status 503\" delay=%S+\n", output)
    assert.matches("leadping: done id=fault:status%-401 attempt=1 status=401 "
      .. "kind=unauthorized elapsed=%S+\n", output)
    assert.is_nil(output:find(support.key, 1, true))
  end)

  it("a core dump's worth of messages: the core's own errors", function()
    local core = require "leadping.core"
    local session = core.session {}
    finally(function() session:close() end)
    local ok, message = pcall(session.submit, session, {
      url = support.http, method = "DELETE", timeout = 1, connect_timeout = 1,
      max_body = 1, headers = { Authorization = "Bearer " .. support.key .. "\r\nX: y" },
    })
    assert.is_false(ok)
    assert.matches("a request's header holds CR, LF or NUL", message)
    assert.is_nil(message:find(support.key, 1, true))
  end)
end)
