-- leadping.cli.files: whole files, and stdin, as text.
-- Says which file could not be read, and why. Decodes nothing.
-- MIT, see LICENSE.

local files = {}

--- The content of a file.
---@param path string - for stdin
---@return string? content
---@return string? message
function files.read(path)
  local file, message
  if path == "-" then file = io.stdin else file, message = io.open(path, "rb") end
  if not file then return nil, "cannot read " .. message end
  local content
  content, message = file:read("*a")
  if path ~= "-" then file:close() end
  if content then return content end
  return nil, ("cannot read %s: %s"):format(path == "-" and "stdin" or path, message)
end

return files
