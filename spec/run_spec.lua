-- spec/run_spec.lua: many calls as one run, against a server that keeps the API's
-- limit, on a clock that stands still. Covers leadping.run, leadping.pace and
-- the engine's stream. Not here: sockets and real time (clear_overrides_spec).
-- MIT, see LICENSE.

local Engine = require "leadping.engine"
local iterator = require "leadping.iterator"
local options = require "leadping.options"
local settings = require "leadping.settings"
local windows = require "spec.windows"

local BODY = '{"canSend":true,"phoneNumberId":"pn_1"}'
local LIMIT, WINDOW = 300, 60

-- a server in virtual time ---------------------------------------------------
-- A session whose answers come `latency` seconds behind their requests. It
-- admits LIMIT requests in any WINDOW seconds and refuses the rest with 429.

local Server = {}
Server.__index = Server

local function new_server(fields)
  fields = fields or {}
  fields.now, fields.last_id = 1000, 0
  fields.admitted, fields.refused = {}, {} -- times
  fields.seen, fields.in_flight, fields.finished = {}, {}, {}
  fields.most_in_flight = 0
  fields.latency = fields.latency or 0.1
  return setmetatable(fields, Server)
end

--- Seconds until one more request is admitted; nil where it is now.
local function seconds_until_room(self)
  local oldest = self.admitted[#self.admitted - LIMIT + 1]
  if oldest and self.now - oldest <= WINDOW then return oldest + WINDOW - self.now end
end

local function answer_of(self, id)
  if self.answer then
    local result = self.answer(self, id)
    if result then return result end
  end
  local wait = seconds_until_room(self)
  if wait then
    self.refused[#self.refused + 1] = self.now
    local headers = { ["retry-after"] = not self.silent and ("%d"):format(math.ceil(wait)) or nil }
    return { status = 429, body = "", headers = headers, sends = 1 }
  end
  self.admitted[#self.admitted + 1] = self.now
  return { status = 200, body = BODY, headers = {}, sends = 1 }
end

function Server:submit(request)
  local id = request.url:match("/conversation/([^/]+)/override$")
  self.last_id = self.last_id + 1
  self.seen[id] = (self.seen[id] or 0) + 1
  local result = answer_of(self, id)
  table.insert(self.in_flight, {
    id = self.last_id, due = self.now + (result.takes or self.latency), result = result,
  })
  self.most_in_flight = math.max(self.most_in_flight, #self.in_flight)
  return self.last_id
end

function Server:step(seconds)
  table.sort(self.in_flight, function(a, b)
    return a.due == b.due and a.id < b.id or a.due < b.due
  end)
  if #self.finished == 0 then
    local first = self.in_flight[1]
    self.now = math.min(self.now + seconds, first and math.max(first.due, self.now) or math.huge)
  end
  while self.in_flight[1] and self.in_flight[1].due <= self.now do
    table.insert(self.finished, table.remove(self.in_flight, 1))
  end
  return #self.finished
end

function Server:next()
  local first = table.remove(self.finished, 1)
  if first then return first.id, first.result end
end

function Server:cancel(id)
  for i, transfer in ipairs(self.in_flight) do
    if transfer.id == id then return table.remove(self.in_flight, i) ~= nil end
  end
  return false
end

function Server.close() end

-- runs -----------------------------------------------------------------------

local function new_engine(server, given)
  local chosen = { api_key = "sk_test", base_url = "http://127.0.0.1:9", transport = server }
  for name, value in pairs(given or {}) do chosen[name] = value end
  local values = assert(settings.new(chosen))
  local seed = 1
  return Engine.new(values, {
    clock = function() return server.now end,
    time = function() return 1700000000 + server.now end,
    random = function()
      seed = (seed * 16807) % 2147483647
      return seed / 2147483647
    end,
  })
end

local function ids(count)
  local list = {}
  for i = 1, count do list[i] = "conv_" .. i end
  return list
end

local function each(list)
  local at = 0
  return function()
    at = at + 1
    return list[at]
  end
end

--- Runs through all; a table of id -> { selection, err, response, times }.
local function run(engine, next_id, given)
  local limits = assert(options.for_run(given, engine.settings))
  local results = { order = {} }
  for id, selection, err, response in iterator.new(engine:stream(next_id, limits)) do
    local times = results[id] and results[id].times or 0
    results[id] = { selection = selection, err = err, response = response, times = times + 1 }
    results.order[#results.order + 1] = id
  end
  return results
end

local function assert_all_done(results, count)
  local last = results[results.order[#results.order]]
  assert.equal(count, #results.order, last and tostring(last.err))
  for i = 1, count do
    local result = results["conv_" .. i]
    assert.equal(1, result.times)
    assert.is_truthy(result.selection, tostring(result.err))
  end
end

local function most_in_window(times)
  return windows.most(times, WINDOW)
end

describe("leadping.run: the pace", function()
  for _, row in ipairs {
    { rate = nil, words = "by default", seconds = 2000 / 4.5 },
    { rate = 2, words = "at 2 a second", seconds = 2000 / 2 },
    { rate = 4.9, words = "at 4.9 a second", seconds = 2000 / 4.9 },
    { rate = 4.98, words = "at 4.98 a second", seconds = 2000 / 4.98 },
  } do
    it("keeps within 300 requests in any 60 s " .. row.words .. ", and wastes no time", function()
      local server = new_server()
      local results = run(new_engine(server), each(ids(2000)), { rate = row.rate })
      assert_all_done(results, 2000)
      assert.equal(0, #server.refused)
      assert.is_true(most_in_window(server.admitted) <= LIMIT)
      local took = server.now - 1000
      assert.is_true(took > row.seconds - 3 and took < row.seconds * 1.01, took)
    end)
  end

  it("lets a few go at once, and no more, where none was sent for a while", function()
    local server = new_server()
    local engine = new_engine(server)
    run(engine, each(ids(1)))
    server.now = server.now + 3600
    local began = server.now
    run(engine, each(ids(20)))
    local at_once = 0
    for _, time in ipairs(server.admitted) do
      if time >= began and time < began + 0.1 then at_once = at_once + 1 end
    end
    assert.equal(5, at_once)
  end)

  it("counts retries", function()
    local server = new_server { answer = function(self, id)
      if self.seen[id] == 1 then
        self.admitted[#self.admitted + 1] = self.now
        return { status = 503, body = "", headers = {}, sends = 1 }
      end
    end }
    local results = run(new_engine(server), each(ids(500)), { max_failures = 1000 })
    local retried = 0
    for _, id in ipairs(results.order) do
      if results[id].response and results[id].response.attempts == 2 then retried = retried + 1 end
    end
    assert.is_true(retried >= 100, retried)
    assert.equal(0, #server.refused)
    assert.is_true(most_in_window(server.admitted) <= LIMIT)
  end)

  it("takes no time from retries that wait for their turn", function()
    local server = new_server { answer = function(self, id)
      if self.seen[id] == 1 then return { status = 503, body = "", headers = {}, sends = 1 } end
    end }
    local results = run(new_engine(server), each(ids(8)), { rate = 0.05, max_failures = 100 })
    assert_all_done(results, 8)
    assert.is_true(server.now - 1000 > 100, server.now)
  end)

  it("is one for all runs of a client", function()
    local server = new_server()
    local engine = new_engine(server)
    local limits = assert(options.for_run({}, engine.settings))
    local first = engine:stream(each(ids(400)), limits)
    local second = engine:stream(each(ids(400)), limits)
    for _ = 1, 400 do
      assert.is_truthy(first:result().selection)
      assert.is_truthy(second:result().selection)
    end
    assert.equal(0, #server.refused)
    assert.is_true(most_in_window(server.admitted) <= LIMIT)
  end)

  it("sends as fast as slots allow with rate = false", function()
    local server = new_server()
    run(new_engine(server), each(ids(160)), { rate = false })
    assert.equal(8, server.most_in_flight)
    assert.is_true(server.now - 1000 <= 160 / 8 * 0.1 + 0.01, server.now)
  end)
end)

describe("leadping.run: a 429", function()
  for _, row in ipairs {
    { words = "with Retry-After" },
    { words = "without Retry-After", silent = true },
    { words = "with 32 slots", concurrency = 32 },
    { words = "with slow answers", latency = 1.5, concurrency = 32 },
  } do
    it("never loses an id " .. row.words .. ", and comes once for a slot and window", function()
      local server = new_server { silent = row.silent, latency = row.latency }
      local slots = row.concurrency or 8
      local results = run(new_engine(server), each(ids(1500)),
        { rate = false, concurrency = slots })
      assert_all_done(results, 1500)
      assert.is_true(#server.refused > 0)
      local most = row.silent and slots + 6 or slots -- back-off has to try
      assert.is_true(most_in_window(server.refused) <= most, most_in_window(server.refused))
      local took = server.now - 1000
      assert.is_true(took < 1500 / 5 * 1.35, took)
    end)
  end

  for words, hook in pairs { [""] = false, [", with a hook"] = function() end } do
    it("pauses all, and costs an id neither a retry nor its time" .. words, function()
      local server = new_server()
      local engine = new_engine(server,
        { max_retries = 0, timeout = 5, on_event = hook or nil })
      local results = run(engine, each(ids(700)), { rate = false })
      assert_all_done(results, 700)
      local pauses = 0
      for i = 2, #server.admitted do
        if server.admitted[i] - server.admitted[i - 1] > 30 then pauses = pauses + 1 end
      end
      assert.is_true(pauses >= 1)
    end)
  end

  it("takes no time from an id that waits for another retry", function()
    local server = new_server { answer = function(self, id)
      if id == "conv_1" and self.seen[id] == 1 then
        return { status = 503, body = "", headers = { ["retry-after"] = "1" }, sends = 1 }
      elseif id == "conv_2" and self.seen[id] == 1 then
        return { status = 429, body = "", headers = { ["retry-after"] = "70" }, sends = 1 }
      end
    end }
    local results = run(new_engine(server), each(ids(4)), { rate = false, concurrency = 2 })
    assert_all_done(results, 4)
    assert.equal(2, results.conv_1.response.attempts)
  end)

  it("makes the pace slower, which then recovers", function()
    local refused = false
    local server = new_server { answer = function(self)
      if not refused and self.last_id == 100 then
        refused = true
        return { status = 429, body = "", headers = { ["retry-after"] = "10" }, sends = 1 }
      end
    end }
    local results = run(new_engine(server), each(ids(600)))
    assert_all_done(results, 600)
    local times = server.admitted
    local function gap_behind(i) return times[i + 5] - times[i + 4] end
    assert.is_true(math.abs(gap_behind(10) - 1 / 4.5) < 0.01, gap_behind(10))
    assert.is_true(gap_behind(105) > 1.5 / 4.5, gap_behind(105))
    assert.is_true(math.abs(gap_behind(550) - 1 / 4.5) < 0.01, gap_behind(550))
  end)

  it("ends the run where it asks for a longer pause than max_retry_after", function()
    local server = new_server { answer = function(self)
      if self.last_id > 20 then
        return { status = 429, body = "", headers = { ["retry-after"] = "3600" }, sends = 1 }
      end
    end }
    local results = run(new_engine(server), each(ids(100)), { concurrency = 1 })
    assert.equal(21, #results.order)
    local err = results.conv_21.err
    assert.equal("rate_limited", err.kind)
    assert.equal(3600, err.retry_after)
    assert.is_true(err.ends_run)
    assert.matches("the run ends here", err.message)
  end)

  it("ends the run where nothing else comes", function()
    local server = new_server { answer = function()
      return { status = 429, body = "", headers = {}, sends = 1 }
    end }
    local results = run(new_engine(server), each(ids(100)))
    assert.is_true(#results.order <= 8)
    local ended = 0
    for _, id in ipairs(results.order) do
      assert.equal("rate_limited", results[id].err.kind)
      assert.equal("not_applied", results[id].err.outcome)
      if results[id].err.ends_run then ended = ended + 1 end
    end
    assert.equal(1, ended)
    assert.is_true(server.now - 1000 < 160, server.now)
  end)
end)

describe("leadping.run: its end", function()
  local function refusing(status, from)
    return new_server { answer = function(self)
      if self.last_id >= from then
        return { status = status, body = "", headers = {}, sends = 1 }
      end
    end }
  end

  for _, row in ipairs { { 401, "unauthorized" }, { 403, "forbidden" } } do
    it(("is a %d: what is in flight is yielded, nothing more is sent"):format(row[1]), function()
      local server = refusing(row[1], 13)
      local results = run(new_engine(server), each(ids(100)), { rate = false, concurrency = 4 })
      assert.is_true(#results.order >= 13 and #results.order <= 16, #results.order)
      local ended = 0
      for _, id in ipairs(results.order) do
        local err = results[id].err
        if err then assert.equal(row[2], err.kind) end
        if err and err.ends_run then ended = ended + 1 end
      end
      assert.equal(1, ended)
      assert.is_nil(server.seen.conv_17)
    end)
  end

  it("is a key function that gives none", function()
    local given = 0
    local server = new_server()
    local engine = new_engine(server, { api_key = function()
      given = given + 1
      return given <= 5 and "sk_test" or nil
    end })
    local results = run(engine, each(ids(100)), { concurrency = 1 })
    assert.equal(6, #results.order)
    assert.equal("no_api_key", results.conv_6.err.kind)
    assert.is_true(results.conv_6.err.ends_run)
  end)

  for _, row in ipairs {
    { words = "server errors", result = { status = 500, body = "", headers = {}, sends = 1 } },
    { words = "failed connections",
      result = { kind = "connection", message = "refused", sends = 0, retryable = true } },
    { words = "timeouts",
      result = { kind = "timeout", message = "slow", sends = 1, retryable = true } },
  } do
    it("is max_failures ids in a row that meet " .. row.words, function()
      local server = new_server { answer = function() return row.result end }
      local results = run(new_engine(server), each(ids(100)),
        { rate = false, concurrency = 1, max_failures = 4 })
      assert.equal(4, #results.order)
      assert.is_nil(results.conv_3.err.ends_run)
      assert.is_true(results.conv_4.err.ends_run)
      assert.matches("4 failures in a row %(max_failures%)", results.conv_4.err.message)
    end)
  end

  it("does not come of failures that are not in a row, or of refused ids", function()
    local server = new_server { answer = function(_, id)
      local number = tonumber(id:match("%d+"))
      local status = number % 4 == 1 and 404 or 500
      if number % 4 ~= 0 then return { status = status, body = "", headers = {}, sends = 1 } end
    end }
    local results = run(new_engine(server, { max_retries = 0 }), each(ids(100)),
      { rate = false, concurrency = 1, max_failures = 3 })
    assert.equal(100, #results.order)
  end)

  it("comes of failures in a row that ids which cannot be sent are among", function()
    local server = refusing(500, 1)
    local results = run(new_engine(server, { max_retries = 0 }),
      each { "conv_1", "", "conv_2", "..", "conv_3", "conv_4" },
      { rate = false, concurrency = 1, max_failures = 3 })
    assert.same({ "conv_1", "", "conv_2", "..", "conv_3" }, results.order)
    assert.is_true(results.conv_3.err.ends_run)
  end)

  it("gives up what waits for a retry with its last error", function()
    local server = new_server { answer = function(_, id)
      if id == "conv_1" then
        return { status = 503, body = "", headers = { ["retry-after"] = "30" }, sends = 1 }
      elseif id == "conv_9" then
        return { status = 401, body = "", headers = {}, sends = 1 }
      end
    end }
    local results = run(new_engine(server), each(ids(100)), { rate = false, concurrency = 2 })
    assert.equal("server_error", results.conv_1.err.kind)
    assert.equal("unknown", results.conv_1.err.outcome)
    assert.equal("unauthorized", results.conv_9.err.kind)
    assert.is_true(server.now - 1000 < 5, server.now)
  end)

  --- A run whose ids call a function with its handle when they are asked the nth time.
  local function run_with(server, nth, act)
    local engine = new_engine(server)
    local limits = assert(options.for_run({ rate = false, concurrency = 2 }, engine.settings))
    local asked, handle = 0, nil
    local iterate, _, _, its_handle = iterator.new(engine:stream(function()
      asked = asked + 1
      if asked < nth then return "conv_" .. asked end
      return act(handle)
    end, limits))
    handle = its_handle
    return iterate
  end

  it("is stop, called by the ids: what waits for a retry is given up at once", function()
    local server = new_server { answer = function(_, id)
      if id == "conv_1" then
        return { status = 503, body = "", headers = { ["retry-after"] = "30" }, sends = 1 }
      end
    end }
    local yielded = {}
    for id, _, err in run_with(server, 3, function(handle) handle:stop() end) do
      yielded[id] = err and err.kind or "cleared"
    end
    assert.same({ conv_1 = "server_error", conv_2 = "cleared" }, yielded)
    assert.is_true(server.now - 1000 < 1, server.now)
  end)

  it("is cancel, called by the ids: nothing more is sent or waited for", function()
    local server = new_server()
    local iterate = run_with(server, 2, function(handle)
      handle:cancel()
      return "conv_2"
    end)
    assert.is_nil(iterate())
    assert.is_nil(server.seen.conv_2)
    assert.is_true(server.now - 1000 < 1, server.now)
  end)

  it("leaves ids that cannot be sent out of account", function()
    local server = new_server()
    local list = {}
    for i = 1, 30 do list[i] = i == 30 and "conv_30" or "" end
    local results = run(new_engine(server), each(list), { max_failures = 1 })
    assert.equal("invalid_id", results[""].err.kind)
    assert.equal(29, results[""].times)
    assert.is_truthy(results.conv_30.selection)
    assert.equal(1, #server.admitted)
  end)
end)
