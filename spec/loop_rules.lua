-- spec/loop_rules.lua: what holds of calls in every loop, as a list of rules
-- { name, function(loop) }, which returns why it does not hold here, if so;
-- spec/loops.lua says what a loop is. What a coroutine finds is kept, and asserted
-- when the loop has returned.
-- Not here: what only one loop does (luv_spec, cqueues_spec, loops_spec).
-- MIT, see LICENSE.

local assert = require "luassert"
local core = require "leadping.core"
local loops = require "spec.loops"
local protect = require "leadping.protect"
local support = require "spec.support"

local rules = {}

local function rule(name, check) rules[#rules + 1] = { name, check } end

--- A client for the duration of one rule.
local function with_client(loop, given, check)
  local client = support.client(support.with({ loop = loop.option }, given))
  check(client)
  client:close()
end

local function tls(given)
  given.base_url, given.ca_file = support.tls, support.ca
  return given
end

--- Runs that many coroutines to their end.
local function run_all(loop, count, body)
  for i = 1, count do
    loop.spawn(function() body(i) end)
  end
  loop.run()
end

--- How often another coroutine has its turn while `body` runs in one.
local function ticks_during(loop, body)
  local ticks, over = 0, false
  loop.spawn(function()
    while not over do
      ticks = ticks + 1
      loop.sleep(0.01)
    end
  end)
  loop.spawn(function()
    body()
    over = true
  end)
  loop.run()
  return ticks
end

local function answer_with(number)
  return support.answer(('{"number":"%s"}'):format(number))
end

-- sharing --------------------------------------------------------------------

rule("lets 500 coroutines share a client, each resumed once for each of its calls", function(loop)
  local functions, counts = loops.counting(loop)
  local _, mark = support.requests()
  local right, wrong = 0, {}
  with_client(loop, { loop = functions }, function(client)
    run_all(loop, 500, function(i)
      local id = answer_with(i)
      for _ = 1, 4 do
        local selection, err = client:clear_override(id)
        if selection and selection.number == tostring(i) then right = right + 1
        else wrong[#wrong + 1] = tostring(err or selection) end
      end
    end)
  end)
  assert.is_nil(wrong[1])
  assert.equal(2000, right)
  assert.equal(2000, counts.resumes)
  assert.is_true(counts.looks <= 2000, counts.looks)
  assert.equal(2000, #(support.requests(mark)))
end)

for _, waiting in ipairs { 1, 500 } do
  rule(("resumes one for its own results alone, beside %d that wait"):format(waiting),
    function(loop)
      local functions, counts = loops.counting(loop)
      local kinds, resumes, looks = {}, 0, 0
      with_client(loop, tls { loop = functions }, function(client)
        for i = 1, waiting do
          loop.spawn(function()
            local _, err = client:clear_override(support.id "fault:never")
            kinds[i] = err.kind
          end)
        end
        loop.spawn(function()
          for _ = 1, 100 do client:clear_override(support.id()) end
          resumes, looks = counts.resumes, counts.looks
          client:close()
        end)
        loop.run()
      end)
      assert.equal(100, resumes)
      assert.is_true(looks <= 101, looks)
      assert.equal(waiting, #kinds)
      for _, kind in ipairs(kinds) do assert.equal("cancelled", kind) end
    end)
end

rule("has the coroutines of a client share its connections", function(loop)
  local _, mark = support.requests()
  with_client(loop, tls {}, function(client)
    run_all(loop, 50, function() client:clear_override(support.id()) end)
  end)
  local connections = {}
  for _, request in ipairs((support.requests(mark))) do connections[request.connection] = true end
  assert.is_not_nil(next(connections))
  assert.is_nil(next(connections, next(connections)))
end)

rule("runs several clients beside each other", function(loop)
  local right = 0
  local clients = {}
  for i = 1, 3 do clients[i] = support.client { loop = loop.option } end
  run_all(loop, 30, function(i)
    local client = clients[i % 3 + 1]
    for n = 1, 5 do
      local selection = client:clear_override(answer_with(i * n))
      if selection and selection.number == tostring(i * n) then right = right + 1 end
    end
  end)
  for _, client in ipairs(clients) do client:close() end
  assert.equal(150, right)
end)

rule("runs again when it has returned, with the same client", function(loop)
  local done = 0
  with_client(loop, {}, function(client)
    for _ = 1, 5 do
      run_all(loop, 3, function()
        if client:clear_override(support.id()) then done = done + 1 end
      end)
    end
  end)
  assert.equal(15, done)
end)

-- waiting --------------------------------------------------------------------

rule("gives way in a call's every wait: for an answer, a deadline, a retry", function(loop)
  local ends = {}
  local function call(client, id, given)
    loop.spawn(function()
      local started = core.clock()
      local selection, err = client:clear_override(id, given)
      ends[#ends + 1] = { core.clock() - started, selection and "cleared" or err.kind }
    end)
  end
  local ticks
  with_client(loop, { max_retries = 1 }, function(client)
    ticks = ticks_during(loop, function()
      call(client, support.id "fault:slow-0.3")
      call(client, support.id "fault:never", { timeout = 0.6 })
      call(client, support.id "fault:retry-after-503-1*1")
      loop.sleep(0.9)
    end)
  end)
  assert.is_true(ticks >= 30, ticks)
  assert.same({ "cleared", "timeout", "cleared" }, { ends[1][2], ends[2][2], ends[3][2] })
  for i, seconds in ipairs { 0.3, 0.6, 1 } do
    assert.is_true(ends[i][1] >= seconds - 0.01 and ends[i][1] < seconds + 0.4, ends[i][1])
  end
end)

rule("refuses a call outside a coroutine before anything is sent", function(loop)
  local _, mark = support.requests()
  with_client(loop, {}, function(client)
    for _, call in ipairs {
      function() return client:clear_override(support.id()) end,
      function() return client:clear_overrides({ support.id() })() end,
    } do
      local ok, message = pcall(call)
      assert.is_false(ok)
      assert.matches("a call has to be made in ", message)
    end
    run_all(loop, 1, function() client:clear_override(support.id()) end)
  end)
  assert.equal(1, #(support.requests(mark)))
end)

rule("bears resuming too early, and resumes nobody who waits for something else", function(loop)
  local functions, waiters = support.with(loop.functions), {}
  function functions.waiter()
    local waiter, message = loop.functions.waiter()
    waiters[#waiters + 1] = waiter
    return waiter, message
  end
  local selection, slept
  with_client(loop, { loop = functions, max_retries = 1 }, function(client)
    ticks_during(loop, function()
      loop.spawn(function()
        for _ = 1, 60 do
          loop.sleep(0.01)
          for _, waiter in ipairs(waiters) do loop.functions.resume(waiter) end
        end
      end)
      client:clear_override(support.id "fault:slow-0.2")
      selection = client:clear_override(support.id "fault:status-503*1")
      slept = support.timed(loop.sleep, 0.3)
    end)
  end)
  assert.is_true(selection.canSend)
  assert.is_true(slept > 0.29, slept)
end)

-- Those that close a connection have clients of their own: where another request
-- had begun on it, libcurl sends that again, and a refusal is then "unknown".
local FAULTS = {
  { "close", "half", "garbage", "reset", "early-hints", "goodbye", "never", "drip" },
  { "gzip-bomb", "bad-gzip", "big-2000000", "headers-100000", "status-404", "html-502",
    "empty-503", "redirect-302", "retry-after-429-7" },
}

--- How a call to a server with that fault ends.
local function end_with(client, fault)
  local endless = fault == "never" or fault == "drip"
  local selection, err = client:clear_override(support.id("fault:" .. fault),
    { timeout = endless and 0.3 or 20 })
  return selection and "cleared" or err.kind .. " " .. err.outcome
end

for _, faults in ipairs(FAULTS) do
  rule(("has faults end as without a loop, and harm no other call: %s"):format(
    table.concat(faults, ", ")), function(loop)
    local found, right = {}, 0
    with_client(loop, {}, function(client)
      for _, fault in ipairs(faults) do
        loop.spawn(function() found[fault] = end_with(client, fault) end)
      end
      run_all(loop, 40, function(i)
        local selection = client:clear_override(answer_with(i))
        if selection and selection.number == tostring(i) then right = right + 1 end
      end)
    end)
    assert.equal(40, right)
    local blocking = support.client()
    for _, fault in ipairs(faults) do
      assert.equal(end_with(blocking, fault), found[fault], fault)
    end
    blocking:close()
  end)
end

-- many calls -----------------------------------------------------------------
-- A while loop takes their results, as Lua 5.1 cannot wait in a for loop.

local function ids(count, beginning)
  local list = {}
  for i = 1, count do list[i] = support.id(beginning) end
  return list
end

rule("yields each id of clear_overrides once, and gives way while it waits", function(loop)
  local seen, list = {}, ids(40)
  local ticks
  with_client(loop, {}, function(client)
    ticks = ticks_during(loop, function()
      local next_result = client:clear_overrides(list, { rate = 100, concurrency = 4 })
      while true do
        local id, selection = next_result()
        if not id then break end
        seen[id] = (seen[id] or 0) + (selection and 1 or 100)
      end
    end)
  end)
  assert.is_true(ticks >= 15, ticks)
  for _, id in ipairs(list) do assert.equal(1, seen[id]) end
end)

rule("has two runs at once share the pace", function(loop)
  local done = 0
  local seconds = support.timed(with_client, loop, {}, function(client)
    run_all(loop, 2, function()
      local next_result = client:clear_overrides(ids(8), { rate = 20 })
      while next_result() do done = done + 1 end
    end)
  end)
  assert.equal(16, done)
  assert.is_true(seconds > 14 / 20 and seconds < 1.5, seconds) -- 15 twentieths
end)

rule("drops what is in flight where a run is cancelled, by another coroutine too", function(loop)
  local id, selection = "none yet", nil
  local seconds = support.timed(with_client, loop, {}, function(client)
    local next_result, _, _, run = client:clear_overrides(ids(20, "fault:slow-5"),
      { rate = false })
    loop.spawn(function() id = next_result() end)
    loop.spawn(function()
      loop.sleep(0.05)
      run:cancel()
      selection = client:clear_override(support.id())
    end)
    loop.run()
  end)
  assert.is_nil(id)
  assert.is_true(selection.canSend)
  assert.is_true(seconds < 1, seconds)
end)

rule("gives up a retry at once where another coroutine stops the run", function(loop)
  local err
  local seconds = support.timed(with_client, loop, { max_retries = 1 }, function(client)
    local next_result, _, _, run = client:clear_overrides { support.id "fault:retry-after-503-30" }
    loop.spawn(function() err = select(3, next_result()) end)
    loop.spawn(function()
      loop.sleep(0.1)
      run:stop()
    end)
    loop.run()
  end)
  assert.equal("server_error", err.kind)
  assert.is_true(seconds < 1, seconds)
end)

rule("lets one coroutine at a time wait for a run's next result", function(loop)
  local raised, selection
  with_client(loop, {}, function(client)
    local next_result = client:clear_overrides { support.id "fault:slow-0.2" }
    loop.spawn(function() selection = select(2, next_result()) end)
    loop.spawn(function()
      loop.sleep(0.05)
      raised = select(2, pcall(next_result))
    end)
    loop.run()
  end)
  assert.matches("another coroutine waits for this loop's next result", raised)
  assert.is_true(selection.canSend)
end)

-- the end --------------------------------------------------------------------

rule("has those that wait get `cancelled` where the client is closed", function(loop)
  local kinds = {}
  local function keep(_, err) kinds[#kinds + 1] = err.kind .. " " .. err.outcome end
  local client = support.client { loop = loop.option, max_retries = 1 }
  local seconds = support.timed(function()
    loop.spawn(function() keep(client:clear_override(support.id "fault:never")) end)
    loop.spawn(function() keep(client:clear_override(support.id "fault:retry-after-503-30")) end)
    loop.spawn(function()
      local next_result = client:clear_overrides(ids(7), { rate = 0.01 }) -- five at once
      for _ = 1, 5 do next_result() end
      keep(select(2, next_result()))
    end)
    loop.spawn(function()
      loop.sleep(0.2)
      client:close()
    end)
    loop.run()
  end)
  table.sort(kinds)
  assert.same({ "cancelled not_sent", "cancelled unknown", "cancelled unknown" }, kinds)
  assert.is_true(seconds < 1, seconds)
end)

rule("leaves nothing open when the client is closed", function(loop)
  local before = support.settled_files()
  for _ = 1, 5 do
    with_client(loop, {}, function(client)
      loop.spawn(function() client:clear_override(support.id "fault:never") end)
      run_all(loop, 5, function()
        client:clear_override(support.id())
        client:close()
      end)
    end)
  end
  loop.run()
  assert.equal(before, support.open_files())
end)

rule("bears that nobody comes back to a coroutine that waits", function(loop)
  local before = support.settled_files()
  local client = support.client { loop = loop.option }
  loop.spawn(function()
    coroutine.wrap(function() client:clear_override(support.id "fault:slow-5") end)()
  end)
  loop.spawn(function()
    loop.sleep(0.05)
    client:close()
  end)
  loop.run()
  assert.equal(before, support.open_files())
end)

rule("goes on with a call whose client is garbage", function(loop)
  local selection
  loop.spawn(function()
    selection = support.client({ loop = loop.option }):clear_override(support.id "fault:slow-0.1")
  end)
  loop.spawn(function()
    for _ = 1, 3 do
      loop.sleep(0.01)
      collectgarbage()
    end
  end)
  loop.run()
  assert.is_true(selection.canSend)
end)

-- hooks, and sessions that break ---------------------------------------------

rule("calls hooks, which cannot wait themselves", function(loop)
  local names, raised = {}, nil
  local client
  client = support.client { loop = loop.option, on_event = function(event)
    names[#names + 1] = event.name
    if event.name == "response" then
      raised = select(2, pcall(client.clear_override, client, support.id()))
    end
  end }
  run_all(loop, 1, function() client:clear_override(support.id()) end)
  client:close()
  assert.same({ "request", "response", "done" }, names)
  assert.matches("a hook cannot wait for another call of its client", raised)
end)

rule("bears a hook that closes the client", function(loop)
  for name, expected in pairs {
    request = { "cancelled" }, response = { "cancelled", "cancelled", "cleared" },
    done = { "cancelled", "cancelled", "cleared" },
  } do
    local client, kinds = nil, {}
    client = support.client { loop = loop.option, on_event = function(event)
      if event.name == name then client:close() end
    end }
    run_all(loop, #expected, function(i)
      local selection, err = client:clear_override(support.id())
      kinds[i] = selection and "cleared" or err.kind
    end)
    table.sort(kinds)
    assert.same(expected, kinds, name)
  end
end)

rule("raises what a hook or a key function raises in the call that it is of", function(loop)
  if not protect.is_able then return "on Lua 5.1 nothing that waits can be in a pcall" end
  local raised, done, asked = {}, 0, 0
  local hooked = support.client { loop = loop.option, on_event = function(event)
    if event.name == "response" and event.conversation_id:find "^bad" then error("mine", 0) end
  end }
  local keyed = support.client { loop = loop.option, max_retries = 1, api_key = function()
    asked = asked + 1
    return asked == 1 and "sk_of_somebody_else" or error("no key", 0)
  end }
  run_all(loop, 5, function(i)
    if i == 3 then
      raised[1] = select(2, pcall(hooked.clear_override, hooked, support.id "bad"))
    elseif i == 5 then
      raised[2] = select(2, pcall(keyed.clear_override, keyed, support.id()))
    elseif hooked:clear_override(support.id()) then
      done = done + 1
    end
  end)
  hooked:close()
  keyed:close()
  assert.same({ "mine", "no key" }, raised)
  assert.equal(3, done)
end)

rule("lets the function that gives the key wait, behind a 401 too", function(loop)
  local asked, results = 0, {}
  local keyed = support.client { loop = loop.option, max_retries = 1, api_key = function()
    asked = asked + 1
    local key = asked <= 2 and "sk_of_somebody_else" or support.key
    loop.sleep(0.02)
    return key
  end }
  local other = support.client { loop = loop.option }
  run_all(loop, 3, function(i)
    results[i] = (i == 3 and other or keyed):clear_override(support.id()) and "cleared"
  end)
  keyed:close()
  other:close()
  assert.same({ "cleared", "cleared", "cleared" }, results)
  assert.equal(4, asked)
end)

--- Sessions, the one of which that is given the nth request breaks.
local function breaking_sessions(nth)
  local real, requests = core.session, 0
  core.session = function(...)
    local session, proxy, broken = real(...), {}, false
    for _, method in ipairs { "fd", "start", "next", "cancel", "close" } do
      proxy[method] = function(_, ...) return session[method](session, ...) end
    end
    function proxy.submit(_, request)
      requests = requests + 1
      broken = requests == nth
      return session:submit(request)
    end
    function proxy.step(_, seconds)
      if broken then return nil, "out of order" end
      return session:step(seconds)
    end
    return proxy
  end
  return function() core.session = real end
end

rule("has a session that breaks fail its calls, and makes another for the next", function(loop)
  local found = {}
  local restore = breaking_sessions(2)
  with_client(loop, {}, function(client)
    loop.spawn(function()
      client:clear_override(support.id())
      local _, err = client:clear_override(support.id())
      found[1] = err and err.kind .. " " .. err.outcome .. " " .. err.message
      found[2] = client:clear_override(support.id()) and "cleared"
    end)
    loop.run()
  end)
  restore()
  assert.same({ "connection unknown out of order", "cleared" }, found)
end)

--- Has a loop whose watcher cannot be made, started, or is none.
for _, row in ipairs {
  { "made", function() return nil, "no more handles" end, "no more handles" },
  { "made, without a word", function() return nil end, "the loop's watch gave no watcher" },
  { "started", function()
    return { start = function() return nil, "no poll" end, stop = function() end }
  end, "no poll" },
} do
  rule(("has a call fail, unsent, where its watcher cannot be %s"):format(row[1]), function(loop)
    local functions, found = support.with(loop.functions, { watch = row[2] }), nil
    local before = support.settled_files()
    with_client(loop, { loop = functions }, function(client)
      run_all(loop, 1, function()
        local _, err = client:clear_override(support.id())
        found = err.kind .. " " .. err.outcome .. " " .. err.message
      end)
    end)
    assert.equal("connection not_sent " .. row[3], found)
    assert.equal(before, support.open_files())
  end)
end

return rules
