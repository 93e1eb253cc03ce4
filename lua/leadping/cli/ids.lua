-- leadping.cli.ids: the ids that a command is about, read and checked.
-- From the command line and from a file or stdin: text, CSV or JSON Lines. All
-- are checked before any is used; what is wrong is told with file and line.
-- MIT, see LICENSE.

local core = require "leadping.core"
local csv = require "leadping.cli.csv"
local exits = require "leadping.cli.exits"
local files = require "leadping.cli.files"
local json = require "leadping.json"
local text = require "leadping.text"
local words = require "leadping.cli.words"

local ids = {}

local PROBLEMS_SHOWN = 10
local SAMPLE_BYTES = 60
local NO_BREAK_SPACE = "\194\160"
local DEFAULT_NAMES = { "id", "conversationId" } -- of columns and members

ids.FORMATS = { "text", "csv", "jsonl" }

local FORMAT_OF_EXTENSION = {
  csv = "csv", jsonl = "jsonl", ndjson = "jsonl", json = "jsonl",
}

-- List: ids so far, each once ------------------------------------------------

---@class leadping.cli.Ids
---@field ids string[] each once, in the order given
---@field duplicates integer
local List = {}
List.__index = List

local function new_list()
  return setmetatable({
    ids = {}, duplicates = 0,
    seen = {}, -- id -> true
    problems = {}, -- the first of them
    invalid = 0, -- how many problems there are
  }, List)
end

function List:refuse(source, line, message)
  self.invalid = self.invalid + 1
  if self.invalid > PROBLEMS_SHOWN then return end
  self.problems[self.invalid] = ("%s %d: %s"):format(source, line, message)
end

--- Why an id cannot be taken as it stands. White space around one is almost
-- always a mistake of its file, and would be sent as a part of the id.
local function wrong_with(id)
  local _, wrong = core.segment(id)
  if wrong then return wrong end
  if id:find("^ ") or id:find(" $") or id:find("^" .. NO_BREAK_SPACE)
    or id:find(NO_BREAK_SPACE .. "$") then
    return "it begins or ends with a space: take that out"
  end
end

function List:add(id, source, line)
  if self.seen[id] then
    self.duplicates = self.duplicates + 1
    return
  end
  local wrong = wrong_with(id)
  if wrong then
    return self:refuse(source, line,
      ('"%s" is no id: %s'):format(text.sample(id, SAMPLE_BYTES), wrong))
  end
  self.seen[id] = true
  self.ids[#self.ids + 1] = id
end

--- All problems as one message; nil where there are none.
local function describe_problems(list)
  if list.invalid == 0 then return nil end
  local lines = { ("%s; nothing was sent"):format(list.invalid == 1
    and "an id cannot be used" or ("%d ids cannot be used"):format(list.invalid)) }
  for _, problem in ipairs(list.problems) do lines[#lines + 1] = "  " .. problem end
  local more = list.invalid - #list.problems
  if more > 0 then lines[#lines + 1] = ("  and %d more"):format(more) end
  return table.concat(lines, "\n")
end

-- Readers: each adds a file's ids to a list, or returns what is wrong ---------

local read = {}

--- Calls use(line, number) for each line that is not blank.
local function for_each_line(content, use)
  local number = 0
  for line in content:gmatch("([^\n]*)\n?") do
    line = line:gsub("\r$", "")
    number = number + 1
    if line:find("%S") then use(line, number) end
  end
end

function read.text(list, content, source)
  for_each_line(content, function(line, number)
    if line:find("^%s*{.*}%s*$") then
      list:refuse(source, number, "an id expected, this looks like JSON: add --format jsonl")
    elseif line:find("^%s*#") then
      list:refuse(source, number, "an ids file has no comments: take the line out")
    else
      list:add(line, source, number)
    end
  end)
end

local function quoted_list(names)
  local shown = {}
  for i, name in ipairs(names) do
    shown[i] = ('"%s"'):format(text.sample(name, SAMPLE_BYTES))
  end
  return table.concat(shown, ", ")
end

--- The place of the column that holds the ids.
---@return integer? at
---@return string? message
local function find_column(header, wanted)
  local found
  for at, name in ipairs(header) do
    local is_wanted = name == wanted
      or (not wanted and (name == DEFAULT_NAMES[1] or name == DEFAULT_NAMES[2]))
    if is_wanted and found then
      return nil, ("more than one column may hold the ids; the header has %s"
        .. ": name one by --column"):format(quoted_list(header))
    end
    if is_wanted then found = at end
  end
  if found then return found end
  return nil, ("its header has no column %s, but %s: name one by --column"):format(
    wanted and quoted_list { wanted } or '"id" or "conversationId"', quoted_list(header))
end

--- An unquoted comma shifts the fields behind it: a row of another length than
-- the header may hold something else where the id should be.
local function add_row(list, row, header, at, source, line)
  if #row == 1 and row[1] == "" then return end
  if #row ~= #header then
    return list:refuse(source, line, ("%s expected as in the header, got %d")
      :format(words.count(#header, "field"), #row))
  end
  list:add(row[at], source, line)
end

function read.csv(list, content, source, wanted)
  local next_record = csv.records(content)
  local header, line, wrong = next_record()
  if wrong then return ("%s %d: %s"):format(source, line, wrong) end
  if not header then return nil end
  local at, no_column = find_column(header, wanted)
  if not at then return ("%s %d: %s"):format(source, line, no_column) end
  while true do
    local row
    row, line, wrong = next_record()
    if wrong then return ("%s %d: %s"):format(source, line, wrong) end
    if not row then return nil end
    add_row(list, row, header, at, source, line)
  end
end

--- The member of an object that holds the id.
---@return any? id
---@return string? message
local function find_member(object, wanted)
  if wanted then return object[wanted] end
  local first, second = object[DEFAULT_NAMES[1]], object[DEFAULT_NAMES[2]]
  if first ~= nil and second ~= nil and first ~= second then
    return nil, '"id" and "conversationId" differ: name one by --column'
  end
  if first == nil then return second end
  return first
end

local JSON_TYPES = { number = "a number", boolean = "a boolean", table = "an object or array" }

--- The id in one line of JSON.
---@return string? id
---@return string? message
local function id_of_json(line, wanted)
  if line:find("%z") then return nil, "a NUL byte in it" end
  local ok, object = pcall(json.decode, line)
  if not ok or type(object) ~= "table" or not line:find("^%s*{") then
    return nil, "one JSON object a line expected"
  end
  local id, wrong = find_member(object, wanted)
  if wrong then return nil, wrong end
  if type(id) == "string" then return id end
  if id == nil then
    return nil, ("the object has no %s"):format(wanted and quoted_list { wanted }
      or '"id" or "conversationId"')
  end
  return nil, ("the id is %s: write it as a string, in quotes")
    :format(JSON_TYPES[type(id)] or "null")
end

function read.jsonl(list, content, source, wanted)
  for_each_line(content, function(line, number)
    local id, wrong = id_of_json(line, wanted)
    if id then list:add(id, source, number) else list:refuse(source, number, wrong) end
  end)
end

-- Sources --------------------------------------------------------------------

local function format_of(given)
  local extension = given.file:match("%.(%w+)$")
  return given.format or FORMAT_OF_EXTENSION[extension and extension:lower()] or "text"
end

local function add_file(list, given)
  local format = format_of(given)
  if format == "text" and given.column then
    return "--column is for CSV and JSON Lines: add --format csv or --format jsonl"
  end
  local content, message = files.read(given.file)
  if not content then return message end
  local source = (given.file == "-" and "stdin" or given.file) .. " line"
  return read[format](list, content, source, given.column)
end

local function check_options(given)
  if given.file then return nil end
  for _, name in ipairs { "format", "column" } do
    if given[name] then return ("--%s is for --file, which is not given"):format(name) end
  end
end

--- All that were given, each checked.
---@return string? message what is wrong
local function collect(list, given)
  local wrong = check_options(given)
  if wrong then return wrong end
  for i, id in ipairs(given.id) do
    if id == "-" then return "ids from stdin are read by --file -" end
    list:add(id, "argument", i)
  end
  return given.file and add_file(list, given) or describe_problems(list)
end

local function check_any(list, given)
  if #list.ids > 0 then return nil end
  if given.file then return ("no ids in %s"):format(given.file) end
  return "no ids: give them as arguments, or --file FILE (- for stdin) with one a line"
end

--- Ends the command where there are more ids than --max.
function ids.check_max(count, given)
  if not given.max or count <= given.max then return end
  exits.refuse(exits.USAGE, ("%s, more than --max %d allows; nothing was sent")
    :format(words.count(count, "id"), given.max))
end

--- Reads and checks the ids of a command line; ends the command where one of
-- them, or their number, is wrong.
---@param given table id (list), file, format, column, max
---@return leadping.cli.Ids
function ids.read(given)
  local list = new_list()
  local wrong = collect(list, given) or check_any(list, given)
  if wrong then exits.refuse(exits.USAGE, wrong) end
  ids.check_max(#list.ids, given)
  return list
end

--- "1000 ids, 3 duplicates are sent once".
---@param list leadping.cli.Ids
function ids.describe_count(list)
  local count = words.count(#list.ids, "id")
  if list.duplicates == 0 then return count end
  return ("%s, %s not sent again"):format(count, words.count(list.duplicates, "duplicate"))
end

return ids
