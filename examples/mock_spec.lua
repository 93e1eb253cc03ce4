-- examples/mock_spec.lua: a busted spec of examples/sweep.lua, on leadping.mock.
-- Run it with `lua5.4 $(command -v busted) examples/mock_spec.lua`. It needs no key,
-- no network and no time: what a client waits for passes on the mock's own clock.
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

  it("tells what is to be looked at from what stands", function()
    local client = mock.client { max_retries = 0, answers = {
      gone = 404, refused = "connection", odd = { body = "<html>" }, lost = "timeout",
    } }
    local report = sweep(client, { "gone", "refused", "odd", "lost" })
    assert.same({ "gone", "refused" }, report.failed)
    assert.same({ "odd", "lost" }, report.unsure)
  end)

  it("goes on behind the pause that the API asks for", function()
    local client, transport = mock.client { answers = {
      conv_1 = { { status = 429, headers = { ["Retry-After"] = "55" } }, 200 },
    } }
    assert.equal(2, sweep(client, { "conv_1", "conv_2" }).cleared)
    assert.same({}, transport:unused())
    assert.is_true(transport.requests[3].at >= 55)
  end)

  it("stops where the key is refused", function()
    local client, transport = mock.client { default = 401 }
    local ids = {}
    for i = 1, 50 do ids[i] = "conv_" .. i end
    assert.equal("unauthorized", sweep(client, ids).stopped)
    assert.is_true(#transport.requests < 50)
  end)
end)
