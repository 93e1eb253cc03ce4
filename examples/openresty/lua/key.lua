-- key: whether a request carries the service's own key.
-- Compares digests under a key that nobody knows, so that the time it takes
-- says nothing of how much of a wrong key is right.
-- MIT, see LICENSE.

local settings = require "settings"

local key = {}

local function random_bytes(count)
  local file = assert(io.open("/dev/urandom", "rb"))
  local bytes = file:read(count)
  file:close()
  return bytes
end

local secret = random_bytes(32)
local expected = ngx.hmac_sha1(secret, settings.key)

---@param authorization string? the header's value
function key.is_right(authorization)
  local scheme, given = (authorization or ""):match("^(%a+) +(%S+)$")
  return scheme ~= nil and scheme:lower() == "bearer"
    and ngx.hmac_sha1(secret, given) == expected
end

return key
