-- leadping.protect: pcall for what waits in a coroutine, on Lua 5.1 too.
-- There no coroutine can yield out of a pcall; so the function gets a coroutine
-- of its own, whose yields are passed on. Where pcall will do, it is pcall.
-- MIT, see LICENSE.

local protect = {}

local function yields_through_pcall()
  local thread = coroutine.create(function() pcall(coroutine.yield) end)
  coroutine.resume(thread)
  return coroutine.status(thread) == "suspended"
end

local is_able = yields_through_pcall()

local function pass_on(thread, ok, ...)
  if not ok or coroutine.status(thread) == "dead" then return ok, ... end
  return pass_on(thread, coroutine.resume(thread, coroutine.yield(...)))
end

local function pcall_by_coroutine(body, ...)
  local thread = coroutine.create(body)
  return pass_on(thread, coroutine.resume(thread, ...))
end

protect.pcall = is_able and pcall or pcall_by_coroutine

--- Raises where a for loop calls what has to wait: not possible in Lua 5.1, and
-- better known before anything is sent.
function protect.check_for_loop()
  if is_able then return end
  error("clear_overrides: Lua 5.1 cannot wait in a for loop; call what it returns in a "
    .. "while loop: local next_result = client:clear_overrides(ids)", 0)
end

return protect
