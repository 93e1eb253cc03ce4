-- leadping.protect: pcall for what waits in a coroutine, on Lua 5.1 too.
-- There no coroutine can yield out of a pcall; so the function gets a coroutine
-- of its own, whose yields are passed on. Where pcall will do, it is pcall.
-- MIT, see LICENSE.

local protect = {}

-- Not tried out: inside nginx coroutines are nginx's, which cannot be made where
-- a module is loaded. LuaJIT says that it is 5.1, and can.
local is_able = _VERSION ~= "Lua 5.1" or rawget(_G, "jit") ~= nil

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
