-- leadping.cli.files: whole files, and stdin, as text in UTF-8.
-- Says which file could not be read, and why. Does not know what is in it.
-- MIT, see LICENSE.

local files = {}

local MARK = "\239\187\191" -- a byte order mark

local function is_utf16(content)
  return content:find("^\255\254") or content:find("^\254\255")
end

local function read_all(path)
  local file, message
  if path == "-" then file = io.stdin else file, message = io.open(path, "rb") end
  if not file then return nil, "cannot read " .. message end
  local content
  content, message = file:read("*a")
  if path ~= "-" then file:close() end
  if content then return content end
  return nil, ("cannot read %s: %s"):format(path == "-" and "stdin" or path, message)
end

--- The content of a file, without its byte order mark.
---@param path string - for stdin
---@return string? content
---@return string? message
function files.read(path)
  local content, message = read_all(path)
  if not content then return nil, message end
  if is_utf16(content) then return nil, ("%s is UTF-16: save it as UTF-8"):format(path) end
  if content:sub(1, #MARK) == MARK then content = content:sub(#MARK + 1) end
  return content
end

return files
