-- leadping.cli.plan: `leadping plan`: what clear would do, without doing it.
-- Needs no key and no network. Sends nothing.
-- MIT, see LICENSE.

local exits = require "leadping.cli.exits"
local flags = require "leadping.cli.flags"
local ids = require "leadping.cli.ids"
local leadping = require "leadping"
local output = require "leadping.cli.output"
local terminal = require "leadping.cli.terminal"
local text = require "leadping.text"
local words = require "leadping.cli.words"

local plan = {
  name = "plan",
  summary = "say what clear would send; needs no key and no network",
}

local REDACTED = "[key]"

function plan.define(command)
  command:usage("Usage: leadping plan [OPTIONS] [ID...]")
  flags.ids(command)
  flags.run(command)
  flags.client(command)
end

--- The request as it would be sent, but for the key.
local function describe_request(given, id)
  local options = flags.client_options(given)
  options.api_key = REDACTED
  local request = assert(assert(leadping.new(options)):request(id))
  local lines, names = { tostring(request) }, {}
  for name in pairs(request.headers) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    lines[#lines + 1] = ("%s: %s"):format(name, request.headers[name])
  end
  return table.concat(lines, "\n")
end

local function describe_time(given, count)
  local run = flags.run_options(given)
  if run.rate then
    return ("about %s, at %g requests a second"):format(
      words.run_time(count, run.rate), run.rate)
  end
  return ("as long as %s take, %d at a time"):format(words.count(count, "request"),
    run.concurrency)
end

function plan.run(given)
  local _, wrong = flags.base_url(given)
  local list
  if not wrong then list, wrong = ids.read(given) end
  if wrong then
    terminal.complain(wrong)
    return exits.USAGE
  end
  local count = #list.ids
  local lines = {
    ids.describe_count(list),
    "first  " .. text.escape(list.ids[1]),
    "last   " .. text.escape(list.ids[count]),
    "time   " .. describe_time(given, count),
    "",
    describe_request(given, list.ids[1]),
  }
  return output.print(table.concat(lines, "\n"))
end

return plan
