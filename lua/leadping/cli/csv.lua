-- leadping.cli.csv: reads comma-separated values (RFC 4180).
-- Strict where a lenient reader would shift a row's fields. Knows no header.
-- MIT, see LICENSE.

local csv = {}

--- A quoted field that begins behind its first quote.
---@return string? field
---@return integer at behind its last quote
local function read_quoted(text, at)
  local parts = {}
  while true do
    local quote = text:find('"', at, true)
    if not quote then return nil, at end
    parts[#parts + 1] = text:sub(at, quote - 1)
    at = quote + 1
    if text:sub(at, at) ~= '"' then return table.concat(parts, '"'), at end
    at = at + 1
  end
end

--- One field that begins at `at`.
---@return string? field
---@return integer|string at behind it, or what is wrong
local function read_field(text, at)
  if text:sub(at, at) ~= '"' then
    local stop = text:find('[,\n"]', at) or #text + 1
    if text:sub(stop, stop) == '"' then
      return nil, 'a quote inside a field that does not begin with one: write it ""'
        .. " and put the field in quotes"
    end
    local field = text:sub(at, stop - 1)
    if text:sub(stop, stop) ~= "," then field = field:gsub("\r$", "") end
    return field, stop
  end
  local field, behind = read_quoted(text, at + 1)
  if not field then return nil, "a field's opening quote has no closing one" end
  if text:find("^\r\n", behind) or text:find("^\r$", behind) then behind = behind + 1 end
  if behind <= #text and not text:find("^[,\n]", behind) then
    return nil, "text behind a field's closing quote"
  end
  return field, behind
end

local function count_lines(text)
  return select(2, text:gsub("\n", ""))
end

--- Iterates over the records of a text.
---@return fun(): table?, integer? next its fields and the line it begins at;
-- at a mistake nil, that line, and what is wrong; nil alone at the end
function csv.records(text)
  local at, line = 1, 1
  return function()
    if at > #text then return nil end
    local start, fields = at, {}
    while true do
      local field, behind = read_field(text, at)
      if not field then
        return nil, line + count_lines(text:sub(start, at - 1)), behind
      end
      fields[#fields + 1], at = field, behind + 1
      if text:sub(behind, behind) ~= "," then break end
    end
    local began = line
    line = line + count_lines(text:sub(start, at - 1))
    return fields, began
  end
end

return csv
