-- spec/emulator_spec.lua: the emulator itself: its state, keys, limit, and that
-- it comes and goes without a trace. Its faults are used by the other specs.
-- MIT, see LICENSE.

local cjson = require "cjson"
local core = require "leadping.core"
local support = require "spec.support"

--- One request of any method, without a key.
local function send(method, path)
  local session = core.session { proxy = "" }
  finally(function() session:close() end)
  session:submit {
    method = method, url = support.http .. path, headers = {},
    timeout = 5, connect_timeout = 5, max_body = 100000,
  }
  while session:step(1) == 0 do end
  local _, result = session:next()
  return result.status, result.body
end

describe("a conversation on the emulator", function()
  it("is overridden until it is cleared, and can be overridden again", function()
    local client = support.client()
    finally(function() client:close() end)
    local path = "/emulator/conversations/state-1"
    local _, before = send("GET", path)
    before = cjson.decode(before)
    assert.equal("ManualOverride", before.selectionReason)
    assert.is_true(before.wasManuallyOverridden)

    local selection = assert(client:clear_override("state-1"))
    assert.is_false(selection.wasManuallyOverridden)
    assert.not_equal("ManualOverride", selection.selectionReason)
    local _, after = send("GET", path)
    assert.equal(selection.selectionReason, cjson.decode(after).selectionReason)

    assert.equal(204, (send("PUT", path .. "/override")))
    local _, again = send("GET", path)
    assert.equal("ManualOverride", cjson.decode(again).selectionReason)
  end)
end)

describe("a key on the emulator", function()
  local rows = {
    { "sk_unknown", "unauthorized", 401 },
    { "sk_forbidden", "forbidden", 403 },
  }
  for _, row in ipairs(rows) do
    it(("of status %d is %s"):format(row[3], row[2]), function()
      local client = support.client { api_key = row[1] }
      finally(function() client:close() end)
      local _, err = client:clear_override("a")
      assert.equal(row[2], err.kind)
      assert.equal(row[3], err.problem.status)
    end)
  end

  it("over its limit is rate limited, with and without Retry-After", function()
    for suffix, retry_after in pairs { _a = 60, _silent_a = false } do
      local client = support.client { api_key = "sk_emulator_limit_3_60" .. suffix }
      for _ = 1, 3 do assert(client:clear_override(support.id())) end
      local _, err = client:clear_override(support.id())
      client:close()
      assert.equal("rate_limited", err.kind)
      assert.equal(retry_after or nil, err.retry_after)
    end
  end)
end)

describe("spec/server/emulator", function()
  local EMULATOR = "spec/server/emulator"

  --- Runs a command under an emulator of its own, in its own TMPDIR; what is
  -- left there afterwards is returned behind output and status.
  local function run(command)
    local temporary = support.new_directory()
    local output, status = support.shell(command, { TMPDIR = temporary })
    local left = support.shell("ls -A " .. temporary)
    support.remove_directory(temporary)
    return output, status, left
  end

  it("gives the command its environment and its exit status, and leaves nothing", function()
    local output, status, left = run(EMULATOR
      .. [[ run sh -c 'echo $LEADPING_BASE_URL; echo $$ >$EMULATOR_DIR/x; exit 7']])
    assert.matches("^http://127%.0%.0%.1:%d+\n$", output)
    assert.equal(7, status)
    assert.equal("", left)
  end)

  it("starts and stops in under a second", function()
    local best, tries = math.huge, 0 -- the machine may be busy
    while best >= 1 and tries < 10 do
      best, tries = math.min(best, (support.timed(run, EMULATOR .. " run true"))), tries + 1
    end
    assert.is_true(best < 1, tostring(best))
  end)

  it("stops its server, and a hanging request with it", function()
    local program = [[require "leadping".clear_override "fault:never"]]
    local output, status, left = run(([=[%s run sh -c '
      cat $EMULATOR_DIR/nginx.pid
      echo "%s" >$EMULATOR_DIR/hang.lua
      %s $EMULATOR_DIR/hang.lua >/dev/null 2>&1 &
      sleep 0.2']=]):format(EMULATOR, program:gsub('"', '\\"'), support.lua))
    assert.equal("", left)
    assert.equal(0, status)
    local _, alive = support.shell("kill -0 " .. output:match("%d+"))
    assert.not_equal(0, alive)
  end)

  it("serves until it is told to stop, having printed two exports", function()
    local output, status, left = run([[
      out=$TMPDIR/out
      ]] .. EMULATOR .. [[ serve >$out 2>/dev/null &
      until [ -s $out ]; do sleep 0.02; done
      cat $out
      rm $out
      kill -TERM $!
      wait $!]])
    assert.equal(0, status)
    assert.matches("^export LEADPING_BASE_URL=http://127%.0%.0%.1:%d+\n"
      .. "export LEADPING_API_KEY=%S+\n$", output)
    assert.equal("", left)
  end)

  it("says how it is used", function()
    local output, status = support.shell(EMULATOR)
    assert.equal(2, status)
    assert.matches("^usage: emulator run COMMAND", output)
  end)
end)
