-- leadping.cli.flags: the flags that commands share, in groups.
-- Those that are options of the library take check and words from
-- leadping.options. Parses nothing: lua-argparse does.
-- MIT, see LICENSE.

local exits = require "leadping.cli.exits"
local ids = require "leadping.cli.ids"
local options = require "leadping.options"
local settings = require "leadping.settings"
local text = require "leadping.text"
local words = require "leadping.cli.words"

local unpack = table.unpack or unpack -- luacheck: ignore 113 143

local flags = {}

-- Options of the library that are flags, by where the library takes them.
local CONNECTION = {
  "base_url", "allow_http", "timeout", "attempt_timeout", "connect_timeout", "ca_file",
  "ca_path",
}
local RETRIES = { "max_retries", "max_retry_after" }
local RUN = { "rate", "concurrency", "max_failures" }

local function flag_of(name)
  return "--" .. name:gsub("_", "-")
end

local spelled = {}
for _, names in ipairs { CONNECTION, RETRIES, RUN } do
  for _, name in ipairs(names) do spelled[name] = flag_of(name) end
end

--- A message of the library, with the names of its options as flags. Those that
-- are words as well are left: "timeout".
function flags.spell(message)
  return (message:gsub("%f[%w_]%l+_[%l_]+%f[^%w_]", spelled))
end

--- What is wrong with an option, in the words of flags.
local function in_flags(message)
  message = message:gsub("option 'api_key'", "the API key")
  return (message:gsub("option '([%w_]+)'", function(name)
    return ("option '%s'"):format(flag_of(name))
  end):gsub("allow_http = true", "--allow-http"):gsub("false for no", "none for no"))
end

--- The value that was typed for an option of the library.
local function converter(option)
  return function(typed)
    local value = typed
    if option.check(typed) then value = typed ~= "none" and (tonumber(typed) or typed) end
    local wrong = option.check(value)
    if not wrong then return value end
    return nil, in_flags(("option '%s': %s, got '%s'"):format(option.name, wrong,
      text.escape(typed)))
  end
end

local function describe(option)
  local default = option.default_words
  if not default and option.default ~= nil then default = tostring(option.default) end
  local about = in_flags(option.words)
  return default and ("%s (%s)"):format(about, default) or about
end

local ARGUMENT_NAMES = {
  base_url = "URL", ca_file = "FILE", ca_path = "DIRECTORY",
  timeout = "SECONDS", attempt_timeout = "SECONDS", connect_timeout = "SECONDS",
  max_retry_after = "SECONDS",
}

--- Adds an option of the library as a flag.
local function add_option(command, name)
  local option = options.by_name[name]
  if option.default == false then
    return command:flag(flag_of(name), option.words)
  end
  return command:option(flag_of(name), describe(option))
    :argname(ARGUMENT_NAMES[name] or "N"):convert(converter(option)):overwrite(false)
end

local function add_options(command, title, names)
  local added = {}
  for i, name in ipairs(names) do added[i] = add_option(command, name) end
  command:group(title, unpack(added))
end

local function whole_number(typed)
  local number = typed:find("^%d+$") and tonumber(typed)
  if number and number > 0 then return number end
  return nil, ("option '--max': a whole number over 0 expected, got '%s'")
    :format(text.escape(typed))
end

--- Which ids the command is about.
function flags.ids(command)
  command:argument("ID", "ids of conversations; behind -- they may begin with -")
    :args("*"):target("id")
  command:group("Which ids",
    command:option("--file", "ids from this file too, - for stdin"):argname("FILE")
      :overwrite(false),
    command:option("--format",
      "what the file is (by its extension, or else text: one id a line)")
      :choices(ids.FORMATS):overwrite(false),
    command:option("--column",
      "the CSV's column or the JSON member with the ids (id or conversationId)")
      :argname("NAME"):overwrite(false),
    command:option("--max", "refuse more ids than this"):argname("N")
      :convert(whole_number):overwrite(false))
end

--- How fast many ids are sent.
function flags.run(command)
  add_options(command, "How fast", RUN)
end

--- Where the API is and how long to wait for it.
function flags.connection(command)
  add_options(command, "Connection", CONNECTION)
end

--- What is to be tried again.
function flags.retries(command)
  add_options(command, "Retries", RETRIES)
end

local function pick(given, ...)
  local picked = {}
  for _, names in ipairs { ... } do
    for _, name in ipairs(names) do picked[name] = given[name] end
  end
  return picked
end

--- The options for leadping.new.
function flags.client_options(given)
  return pick(given, CONNECTION, RETRIES)
end

--- The options for clear_overrides, with their defaults.
function flags.run_options(given)
  local values = pick(given, RUN)
  for _, name in ipairs(RUN) do
    if values[name] == nil then values[name] = options.by_name[name].default end
  end
  return values
end

--- How long that many ids take.
function flags.describe_time(given, count)
  local run = flags.run_options(given)
  if run.rate then
    return ("about %s at %g requests a second"):format(
      words.run_time(count, run.rate), run.rate)
  end
  return ("as fast as %s at a time"):format(words.count(run.concurrency, "request"))
end

--- Checks the options for leadping.new, and the environment's; ends the
-- command where one is wrong.
---@param key string? nil where it is not known yet
---@return table values see leadping.settings
function flags.settings(given, key)
  local picked = flags.client_options(given)
  picked.api_key = key or "none"
  local values, _, wrong = settings.new(picked)
  if wrong then exits.refuse(exits.USAGE, in_flags(wrong)) end
  return values
end

--- The words of a command line that give the same options again.
---@return string[]
function flags.again(given)
  local typed = {}
  local function add(names)
    for _, name in ipairs(names) do
      local value = given[name]
      if value == true then typed[#typed + 1] = flag_of(name)
      elseif value ~= nil then
        typed[#typed + 1] = ("%s=%s"):format(flag_of(name),
          value == false and "none" or tostring(value))
      end
    end
  end
  add(RUN)
  add(CONNECTION)
  add(RETRIES)
  add { "key_file", "json", "quiet", "no_color" }
  return typed
end

return flags
