-- syscalls_plan: which system call fails in which way, and in which setting.
-- One table of errors that make sense for each call; settings are the calls of
-- the client under test. Runs nothing.
-- MIT, see LICENSE.

local plan = {}

plan.NAME = "leadping.test" -- syscalls.c resolves it

-- SHORT lets a transfer through with one byte. EPERM is what a sandbox's filter
-- gives. getrandom is getentropy and syscall(SYS_getrandom).
plan.errors = {
  { "accept4", "EINTR EAGAIN ECONNABORTED EMFILE ENFILE ENOMEM" },
  { "bind", "EACCES EADDRINUSE ENOMEM" },
  { "clock_gettime", "EPERM" },
  { "close", "EINTR EIO" },
  { "connect", "EINTR EAGAIN ECONNRESET ENETUNREACH ENOMEM EIO" },
  { "fcntl", "EINTR EAGAIN ENOMEM EIO" },
  { "fopen", "EINTR EMFILE ENOMEM EIO" },
  { "fstat", "ENOMEM EIO" },
  { "getaddrinfo", "EAI_AGAIN EAI_NONAME EAI_MEMORY EAI_SYSTEM" },
  { "getpeername", "ECONNRESET ENOMEM" },
  { "getrandom", "EINTR EAGAIN EIO ENOSYS" },
  { "getsockname", "ECONNRESET ENOMEM" },
  { "getsockopt", "ECONNRESET ENOMEM" },
  { "listen", "EADDRINUSE" },
  { "mkdtemp", "EACCES ENOSPC EIO" },
  { "open", "EINTR EMFILE ENOMEM EIO" },
  { "pipe", "EMFILE" },
  { "poll", "EINTR EAGAIN ENOMEM EIO" },
  { "pthread_create", "EAGAIN ENOMEM" },
  { "read", "EINTR EAGAIN ENOMEM EIO SHORT" },
  { "recv", "EINTR EAGAIN ECONNRESET ENOMEM ENETUNREACH EIO SHORT" },
  { "recvfrom", "EINTR EAGAIN ECONNRESET ENOMEM EIO SHORT" },
  { "recvmsg", "EINTR EAGAIN ECONNRESET ENOMEM EIO" },
  { "rmdir", "EACCES EIO" },
  { "send", "EINTR EAGAIN ECONNRESET EPIPE ENOMEM ENETUNREACH EIO SHORT" },
  { "sendmsg", "EINTR EAGAIN ECONNRESET EPIPE ENOMEM EIO" },
  { "sendto", "EINTR EAGAIN ECONNRESET EPIPE ENOMEM EIO SHORT" },
  { "setsockopt", "ENOMEM EIO" },
  { "socket", "EMFILE ENOMEM EIO" },
  { "socketpair", "EMFILE ENOMEM" },
  { "stat", "ENOMEM EIO" },
  { "unlink", "EACCES EIO" },
  { "write", "EINTR EAGAIN EPIPE EIO SHORT" },
}

-- kept: the call under test is the second one on a connection.
-- driven: the session is driven by a thread of its own, which libcurl wakes by a
-- socket. There libcurl repeats what EINTR ends for as long as it does, and takes
-- EAGAIN for a sign that the thread is woken already. Both are right for such a
-- socket, which never blocks, so that these errors are left to other settings.
-- listening: driven too; who waits is told by a unix socket, as in nginx.
-- cold: each case has a process of its own, in which libcurl and OpenSSL have
-- yet to start; only there are the configuration and the random seed read.
plan.settings = {
  { name = "http", url = "EMULATOR_HTTP" },
  { name = "http kept", url = "EMULATOR_HTTP", kept = true },
  { name = "http driven", url = "EMULATOR_HTTP", driven = true },
  { name = "http driven, kept", url = "EMULATOR_HTTP", driven = true, kept = true,
    only = "fcntl poll read recv send write" },
  { name = "http listening", url = "EMULATOR_HTTP", driven = true, listening = true,
    only = "accept4 bind close fcntl getsockopt listen mkdtemp pthread_create rmdir send socket "
      .. "unlink" },
  { name = "http by name", url = "EMULATOR_HTTP", host = plan.NAME },
  { name = "tls", url = "EMULATOR_TLS", ca = "ca_file" },
  { name = "tls kept", url = "EMULATOR_TLS", ca = "ca_file", kept = true },
  { name = "tls ca_path", url = "EMULATOR_TLS", ca = "ca_path",
    only = "fopen open read stat close" },
  { name = "tls cold", url = "EMULATOR_TLS", ca = "ca_file", cold = true,
    only = "fopen open read stat close getrandom socketpair socket fcntl" },
}

-- Without a socket to wait on, a loop polls.
local FOR_BELL = { accept4 = true, bind = true, listen = true, mkdtemp = true, rmdir = true,
  unlink = true }

--- Whether the call has to succeed all the same: a transfer of one byte is an
-- ordinary one, and these are to be repeated.
function plan.is_harmless(item)
  if item.error == "SHORT" or FOR_BELL[item.call] then return true end
  if item.onward then return false end
  if item.call == "poll" then return item.error == "EINTR" end
  return item.call == "recv" and (item.error == "EINTR" or item.error == "EAGAIN")
end

-- What accept4 gives for one connection, or for none: it is not called again before
-- poll says that there is one.
local NOT_ONWARD = { accept4 = { EINTR = true, EAGAIN = true, ECONNABORTED = true } }

local NOT_DRIVEN = { send = { EINTR = true, EAGAIN = true }, recv = { EINTR = true } }

local function is_for(setting, call, name, onward)
  if onward and NOT_ONWARD[call] and NOT_ONWARD[call][name] then return false end
  if setting.driven and NOT_DRIVEN[call] and NOT_DRIVEN[call][name] then return false end
  return not setting.only or (" " .. setting.only .. " "):find(" " .. call .. " ", 1, true) ~= nil
end

--- Every kind of case: { setting, call, error, onward }, in a fixed order.
function plan.items()
  local items = {}
  for _, setting in ipairs(plan.settings) do
    for _, row in ipairs(plan.errors) do
      for name in row[2]:gmatch "%S+" do
        for _, onward in ipairs { false, true } do
          if is_for(setting, row[1], name, onward) then
            items[#items + 1] =
              { setting = setting, call = row[1], error = name, onward = onward }
          end
        end
      end
    end
  end
  return items
end

return plan
