-- leadping.cli.plan: `leadping plan`: what clear would do, without doing it.
-- Needs no key and no network. Sends nothing.
-- MIT, see LICENSE.

local flags = require "leadping.cli.flags"
local ids = require "leadping.cli.ids"
local leadping = require "leadping"
local output = require "leadping.cli.output"
local text = require "leadping.text"

local plan = {
  name = "plan",
  summary = "say what clear would send; no key, no network",
}

local REDACTED = "[key]"

function plan.define(command)
  command:usage("Usage: leadping plan [OPTIONS] [ID...]")
  flags.ids(command)
  flags.run(command)
  flags.connection(command)
  flags.retries(command)
end

--- The request as it would be sent, but for the key.
local function describe_request(given, id)
  local options = flags.client_options(given)
  options.api_key = REDACTED
  local request = assert(assert(leadping.new(options)):request(id))
  local lines, names = { text.escape(tostring(request)) }, {}
  for name in pairs(request.headers) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    lines[#lines + 1] = ("%s: %s"):format(name, request.headers[name])
  end
  return table.concat(lines, "\n")
end

function plan.run(given)
  flags.settings(given) -- says what is wrong with an option
  local list = ids.read(given)
  local count = #list.ids
  return output.print(table.concat({
    ids.describe_count(list),
    "first  " .. text.escape(list.ids[1]),
    "last   " .. text.escape(list.ids[count]),
    "time   " .. flags.describe_time(given, count),
    "",
    describe_request(given, list.ids[1]),
  }, "\n"))
end

return plan
