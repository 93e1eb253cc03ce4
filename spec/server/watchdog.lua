-- watchdog: ends the server and removes its directory once the launcher is
-- gone without having done so (SIGKILL).
-- It does not take part in an ordinary stop.
-- MIT, see LICENSE.

local ffi = require "ffi"

ffi.cdef "int getppid(void); int getpid(void); int kill(int, int);"

local watchdog = {}

local SIGTERM = 15

local function shell_quote(word)
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

function watchdog.start(launcher)
  local dir = ngx.config.prefix()
  assert(ngx.timer.every(0.5, function()
    if ffi.C.getppid() == launcher then return end
    os.execute("rm -rf -- " .. shell_quote(dir))
    ffi.C.kill(ffi.C.getpid(), SIGTERM)
  end))
end

return watchdog
