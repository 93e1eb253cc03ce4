-- spec/libcurl_spec.lua: other libcurls than the one that is installed, which
-- spec/torture/lesser_curl.c makes of it, and one that fails at odd moments.
-- MIT, see LICENSE.

local support = require "spec.support"

describe("a libcurl", function()
  local library

  setup(function() library = support.build_preload "lesser_curl" end)

  local function run(program, name, value)
    return support.run(program, { LD_PRELOAD = library, [name] = value })
  end

  it("without HTTP/2, directories of authorities and proxies makes calls", function()
    local output = run([[
      local leadping = require "leadping"
      print(leadping.new():clear_override("a").canSend)
      local client = leadping.new { base_url = os.getenv "EMULATOR_TLS",
        ca_file = os.getenv "EMULATOR_CA" }
      print(client:clear_override("b").canSend)
      print(select(2, leadping.new { base_url = os.getenv "EMULATOR_TLS",
        ca_path = "/tmp", max_retries = 0 }:clear_override "c"))
    ]], "LEAN", "1")
    assert.matches("^true\ntrue\nleadping: [^\n]*libcurl could not start the transfer", output)
  end)

  it("without memory for a request has it not sent, and of no earlier status", function()
    local output = run([[
      local client = require("leadping").new { max_retries = 0 }
      for id = 1, 3 do
        local selection, err = client:clear_override("a" .. id)
        print(selection and selection.canSend, err and err.kind, err and err.outcome,
          err and err.status)
      end
    ]], "ADD_FAILS", "2")
    assert.equal("true\tnil\tnil\tnil\nnil\tconnection\tnot_sent\tnil\ntrue\tnil\tnil\tnil\n",
      output)
  end)

  describe("that cannot wait ends the thread, which is told", function()
    it("to who polls its descriptor, opened before or after", function()
      local output = run([[
        local core = require "leadping.core"
        local clock = core.clock
        local function is_rung(session)
          local before = clock()
          session:step(0.2) -- waits for the bell
          return clock() - before < 0.19
        end
        for _, opens_first in ipairs { true, false } do
          local session = core.session { proxy = "" }
          if opens_first then session:fd() else session:start() end
          while session:step(0) do os.execute "sleep 0.01" end
          session:fd()
          print(session:step(0), is_rung(session))
        end
      ]], "POLL_FAILS", "1")
      assert.equal(("nil\ttrue\n"):rep(2), output)
    end)

    it("to who has connected, by the connection's end", function()
      if not pcall(require, "cqueues.socket") then
        return pending("cqueues is not installed for this Lua")
      end
      local output = run([[
        local session = require("leadping.core").session { proxy = "" }
        local path = session:listen(os.getenv "TMPDIR" or "/tmp")
        local peer = require("cqueues.socket").connect { path = path }
        peer:onerror(function(_, _, code) return code end)
        pcall(peer.connect, peer, 1)
        print(peer:xread(1, "b", 2), session:step(0))
        print(session:listen "/tmp")
      ]], "POLL_FAILS", "1")
      assert.matches("^nil\t.*Out of memory\nnil\tOperation canceled\n$", output)
    end)
  end)
end)
