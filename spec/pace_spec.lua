-- spec/pace_spec.lua: how fast many calls may be sent, in numbers.
-- Covers leadping.pace, on a clock that is a number.
-- Not here: who waits and sends, which run_spec.lua has.
-- MIT, see LICENSE.

local pace = require "leadping.pace"

local RATE = 4.5 -- the default

local function draws(number)
  return function() return number end
end

--- How many may go at once.
local function count_at_once(self, rate, now)
  local count = 0
  while pace.wait(self, rate, now) < 1e-6 do
    pace.spend(self, rate, now)
    count = count + 1
  end
  return count
end

--- Requests a second that a pace allows at that time, when those that may go at
-- once have gone.
local function rate_at(self, rate, now)
  count_at_once(self, rate, now)
  local before = pace.wait(self, rate, now)
  pace.spend(self, rate, now)
  return 1 / (pace.wait(self, rate, now) - before)
end

--- A pace that has met single 429s, at these times, which asked for no pause.
local function refused(rate, ...)
  local self = pace.new()
  for _, now in ipairs { ... } do
    pace.pause(self, rate, now, now, 0, draws(0))
    pace.answered(self)
  end
  return self
end

describe("leadping.pace: a rate", function()
  it("is even behind those that go at once", function()
    for rate, expected in pairs {
      [4] = { 0, 0, 0, 0, 0, 0.25, 0.5, 0.75 }, [8] = { 0, 0.125, 0.25 },
    } do
      local self, times, now = pace.new(), {}, 0
      for i = 1, #expected do
        now = now + pace.wait(self, rate, now)
        pace.spend(self, rate, now)
        times[i] = now
      end
      assert.same(expected, times)
    end
  end)

  it("lets five go at once, or fewer where 60 s would hold more than 300", function()
    for rate, count in pairs { [1] = 5, [4.5] = 5, [4.9] = 5, [4.95] = 3, [5] = 1, [20] = 1 } do
      local self = pace.new()
      assert.equal(count, count_at_once(self, rate, 0), rate)
      assert.equal(count, count_at_once(self, rate, 3600), rate)
    end
  end)

  it("that is none has nobody wait", function()
    local self = pace.new()
    for _ = 1, 1000 do
      assert.equal(0, pace.wait(self, math.huge, 0))
      pace.spend(self, math.huge, 0)
    end
  end)
end)

describe("leadping.pace: a 429", function()
  local self
  before_each(function() self = pace.new() end)

  it("pauses for its Retry-After, and up to a tenth more", function()
    assert.equal(20, pace.pause(self, RATE, 0, 0, 20, draws(0)))
    assert.equal(20, pace.wait(self, RATE, 0))
    assert.equal(1, pace.wait(self, RATE, 19))
    assert.equal(1, count_at_once(self, RATE, 20))
    assert.equal(22, pace.pause(pace.new(), RATE, 0, 0, 20, draws(1)))
  end)

  for number, expected in pairs {
    [0] = { 0.5, 1, 2, 4, 8, 16, 16 }, [1] = { 1, 2, 4, 8, 16, 32, 32 },
  } do
    it(("pauses, where none is asked for, for %g s doubling to %g s")
      :format(expected[1], expected[7]), function()
      local now = 0
      for _, seconds in ipairs(expected) do
        assert.equal(seconds, pace.pause(self, RATE, now, now, nil, draws(number)))
        now = now + seconds
      end
      pace.answered(self)
      assert.equal(expected[1], pace.pause(self, RATE, now, now, nil, draws(number)))
    end)
  end

  it("behind another does not pause for less than without Retry-After", function()
    assert.equal(1, pace.pause(self, RATE, 0, 0, 1, draws(0)))
    assert.equal(2, pace.pause(self, RATE, 1, 1, 1, draws(1)))
  end)

  it("of what was sent before the pause makes it longer, and does nothing else", function()
    pace.pause(self, RATE, 0, 0, 10, draws(0))
    assert.equal(8, pace.pause(self, RATE, 0, 2, nil, draws(0)))
    assert.equal(20, pace.pause(self, RATE, 1, 3, 20, draws(0)))
    assert.near(2.25, rate_at(self, RATE, 23), 1e-9)
    assert.equal(1, pace.pause(self, RATE, 23, 23, nil, draws(0)))
  end)

  it("halves the rate, which rises by 0.05 in each second behind the pause", function()
    pace.pause(self, RATE, 0, 0, 10, draws(0))
    assert.near(2.25, rate_at(self, RATE, 10), 1e-9)
    for seconds, expected in pairs { [10] = 2.75, [20] = 3.25, [45] = 4.5, [1000] = 4.5 } do
      assert.near(expected, rate_at(refused(RATE, 0), RATE, seconds), 1e-9, seconds)
    end
    assert.near(2.75 / 2, rate_at(refused(RATE, 0, 10), RATE, 10), 1e-9)
  end)

  it("makes 4.5 of no limit, and that rises too", function()
    for seconds, expected in pairs { [0] = 4.5, [20] = 5.5, [1000] = 54.5 } do
      assert.near(expected, rate_at(refused(math.huge, 0), math.huge, seconds), 1e-6, seconds)
    end
  end)

  it("leaves half a request a second, or the rate that is less", function()
    for rate, expected in pairs { [4] = 0.5, [0.8] = 0.5, [0.2] = 0.2 } do
      assert.near(expected, rate_at(refused(rate, 0, 0, 0, 0), rate, 0), 1e-9)
    end
  end)

  it("is behind others for as long as nothing else has come", function()
    assert.equal(0, pace.refused_for(self, 5))
    pace.pause(self, RATE, 10, 10, 1, draws(0))
    pace.pause(self, RATE, 11, 12, 1, draws(0))
    assert.equal(20, pace.refused_for(self, 30))
    pace.answered(self)
    assert.equal(0, pace.refused_for(self, 31))
  end)
end)
