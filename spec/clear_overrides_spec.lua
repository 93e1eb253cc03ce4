-- spec/clear_overrides_spec.lua: many calls through the client, on the emulator.
-- What is decided about pace and end on a clock that stands still is in
-- run_spec.lua.
-- MIT, see LICENSE.

local support = require "spec.support"

local unpack = table.unpack or unpack -- luacheck: ignore 113 143

local FAST = { rate = false }

local function fast(given)
  return support.with(FAST, given)
end

local function ids(count, beginning)
  local list = {}
  for i = 1, count do list[i] = support.id(beginning) end
  return list
end

local function each(list)
  local at = 0
  return function()
    at = at + 1
    return list[at]
  end
end

--- How often each id was yielded with a selection, or with an error.
local function collect(client, list, given)
  local done, failed, count = {}, {}, 0
  for id, selection, err in client:clear_overrides(list, given or FAST) do
    count = count + 1
    if selection then done[id] = (done[id] or 0) + 1
    else failed[id] = err end
  end
  return done, failed, count
end

local function assert_usable(client)
  local selection, err = client:clear_override(support.id())
  assert.is_truthy(selection, tostring(err))
end

describe("clear_overrides", function()
  local client

  before_each(function() client = support.client() end)
  after_each(function() client:close() end)

  for _, row in ipairs {
    { words = "an array", of = function(list) return list end },
    { words = "an iterator", of = each },
  } do
    it("yields each id of " .. row.words .. " exactly once", function()
      local list = ids(500)
      local done, _, count = collect(client, row.of(list))
      assert.equal(500, count)
      for _, id in ipairs(list) do assert.equal(1, done[id], id) end
    end)
  end

  it("yields an id as often as it is given", function()
    local id, other = support.id(), support.id()
    local done, _, count = collect(client, { id, other, id, id })
    assert.equal(4, count)
    assert.same({ [id] = 3, [other] = 1 }, done)
  end)

  it("yields nothing for no ids", function()
    local _, _, count = collect(client, {})
    assert.equal(0, count)
  end)

  it("yields selection, error and response as clear_override returns them", function()
    local good, missing = support.id(), support.id("fault:status-404")
    local seen = {}
    for id, selection, err, response in client:clear_overrides({ good, missing, "." }, FAST) do
      seen[id] = { selection, err, response }
    end
    assert.is_true(seen[good][1].canSend)
    assert.is_nil(seen[good][2])
    assert.equal(200, seen[good][3].status)
    assert.equal("not_found", seen[missing][2].kind)
    assert.equal(404, seen[missing][3].status)
    assert.equal("invalid_id", seen["."][2].kind)
    assert.is_nil(seen["."][2].ends_run)
  end)

  --- The most ids that were asked for and not yet yielded.
  local function most_ahead(body)
    local asked, most, yielded, next_id = 0, 0, 0, each(ids(60))
    local function counting()
      asked = asked + 1
      return next_id()
    end
    for _ in client:clear_overrides(counting, fast { concurrency = 4 }) do
      yielded = yielded + 1
      most = math.max(most, asked - yielded)
      body()
    end
    assert.equal(60, yielded)
    return most
  end

  for words, body in pairs {
    [""] = function() end,
    [", also where its body has other calls wait"] = function() assert_usable(client) end,
  } do
    it("asks for an id only when it can be sent" .. words, function()
      local most = most_ahead(body)
      assert.is_true(most <= 2 * 4, most) -- in flight, and done but not yet yielded
    end)
  end

  it("sends at the rate that is asked for", function()
    local seconds = support.timed(function() collect(client, ids(15), { rate = 20 }) end)
    assert.is_true(seconds > 0.45 and seconds < 1.5, seconds)
  end)

  it("has as many in flight as concurrency says", function()
    local list = ids(12, "fault:slow-0.2")
    local seconds = support.timed(function() collect(client, list, fast { concurrency = 4 }) end)
    assert.is_true(seconds > 0.55 and seconds < 1.1, seconds)
    assert.is_true(support.timed(function()
      collect(client, ids(12, "fault:slow-0.2"), fast { concurrency = 12 })
    end) < 0.5)
  end)

  it("shares one connection over HTTP/2", function()
    local tls = support.client { base_url = support.tls, ca_file = support.ca }
    local _, mark = support.requests()
    local _, _, count = collect(tls, ids(64), fast { concurrency = 32 })
    tls:close()
    assert.equal(64, count)
    local connections = {}
    for _, request in ipairs((support.requests(mark))) do
      assert.equal("HTTP/2.0", request.protocol)
      connections[request.connection] = true
    end
    assert.is_not_nil(next(connections))
    assert.is_nil(next(connections, next(connections)))
  end)

  it("opens no more connections than it has slots", function()
    local _, mark = support.requests()
    collect(client, ids(200), fast { concurrency = 6 })
    local connections, count = {}, 0
    for _, request in ipairs((support.requests(mark))) do
      if not connections[request.connection] then count = count + 1 end
      connections[request.connection] = true
    end
    assert.is_true(count >= 2 and count <= 6, count)
  end)

  it("goes on around a 429 until every id is done", function()
    local limited = support.client { api_key = "sk_emulator_limit_10_1_bulk" }
    local done, failed, count = collect(limited, ids(25))
    limited:close()
    assert.equal(25, count)
    assert.is_nil(next(failed))
    for _, times in pairs(done) do assert.equal(1, times) end
  end)

  it("ends where the key is refused, and says so once", function()
    local refused = support.client { api_key = "sk_forbidden" }
    local _, failed, count = collect(refused, ids(100))
    assert.is_true(count >= 1 and count <= 8, count)
    local ended = 0
    for _, err in pairs(failed) do
      assert.equal("forbidden", err.kind)
      if err.ends_run then ended = ended + 1 end
    end
    assert.equal(1, ended)
    refused:close()
  end)

  it("ends where the server cannot be reached", function()
    local lost = support.client { base_url = os.getenv "EMULATOR_CLOSED" }
    local _, failed, count = collect(lost, ids(100), fast { max_failures = 3 })
    assert.is_true(count >= 3 and count <= 11, count)
    for _, err in pairs(failed) do assert.equal("not_sent", err.outcome) end
    lost:close()
  end)

  it("lets single calls be made from its loop", function()
    local count = 0
    for _, selection in client:clear_overrides(ids(20), FAST) do
      assert.is_truthy(selection)
      assert_usable(client)
      count = count + 1
    end
    assert.equal(20, count)
  end)

  it("lets runs be nested", function()
    local count = 0
    for _ in client:clear_overrides(ids(5), FAST) do
      for _, selection in client:clear_overrides(ids(5), FAST) do
        assert.is_truthy(selection)
        count = count + 1
      end
    end
    assert.equal(25, count)
  end)
end)

describe("clear_overrides, left early,", function()
  local client

  before_each(function() client = support.client() end)
  after_each(function() client:close() end)

  --- Some that answer at once, and then many that take their time.
  local function slow_ids()
    local list = ids(3)
    for _, id in ipairs(ids(50, "fault:slow-5")) do list[#list + 1] = id end
    return list
  end

  local function leave(loop)
    local seconds = support.timed(loop)
    -- Lua 5.4 closes the loop; the others when its iterator is collected.
    collectgarbage()
    collectgarbage()
    assert.is_true(seconds < 1, seconds)
    assert.is_true(support.timed(assert_usable, client) < 1)
  end

  it("by break, drops what is in flight", function()
    leave(function()
      for id in client:clear_overrides(slow_ids(), FAST) do
        if id then break end
      end
    end)
  end)

  it("by an error in its body, drops what is in flight", function()
    leave(function()
      local ok, message = pcall(function()
        for _ in client:clear_overrides(slow_ids(), FAST) do error("mine", 0) end
      end)
      assert.is_false(ok)
      assert.equal("mine", message)
    end)
  end)

  --- What a loop yields before it raises "mine".
  local function yielded_before_error(next_result)
    local yielded = {}
    local ok, message = pcall(function()
      for id, selection, err in next_result do yielded[id] = selection or err end
    end)
    assert.is_false(ok)
    assert.equal("mine", message)
    assert.is_true(support.timed(assert_usable, client) < 1)
    return yielded
  end

  it("by an error of the ids, yields what is in flight", function()
    local sent = ids(5, "fault:slow-0.2")
    local next_id = each(sent)
    local yielded = yielded_before_error(client:clear_overrides(function()
      return next_id() or error("mine", 0)
    end, FAST))
    for _, id in ipairs(sent) do assert.is_truthy(yielded[id].eligibleNumbers, id) end
  end)

  it("by an error of the key's function, yields what is in flight or was sent", function()
    local asked, sent = 0, ids(2, "fault:slow-0.2")
    local failing = support.client { max_retries = 1, api_key = function()
      asked = asked + 1
      return asked <= 3 and support.key or error("mine", 0)
    end }
    table.insert(sent, 1, support.id "fault:status-503") -- sent again, it asks a fourth time
    local yielded = yielded_before_error(failing:clear_overrides(sent, FAST))
    failing:close()
    assert.equal("unknown", yielded[sent[1]].outcome)
    for i = 2, 3 do assert.is_truthy(yielded[sent[i]].eligibleNumbers, i) end
  end)

  it("by an error of the hook, drops what is in flight and raises it once", function()
    local seen = 0
    local hooked = support.client { on_event = function(event)
      if event.name == "done" then
        seen = seen + 1
        error("mine", 0)
      end
    end }
    local iterate = hooked:clear_overrides(slow_ids(), FAST)
    local ok, message = pcall(iterate)
    assert.is_false(ok)
    assert.equal("mine", message)
    assert.is_nil(iterate())
    hooked:close()
  end)

  it("by stop, yields what is in flight and sends no more", function()
    local asked, next_id = 0, each(ids(100, "fault:slow-0.1"))
    local iterate, _, _, run = client:clear_overrides(function()
      asked = asked + 1
      return next_id()
    end, fast { concurrency = 5 })
    assert.is_truthy(iterate())
    run:stop()
    local asked_before, count = asked, 1
    while iterate() do count = count + 1 end
    assert.equal(asked_before, asked)
    assert.equal(asked, count)
    assert_usable(client)
  end)

  it("by stop, gives up what waits for its retry", function()
    local iterate, _, _, run = client:clear_overrides(
      { support.id("fault:retry-after-503-30"), support.id() }, { rate = false, max_retries = 3 })
    assert.is_truthy(select(2, iterate()))
    run:stop()
    local seconds, _, _, err = support.timed(iterate)
    assert.equal("server_error", err.kind)
    assert.equal("unknown", err.outcome)
    assert.is_nil(iterate())
    assert.is_true(seconds < 0.5, seconds)
  end)

  it("by cancel, yields nothing more", function()
    local iterate, _, _, run = client:clear_overrides(slow_ids(), FAST)
    assert.is_truthy(iterate())
    run:cancel()
    assert.is_nil(iterate())
    assert_usable(client)
  end)

  it("by closing the client, says what became of the ids in flight", function()
    local kinds = {}
    for _, _, err in client:clear_overrides(slow_ids(), FAST) do
      client:close()
      if err then kinds[err.kind] = (kinds[err.kind] or 0) + 1 end
    end
    assert.is_true(kinds.cancelled >= 1 and kinds.cancelled <= 8)
    client = support.client()
  end)
end)

describe("clear_overrides raises", function()
  local client

  setup(function() client = support.client() end)
  teardown(function() client:close() end)

  for _, row in ipairs {
    { "for no ids", { n = 1 }, "bad argument 'ids' %(table or function expected, got nil%)" },
    { "for a single id", { "conv_1", n = 1 },
      "bad argument 'ids' %(table or function expected, got string%)" },
    { "for an unknown option", { {}, { rat = 1 }, n = 2 },
      "unknown option 'rat'; there are timeout, attempt_timeout, max_retries, concurrency, "
        .. "rate, max_failures" },
    { "for an option of the client", { {}, { api_key = "x" }, n = 2 },
      "option 'api_key' is the client's: give it to leadping.new" },
    { "for a rate of 0", { {}, { rate = 0 }, n = 2 },
      "option 'rate': requests a second over 0, or false for no limit, expected, got 0" },
    { "for a rate of true", { {}, { rate = true }, n = 2 }, "option 'rate': .* got true" },
    { "for no slots", { {}, { concurrency = 0 }, n = 2 },
      "option 'concurrency': a whole number from 1 to 100 expected, got 0" },
    { "for options that are no table", { {}, 5, n = 2 },
      "options: table expected, got number" },
  } do
    it(row[1], function()
      local ok, message = pcall(client.clear_overrides, client,
        unpack(row[2], 1, row[2].n))
      assert.is_false(ok)
      assert.matches("^[^\n]*clear_overrides: " .. row[3], message)
    end)
  end

  for _, row in ipairs {
    { { "a", "b", 7 }, "bad argument 'ids%[3%]' %(string expected, got number: use tostring%)" },
    { { conv_1 = true },
      "bad argument 'ids' %(an array expected, got a table with the key 'conv_1'%)" },
    { { "a", other = "b" },
      "bad argument 'ids' %(an array expected, got a table with the key 'other'%)" },
    { { "a", [3] = "c" }, "bad argument 'ids' %(ids%[3%] is not in the array, which ends at 1%)" },
    { { "a", [0] = "b" }, "bad argument 'ids' %(ids%[0%] is not in the array, which ends at 1%)" },
  } do
    it("for an array that is not all ids, before anything is sent: " .. row[2], function()
      local _, mark = support.requests()
      local ok, message = pcall(function() client:clear_overrides(row[1], FAST) end)
      assert.is_false(ok)
      assert.matches("^[^\n]*spec.lua:%d+: clear_overrides: " .. row[2], message)
      assert.same({}, (support.requests(mark)))
    end)
  end

  it("not for what table.pack gives", function()
    local list = ids(2)
    list.n = 2
    assert.equal(2, select(2, pcall(function()
      local count = 0
      for _ in client:clear_overrides(list, FAST) do count = count + 1 end
      return count
    end)))
  end)

  it("not for a table that can be called, which is an iterator", function()
    local list = ids(3)
    local callable = setmetatable({}, { __call = each(list) })
    local count = 0
    for id in client:clear_overrides(callable, FAST) do
      count = count + 1
      assert.is_string(id)
    end
    assert.equal(3, count)
  end)

  it("where an iterator gives an id that is no string, naming its place", function()
    local ok, message = pcall(collect, client, each { support.id(), support.id(), 7 })
    assert.is_false(ok)
    assert.matches("'ids, id 3' %(string expected, got number: use tostring%)", message)
  end)

  it("where stop and cancel are called without a colon", function()
    local _, _, _, run = client:clear_overrides({}, FAST)
    for _, method in ipairs { "stop", "cancel" } do
      assert.error_matches(run[method], method .. ": bad argument 'self' .* call run:"
        .. method .. "%(%), with a colon")
    end
  end)

  it("where an option for runs is given to a client or a call", function()
    assert.error_matches(function() support.client { rate = 1 } end,
      "option 'rate' is for clear_overrides alone")
    assert.error_matches(function() client:clear_override("x", { rate = 1 }) end,
      "option 'rate' is for clear_overrides alone")
  end)
end)
