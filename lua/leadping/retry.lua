-- leadping.retry: when to try again, as pure functions.
-- Clock and random numbers come in as arguments; nothing here waits or sends.
-- Sources: RFC 9110, sections 10.2.3 (Retry-After) and 5.6.7 (HTTP-date).
-- MIT, see LICENSE.

local retry = {}

local DELAY_FIRST, DELAY_MAX = 0.5, 8 -- seconds
local JITTER_OVER_RETRY_AFTER = 0.1 -- added, never taken away
local SECONDS_MAX = 1e9 -- for a Retry-After of absurdly many digits

local RETRYABLE_STATUS = {
  [408] = true, [425] = true, [429] = true,
  [500] = true, [502] = true, [503] = true, [504] = true,
}

--- Whether an answer of this status may be another one later.
function retry.is_retryable_status(status)
  return RETRYABLE_STATUS[status] or false
end

-- HTTP-date ------------------------------------------------------------------

local MONTHS = {}
for i, name in ipairs {
  "Jan", "Feb", "Mar", "Apr", "May", "Jun",
  "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
} do MONTHS[name] = i end

-- IMF-fixdate, RFC 850's, asctime's; captures are put in order by `fields`.
local DATE_FORMS = {
  { "^%a%a%a, (%d%d) (%a%a%a) (%d%d%d%d) (%d%d):(%d%d):(%d%d) GMT$",
    { "day", "month", "year" } },
  { "^%a+day, (%d%d)%-(%a%a%a)%-(%d%d) (%d%d):(%d%d):(%d%d) GMT$",
    { "day", "month", "year" } },
  { "^%a%a%a (%a%a%a) ([ %d]%d) (%d%d):(%d%d):(%d%d) (%d%d%d%d)$",
    { "month", "day", "hour", "minute", "second", "year" } },
}

local TIME_FIELDS = { "hour", "minute", "second" }

local function match_date(text)
  for _, form in ipairs(DATE_FORMS) do
    local captures = { text:match(form[1]) }
    if #captures > 0 then
      local date = {}
      for i, capture in ipairs(captures) do
        date[form[2][i] or TIME_FIELDS[i - 3]] = capture
      end
      return date
    end
  end
end

--- Days from 1970-01-01 to a day of the Gregorian calendar. Years are counted
-- from March, so that a leap day is a year's last day.
local function days_since_1970(year, month, day)
  if month <= 2 then year, month = year - 1, month + 12 end
  local leap_days = math.floor(year / 4) - math.floor(year / 100)
    + math.floor(year / 400)
  local days_before_month = math.floor((153 * (month - 3) + 2) / 5)
  return 365 * year + leap_days + days_before_month + day - 719469
end

--- Of a year of two digits: the last such that is at most 50 years ahead
-- (RFC 9110, 5.6.7).
local function full_year(text, now)
  local year = tonumber(text)
  if #text == 4 then return year end
  local last = 1970 + math.floor(now / (365.2425 * 86400)) + 50
  return last - (last - year) % 100
end

local function is_time(hour, minute, second)
  return hour < 24 and minute < 60 and second <= 60
end

--- Seconds since the epoch of an HTTP-date; nil where it is none.
function retry.parse_date(text, now)
  local date = match_date(text)
  local month = date and MONTHS[date.month]
  if not month then return nil end
  local day, hour = tonumber(date.day), tonumber(date.hour)
  local minute, second = tonumber(date.minute), tonumber(date.second)
  if day < 1 or day > 31 or not is_time(hour, minute, second) then return nil end
  local days = days_since_1970(full_year(date.year, now), month, day)
  return days * 86400 + hour * 3600 + minute * 60 + second
end

-- Retry-After ----------------------------------------------------------------

local JOINT = ", "

--- Headers of one name arrive joined: equal ones count as one. A date holds that
-- joint itself, so the first of them may end at any.
local function without_repetition(text)
  local joined = text .. JOINT
  local first, last = joined:find(JOINT, 1, true)
  while last < #joined do
    local count = #joined / last
    if first > 1 and count % 1 == 0 and joined == joined:sub(1, last):rep(count) then
      return joined:sub(1, first - 1)
    end
    first, last = joined:find(JOINT, last + 1, true)
  end
  return text
end

local function parse_seconds(text)
  local digits = text:match("^%-?%d+$") or text:match("^%-?%d+%.%d+$")
  return digits and math.min(math.max(tonumber(digits), 0), SECONDS_MAX)
end

--- Seconds that a Retry-After asks to wait; nil where it is absent or garbage.
-- Decimal seconds are more than RFC 9110 allows, and are sent all the same.
---@param value string? of the header
---@param now number seconds since the epoch
---@return number? seconds 0 for a time that is past
function retry.parse_after(value, now)
  if not value then return nil end
  local text = without_repetition(value)
  local seconds = parse_seconds(text)
  if seconds then return seconds end
  local date = retry.parse_date(text, now)
  return date and math.max(date - now, 0)
end

-- delay and budget -----------------------------------------------------------

--- Seconds of back-off before the retry behind that attempt: full jitter.
---@param attempt integer 1 for the first
---@param random fun(): number in [0, 1)
function retry.delay(attempt, random)
  return random() * math.min(DELAY_FIRST * 2 ^ (attempt - 1), DELAY_MAX)
end

--- What a Retry-After asks for, and a little more, so that those who were told
-- the same do not come back together.
function retry.lengthened(after, random)
  return after * (1 + JITTER_OVER_RETRY_AFTER * random())
end

--- Seconds to wait, or nil where it is better to give up now: the server asks
-- for more than `longest`, or the time left would run out in vain.
---@param after number? what Retry-After asks for
---@param left number seconds until the deadline
---@param longest number max_retry_after
function retry.wait(after, attempt, left, longest, random)
  if not after then
    local delay = retry.delay(attempt, random)
    return delay < left and delay or nil
  end
  if after > longest or after >= left then return nil end
  local longer = retry.lengthened(after, random)
  return longer < left and longer or after
end

local BUDGET_TOKENS, RETRY_COST, SUCCESS_GAIN = 500, 5, 1

--- A new budget: keeps a client from hammering a server that fails on and on.
function retry.budget()
  return { tokens = BUDGET_TOKENS }
end

--- Takes the price of one retry; false where the budget does not hold it.
function retry.spend(budget)
  if budget.tokens < RETRY_COST then return false end
  budget.tokens = budget.tokens - RETRY_COST
  return true
end

--- Gives back for a success.
function retry.earn(budget)
  if budget.tokens < BUDGET_TOKENS then budget.tokens = budget.tokens + SUCCESS_GAIN end
end

return retry
