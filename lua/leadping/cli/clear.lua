-- leadping.cli.clear: `leadping clear`: clears the overrides of many ids.
-- What comes before the first request and behind the last answer: ids,
-- confirmation, key, journal, summary. The run between is leadping.cli.batch.
-- MIT, see LICENSE.

local Batch = require "leadping.cli.batch"
local core = require "leadping.core"
local exits = require "leadping.cli.exits"
local flags = require "leadping.cli.flags"
local finish = require "leadping.cli.finish"
local ids = require "leadping.cli.ids"
local key = require "leadping.cli.key"
local leadping = require "leadping"
local journal = require "leadping.cli.journal"
local Memory = require "leadping.cli.memory"
local output = require "leadping.cli.output"
local Progress = require "leadping.cli.progress"
local report = require "leadping.cli.report"
local terminal = require "leadping.cli.terminal"
local text = require "leadping.text"
local words = require "leadping.cli.words"

local clear = {
  name = "clear",
  summary = "clear the overrides of one or many conversations",
  examples = [[
Examples:
   leadping clear conv_20481
   leadping clear --file leads.csv --column lead_id --journal run.journal
   leadping clear --resume --journal run.journal]],
}

function clear.define(command)
  command:usage("Usage: leadping clear [OPTIONS] ID...\n"
    .. "       leadping clear [OPTIONS] --file FILE\n"
    .. "       leadping clear [OPTIONS] --resume --journal FILE")
  flags.ids(command)
  command:group("Safety",
    command:flag("-y --yes", "do not ask; needed for more than one id off a terminal"),
    command:option("--journal", "write what is known of each id to this file"):argname("FILE")
      :overwrite(false),
    command:flag("--resume", "go on where the journal stops; its ids need not be given"))
  flags.run(command)
  flags.connection(command)
  flags.retries(command)
  command:group("Key and output", key.define(command),
    command:flag("--json", "JSON Lines: one object an id"),
    command:flag("-q --quiet", "no progress and no summary"),
    command:flag("--no-color", "no colors; so does NO_COLOR"))
  command:epilog(exits.describe())
end

--- The ids that are given; none are needed where a journal has them.
---@return leadping.cli.Ids? list
local function read_ids(given)
  if given.resume and not given.journal then
    exits.refuse(exits.USAGE, "--resume goes on with a journal: add --journal FILE")
  end
  if given.resume and #given.id == 0 and not given.file then return nil end
  return ids.read(given)
end

--- What a person is told before they confirm.
local function question(pending, base_url, given)
  return ("%s on %s, %s\nfirst  %s\nlast   %s\nType %d to clear their overrides: ")
    :format(words.count(#pending, "conversation"), text.escape(base_url),
      flags.describe_time(given, #pending), text.escape(pending[1]),
      text.escape(pending[#pending]), #pending)
end

--- More than one id is sent only when someone has said so.
local function confirm(pending, base_url, given)
  local count = #pending
  ids.check_max(count, given)
  if count <= 1 or given.yes then return end
  if not terminal.is_interactive() then
    exits.refuse(exits.USAGE, ("%d ids, and nobody can be asked here: add --yes; nothing was sent")
      :format(count))
  end
  local answer = terminal.ask(question(pending, base_url, given))
  if not answer or answer:match("^%s*(.-)%s*$") ~= tostring(count) then
    exits.refuse(exits.USAGE, "not confirmed: nothing was sent")
  end
end

--- What keeps account of the ids: the journal that is asked for, or memory.
local function open_journal(given, list, base_url)
  if not given.journal then return Memory.new(list.ids) end
  local opened, message, kind = journal.open(given.journal, {
    base_url = base_url, ids = list and list.ids, resume = given.resume,
  })
  if not opened then
    exits.refuse(kind == "usage" and exits.USAGE or exits.DISK, message)
  end
  return opened
end

local function new_progress(given, count)
  local has_log = os.getenv "LEADPING_LOG" == "debug" -- which has stderr to itself
  if given.quiet or has_log or not terminal.can_redraw() then return Progress.NONE end
  return Progress.new(count, {
    file = io.stderr, clock = core.clock, rate = flags.run_options(given).rate,
    columns = function() return core.system.columns(io.stderr) end,
  })
end

--- Prints a result in the form that is asked for.
local function new_print(given, count)
  if given.json then
    return function(...) return output.write(report.json(...)) end
  end
  local has_color = terminal.has_color(given.no_color)
  local has_card = count == 1 and core.system.isatty(io.stdout)
  return function(id, selection, err)
    return output.write(has_card and selection and tostring(selection)
      or report.line(id, selection, err, has_color))
  end
end

local function new_client(given, api_key, progress)
  local options = flags.client_options(given)
  options.api_key = api_key
  options.on_event = function(event)
    if event.name == "wait" then progress:wait(event.delay, event.reason) end
  end
  return assert(leadping.new(options))
end

local function new_batch(given, account, api_key)
  local count = #account.pending
  local progress = new_progress(given, count)
  return Batch.new {
    client = new_client(given, api_key, progress),
    limits = flags.run_options(given),
    journal = account, progress = progress, print = new_print(given, count),
  }
end

function clear.run(given)
  local base_url = flags.settings(given).base_url
  local list = read_ids(given)
  if not given.resume then confirm(list.ids, base_url, given) end
  local api_key = key.find(given)
  local account = open_journal(given, list, base_url)
  if given.resume then confirm(account.pending, base_url, given) end
  local batch = new_batch(given, account, api_key)
  batch:send()
  account:close()
  local status = finish.report(batch, given, base_url, list and list.duplicates or 0)
  core.system.release() -- a signal must not end what is said, nor a journal in the middle
  return status
end

return clear
