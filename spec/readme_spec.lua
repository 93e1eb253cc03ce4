-- spec/readme_spec.lua: holds the README to the code: its options, its kinds, its
-- lists of fields, its files, its first example and those of loops.
-- Prose is for people to check.
-- MIT, see LICENSE.

local classes = require "spec.classes"
local exits = require "leadping.cli.exits"
local leadping = require "leadping"
local loops = require "spec.loops"
local nginx_server = require "spec.nginx_server"
local options = require "leadping.options"
local support = require "spec.support"

local readme = support.read("README.md")

local function assert_in_readme(text)
  assert.is_not_nil(readme:find(text, 1, true), "not in README.md: " .. text)
end

local function default_of(option)
  if option.default_words then return option.default_words end
  if option.default == nil or type(option.default) == "table" then return "none" end
  return tostring(option.default)
end

local function place_of(option)
  return option.call and " (also per call)" or option.run and " (`clear_overrides`)" or ""
end

describe("the README", function()
  for _, option in ipairs(options.list) do
    it(("has the option %s as it is"):format(option.name), function()
      assert_in_readme(("| `%s` | %s | %s%s |\n"):format(option.name, default_of(option),
        option.words, place_of(option)))
    end)
  end

  it("has no other option", function()
    local table_of_options = readme:match("| option |.-\n\n")
    for name in table_of_options:gmatch("\n| `([%w_]+)`") do
      assert.is_table(options.by_name[name], name)
    end
  end)

  it("has each kind and each outcome that errors.lua declares", function()
    local declared = support.read("lua/leadping/errors.lua")
    local count = 0
    for name in declared:gmatch('%-%-%-| "([%w_]+)"') do
      count = count + 1
      assert_in_readme(("| `%s` |"):format(name))
    end
    assert.equal(15 + 4, count)
  end)

  it("has each exit code as it is, and no other", function()
    local rows = {}
    for _, exit in ipairs(exits.list) do
      rows[#rows + 1] = ("| %d | %s |\n"):format(exit.code, exit.words)
    end
    assert.equal(table.concat(rows), readme:match("\n| exit code [^\n]*\n[^\n]*\n(.-\n)\n"))
  end)

  --- The names in a passage, but those in parentheses.
  local function names_in(first, last)
    local from = assert(select(2, readme:find(first, 1, true)), first)
    local to = assert(readme:find(last, from, true), last) + #last
    local names = {}
    for name in readme:sub(from, to):gsub("%b()", ""):gmatch("`([%w_]+)`") do
      names[#names + 1] = name
    end
    return names
  end

  for _, row in ipairs {
    { "OutgoingNumberSelection", "**selection** has", ", a list" },
    { "EligibleNumber", "a list whose items have", "." },
  } do
    it("has the fields of " .. row[1] .. ", in the API's order", function()
      local names = {}
      for i, field in ipairs(leadping.schema[row[1]]) do names[i] = field.name end
      assert.same(names, names_in(row[2], row[3]))
    end)
  end

  for _, row in ipairs {
    { "Response", "**response** has", ";" }, { "Error", "`err` has", ".\n" },
    { "Event", "Events are tables\nwith", ".\n" },
  } do
    it("has the fields of " .. row[1] .. ", as editors are told", function()
      local expected, names = classes.names_of(row[1]), names_in(row[2], row[3])
      table.sort(expected)
      table.sort(names)
      assert.same(expected, names)
    end)
  end

  it("names files that are there", function()
    local count = 0
    for path in readme:gmatch("[%w_/]+/[%w_]+%.[chlua]+%f[%W]") do
      count = count + 1
      assert.is_not_nil(support.read(path), path)
    end
    assert.is_true(count > 15)
  end)

  it("has a first example that runs", function()
    local example = readme:match("```lua\n(.-)```")
    local output, status = support.run(example)
    assert.equal(0, status, output)
    assert.matches("^%S.*\ttrue\t%S", output)
  end)
end)

describe("the README, of loops,", function()
  local section = readme:match("\n### In an event loop\n(.-)\n### ")

  for name, needed in pairs { luv = "luv", cqueues = "cqueues", ["loop-socket"] = "socket" } do
    it(("has an example of %s that runs"):format(name), function()
      local _, missing = loops.new(needed)
      if missing then return pending(missing) end
      local example
      for code in section:gmatch("```lua\n(.-)```") do
        if code:find(name, 1, true) then example = code end
      end
      local output, status = support.run(example)
      assert.equal(0, status, output)
      local lines = {} -- in any order
      for line in output:gmatch("[^\n]+") do lines[#lines + 1] = line end
      table.sort(lines)
      assert.equal(2, #lines, output)
      for i = 1, 2 do assert.matches(("^conv_%d\t%%(%%d+%%) %%d+%%-%%d+$"):format(i), lines[i]) end
    end)
  end

  it("has an example of nginx that runs", function()
    local example = section:match("```nginx\n(.-)```")
    local server = nginx_server.start {
      before = ("LEADPING_API_KEY=%s LEADPING_BASE_URL=%s"):format(support.key, support.http),
      main = example:match("^env [^\n]+"),
      init = example:match("\n  init_by_lua_block {([^\n]+)}\n"),
      server = example:match("\n  server {\n(.-\n)  }\n"),
    }
    local _, mark = support.requests()
    local body = server:get("/clear?id=a%20b")
    local refused = server:get("/clear")
    server:stop()
    assert.matches("^%(%d+%) %d+%-%d+\n$", body)
    assert.equal("a b", support.requests(mark)[1].id)
    assert.matches("^leadping: invalid_id: ", refused)
  end)

  it("has a while loop that runs on Lua 5.1 too", function()
    local loop, missing = loops.new "socket"
    if missing then return pending(missing) end
    local example = section:match("  ```lua\n(  local next_result.-)  ```")
    local client, printed = support.client { loop = loop.option }, {}
    local run = assert((loadstring or load)( -- luacheck: ignore 113
      "local client, ids, print = ...\n" .. example))
    loop.spawn(function()
      run(client, { support.id(), support.id() }, function(...) printed[#printed + 1] = { ... } end)
    end)
    loop.run()
    client:close()
    assert.equal(2, #printed)
    assert.is_string(printed[2][2])
  end)

  it("says what nginx says in a phase that cannot wait", function()
    local said = section:match('"(a call has to wait.-) …"'):gsub("%s+", " ")
    local server = nginx_server.start {
      server = [[
        location = /log { log_by_lua_block {
          message = select(2, pcall(client.clear_override, client, "log")) } return 200; }
        location = /message { content_by_lua_block { ngx.print(message) } }]],
    }
    server:get("/log")
    local message = server:get("/message")
    server:stop()
    assert.equal(said, message:sub(1, #said))
  end)
end)
