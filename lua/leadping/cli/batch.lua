-- leadping.cli.batch: one run of clear_overrides, from the first id to the last.
-- Writes each id to the journal before it is sent and when it is finished, and
-- ends in good order at a signal or where something cannot be written.
-- MIT, see LICENSE.

local errors = require "leadping.errors"
local journal = require "leadping.cli.journal"
local output = require "leadping.cli.output"
local report = require "leadping.cli.report"
local system = require "leadping.core".system
local terminal = require "leadping.cli.terminal"

local Batch = {}
Batch.__index = Batch

--- A new batch.
---@param with table client, limits, journal, progress, and print(id, selection,
-- err, response), which returns whether it could and what is wrong
function Batch.new(with)
  return setmetatable({
    with = with,
    sums = report.sums(),
    open = 0, -- ids that were sent, and that going on would send again
    pulled = 0, -- ids that were sent, or tried
    in_flight = {}, -- id -> when it was pulled
    run = nil, -- the library's
    signal = nil, -- the first that came
    failure = nil, -- what could not be written
    is_unread = false, -- stdout's reader is gone
    error = nil, -- of the last result
    ended_by = nil, -- the error that ended the run early
    is_over = false,
  }, Batch)
end

function Batch:not_sent()
  return #self.with.journal.pending - self.pulled
end

local function count(set)
  local number = 0
  for _ in pairs(set) do number = number + 1 end
  return number
end

--- Ends the run where something cannot be written; what is in flight goes on.
local function fail(self, message)
  self.failure = self.failure or message
  if self.run then self.run:stop() end
end

--- The next id, once the journal has it; nil where the run ends.
local function next_id(self)
  local account = self.with.journal
  local id = account.pending[self.pulled + 1]
  if not id then return nil end
  local is_written, message = account:sent(id)
  if not is_written then
    fail(self, message)
    return nil
  end
  self.pulled = self.pulled + 1
  self.in_flight[id] = self.pulled
  return id
end

local function print_result(self, ...)
  if self.is_unread then return end
  local is_written, message = self.with.print(...)
  if is_written then return end
  if message then return fail(self, message) end
  self.is_unread = true
  if self.run then self.run:stop() end
end

local function is_settled(state, err)
  err = err or {}
  return journal.is_settled {
    state = state, kind = err.kind, status = err.status, outcome = err.outcome,
  }
end

--- Takes a finished id: journal, sums, results.
local function take(self, id, selection, err, response)
  self.in_flight[id] = nil
  local state = report.state(err)
  local is_written, message = self.with.journal:finished(id, state, err)
  if not is_written then fail(self, message) end
  self.sums:add(id, selection, err)
  if not is_settled(state, err) then self.open = self.open + 1 end
  self.error = err
  if err and err.ends_run then self.ended_by = err end
  local progress = self.with.progress
  progress:erase()
  print_result(self, id, selection, err, response)
  progress:count(state)
  progress:show()
end

--- What is to happen at a signal. Runs between any two instructions of Lua. A
-- run that is over has nothing to stop.
local function interrupt(self, signal, times)
  if times > 1 then output.abandon() end
  if self.is_over then return end
  self.signal = self.signal or signal
  if times > 1 then return self.run:cancel() end
  self.run:stop()
  local in_flight = count(self.in_flight)
  if in_flight == 0 or not system.isatty(io.stderr) then return end
  self.with.progress:erase()
  terminal.say(("finishing %d in flight; press Ctrl-C again to drop %s")
    :format(in_flight, in_flight == 1 and "it" or "them"))
  self.with.progress:wait(0) -- no pause is waited out any more
end

--- What a second signal has dropped may have been carried out.
local function take_dropped(self)
  local ids = {}
  for id in pairs(self.in_flight) do ids[#ids + 1] = id end
  table.sort(ids, function(a, b) return self.in_flight[a] < self.in_flight[b] end)
  for _, id in ipairs(ids) do
    take(self, id, nil, errors.new {
      kind = "cancelled", outcome = "unknown", conversation_id = id,
      message = "dropped while in flight",
    })
  end
end

--- Sends all that is pending. Signals are caught from here on: the caller
-- releases them.
function Batch:send()
  local with = self.with
  local next_result, state, control, run = with.client:clear_overrides(
    function() return next_id(self) end, with.limits)
  self.run = run
  system.catch(function(signal, times) interrupt(self, signal, times) end)
  with.progress:show()
  for id, selection, err, response in next_result, state, control do
    take(self, id, selection, err, response)
  end
  self.is_over = true
  take_dropped(self)
  with.progress:erase()
end

--- How it ended, for exits.status.
---@return leadping.cli.End
function Batch:ending()
  return {
    signal = self.signal,
    disk = self.failure ~= nil or self.is_unread,
    ended_by = self.ended_by and self.ended_by.kind,
    unknown = self.sums.unknown,
    failed_kinds = self.sums.failed_kinds,
    failed_before = self.with.journal.settled.failed,
  }
end

return Batch
