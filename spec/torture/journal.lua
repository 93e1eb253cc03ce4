-- journal.lua: kills runs of `leadping clear --journal` and resumes them.
-- journal.lua quick|full DIRECTORY, from spec/torture/journal. The emulator's
-- record says what was sent, the journal what is known of it. The faults
-- themselves are brought about by journal.c.
-- MIT, see LICENSE.

-- Started by itself, with a library that kills it.
if arg[1] == "cli" then
  os.exit(require("leadping.cli.main").main({ table.unpack(arg, 2) }))
end

local cjson = require "cjson"
local leadping = require "leadping"

local IDS = 50
local RUNS_MAX = 4 -- a killed one, one that leaves unknown ids, one that clears these
local SHOWN = 40 -- failures that are printed in full

local quick, directory = arg[1] == "quick", arg[2]
local record = os.getenv "EMULATOR_DIR" .. "/requests.jsonl"

-- In the order in which a run makes them.
local WAYS = {
  { "open", "before after eintr enospc eio erofs eacces" },
  { "fstat", "before after eio" },
  { "fcntl", "before after eintr enolck eio eacces eagain" },
  { "pread", "before after eintr eio" },
  { "ftruncate", "before after lost eintr eio erofs" },
  { "write", "before torn after lost short eintr enospc tight full eio" },
  { "fsync", "before after lost eintr eio enospc einval" },
  { "close", "before after lost eio" },
}

local KILLS = { before = true, after = true, torn = true, lost = true }
local REASONS = {
  enospc = "No space left on device", tight = "No space left on device",
  full = "No space left on device", eio = "Input/output error",
  erofs = "Read-only file system", enolck = "No locks available",
  eacces = "Permission denied", einval = "Invalid argument",
}

-- A directory that may not be read, or cannot be flushed, is let be. The second
-- call of its kind is for it.
local DIRECTORY = { open = "eacces", fsync = "einval" }

local function is_harmless(fault)
  return fault.way == "eintr" or fault.way == "short"
    or (fault.call == "close" and fault.way == "eio")
    or (fault.n == 2 and DIRECTORY[fault.call] == fault.way)
end

local function reason_of(fault)
  if fault.call == "fcntl" and (fault.way == "eacces" or fault.way == "eagain") then
    return "in use by another process"
  end
  return REASONS[fault.way]
end

-- files ----------------------------------------------------------------------

local function read(path, from)
  local file = io.open(path, "rb")
  if not file then return nil end
  file:seek("set", from or 0)
  local content = file:read("*a")
  file:close()
  return content
end

local function write(path, content)
  local file = assert(io.open(path, "wb"))
  assert(file:write(content))
  file:close()
end

-- cases ----------------------------------------------------------------------

local serial = 0

--- The ids of a case: no other case has them. Two are unknown at first.
local function make_ids(prefix)
  local ids = {}
  for i = 1, IDS do ids[i] = ("%s%02d"):format(prefix, i) end
  ids[20] = "fault:half*1:" .. ids[20]
  ids[40] = "fault:status-503*1:" .. ids[40]
  return ids
end

--- A new case, with a journal of that content in which "@" begins each id.
local function new_case(fault, template)
  serial = serial + 1
  local prefix = ("c%06dx"):format(serial)
  local path = ("%s/%d"):format(fault and fault.directory or directory, serial)
  local case = {
    fault = fault, ids = make_ids(prefix), journal = path .. ".journal",
    list = ("%s/%d.ids"):format(directory, serial), complaints = directory .. "/complaints",
    prefix = prefix, wrong = nil,
  }
  write(case.list, table.concat(case.ids, "\n"))
  if template then write(case.journal, (template:gsub("@", prefix))) end
  return case
end

local function is_wrong(case, message, ...)
  case.wrong = case.wrong or message:format(...)
end

-- what a journal says --------------------------------------------------------

--- How often each id was sent and is done. A last line without its newline does
-- not count; of a header in part nothing does.
local function read_journal(case)
  local known = { sent = {}, done = {}, content = read(case.journal) }
  local number = 0
  for line in (known.content or ""):gmatch "([^\n]*)\n" do
    number = number + 1
    local ok, entry = pcall(cjson.decode, line)
    if not ok then is_wrong(case, "line %d of the journal is no JSON", number) break end
    local counts = known[entry.state]
    if counts then counts[entry.id] = (counts[entry.id] or 0) + 1 end
  end
  return known
end

local client = assert(leadping.new {})

--- What was sent just before a kill lies in a socket that the emulator has yet
-- to read. Behind a few turns of its loop it has.
local function await_emulator()
  for _ = 1, 4 do assert(client:clear_override "await") end
end

local mark = 0 -- how much of the record has been read

--- How often each id was asked for since the last time.
local function take_requests()
  await_emulator()
  local counts, content = {}, read(record, mark)
  for line in content:gmatch "[^\n]+" do
    local id = cjson.decode(line).id
    if id ~= "await" then counts[id] = (counts[id] or 0) + 1 end
  end
  mark = mark + #content
  return counts
end

-- running --------------------------------------------------------------------

local function quote(word) return "'" .. word:gsub("'", "'\\''") .. "'" end

--- Runs the program; how it ended: an exit status, or "killed".
local function start(case, resume, fault, counts)
  local resumes = resume and "--resume" or ""
  local _, how, status = os.execute(([[exec env LD_PRELOAD=%s JOURNAL_FILE=%s %s %s %s \
    spec/torture/journal.lua cli clear --yes --rate none --max-retries 0 --journal %s %s \
    --file %s >/dev/null 2>%s]]):format(os.getenv "JOURNAL_LIBRARY", quote(case.journal),
    fault and fault.n and ("JOURNAL_FAULT='%s %s %d'"):format(fault.call, fault.way, fault.n) or "",
    counts and "JOURNAL_COUNTS=" .. quote(counts) or "", os.getenv "LUA", quote(case.journal),
    resumes, quote(case.list), quote(case.complaints)))
  return how == "signal" and status == 9 and "killed" or status
end

--- What holds of each run, however it ended.
local function check_run(case, before, after, requests, is_complete)
  for id, count in pairs(requests) do
    if count > 1 then is_wrong(case, "%s was sent %d times in a run", id, count) end
    if before.done[id] then is_wrong(case, "%s was done, and sent again", id) end
    if (after.sent[id] or 0) <= (before.sent[id] or 0) then
      is_wrong(case, "%s was sent, and the journal does not say so", id)
    end
  end
  for _, id in ipairs(case.ids) do
    local done = after.done[id] or 0
    if done > 1 then is_wrong(case, "%s is done %d times", id, done) end
    if is_complete and not before.done[id] and not requests[id] then
      is_wrong(case, "%s was skipped", id)
    end
  end
end

local function has_complaint(case, text)
  return (read(case.complaints) or ""):find(text, 1, true) ~= nil
end

--- How a run with a fault in it has to end.
local function check_end(case, status, requests)
  local fault = case.fault
  if KILLS[fault.way] then
    if status ~= "killed" then is_wrong(case, "not killed: status %s", status) end
  elseif is_harmless(fault) then
    if status ~= 7 and status ~= 0 then is_wrong(case, "status %s", status) end
  else
    if status ~= 6 then is_wrong(case, "status %s, not 6", status) end
    if not (has_complaint(case, reason_of(fault)) and has_complaint(case, case.journal)) then
      is_wrong(case, "file or reason is not named: %s", read(case.complaints))
    end
    if has_complaint(case, "nothing was sent") and next(requests) then
      is_wrong(case, "nothing was sent, it says, and something was")
    end
  end
end

--- One run of a case; how it ended.
local function run(case, resume, fault)
  local before = read_journal(case)
  local status = start(case, resume, fault)
  local after, requests = read_journal(case), take_requests()
  check_run(case, before, after, requests, status == 0 or status == 7)
  if fault then check_end(case, status, requests) end
  return status
end

--- Goes on with what the fault has left, until all is done. Where there is no
-- file yet, the same command begins one.
local function recover(case)
  for _ = 2, RUNS_MAX do
    local status = run(case, read(case.journal) ~= nil)
    if status == 0 then return end
    if status ~= 7 then
      return is_wrong(case, "resumed: status %s: %s", status, read(case.complaints))
    end
  end
  is_wrong(case, "not done after %d runs", RUNS_MAX)
end

--- At the end each id is done once, and the journal is whole.
local function check_all(case)
  local known = read_journal(case)
  for _, id in ipairs(case.ids) do
    if known.done[id] ~= 1 then
      is_wrong(case, "%s ends done %d times", id, known.done[id] or 0)
    end
  end
  if not (known.content or ""):find "\n$" then is_wrong(case, "the journal ends torn") end
end

local function run_case(fault, template)
  local case = new_case(fault, template)
  run(case, template ~= nil, fault)
  if fault.before_recovery then fault.before_recovery() end
  recover(case)
  check_all(case)
  os.remove(case.journal)
  os.remove(case.list)
  return case
end

-- the plan -------------------------------------------------------------------

--- How often a run without a fault makes each call.
local function count_calls(template)
  local case, path, counts = new_case(nil, template), directory .. "/counts", {}
  start(case, template ~= nil, nil, path)
  for name, count in assert(read(path)):gmatch "(%S+) (%d+)" do counts[name] = tonumber(count) end
  take_requests()
  return counts
end

--- The journal of a run that was killed within a line.
local function make_template()
  local case = new_case { call = "write", way = "torn", n = 60 }
  run(case, false, case.fault)
  assert(not case.wrong, case.wrong)
  local content = read(case.journal):gsub(case.prefix, "@")
  assert(not content:find "\n$", "it is not torn")
  return content
end

--- In quick form the first calls of a kind, the last, and some between; other
-- ones for each way.
local function is_chosen(n, count, way_number)
  return not quick or n <= 2 or n == count or (n + 3 * way_number) % 23 == 0
end

local function plan_faults(scenario, counts)
  local faults = {}
  for _, row in ipairs(WAYS) do
    local call, way_number = row[1], 0
    for way in row[2]:gmatch "%S+" do
      way_number = way_number + 1
      for n = 1, counts[call] do
        if is_chosen(n, counts[call], way_number) then
          faults[#faults + 1] = { scenario = scenario, call = call, way = way, n = n }
        end
      end
    end
  end
  return faults
end

-- counting -------------------------------------------------------------------

local passed, failed = 0, 0

local function count(case)
  if not case.wrong then
    passed = passed + 1
    return
  end
  failed = failed + 1
  if failed > SHOWN then return end
  local fault = case.fault
  print(("FAILED %s, %s at %s %s: %s"):format(fault.scenario, fault.way, fault.call,
    tostring(fault.n), case.wrong))
end

local function run_scenario(scenario, template)
  local counts, by_call = count_calls(template), {}
  for _, fault in ipairs(plan_faults(scenario, counts)) do
    count(run_case(fault, template))
    by_call[fault.call] = (by_call[fault.call] or 0) + 1
  end
  for _, row in ipairs(WAYS) do
    print(("%-10s %-10s %4d calls %5d cases  %s"):format(scenario, row[1], counts[row[1]],
      by_call[row[1]] or 0, row[2]))
  end
end

--- Real disks, where root may mount them: one that holds a part of the journal,
-- and one that holds none. The run goes on once there is room.
local function run_disks()
  local disk = directory .. "/disk"
  for _, row in ipairs {
    { "size=4k", "enospc", "remount,size=1m" }, { "ro", "erofs", "remount,rw" },
  } do
    local mounted = os.execute(("mkdir -p %s && mount -t tmpfs -o %s none %s 2>/dev/null"):format(
      disk, row[1], disk))
    if not mounted then return print "left out: real disks, which only root can mount" end
    count(run_case { scenario = "disk", call = "mount", way = row[2], directory = disk,
      before_recovery = function() os.execute(("mount -o %s %s"):format(row[3], disk)) end })
    os.execute("umount " .. disk)
  end
  print "disk       full and read-only, 2 cases"
end

run_scenario("new")
run_scenario("resumed", make_template())
run_disks()
print(("journal: %d passed, %d failed"):format(passed, failed))
os.exit(failed == 0 and passed > 0, true)
