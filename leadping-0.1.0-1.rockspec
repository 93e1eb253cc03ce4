rockspec_format = "3.0"
package = "leadping"
version = "0.1.0-1"

source = {
  url = "git+https://github.com/leadping/leadping-lua.git",
  tag = "v0.1.0",
}

description = {
  summary = "Clears a Leadping conversation's sender-number override",
  detailed = [[
A client for one operation of the Leadping API, with a C core on libcurl:
DELETE /phone-numbers/outgoing/conversation/{conversationId}/override.
Gives the resulting number selection as a typed Lua table.]],
  license = "MIT",
  labels = { "api", "http", "sms" },
}

dependencies = {
  "lua >= 5.1",
  "lua-cjson >= 2.1.0",
  "argparse >= 0.7.0",
}

test_dependencies = {
  "busted >= 2.0",
}

-- libcurl is found by pkg-config, in the Makefile: its header is not where
-- LuaRocks looks on systems with a directory for each architecture.
build = {
  type = "make",
  build_variables = {
    LUA = "$(LUA)",
    CC = "$(CC)",
    CFLAGS = "$(CFLAGS)",
    LUA_CFLAGS = "-I$(LUA_INCDIR)",
  },
  install_variables = {
    LUA = "$(LUA)",
    INST_LUADIR = "$(LUADIR)",
    INST_LIBDIR = "$(LIBDIR)",
    INST_BINDIR = "$(BINDIR)",
    LUA_CFLAGS = "-I$(LUA_INCDIR)",
  },
}
