-- leadping.errors: the one constructor of what the module returns as `err`.
-- Only for what the world does: a wrong argument is raised, not returned.
-- Does not decide which kind applies: that is leadping.answer and .failure.
-- MIT, see LICENSE.

local text = require "leadping.text"

local errors = {}

local Error = { __name = "leadping.error" }

--- One line: the kind, the status where there is one, and the message.
function Error:__tostring()
  local status = self.status and (" (%d)"):format(self.status) or ""
  return ("leadping: %s%s: %s"):format(self.kind, status, self.message)
end

---@alias leadping.Kind
---| "invalid_id" # nothing was sent: the id cannot be a path segment
---| "no_api_key" # nothing was sent: no key given, none in the environment
---| "connection" # name look-up, refused, reset, cut short, not HTTP
---| "tls" # handshake or certificate
---| "timeout" # a time limit ran out
---| "cancelled" # stopped by the caller
---| "too_large" # header section or body over its limit
---| "decode" # a 2xx whose body is not an OutgoingNumberSelection
---| "bad_request" # 400
---| "unauthorized" # 401
---| "forbidden" # 403
---| "not_found" # 404
---| "rate_limited" # 429
---| "server_error" # 5xx
---| "unexpected_status" # any other status, redirects included

---@alias leadping.Outcome
---| "not_sent" # the request did not leave
---| "not_applied" # the server refused
---| "applied" # a 2xx, whatever its body
---| "unknown" # sent, and no answer that tells

---@class leadping.Error
---@field kind leadping.Kind
---@field message string for people; may change between versions
---@field outcome leadping.Outcome? what is known of the override; nil from leadping.decode
---@field retryable boolean whether the same call may work later
---@field status integer? of the answer, where there was one
---@field problem table? members of the problem details (RFC 9457)
---@field retry_after number? seconds that the server asks to wait
---@field attempts integer? how often the request was tried
---@field elapsed number? seconds from the call to its end
---@field reasons string[]? why each attempt was to be tried again
---@field response leadping.Response? the answer, where it came whole
---@field conversation_id string?
---@field ends_run boolean? clear_overrides: whether no further id is sent

--- Makes an error of a table of the fields above, which becomes the error. The
-- message may quote a server, so it is escaped here.
---@return leadping.Error
function errors.new(fields)
  fields.message = text.escape(fields.message)
  fields.retryable = fields.retryable or false
  return setmetatable(fields, Error)
end

--- Whether a value is an error made here.
function errors.is_error(value)
  return getmetatable(value) == Error
end

return errors
