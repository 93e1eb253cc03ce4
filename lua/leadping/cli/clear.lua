-- leadping.cli.clear: `leadping clear`: clears the overrides of many ids.
-- What comes before the first request: ids, confirmation, key, journal. The
-- run itself is in leadping.cli.run.
-- MIT, see LICENSE.

local exits = require "leadping.cli.exits"
local flags = require "leadping.cli.flags"
local ids = require "leadping.cli.ids"
local journal = require "leadping.cli.journal"
local key = require "leadping.cli.key"
local leadping = require "leadping"
local run = require "leadping.cli.run"
local terminal = require "leadping.cli.terminal"
local text = require "leadping.text"
local words = require "leadping.cli.words"

local clear = {
  name = "clear",
  summary = "clear the overrides of one or many conversations",
}

function clear.define(command)
  command:usage("Usage: leadping clear [OPTIONS] ID...\n"
    .. "       leadping clear [OPTIONS] --file FILE\n"
    .. "       leadping clear [OPTIONS] --resume --journal FILE")
  flags.ids(command)
  command:group("Safety",
    command:flag("-y --yes", "do not ask; needed for more than one id off a terminal"),
    command:option("--journal", "write what is known of each id to this file, first"):argname("FILE")
      :overwrite(false),
    command:flag("--resume", "go on where the journal stops; its ids need not be given"))
  flags.run(command)
  local connection = { key.define(command) }
  flags.client(command, connection)
  command:group("Output",
    command:flag("--json", "JSON Lines: one object an id, with a schema version"),
    command:flag("-q --quiet", "no progress and no summary"),
    command:flag("--no-color", "no colors; so does NO_COLOR"))
end
