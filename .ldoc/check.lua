-- check.lua: whether doc/ has what the public face names. For `make docs`.
-- Usage: check.lua README PAGE.html… SOURCE.lua…: looks in the pages for the
-- functions of README's table and the types that the sources name. Reads no prose.
-- MIT, see LICENSE.

local function read(path)
  local file = assert(io.open(path, "rb"))
  local content = file:read("*a")
  file:close()
  return content
end

-- What the pages have: modules, names, and names in their module.
local places = {}

local function add_page(path)
  local module = path:match("([%w_.]+)%.html$")
  places[module] = true
  for name in read(path):gmatch('<a name = "([^"]+)">') do
    places[name], places[module .. " " .. name] = true, true
  end
end

local missing, is_listed = {}, {}

local function check(name, ...)
  for _, place in ipairs { ... } do
    if places[place] then return end
  end
  if not is_listed[name] then missing[#missing + 1] = name end
  is_listed[name] = true
end

--- A class that has methods alone is a module.
local function check_types(path)
  for line in read(path):gmatch("%-%-%-@[^\n]*") do
    for name in line:gmatch("leadping%.(%u%w+)") do
      check("leadping." .. name, name, "leadping." .. name:lower())
    end
  end
end

local function check_functions(readme)
  local count = 0
  for object, name in readme:match("\n| function | gives |\n(.-)\n\n")
    :gmatch("\n| `(%l+)[.:]([%w_]+)") do
    count = count + 1
    check(("%s.%s"):format(object, name),
      object == "client" and "leadping.client Client:" .. name or "leadping " .. name)
  end
  assert(count > 10, "README's table of functions is another one")
end

for i = 2, #arg do
  if arg[i]:find("%.html$") then add_page(arg[i]) else check_types(arg[i]) end
end
check_functions(read(arg[1]))
for _, name in ipairs(missing) do io.stderr:write("make docs: ", name, " is not in doc/\n") end
os.exit(#missing == 0 and 0 or 1)
