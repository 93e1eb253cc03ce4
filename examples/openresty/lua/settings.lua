-- settings: what the environment says of the service, checked once at its start.
-- LEADPING_API_KEY and LEADPING_BASE_URL are not here: leadping reads them.
-- Raises what is wrong, which keeps nginx from starting.
-- MIT, see LICENSE.

local settings = {}

local KEY_LENGTH_MIN = 16

local function read_key()
  local key = os.getenv "SERVICE_KEY" or ""
  if not key:find("^[\33-\126]+$") or #key < KEY_LENGTH_MIN then
    error(("SERVICE_KEY: %d or more visible ASCII characters expected, such as the "
      .. "output of: openssl rand -hex 16"):format(KEY_LENGTH_MIN), 0)
  end
  return key
end

local function read_number(name, otherwise, low, high)
  local text = os.getenv(name)
  if not text or text == "" then return otherwise end
  local value = tonumber(text)
  if value and value >= low and value <= high then return value end
  error(("%s: a number from %g to %g expected, got %q"):format(name, low, high, text), 0)
end

settings.key = read_key()

-- Requests a second, of all workers together. The API allows an organization
-- 300 in 60 seconds: this leaves a little for its other programs. At the most,
-- 4.9, and with five at once first, it is 299.
settings.rate = read_number("SERVICE_RATE", 4.5, 0.01, 4.9)

-- Seconds that a request may have to wait for its turn, and for its call then,
-- with its retries. At the most they are 80 together: worker_shutdown_timeout
-- and the page's patience are 85, and systemd kills what takes 90 to stop.
settings.longest_wait = read_number("SERVICE_LONGEST_WAIT", 5, 0, 20)
settings.timeout = read_number("SERVICE_TIMEOUT", 20, 0.1, 60)

return settings
