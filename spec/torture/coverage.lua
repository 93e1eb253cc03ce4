-- coverage.lua: what gcov counted in csrc, against the list of exceptions.
-- Usage: coverage.lua GCOV.json EXCEPTIONS FAILED; FAILED: how many runs failed
-- before. The list is exact: what is missing from it and what is too much fails.
-- MIT, see LICENSE.

local cjson = require "cjson"

local counts_path, list_path, failed = arg[1], arg[2], tonumber(arg[3])
local passed = 0
local unlisted = {} -- lines of text

local function read_lines(path)
  local lines = {}
  for line in io.lines(path) do lines[#lines + 1] = line end
  return lines
end

--- The list: lines "FILE:FUNCTION: line|branch N of M: TEXT" and, indented below
-- one or more of them, the reason. One that begins with "either way" is for what
-- the machine or chance decides: it need not be used.
local function read_exceptions(path)
  local exceptions, without = {}, {}
  for _, line in ipairs(read_lines(path)) do
    if line:find("^csrc/") then
      without[#without + 1] = line
    elseif line:find("^  %S") then
      local use = line:find("^  either way") and "used" or "unused"
      for _, key in ipairs(without) do exceptions[key] = use end
      without = {}
    end
  end
  assert(#without == 0, "without a reason: " .. tostring(without[1]))
  return exceptions
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
  if line.count == 0 then return end -- a line that is not run takes no branch
  for i, branch in ipairs(line.branches) do
    add(branches, exceptions, branch.count,
      ("%sbranch %d of %d: %s"):format(place, i, #line.branches, text))
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

local exceptions = read_exceptions(list_path)
local all_lines, all_branches = new_tally(), new_tally()
print(("%-20s %-32s %s"):format("file", "lines run", "branches taken"))
for _, file in ipairs(read_files(counts_path)) do
  local source, lines, branches = read_lines(file.file), new_tally(), new_tally()
  for _, line in ipairs(file.lines) do
    add_line(file, source, line, exceptions, lines, branches)
  end
  show(file.file, lines, branches)
  judge(lines)
  judge(branches)
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

local needless = {}
for key, use in pairs(exceptions) do
  if use == "unused" then needless[#needless + 1] = key end
end
report("FAILED: not run, and not on the list:", unlisted)
report("FAILED: on the list, but run or gone:", needless)
if #needless == 0 then passed = passed + 1 else failed = failed + 1 end
print(("coverage: %d passed, %d failed"):format(passed, failed))
os.exit(failed == 0)
