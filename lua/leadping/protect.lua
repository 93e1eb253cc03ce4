-- leadping.protect: pcall for what may wait in a coroutine.
-- On Lua 5.1 no coroutine can yield out of a pcall: there such a thing is called
-- without, and an error in it goes on at once.
-- MIT, see LICENSE.

local protect = {}

--- Whether what is in a pcall can wait. Not tried out: inside nginx coroutines are
-- nginx's, which cannot be made where a module is loaded. LuaJIT says that it is
-- 5.1, and can.
protect.is_able = _VERSION ~= "Lua 5.1" or rawget(_G, "jit") ~= nil

--- A pcall, where that will do.
---@param may_wait any whether what is called may wait
function protect.pcall(may_wait, body, ...)
  if may_wait and not protect.is_able then return true, body(...) end
  return pcall(body, ...)
end

--- Raises where a for loop calls what has to wait: not possible in Lua 5.1, and
-- better known before anything is sent.
function protect.check_for_loop()
  if protect.is_able then return end
  error("clear_overrides: Lua 5.1 cannot wait in a for loop; call what it returns in a "
    .. "while loop: local next_result = client:clear_overrides(ids)", 0)
end

return protect
