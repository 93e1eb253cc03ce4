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
  "lua >= 5.4",
  "lua-cjson >= 2.1.0",
}

test_dependencies = {
  "busted >= 2.0",
}

external_dependencies = {
  LIBCURL = { header = "curl/curl.h", library = "curl" },
}

build = {
  type = "make",
  build_variables = {
    CC = "$(CC)",
    CFLAGS = "$(CFLAGS)",
    LUA_CFLAGS = "-I$(LUA_INCDIR)",
    CURL_CFLAGS = "-I$(LIBCURL_INCDIR)",
    CURL_LIBS = "-L$(LIBCURL_LIBDIR) -lcurl",
  },
  install_variables = {
    INST_LUADIR = "$(LUADIR)",
    INST_LIBDIR = "$(LIBDIR)",
    LUA_CFLAGS = "-I$(LUA_INCDIR)",
  },
}
