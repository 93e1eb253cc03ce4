-- coverage.lua: what gcov counted in csrc, against the list of exceptions.
-- Usage: coverage.lua GCOV.json EXCEPTIONS FAILED quick|full; FAILED: how many runs
-- failed before. A line that is missing from the list fails, and what names what is
-- not there. Chance decides some branches: one that is missing fails in full alone,
-- and what was run after all is shown.
-- MIT, see LICENSE.

local cjson = require "cjson"

local counts_path, list_path, failed = arg[1], arg[2], tonumber(arg[3])
local is_full = arg[4] == "full"
local passed = 0
local unlisted = {} -- lines of text
local there = {} -- what may be on the list: such a line -> true

local function read_lines(path)
  local lines = {}
  for line in io.lines(path) do lines[#lines + 1] = line end
  return lines
end

--- The list: lines "FILE:FUNCTION: line|branch N of M: TEXT" and, indented below
-- one or more of them, the reason. An empty line ends a reason, and what is above
-- the first is about the list.
local function read_exceptions(path)
  local exceptions, places, reason, wrong = {}, {}, nil, {}
  local function close()
    if (#places > 0) ~= (reason ~= nil) then wrong[#wrong + 1] = places[1] or reason end
    for _, key in ipairs(places) do exceptions[key] = "unused" end
    places, reason = {}, nil
  end
  for _, line in ipairs(read_lines(path)) do
    if line:find("^csrc/") then places[#places + 1] = line
    elseif line:find("^  %S") then reason = reason or line
    elseif line == "" then close() end
  end
  close()
  return exceptions, wrong
end

local function trim(text) return text:match("^%s*(.-)%s*$") end

local function function_at(file, number)
  for _, candidate in ipairs(file.functions) do
    if candidate.start_line <= number and number <= candidate.end_line then
      return candidate
    end
  end
  return { name = "?", start_line = 1 }
end

--- The line's text; behind it which one it is where the function has it twice.
local function text_of(source, from, number)
  local text, nth = trim(source[number]), 1
  for i = from, number - 1 do
    if trim(source[i]) == text then nth = nth + 1 end
  end
  return nth == 1 and text or ("%s (%d)"):format(text, nth)
end

--- Counts one thing that can be run; one that was not has to be on the list.
local function add(tally, exceptions, count, key)
  there[key] = true
  tally.all = tally.all + 1
  if count > 0 then
    tally.run = tally.run + 1
  elseif exceptions[key] then
    exceptions[key] = "used"
    tally.listed = tally.listed + 1
  else
    unlisted[#unlisted + 1] = key
  end
end

local function new_tally() return { all = 0, run = 0, listed = 0 } end

local function add_line(file, source, line, exceptions, lines, branches)
  local inside = function_at(file, line.line_number)
  local place = ("%s:%s: "):format(file.file, inside.name)
  local text = text_of(source, inside.start_line, line.line_number)
  add(lines, exceptions, line.count, ("%sline: %s"):format(place, text))
  for i, branch in ipairs(line.branches) do
    local key = ("%sbranch %d of %d: %s"):format(place, i, #line.branches, text)
    there[key] = true
    -- A line that is not run takes no branch.
    if line.count > 0 then add(branches, exceptions, branch.count, key) end
  end
end

local function judge(tally)
  if tally.run + tally.listed == tally.all then passed = passed + 1
  else failed = failed + 1 end
end

local function show(name, lines, branches)
  local function cells(tally)
    return tally.run, tally.all, tally.all > 0 and 100 * tally.run / tally.all or 100, tally.listed
  end
  local row = "%-20s" .. (" %5d of %5d %6.2f %% %4d listed"):rep(2)
  local a, b, c, d = cells(lines)
  print(row:format(name, a, b, c, d, cells(branches)))
end

local function sum(total, tally)
  for key, value in pairs(tally) do total[key] = total[key] + value end
end

--- gcov prints one JSON text for each object; headers are not of interest.
local function read_files(path)
  local files = {}
  for _, text in ipairs(read_lines(path)) do
    for _, file in ipairs(cjson.decode(text).files) do
      if file.file:find("^csrc/.*%.c$") then files[#files + 1] = file end
    end
  end
  table.sort(files, function(a, b) return a.file < b.file end)
  return files
end

local exceptions, wrong = read_exceptions(list_path)
local all_lines, all_branches = new_tally(), new_tally()
print(("%-20s %-32s %s"):format("file", "lines run", "branches taken"))
for _, file in ipairs(read_files(counts_path)) do
  local source, lines, branches = read_lines(file.file), new_tally(), new_tally()
  for _, line in ipairs(file.lines) do
    add_line(file, source, line, exceptions, lines, branches)
  end
  show(file.file, lines, branches)
  judge(lines)
  if is_full or branches.run + branches.listed == branches.all then judge(branches) end
  sum(all_lines, lines)
  sum(all_branches, branches)
end
show("total", all_lines, all_branches)
assert(all_lines.all > 0, "gcov counted nothing")

local function report(heading, keys)
  table.sort(keys)
  if #keys > 0 then print(heading) end
  for _, key in ipairs(keys) do print("  " .. key) end
end

--- The same for what must be empty.
local function expect_none(heading, keys)
  report(heading, keys)
  if #keys == 0 then passed = passed + 1 else failed = failed + 1 end
end

local needless, stale = {}, {}
for key, use in pairs(exceptions) do
  if not there[key] then stale[#stale + 1] = key
  elseif use == "unused" then needless[#needless + 1] = key end
end
report("not run, and not on the list:", unlisted)
report("on the list, and run this time:", needless)
expect_none("FAILED: on the list, but not in the sources:", stale)
expect_none("FAILED: places without a reason, or a reason without places:", wrong)
print(("coverage: %d passed, %d failed"):format(passed, failed))
os.exit(failed == 0)
