-- examples/mock_spec.lua: a busted spec of examples/sweep.lua, on leadping.mock.
-- Run it with `busted examples/mock_spec.lua`. It needs no key, no network and
-- no time: a Retry-After of a minute passes on the mock's own clock.
-- MIT, see LICENSE.

local mock = require "leadping.mock"
local sweep = dofile "examples/sweep.lua"

describe("sweep", function()
  it("clears each conversation once", function()
    local client, transport = mock.client()
    local report = sweep(client, { "conv_1", "conv_2" })
    assert.same({ cleared = 2, silent = {}, unsure = {}, failed = {} }, report)
    assert.same({ "conv_1", "conv_2" }, transport:asked())
  end)

  it("tells which have no number left to send from", function()
    local client = mock.client { answers = {
      conv_2 = "cannot_send",
      conv_3 = { selection = { canSend = false, healthStatus = "Blocked" } },
    } }
    assert.same({ "conv_2", "conv_3" }, sweep(client, { "conv_1", "conv_2", "conv_3" }).silent)
  end)

  it("tells those that are to be looked at from those whose override stands", function()
    local client = mock.client { answers = {
      gone = 404, refused = "connection", lost = "timeout", odd = { body = "<html>" },
    } }
    local report = sweep(client, { "gone", "refused", "lost", "odd" })
    assert.same({ "gone", "refused" }, report.failed)
    assert.same({ "lost", "odd" }, report.unsure)
  end)

  it("goes on behind a pause that the API asks for", function()
    local client, transport = mock.client { answers = {
      conv_1 = { { status = 429, headers = { ["Retry-After"] = "55" } }, 200 },
    }, timeout = 100 }
    assert.equal(1, sweep(client, { "conv_1" }).cleared)
    assert.is_true(transport.requests[2].at >= 55)
  end)

  it("stops where the key is refused", function()
    local client, transport = mock.client { default = false, answers = {
      conv_1 = 200, conv_2 = 401, conv_3 = 200,
    } }
    sweep(client, { "conv_1", "conv_2", "conv_3" })
    assert.same({ "conv_3" }, transport:unused())
  end)
end)
