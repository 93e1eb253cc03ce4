-- leadping.cli.journal: a file that says what is known of each id of a run.
-- JSON Lines, appended and flushed before they count, so that a killed run can
-- go on where it stopped. Sends nothing; the file itself is csrc/log.c.
-- MIT, see LICENSE.

local json = require "leadping.json"
local retry = require "leadping.retry"
local system = require "leadping.core".system
local text = require "leadping.text"

local FORMAT = 1 -- of the file; goes up where an older program would misread it
local BEGINNING = '{"leadping_journal":'
local ENOENT = 2
local SAMPLE_BYTES = 60

local Journal = {}
Journal.__index = Journal

--- What open returns where it cannot. kind: "usage" is the caller's mistake,
-- "journal" the file's state or the disk's.
local function refuse(kind, message, ...)
  return nil, text.escape(message:format(...)), kind
end

local function quoted(id)
  return '"' .. text.sample(id, SAMPLE_BYTES) .. '"'
end

-- Lines ----------------------------------------------------------------------

--- A header or an entry: an object whose members come in this order.
---@param members table[] { name, value }; one that is nil is left out
local function line_of(members)
  local shown = {}
  for _, member in ipairs(members) do
    local name, value = member[1], member[2]
    if value ~= nil then
      shown[#shown + 1] = ("%s:%s"):format(json.encode(name), json.encode(value))
    end
  end
  return "{" .. table.concat(shown, ",") .. "}\n"
end

local function header_line(base_url, ids)
  return line_of {
    { "leadping_journal", FORMAT }, { "base_url", base_url },
    { "started", os.date "!%Y-%m-%dT%H:%M:%SZ" }, { "ids", ids },
  }
end

local function entry_line(id, state, err)
  err = err or {}
  return line_of {
    { "id", id }, { "state", state }, { "kind", err.kind }, { "status", err.status },
    { "outcome", err.outcome }, { "message", err.message },
  }
end

-- Entries --------------------------------------------------------------------

local STATES = { sent = true, done = true, failed = true, unknown = true }

-- Answers that another time, or another key, may not have.
local PASSING = { [401] = true, [403] = true, [407] = true }

--- Whether an id need not be sent again: it is cleared, or was refused for what
-- it is.
---@param entry table state, and of its error kind, status and outcome
local function is_settled(entry)
  if entry.state == "done" or entry.outcome == "applied" then return true end
  if entry.state ~= "failed" then return false end
  local status = tonumber(entry.status) or 0
  return entry.kind == "invalid_id" or (status >= 400 and status < 500
    and not PASSING[status] and not retry.is_retryable_status(status))
end

local function set_of(list)
  local set = {}
  for _, item in ipairs(list) do set[item] = true end
  return set
end

--- The last entry of each id that has one.
---@return table<string, table>? entries
---@return integer? line of what is no entry
local function read_entries(lines, ids)
  local known, entries = set_of(ids), {}
  for number = 2, #lines do
    local entry = json.read(lines[number])
    if type(entry) ~= "table" or not known[entry.id] or not STATES[entry.state] then
      return nil, number
    end
    entries[entry.id] = entry
  end
  return entries
end

-- Reading --------------------------------------------------------------------

--- Whether the run was killed before its header was whole. A crash may have left
-- zeros. What begins otherwise is somebody's file, and not touched.
local function is_torn_header(content)
  if content:find("\n", 1, true) then return false end
  return content:find("^%z*$") ~= nil
    or content:sub(1, #BEGINNING) == BEGINNING:sub(1, #content)
end

--- The whole lines of a file, and how many bytes they are. The last one, broken
-- off by a crash, may have got its newline and not all of its bytes.
local function whole_lines(content)
  local lines, length = {}, 0
  for line, behind in content:gmatch("([^\n]*)\n()") do
    lines[#lines + 1], length = line, behind - 1
  end
  if #lines > 1 and json.read(lines[#lines]) == nil then
    length = length - #table.remove(lines) - 1
  end
  return lines, length
end

local function is_list_of_texts(value)
  if type(value) ~= "table" then return false end
  for _, item in ipairs(value) do
    if type(item) ~= "string" then return false end
  end
  return true
end

local function read_header(path, line)
  local header = line and json.read(line)
  if type(header) ~= "table" or not header.leadping_journal then
    return refuse("usage", "%s is no journal of leadping: give --journal another file", path)
  end
  if header.leadping_journal ~= FORMAT then
    return refuse("usage", "%s was written by another version of leadping: go on with that one",
      path)
  end
  if type(header.base_url) ~= "string" or not is_list_of_texts(header.ids) then
    return refuse("journal", "%s line 1 was changed by something else: start another journal",
      path)
  end
  return header
end

--- Why a run cannot go on with a journal's ids; nil where it can.
local function other_ids(known, given)
  local given_set, known_set = set_of(given), set_of(known)
  for _, id in ipairs(given) do
    if not known_set[id] then return quoted(id) .. " is not among its ids" end
  end
  for _, id in ipairs(known) do
    if not given_set[id] then return "its id " .. quoted(id) .. " is not given" end
  end
end

--- Whether this run is the one that the journal was begun for.
local function check_run(path, header, options)
  if header.base_url ~= options.base_url then
    return refuse("usage", "%s was begun for %s, not for %s: give --base-url %s, or --journal "
      .. "another file", path, header.base_url, options.base_url, header.base_url)
  end
  local wrong = options.ids and other_ids(header.ids, options.ids)
  if wrong then
    return refuse("usage", "%s was begun for other ids: %s; leave the ids out, or give --journal "
      .. "another file", path, wrong)
  end
  return true
end

--- All that a journal says.
---@return table? state ids, entries, length: bytes that are whole
---@return string? message
---@return string? kind
local function read_state(path, content, options)
  local lines, length = whole_lines(content)
  local header, message, kind = read_header(path, lines[1])
  if not header then return nil, message, kind end
  local is_same
  is_same, message, kind = check_run(path, header, options)
  if not is_same then return nil, message, kind end
  local entries, wrong = read_entries(lines, header.ids)
  if entries then return { ids = header.ids, entries = entries, length = length } end
  return refuse("journal", "%s line %d was changed by something else: start another journal with "
    .. "the ids that are not done", path, wrong)
end

-- Writing --------------------------------------------------------------------

--- What was written in part must not run into what is written next. What could
-- not be flushed may be lost, whatever the next flush says.
local function append(self, line)
  local done, message = self.log:append(line)
  if not done then
    if not self.log:truncate(self.length) then self.broken = message end
    return nil, message
  end
  self.length = self.length + #line
  if not self.is_synced then return true end
  done, message = self.log:sync()
  if not done then self.broken = message end
  return done, message
end

local function write(self, line)
  local done, message = nil, self.broken
  if not message then done, message = append(self, line) end
  if done then return true end
  return nil, text.escape("the journal cannot be written: " .. message)
end

--- Says that an id is about to be sent. Until it has, the id must not be.
---@return true? done
---@return string? message
function Journal:sent(id)
  return write(self, entry_line(id, "sent"))
end

--- Says what became of an id.
---@param state "done"|"failed"|"unknown"
---@param err leadping.Error?
---@return true? done
---@return string? message
function Journal:finished(id, state, err)
  return write(self, entry_line(id, state, err))
end

--- Closes the file, which others may then go on with.
---@return true? done
---@return string? message
function Journal:close()
  local done, message = true, nil
  if not self.is_synced then done, message = self.log:sync() end
  self.log:close()
  return done, message
end

-- Opening --------------------------------------------------------------------

--- The ids that are to be sent, and how many ended how in the earlier run.
local function take_state(self, state)
  self.length = state.length
  for _, id in ipairs(state.ids) do
    local entry = state.entries[id]
    if entry then self.counts[entry.state] = self.counts[entry.state] + 1 end
    if entry and is_settled(entry) then
      local ended = entry.state == "done" and "done" or "failed"
      self.settled[ended] = self.settled[ended] + 1
    else
      self.pending[#self.pending + 1] = id
    end
  end
end

--- Begins an empty file with the header, on disk before anything is sent.
local function start(self, options)
  local done, message = self.log:truncate(0)
  if done then done, message = append(self, header_line(options.base_url, options.ids)) end
  if not done then
    return refuse("journal", "the journal cannot be written: %s; nothing was sent", message)
  end
  take_state(self, { ids = options.ids, entries = {}, length = self.length })
  return self
end

--- Goes on with a file that an earlier run has left.
local function go_on(self, path, content, options)
  if is_torn_header(content) then
    if options.ids then return start(self, options) end
    return refuse("usage", "%s was begun and does not hold its ids, nothing was sent: give the "
      .. "ids again", path)
  end
  local state, message, kind = read_state(path, content, options)
  if not state then return nil, message, kind end
  local done = true
  if state.length < #content then done, message = self.log:truncate(state.length) end
  if not done then return refuse("journal", "the journal cannot be written: %s", message) end
  take_state(self, state)
  return self
end

local function begin(self, path, options)
  local locked, in_use = self.log:lock()
  if not locked then
    return refuse("journal", "the journal cannot be used: %s; nothing was sent", in_use)
  end
  local content, message = self.log:read()
  if not content then
    return refuse("journal", "the journal cannot be read: %s; nothing was sent", message)
  end
  if options.resume then return go_on(self, path, content, options) end
  if content == "" then return start(self, options) end
  return refuse("usage", "%s is there already: add --resume to go on with it, or give --journal "
    .. "another file", path)
end

local journal = { is_settled = is_settled }

---@class leadping.cli.Journal
---@field pending string[] ids that are to be sent, in the journal's order
---@field counts table<string, integer> done, failed, unknown, sent: how many ids
-- the earlier run left so
---@field settled table<string, integer> done, failed: how many of them are not
-- sent again

--- Opens a journal. Without resume it is a new one; with it, one that a run has
-- left, for the same base URL and ids.
---@param path string
---@param options table base_url; ids (each once), nil for those of the journal;
-- resume; sync = false: flushes at close alone
---@return leadping.cli.Journal? journal
---@return string? message
---@return "usage"|"journal"|nil kind
function journal.open(path, options)
  local log, message, code = system.open(path, not options.resume)
  if not log and code == ENOENT and options.resume then
    return refuse("usage", "%s: there is no such journal to go on with; leave out --resume to "
      .. "begin one", path)
  elseif not log then
    return refuse("journal", "the journal cannot be opened: %s; nothing was sent", message)
  end
  local self = setmetatable({
    log = log, length = 0, is_synced = options.sync ~= false, broken = nil,
    pending = {}, counts = { done = 0, failed = 0, unknown = 0, sent = 0 },
    settled = { done = 0, failed = 0 },
  }, Journal)
  local opened, wrong, kind = begin(self, path, options)
  if not opened then log:close() end
  return opened, wrong, kind
end

return journal
