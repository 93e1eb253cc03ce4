-- syscalls: fails every system call of a client's call, one after the other.
-- Shares the cases out to a few processes (syscalls_cases.lua), compares what
-- they say with the emulator's record, and counts. Injects nothing itself.
-- MIT, see LICENSE.

local cjson = require "cjson"
local plan = require "syscalls_plan"

local PARTS = 8 -- most of their time is spent waiting for timeouts
local SHOWN = 40 -- failures that are printed in full

local quick = arg[1] == "quick"
-- The quick form's timeout is short: a call that never gets an answer costs it.
local timeout = quick and 0.5 or 2

local function output_path(part)
  return ("%s/syscalls.%d.txt"):format(os.getenv "SYSCALLS_BUILD", part)
end

local function start(part)
  return assert(io.popen((
    "exec env --default-signal=PIPE LD_PRELOAD='%s' %s %s %d %d %g %s >'%s' 2>&1"):format(
    os.getenv "SYSCALLS_LIBRARY", os.getenv "LUA" or "lua5.4",
    "spec/torture/syscalls_cases.lua", part, PARTS, timeout,
    quick and "quick" or "full", output_path(part))))
end

-- reading what they say ------------------------------------------------------

local FIELDS = { "kind", "setting", "call", "error", "mode", "n", "outcome", "id", "wrong",
  "elapsed", "message" }

-- case: one case; repeat: it ran twice; seen: which calls there were at all.
local KINDS = { case = true, ["repeat"] = true, seen = true }

local function parse(line)
  local case, i = {}, 0
  for field in (line .. "\t"):gmatch "([^\t]*)\t" do
    i = i + 1
    if FIELDS[i] then case[FIELDS[i]] = field end
  end
  return case
end

local function read_cases(part, cases)
  for line in io.lines(output_path(part)) do
    local case = parse(line)
    if not KINDS[case.kind] then
      case = { kind = "case", call = "?", error = "?", outcome = "none", wrong = line }
    end
    cases[#cases + 1] = case
  end
end

--- All cases, in the order of their kinds.
local function run_all()
  local running, cases = {}, {}
  for part = 1, PARTS do running[part] = start(part) end
  for part = 1, PARTS do
    local _, how, status = running[part]:close()
    read_cases(part, cases)
    if status ~= 0 then
      cases[#cases + 1] = { kind = "case", call = "?", error = "?", outcome = "died",
        wrong = ("process %d ended with %s %d"):format(part, how, status) }
    end
  end
  return cases
end

-- the emulator's record ------------------------------------------------------

local function recorded_ids()
  local ids = {}
  for line in io.lines(os.getenv "EMULATOR_DIR" .. "/requests.jsonl") do
    local id = cjson.decode(line).id
    if type(id) == "string" then ids[id] = true end
  end
  return ids
end

local function contradiction(case, ids)
  if case.outcome == "not_sent" and ids[case.id] then
    return "not_sent, but the emulator has the request"
  elseif case.outcome == "cleared" and not ids[case.id] then
    return "cleared, but the emulator has no such request"
  end
  return ""
end

local function compare(cases, ids)
  for _, case in ipairs(cases) do
    if case.kind == "case" and case.wrong == "" then case.wrong = contradiction(case, ids) end
  end
end

-- counting -------------------------------------------------------------------

local COUNTED = { "cases", "cleared", "not_sent", "unknown", "failed" }

local function add(counts, case)
  counts.cases = counts.cases + 1
  if case.wrong ~= "" then counts.failed = counts.failed + 1
  elseif counts[case.outcome] then counts[case.outcome] = counts[case.outcome] + 1 end
end

local function zero()
  return { cases = 0, cleared = 0, not_sent = 0, unknown = 0, failed = 0, repeats = 0 }
end

local function count_case(by_call, total, case)
  local row = by_call[case.call] or { counts = zero(), errors = {} }
  by_call[case.call] = row
  add(row.counts, case)
  add(total, case)
  row.errors[case.error] = (row.errors[case.error] or 0) + 1
end

local function count(cases)
  local by_call, total, seen = {}, zero(), {}
  for _, case in ipairs(cases) do
    if case.kind == "case" then count_case(by_call, total, case)
    elseif case.kind == "repeat" then total.repeats = total.repeats + 1
    else for name in case.outcome:gmatch "%S+" do seen[name] = true end end
  end
  return by_call, total, seen
end

local function print_row(name, counts, errors)
  local columns = {}
  for i, column in ipairs(COUNTED) do columns[i] = ("%9s"):format(counts[column]) end
  print(("%-15s%s  %s"):format(name, table.concat(columns), errors))
end

local function errors_of(row, names)
  local words = {}
  for name in names:gmatch "%S+" do
    words[#words + 1] = ("%s %d"):format(name, row.errors[name] or 0)
  end
  return table.concat(words, ", ")
end

local function print_table(by_call, total)
  local heading = {}
  for _, column in ipairs(COUNTED) do heading[column] = column end
  print_row("call", heading, "cases by error")
  for _, planned in ipairs(plan.errors) do
    local row = by_call[planned[1]]
    if row then print_row(planned[1], row.counts, errors_of(row, planned[2])) end
  end
  print_row("all", total, ("timeout %g s, %d late once and run again")
    :format(timeout, total.repeats))
end

--- A call that is made but that no case made to fail is a hole in the plan.
local function print_unreached(by_call, total, seen)
  local never = {}
  for _, planned in ipairs(plan.errors) do
    local name = planned[1]
    if not seen[name] then
      never[#never + 1] = name
    elseif not by_call[name] then
      total.failed = total.failed + 1
      print(("FAILED %s is called, and no case made it fail"):format(name))
    end
  end
  print("wrapped but never called: " .. table.concat(never, ", "))
end

local function print_failures(cases)
  local shown = 0
  for _, case in ipairs(cases) do
    if case.kind == "case" and case.wrong ~= "" and shown < SHOWN then
      shown = shown + 1
      print(("FAILED %s, %s of call %s to %s %s: %s (%s)"):format(case.setting, case.error,
        case.n, case.call, case.mode, case.wrong, case.message))
    end
  end
end

local cases = run_all()
compare(cases, recorded_ids())
local by_call, total, seen = count(cases)
print_failures(cases)
print_table(by_call, total)
print_unreached(by_call, total, seen)
print(("syscalls: %d passed, %d failed"):format(math.max(total.cases - total.failed, 0),
  total.failed))
os.exit(total.failed == 0 and total.cases > 0, true)
