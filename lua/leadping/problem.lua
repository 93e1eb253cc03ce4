-- leadping.problem: problem details for HTTP APIs (RFC 9457) in an answer.
-- Found by what the body is, not by its media type: proxies relabel it.
-- Does not judge the status.
-- MIT, see LICENSE.

local json = require "leadping.json"

local problem = {}

local MEMBER_TYPES = {
  type = "string", title = "string", status = "number",
  detail = "string", instance = "string",
}

local function is_problem_type(media_type)
  return media_type ~= nil
    and media_type:lower():find("^%s*application/problem%+json") ~= nil
end

--- Takes out nulls, and members whose type is not RFC 9457's (section 3.1 has
-- them ignored). Returns how many of the standard members are left.
local function clean(members)
  local standard = 0
  for name, value in pairs(members) do
    local expected = MEMBER_TYPES[name]
    if value == json.null or (expected and type(value) ~= expected) then
      members[name] = nil
    elseif expected then
      standard = standard + 1
    end
  end
  return standard
end

--- The members of the problem details in a body.
---@param body string
---@param media_type string? the answer's Content-Type
---@return table? members nil where the body carries none
function problem.decode(body, media_type)
  if not body:find("^%s*{") then return nil end
  local members = json.read(body)
  if not members then return nil end
  if clean(members) == 0 and not is_problem_type(media_type) then return nil end
  if members.status then members.status = math.floor(members.status) end
  return members
end

local function not_empty(value)
  return value ~= "" and value or nil
end

--- One sentence of a problem's title and detail; nil where it has neither.
function problem.describe(members)
  local title, detail = not_empty(members.title), not_empty(members.detail)
  if title and detail and title ~= detail then
    return ("%s: %s"):format(title:gsub("[.:]$", ""), detail)
  end
  return detail or title
end

return problem
