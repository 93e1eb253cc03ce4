-- report: runs the programs in turn and prints their medians as tables.
-- Usage: report.lua SOURCE_DIRECTORY BUILD_DIRECTORY, under the emulator.
-- Whether an aim is met is printed, and no more: nothing fails for it.
-- MIT, see LICENSE.

local core = require "leadping.core"
local support = require "spec.support"
local tools = require "spec.bench.tools"

local source, build = ...

local CALLS, CALL_RUNS = 5000, 9
local MANY, MANY_RUNS, SLOTS = 100000, 5, 32
local COLD_RUNS = 31
local DECODE_RUNS = 9
local DECODES = { [3] = 20000, [50] = 2000 } -- eligible numbers -> decodes a run

-- Where Debian, Fedora and Alpine have the system's authorities in one file.
local BUNDLES = {
  "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/cert.pem",
}

local plain, tls = os.getenv("EMULATOR_HTTP"), os.getenv("EMULATOR_TLS")
local authority = os.getenv("EMULATOR_CA")
local lua = os.getenv("LUA")

-- Programs -------------------------------------------------------------------

local function c_calls(url, count, ca_file)
  return { build .. "/baseline", url, count, ca_file }
end

local function lua_calls(url, count, ca_file, ca_path)
  return { lua, source .. "/calls.lua", url, count, ca_file, ca_path }
end

local function c_many(url, ca_file)
  return { build .. "/many", url, MANY, SLOTS, ca_file }
end

local function lua_many(url, ca_file)
  return { lua, source .. "/many.lua", url, MANY, SLOTS, ca_file }
end

local function decodes(decoder, numbers, count)
  return { lua, source .. "/decode.lua", decoder, numbers, count }
end

-- Measuring ------------------------------------------------------------------

--- What one run of a program took: seconds of its loop, of the process and of
-- the CPU, the most KiB resident, and by how many these grew where it says so.
local function measure(words)
  local command = tools.command_line(words)
  local output = tools.output_of(support.quote(build .. "/measure") .. " " .. command)
  local loop = output:match("loop (%S+)")
  local wall, cpu, resident = output:match("process (%S+) (%S+) (%S+)")
  if not loop or not wall then error("bench: this failed: " .. command, 0) end
  return {
    loop = tonumber(loop), wall = tonumber(wall), cpu = tonumber(cpu),
    resident = tonumber(resident), growth = tonumber(output:match("growth (%S+)")),
  }
end

--- Medians of two programs that run in turn, so that what else the machine
-- does falls on both. The first run of each fills caches and is not counted.
local function compare(title, count, theirs, ours)
  tools.tell(("%s, %d times each"):format(title, count))
  local their_runs, our_runs = {}, {}
  measure(theirs)
  measure(ours)
  for i = 1, count do
    their_runs[i], our_runs[i] = measure(theirs), measure(ours)
  end
  return tools.medians(their_runs), tools.medians(our_runs)
end

-- Instructions ---------------------------------------------------------------

local has_valgrind = os.execute("command -v valgrind >/dev/null 2>&1")
has_valgrind = has_valgrind == true or has_valgrind == 0

local CALLGRIND = "valgrind --tool=callgrind --callgrind-out-file=/dev/null "

local function instructions(words)
  local command = CALLGRIND .. tools.command_line(words) .. " 2>&1"
  local count = tools.output_of(command):match("Collected : (%d+)")
  return tonumber(count) or error("bench: this failed: " .. command, 0)
end

--- Instructions of one more turn: what is done once falls out of the difference.
local function instructions_each(program, few, many)
  return (instructions(program(many)) - instructions(program(few))) / (many - few)
end

-- Tables ---------------------------------------------------------------------

local UNITS = {
  s = function(value) return ("%.3f s"):format(value) end,
  ms = function(value) return ("%.1f ms"):format(value * 1e3) end,
  us = function(value) return ("%.2f µs"):format(value * 1e6) end,
  mib = function(value) return ("%.1f MiB"):format(value / 1024) end,
  count = tools.whole,
}

--- How far ours is from theirs, and whether that meets row.aim: a ratio, or
-- for row.more a difference in MiB, from nothing where there is no theirs.
local function judge(row)
  local theirs = row.theirs or 0
  local ratio, more = row.ours / theirs, (row.ours - theirs) / 1024
  local value = row.more and more or ratio
  local shown = row.more and ("%+.1f MiB"):format(more) or ("%.2f"):format(ratio)
  if not row.aim then return shown, "", "" end
  local aim = row.more and ("≤ +%g MiB"):format(row.aim) or ("≤ %.2f"):format(row.aim)
  return shown, aim, value <= row.aim and "yes" or "no"
end

local function print_table(theirs, rows)
  print(("| | %s | leadping | ratio | aim | met |"):format(theirs))
  print("|---|---:|---:|---:|---:|---|")
  for _, row in ipairs(rows) do
    local unit = UNITS[row.unit]
    print(("| %s | %s | %s | %s | %s | %s |"):format(row.title,
      row.theirs and unit(row.theirs) or "", unit(row.ours), judge(row)))
  end
  print()
end

local function add(rows, title, unit, theirs, ours, aim)
  rows[#rows + 1] = {
    title = title, unit = unit, theirs = theirs, ours = ours, aim = aim,
    more = unit == "mib",
  }
end

-- What is compared -----------------------------------------------------------

local function warm_calls(rows, name, url, ca_file)
  local title = ("%d calls, %s"):format(CALLS, name)
  local theirs, ours = compare(title, CALL_RUNS,
    c_calls(url, CALLS, ca_file), lua_calls(url, CALLS, ca_file))
  add(rows, title .. ": wall time", "s", theirs.wall, ours.wall, 1.08)
  add(rows, title .. ": wall time but for the start", "s", theirs.loop, ours.loop, 1.08)
  add(rows, title .. ": CPU time", "s", theirs.cpu, ours.cpu, 1.15)
  add(rows, title .. ": resident memory", "mib", theirs.resident, ours.resident, 3)
end

local function warm_instructions(rows, name, url, ca_file)
  local title = ("one more call, %s: instructions"):format(name)
  tools.tell(title)
  add(rows, title, "count",
    instructions_each(function(n) return c_calls(url, n, ca_file) end, 100, 1100),
    instructions_each(function(n) return lua_calls(url, n, ca_file) end, 100, 1100))
end

local function many_calls(rows, name, url, ca_file)
  local title = ("%d ids, %d at a time, %s"):format(MANY, SLOTS, name)
  local theirs, ours = compare(title, MANY_RUNS, c_many(url, ca_file), lua_many(url, ca_file))
  add(rows, title .. ": wall time", "s", theirs.wall, ours.wall, 1.35)
  add(rows, title .. ": CPU time", "s", theirs.cpu, ours.cpu)
  if not ours.growth then return end
  add(rows, title .. ": resident memory from the 2000th id", "mib", nil, ours.growth, 2)
end

local function cold_start(rows, name, aim, theirs, ours)
  local title = "cold start to first answer, " .. name
  local their_medians, our_medians = compare(title, COLD_RUNS, theirs, ours)
  add(rows, title .. ": wall time", "ms", their_medians.wall, our_medians.wall, aim)
  add(rows, title .. ": CPU time", "ms", their_medians.cpu, our_medians.cpu)
  if not has_valgrind then return end
  add(rows, title .. ": instructions", "count", instructions(theirs), instructions(ours))
end

local function decode(rows, numbers)
  local title = ("decode, %d eligible numbers"):format(numbers)
  local count = DECODES[numbers]
  local theirs, ours = compare(title, DECODE_RUNS,
    decodes("cjson", numbers, count), decodes("leadping", numbers, count))
  add(rows, title .. ": CPU time", "us", theirs.loop / count, ours.loop / count, 0.6)
  if not has_valgrind then return end
  local function each(decoder)
    return instructions_each(function(n) return decodes(decoder, numbers, n) end, 100, 1100)
  end
  add(rows, title .. ": instructions", "count", each("cjson"), each("leadping"))
end

-- The system's authorities ---------------------------------------------------

--- A file of the system's authorities and the emulator's; nil where the system
-- has no such file.
local function make_bundle()
  local system
  for _, path in ipairs(BUNDLES) do system = system or support.read(path) end
  if not system then return nil end
  local path = build .. "/bundle.pem"
  local file = assert(io.open(path, "wb"))
  file:write(system, "\n", assert(support.read(authority)))
  file:close()
  return path
end

--- Returns why it could not be measured, where it could not.
local function cold_start_tls(rows)
  local bundle, directory = make_bundle(), core.ca_path()
  if not bundle then return "the system has no file of CA certificates" end
  if not directory then return "the system has no hashed directory of CA certificates" end
  cold_start(rows, "TLS, the system's CAs", 1,
    c_calls(tls, 1, bundle), lua_calls(tls, 1, authority, directory))
end

-- The report -----------------------------------------------------------------

local function machine()
  return tools.machine(
    tools.output_of(support.quote(lua) .. " -v 2>&1"):match("^%S+ %S+") or _VERSION,
    tools.output_of(support.quote(build .. "/baseline") .. " version"):match("^%S+ %S+"))
end

local function report_calls()
  local rows, notes = {}, {}
  warm_calls(rows, "plain", plain)
  warm_calls(rows, "TLS", tls, authority)
  many_calls(rows, "plain", plain)
  many_calls(rows, "TLS", tls, authority)
  if has_valgrind then
    warm_instructions(rows, "plain", plain)
    warm_instructions(rows, "TLS", tls, authority)
  else
    notes[#notes + 1] = "valgrind is not installed: no instruction counts"
  end
  cold_start(rows, "plain", 1.3, c_calls(plain, 1), lua_calls(plain, 1))
  local why = cold_start_tls(rows)
  if why then notes[#notes + 1] = "no cold start over TLS: " .. why end
  print_table("C program", rows)
  for _, note in ipairs(notes) do print(note .. ".\n") end
end

local function report_decode()
  local rows = {}
  decode(rows, 3)
  decode(rows, 50)
  print_table("cjson.decode", rows)
end

print(machine() .. "\n")
report_calls()
report_decode()
print(("Medians of %d runs (many ids: %d, cold start: %d, decode: %d), the two in turn.")
  :format(CALL_RUNS, MANY_RUNS, COLD_RUNS, DECODE_RUNS))
