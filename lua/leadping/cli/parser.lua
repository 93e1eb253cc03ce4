-- leadping.cli.parser: command lines, by lua-argparse, and their help.
-- Never ends the process, as argparse would: what is to be printed and what is
-- wrong are returned. What commands take, they define themselves.
-- MIT, see LICENSE.

local argparse = require "argparse"
local exits = require "leadping.cli.exits"
local text = require "leadping.text"

local parser = {}

local WIDTH = 80

local DESCRIPTION = "Clears the sender-number override of Leadping conversations: each goes back\n"
  .. "to automatic choice of its number."

local EXAMPLES = [[
Examples:
   leadping plan --file ids.txt      what would be sent; no key, no network
   leadping clear conv_20481         clear one, and see its number now
   leadping clear --file ids.txt --journal ids.journal
   leadping clear --resume --journal ids.journal]]

local KEY = [[
The API key comes from --key-file, LEADPING_API_KEY or a prompt; no flag takes
the key itself. LEADPING_BASE_URL, LEADPING_LOG, NO_COLOR, SSL_CERT_FILE and
the usual proxy variables are obeyed.]]

--- Stops argparse in the middle, with what is to be returned.
local function stop(answer)
  error(answer, 0)
end

local function add_help(command)
  command:flag("-h --help", "show this help")
    :action(function() stop { help = command:get_help() } end)
end

local function add_command(root, module)
  local description = module.summary:gsub("^%l", string.upper) .. "."
  if module.examples then description = description .. "\n\n" .. module.examples end
  local command = root:command(module.name):add_help(false):summary(module.summary)
    :description(description)
  module.define(command)
  add_help(command)
end

local function new_root(modules)
  local root = argparse("leadping", DESCRIPTION .. "\n\n" .. EXAMPLES)
    :usage("Usage: leadping COMMAND [OPTIONS]")
    :add_help(false):require_command(false):command_target("command")
    :help_max_width(WIDTH):help_description_margin(32)
    :epilog(KEY .. "\n\n" .. exits.describe())
  for _, module in ipairs(modules) do add_command(root, module) end
  add_help(root)
  root:flag("--version", "show the version")
    :action(function() stop { version = true } end)
  return root
end

local function takes_ids(command)
  local first = command._arguments[1]
  return first ~= nil and first._name == "ID"
end

local KEY_FLAGS = { ["--key"] = true, ["--api-key"] = true, ["--apikey"] = true,
  ["--token"] = true }

--- Whether a key may be given to a command, or to one of the root's.
local function takes_key(command)
  if not command._parent then return true end
  for _, option in ipairs(command._options) do
    if option._name == "--key-file" then return true end
  end
end

--- What is said of a flag that would be the key's: never what it holds.
local function about_key(command, flag)
  if takes_key(command) then
    return ("unknown option '%s'; no flag takes the key: use LEADPING_API_KEY or --key-file")
      :format(flag)
  end
  return ("unknown option '%s'; %s needs no key"):format(flag, command._name)
end

--- argparse's message as one line, safe to print. It finds every flag of one
-- letter like every other, and does not think of ids or keys.
local function one_line(command, message)
  local flag = message:match("^unknown option '(%-%-[%w-]+)'")
  if KEY_FLAGS[flag] then return about_key(command, flag) end
  local unknown = message:match("^unknown option '%-[^-]'")
  if not unknown then
    return text.escape((message:gsub("\nDid you mean (.*)$", "; did you mean %1")))
  end
  local hint = takes_ids(command) and "; an id that begins with - goes behind --" or ""
  return text.escape(unknown) .. hint
end

local function wrong(command, message)
  stop { wrong = ("%s (see %s --help)"):format(one_line(command, message),
    command._parent and "leadping " .. command._name or "leadping") }
end

--- The help where nothing at all is asked for.
local function short_help(modules)
  local lines = { "Usage: leadping COMMAND [OPTIONS]", "", DESCRIPTION, "" }
  for _, module in ipairs(modules) do
    lines[#lines + 1] = ("   %-8s %s"):format(module.name, module.summary)
  end
  lines[#lines + 1] = "\nMore: leadping --help, leadping COMMAND --help"
  return table.concat(lines, "\n")
end

--- "help clear" is "clear --help".
local function without_help_command(arguments)
  if arguments[1] ~= "help" then return arguments end
  return { arguments[2] or "--help", "--help" }
end

--- Parses a command line.
---@param modules table[] the commands: name, summary, define, run
---@param arguments string[]
---@return table answer given (with its `command`), or help, version or wrong
function parser.parse(modules, arguments)
  if #arguments == 0 then return { help = short_help(modules) } end
  local root = new_root(modules)
  root.error = wrong
  for _, command in ipairs(root._commands) do command.error = wrong end
  local ok, result = pcall(root.parse, root, without_help_command(arguments))
  if ok and result.command then return { given = result } end
  if ok then return { wrong = "no command given (see leadping --help)" } end
  if type(result) ~= "table" then error(result, 0) end
  return result
end

return parser
