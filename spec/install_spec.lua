-- spec/install_spec.lua: what make install and luarocks make put where, and
-- that it can be used from there. Both go into a directory of their own.
-- MIT, see LICENSE.

local leadping = require "leadping"
local support = require "spec.support"

local ROCKSPEC = "leadping-0.1.0-1.rockspec"
local LUAROCKS = "luarocks --lua-version=" .. support.lua_version
local USE = [[%s -e 'print(require("leadping").clear_override("installed") ~= nil)']]

local function with_directory(use)
  local path = support.new_directory()
  local ok, raised = pcall(use, path)
  support.remove_directory(path)
  if not ok then error(raised, 0) end
end

--- The files below a directory's share/lua and lib/lua, sorted.
local function installed(tree)
  return (support.shell(("cd %s && find share/lua lib/lua -type f | sort"):format(tree)))
end

--- Where a Lua that is told looks for modules.
local function paths_of(tree)
  return {
    LUA_PATH = ("%s/share/lua/%s/?.lua;%s/share/lua/%s/?/init.lua;;"):format(
      tree, support.lua_version, tree, support.lua_version),
    LUA_CPATH = ("%s/lib/lua/%s/?.so;;"):format(tree, support.lua_version),
  }
end

local NO_PATHS = { LUA_PATH = false, LUA_CPATH = false }

--- Whether the module works from the tree alone.
local function use_from(tree)
  return (support.shell(USE:format(support.lua), paths_of(tree)))
end

--- Asserts that the program runs; its messages go through the C module.
local function assert_program(path, paths)
  assert.equal(leadping._VERSION .. "\n", (support.shell(path .. " --version", paths)))
  local output, status = support.shell(path .. " plan ..", paths)
  assert.matches('^leadping: an id cannot be used; nothing was sent\n  argument 1: ".." ', output)
  assert.equal(2, status)
end

describe("make install", function()
  it("puts the same files as luarocks make where PREFIX says, and they work", function()
    with_directory(function(path)
      local output, status = support.shell(
        ("make install DESTDIR=%s PREFIX=/opt/made"):format(path))
      assert.equal(0, status, output)
      local made = path .. "/opt/made"
      assert.equal("true\n", use_from(made))

      output, status = support.shell(
        ("%s make --deps-mode=none --tree=%s/rock %s"):format(LUAROCKS, path, ROCKSPEC))
      assert.equal(0, status, output)
      assert.equal("true\n", use_from(path .. "/rock"))
      assert.equal(installed(made), installed(path .. "/rock"))
      assert_program(path .. "/rock/bin/leadping", paths_of(path .. "/rock"))
    end)
  end)

  it("puts a program where PREFIX says, which finds its modules there", function()
    with_directory(function(path)
      local output, status = support.shell(("make install PREFIX=%s/made"):format(path))
      assert.equal(0, status, output)
      assert_program(path .. "/made/bin/leadping", NO_PATHS)
    end)
  end)

  it("leaves it to Lua to find them in /usr/local", function()
    with_directory(function(path)
      support.shell(("make install DESTDIR=%s"):format(path))
      local program = support.read(path .. "/usr/local/bin/leadping")
      local by_path = support.lua:find("/", 1, true) and "#!" or "#!/usr/bin/env "
      assert.equal(by_path .. support.lua, program:match("^[^\n]*"))
      assert.is_not_nil(program:find("local share, lib = [[]], [[]]", 1, true))
    end)
  end)

  it("is undone by make uninstall", function()
    with_directory(function(path)
      support.shell(("make install uninstall DESTDIR=%s PREFIX=/usr"):format(path))
      assert.equal("", (support.shell(("find %s -type f"):format(path))))
    end)
  end)
end)

describe("make env", function()
  it("lets a Lua elsewhere use the checkout", function()
    local output = support.shell(("eval \"$(make -s env)\"; cd /; " .. USE):format(support.lua),
      NO_PATHS)
    assert.equal("true\n", output)
  end)

  it("lets a shell elsewhere find the program", function()
    local output = support.shell("eval \"$(make -s env)\"; cd /; leadping --version", NO_PATHS)
    assert.equal(leadping._VERSION .. "\n", output)
  end)
end)

describe("a C module that this Lua cannot load", function()
  it("is named, with what builds one for this Lua", function()
    with_directory(function(path)
      support.shell(("mkdir %s/leadping"):format(path))
      support.write(path .. "/leadping/core.so", "of another Lua")
      local output = support.shell(("%s -e 'package.cpath = [[%s/?.so]]; require [[leadping]]'")
        :format(support.lua, path))
      assert.matches("leadping: its C module is missing, or was built for another Lua", output)
      assert.matches("for this one it is make LUA[%w_]*=%S+, or make install LUA", output)
    end)
  end)
end)

describe("the version", function()
  it("is the same in C, Lua, rockspec and README", function()
    local version = leadping._VERSION:match("^leadping (%d+%.%d+%.%d+)$")
    local rockspec = assert(support.read(("leadping-%s-1.rockspec"):format(version)))
    assert.is_not_nil(rockspec:find(('version = "%s-1"'):format(version), 1, true))
    assert.is_not_nil(rockspec:find(('tag = "v%s"'):format(version), 1, true))
    assert.is_not_nil(support.read("csrc/core.h")
      :find(('LEADPING_VERSION "%s"'):format(version), 1, true))
    assert.is_not_nil(support.read("README.md")
      :find(('"leadping %s"'):format(version), 1, true))
  end)
end)

describe("the rockspec", function()
  it("passes luarocks lint", function()
    local output, status = support.shell(LUAROCKS .. " lint " .. ROCKSPEC)
    assert.equal(0, status, output)
  end)
end)
