-- leadping.cli.words: numbers, times and file names as people read them.
-- Pure functions of text; what the words are about, callers know.
-- MIT, see LICENSE.

local words = {}

--- "1 id", "2 ids".
function words.count(number, noun)
  return ("%d %s%s"):format(number, noun, number == 1 and "" or "s")
end

--- "45 s", "3 min 42 s", "6 h 10 min": the two largest units.
function words.duration(seconds)
  local whole = math.ceil(seconds)
  if whole < 60 then return ("%d s"):format(whole) end
  if whole < 3600 then return ("%d min %d s"):format(math.floor(whole / 60), whole % 60) end
  return ("%d h %d min"):format(math.floor(whole / 3600), math.floor(whole % 3600 / 60))
end

--- How long that many requests take at a rate, the first one going at once.
function words.run_time(count, rate)
  return words.duration((count - 1) / rate)
end

--- One word of a POSIX shell's command line.
function words.quote(word)
  if word:find("^[%w_@%%+=:,./-]+$") then return word end
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

return words
