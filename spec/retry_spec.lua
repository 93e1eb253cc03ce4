-- spec/retry_spec.lua: when to try again, and after how long.
-- Covers leadping.retry, with times and random numbers written out.
-- Not here: the loop that waits and sends, which call_spec.lua has.
-- MIT, see LICENSE.

local retry = require "leadping.retry"

local MID_2026 = 1782950400 -- Thu, 02 Jul 2026 00:00:00 GMT
local LAST_BELOW_1 = 1 - 2 ^ -53
local RANDOMS = { 0, 0.25, 0.5, 0.75, LAST_BELOW_1 }

local function always(number)
  return function() return number end
end

describe("leadping.retry: is_retryable_status", function()
  it("holds for 408, 425, 429, 500, 502, 503 and 504 alone", function()
    local retryable = {}
    for status = 100, 599 do
      local answer = retry.is_retryable_status(status)
      assert.is_boolean(answer)
      if answer then retryable[#retryable + 1] = status end
    end
    assert.same({ 408, 425, 429, 500, 502, 503, 504 }, retryable)
  end)
end)

describe("leadping.retry: parse_date", function()
  it("reads the three forms of an HTTP-date", function()
    for _, date in ipairs {
      "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
      "Sun Nov  6 08:49:37 1994", "Sun Nov 06 08:49:37 1994",
    } do
      assert.equal(784111777, retry.parse_date(date, MID_2026))
    end
  end)

  it("agrees with known times at leap days, year ends and far years", function()
    for _, row in ipairs {
      { "Thu, 01 Jan 1970 00:00:00 GMT", 0 },
      { "Wed, 31 Dec 1969 23:59:59 GMT", -1 },
      { "Mon, 01 Jan 1601 00:00:00 GMT", -11644473600 },
      { "Tue, 29 Feb 2000 00:00:00 GMT", 951782400 },
      { "Wed, 01 Mar 2000 00:00:00 GMT", 951868800 },
      { "Tue, 14 Nov 2023 22:13:20 GMT", 1700000000 },
      { "Thu, 29 Feb 2024 23:59:59 GMT", 1709251199 },
      { "Fri, 01 Mar 2024 00:00:00 GMT", 1709251200 },
      { "Thu, 31 Dec 2026 23:59:59 GMT", 1798761599 },
      { "Fri, 01 Jan 2027 00:00:00 GMT", 1798761600 },
      { "Tue, 19 Jan 2038 03:14:07 GMT", 2147483647 },
      { "Tue, 19 Jan 2038 03:14:08 GMT", 2147483648 },
      { "Sun, 28 Feb 2100 00:00:00 GMT", 4107456000 },
      { "Mon, 01 Mar 2100 00:00:00 GMT", 4107542400 },
      { "Fri, 31 Dec 9999 23:59:59 GMT", 253402300799 },
      { "Sat, 31 Dec 2016 23:59:60 GMT", 1483228800 }, -- a leap second
    } do
      assert.equal(row[2], retry.parse_date(row[1], MID_2026))
    end
  end)

  it("counts each day of a leap year once", function()
    local lengths = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 }
    local months = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct",
      "Nov", "Dec" }
    local expected = 1704067200 -- Mon, 01 Jan 2024 00:00:00 GMT
    for month, length in ipairs(lengths) do
      for day = 1, length do
        assert.equal(expected, retry.parse_date(("Mon, %02d %s 2024 00:00:00 GMT")
          :format(day, months[month]), MID_2026))
        expected = expected + 86400
      end
    end
    assert.equal(1735689600, expected) -- Wed, 01 Jan 2025 00:00:00 GMT
  end)

  it("takes a year of two digits for one at most 50 years ahead", function()
    for year, seconds in pairs {
      ["26"] = 1767225600, ["27"] = 1798761600, ["38"] = 2145916800, ["75"] = 3313526400,
      ["76"] = 3345062400, -- 2076
      ["77"] = 220924800, -- 1977
      ["94"] = 757382400, ["99"] = 915148800, ["00"] = 946684800,
    } do
      assert.equal(seconds,
        retry.parse_date("Monday, 01-Jan-" .. year .. " 00:00:00 GMT", MID_2026), year)
    end
  end)

  it("takes a year of two digits over the end of a century", function()
    for _, row in ipairs {
      { 930787200, "99", 915148800 }, -- in 1999
      { 930787200, "00", 946684800 }, { 930787200, "49", 2493072000 },
      { 930787200, "50", -631152000 }, -- 1950
      { 2855865600, "05", 4260211200 }, -- in 2060: 2105
      { 2855865600, "10", 4417977600 }, -- 2110
      { 2855865600, "11", 1293840000 }, -- 2011
      { 4086547200, "00", 4102444800 }, -- in 2099: 2100
    } do
      assert.equal(row[3],
        retry.parse_date("Monday, 01-Jan-" .. row[2] .. " 00:00:00 GMT", row[1]), row[2])
    end
  end)

  it("gives nil for what is no HTTP-date", function()
    for _, date in ipairs {
      "", "Sun", "Sun, 06 Nov 1994", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49 GMT",
      "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 06 Nov 1994 08:49:37 +0000",
      "Sun, 06 Nov 1994 08:49:37 gmt", "Sun, 06 Nov 1994 08:49:37 GMT ",
      "Sun, 06 Nov 1994 08:49:37 GMT; x", " Sun, 06 Nov 1994 08:49:37 GMT",
      "Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 94 08:49:37 GMT",
      "Sun, 06-Nov-94 08:49:37 GMT", "Sunday, 06-Nov-1994 08:49:37 GMT",
      "Sunday, 06 Nov 1994 08:49:37 GMT", "Sun Nov 6 08:49:37 1994",
      "Sun Nov  6 08:49:37 1994 GMT", "Sun, 06 Foo 1994 08:49:37 GMT",
      "Sun, 06 NOV 1994 08:49:37 GMT", "Sun, 00 Nov 1994 08:49:37 GMT",
      "Sun, 32 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT",
      "Sun, 06 Nov 1994 08:60:37 GMT", "Sun, 06 Nov 1994 08:49:61 GMT",
      "Sun, -6 Nov 1994 08:49:37 GMT", "1994-11-06T08:49:37Z", "784111777",
      "Sun Nov    08:49:37 1994",
    } do
      assert.is_nil(retry.parse_date(date, MID_2026), date)
    end
  end)
end)

describe("leadping.retry: parse_after", function()
  it("reads whole and decimal seconds", function()
    for value, seconds in pairs {
      ["0"] = 0, ["1"] = 1, ["5"] = 5, ["007"] = 7, ["120"] = 120, ["86400"] = 86400,
      ["0.5"] = 0.5, ["1.25"] = 1.25, ["3.0"] = 3, ["0.000"] = 0,
    } do
      assert.equal(seconds, retry.parse_after(value, MID_2026))
    end
  end)

  it("takes negative seconds for none", function()
    for _, value in ipairs { "-1", "-0", "-0.5", "-99999", "-" .. ("9"):rep(400) } do
      assert.equal(0, retry.parse_after(value, MID_2026))
    end
  end)

  it("reads the seconds until a date, in each form", function()
    for _, date in ipairs {
      "Thu, 02 Jul 2026 00:01:30 GMT", "Thursday, 02-Jul-26 00:01:30 GMT",
      "Thu Jul  2 00:01:30 2026",
    } do
      assert.equal(90, retry.parse_after(date, MID_2026))
      assert.equal(89.5, retry.parse_after(date, MID_2026 + 0.5))
    end
  end)

  it("gives 0 for a date that is now or past", function()
    for _, date in ipairs {
      "Thu, 02 Jul 2026 00:00:00 GMT", "Wed, 01 Jul 2026 23:59:59 GMT",
      "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
      "Sun Nov  6 08:49:37 1994", "Thu, 01 Jan 1970 00:00:00 GMT",
      "Mon, 01 Jan 1601 00:00:00 GMT", "Saturday, 01-Jan-77 00:00:00 GMT",
    } do
      assert.equal(0, retry.parse_after(date, MID_2026))
    end
  end)

  it("gives nil for none and for garbage", function()
    assert.is_nil(retry.parse_after(nil, MID_2026))
    for _, value in ipairs {
      "", "soon", "nan", "-nan", "NaN", "inf", "-inf", "Infinity", "1e5", "1e999", "0x10",
      "0x", "+5", "--5", "-", ".", "5.", ".5", "-.5", "5,", "5;", "5s", "5 seconds", "1 2",
      "1,2", "1.2.3", "5\0", "\0", "\239\188\149", "null", "true", "{}", "[5]", '"5"',
    } do
      assert.is_nil(retry.parse_after(value, MID_2026), value)
    end
  end)

  it("takes values that are equal for one, and gives nil where two differ", function()
    local date, later = "Thu, 02 Jul 2026 00:01:30 GMT", "Thu, 02 Jul 2026 00:01:31 GMT"
    assert.equal(5, retry.parse_after("5, 5", MID_2026))
    assert.equal(0.5, retry.parse_after("0.5, 0.5", MID_2026))
    for count = 1, 9 do
      assert.equal(5, retry.parse_after(("5, "):rep(count):sub(1, -3), MID_2026))
      assert.equal(55, retry.parse_after(("55, "):rep(count):sub(1, -3), MID_2026))
      assert.equal(90, retry.parse_after((date .. ", "):rep(count):sub(1, -3), MID_2026))
    end
    assert.equal(5, retry.parse_after(("5, "):rep(20000) .. "5", MID_2026))
    for _, value in ipairs {
      "5, 6", "6, 5", "5, ", ", 5", ", ", ", , ", "5, soon", "soon, soon", "55, 5", "5,5",
      "5, 5, 6", "6, 5, 5", "5, 5, ", "5, 5, 5, 55", "55, 5, 5", "5, 6, 5, 6",
      date .. ", " .. later, date .. ", 90", date .. ", " .. date .. ", " .. later,
      (", "):rep(20000), ("5, "):rep(20000) .. "6",
    } do
      assert.is_nil(retry.parse_after(value, MID_2026), value)
    end
  end)

  it("stays finite however many digits there are", function()
    for _, value in ipairs {
      ("9"):rep(20), ("9"):rep(400), ("9"):rep(100000), ("9"):rep(400) .. ".5",
      "9223372036854775808", "1" .. ("0"):rep(308), "1" .. ("0"):rep(309),
    } do
      local seconds = retry.parse_after(value, MID_2026)
      assert.is_true(seconds > 86400 and seconds < math.huge)
    end
    assert.equal(0, retry.parse_after("0." .. ("0"):rep(100000), MID_2026))
  end)
end)

describe("leadping.retry: delay", function()
  it("is bounded by 0.5, doubled at each attempt, and by 8", function()
    for attempt, bound in ipairs { 0.5, 1, 2, 4, 8, 8, 8 } do
      assert.equal(0, retry.delay(attempt, always(0)))
      assert.equal(bound / 2, retry.delay(attempt, always(0.5)))
      local longest = retry.delay(attempt, always(LAST_BELOW_1))
      assert.is_true(longest < bound and longest > bound * 0.999)
    end
  end)

  it("stays at 8 however many attempts there were", function()
    for _, attempt in ipairs { 10, 64, 101, 1100, 100000 } do
      assert.equal(4, retry.delay(attempt, always(0.5)))
    end
  end)
end)

describe("leadping.retry: wait", function()
  it("is the delay where nothing was asked for", function()
    assert.equal(0.25, retry.wait(nil, 1, 60, 120, always(0.5)))
    assert.equal(4, retry.wait(nil, 9, 60, 120, always(0.5)))
  end)

  it("is nil where the delay does not fit into the time left", function()
    assert.is_nil(retry.wait(nil, 1, 0.25, 120, always(0.5)))
    assert.equal(0.25, retry.wait(nil, 1, 0.2501, 120, always(0.5)))
    for _, left in ipairs { 0, -1, -1e9 } do
      assert.is_nil(retry.wait(nil, 1, left, 120, always(0)))
      assert.is_nil(retry.wait(0, 1, left, 120, always(0)))
    end
  end)

  it("is never less than Retry-After, and at most a tenth more", function()
    for _, after in ipairs { 0, 0.001, 0.5, 1, 7, 60, 119.9, 120 } do
      for _, left in ipairs { 120.5, 125, 1000 } do
        for attempt = 1, 9 do
          for _, random in ipairs(RANDOMS) do
            local seconds = retry.wait(after, attempt, left, 120, always(random))
            assert.is_true(seconds >= after and seconds <= after * 1.1, seconds)
            assert.is_true(seconds < left)
          end
        end
      end
    end
    assert.near(10.5, retry.wait(10, 1, 60, 120, always(0.5)), 1e-9)
  end)

  it("leaves out what is more than Retry-After where only that fits", function()
    assert.equal(10, retry.wait(10, 1, 10.5, 120, always(LAST_BELOW_1)))
    assert.equal(10, retry.wait(10, 1, 10.001, 120, always(0.5)))
  end)

  it("is nil where Retry-After is over max_retry_after", function()
    assert.is_nil(retry.wait(120.001, 1, 1000, 120, always(0)))
    assert.is_nil(retry.wait(1e9, 1, 1e12, 120, always(0)))
    assert.is_nil(retry.wait(0.2, 1, 1000, 0.1, always(0)))
    assert.equal(120, retry.wait(120, 1, 1000, 120, always(0)))
  end)

  it("is nil where Retry-After is over the time left", function()
    assert.is_nil(retry.wait(10, 1, 10, 120, always(0)))
    assert.is_nil(retry.wait(10, 1, 9.999, 120, always(0)))
    assert.is_nil(retry.wait(10, 1, 0, 120, always(0)))
    assert.equal(10, retry.wait(10, 1, 10.001, 120, always(0)))
  end)
end)

describe("leadping.retry: budget", function()
  local function spend_all(budget)
    local retries = 0
    while retries < 1000 and retry.spend(budget) do retries = retries + 1 end
    return retries
  end

  it("holds exactly 100 retries", function()
    local budget = retry.budget()
    assert.equal(100, spend_all(budget))
    assert.is_false(retry.spend(budget))
    assert.equal(0, spend_all(budget))
  end)

  it("gets a retry back from five successes", function()
    local budget = retry.budget()
    spend_all(budget)
    for _ = 1, 4 do retry.earn(budget) end
    assert.is_false(retry.spend(budget))
    retry.earn(budget)
    assert.is_true(retry.spend(budget))
    assert.is_false(retry.spend(budget))
  end)

  it("never holds more than at the start", function()
    local budget = retry.budget()
    for _ = 1, 1000 do retry.earn(budget) end
    assert.equal(100, spend_all(budget))
    for _ = 1, 1000 do retry.earn(budget) end
    assert.equal(100, spend_all(budget))
  end)

  it("is each client's own", function()
    local one, two = retry.budget(), retry.budget()
    spend_all(one)
    assert.is_true(retry.spend(two))
  end)
end)
