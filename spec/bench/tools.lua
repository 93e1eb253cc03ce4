-- tools: what the reports share: running programs, medians, numbers in words.
-- Knows nothing of what is compared.
-- MIT, see LICENSE.

local support = require "spec.support"

local tools = {}

--- Progress, for who waits.
function tools.tell(message)
  io.stderr:write("bench: ", message, "\n")
end

--- A shell's command line of a list of words.
function tools.command_line(words)
  local quoted = {}
  for i, word in ipairs(words) do quoted[i] = support.quote(tostring(word)) end
  return table.concat(quoted, " ")
end

function tools.output_of(command)
  local pipe = assert(io.popen(command))
  local output = pipe:read("*a")
  pipe:close()
  return output
end

--- The value below which that part of a sorted list lies; 0.5 is the median.
function tools.quantile(sorted, part)
  return sorted[math.max(1, math.ceil(part * #sorted))]
end

--- The median of the fields of that name.
function tools.median_of(runs, name)
  local values = {}
  for i, run in ipairs(runs) do values[i] = run[name] end
  table.sort(values)
  local middle = math.floor((#values + 1) / 2)
  if #values % 2 == 1 then return values[middle] end
  return (values[middle] + values[middle + 1]) / 2
end

--- The medians of all fields that the runs have.
function tools.medians(runs)
  local result = {}
  for name in pairs(runs[1]) do result[name] = tools.median_of(runs, name) end
  return result
end

--- A whole number with its thousands apart.
function tools.whole(value)
  local digits = ("%.0f"):format(value):reverse():gsub("(%d%d%d)", "%1 ")
  return (digits:reverse():gsub("^ ", ""))
end

--- The machine, in a line: processor, system and the versions that are named.
function tools.machine(...)
  local cpus = support.read("/proc/cpuinfo") or ""
  local _, cores = cpus:gsub("processor%s*:", "")
  local release = support.read("/etc/os-release") or ""
  return table.concat({
    cpus:match("model name%s*:%s*([^\n]+)") or "unknown CPU", cores .. " cores",
    release:match('PRETTY_NAME="([^"]+)"') or "unknown system",
    "Linux " .. tools.output_of("uname -r"):gsub("%s", ""), ...,
  }, "; ")
end

return tools
