-- Lua 5.1 to 5.4 and LuaJIT share this source: only what all of them have.
std = "min"
max_line_length = 100
files["spec"] = {
  std = "+busted",
  read_globals = { math = { fields = { "type", "maxinteger", "mininteger" } } },
}
-- The fault programs run on Lua 5.4 alone.
files["spec/torture"] = { std = "lua54+busted" }
files["spec/server"] = { std = "ngx_lua" }
files["spec/resty"] = { std = "ngx_lua" }
files["examples/openresty"] = { std = "ngx_lua" }
files["examples/resty-transport.lua"] = { std = "ngx_lua" }
files["examples/mock_spec.lua"] = { std = "+busted" }
files["lua/leadping/codec.lua"] = { read_globals = { math = { fields = { "type" } } } }
files["lua/leadping/iterator.lua"] = { read_globals = { "newproxy" } }
files["lua/leadping/loop/nginx.lua"] = { std = "ngx_lua" }
-- One option a line, as its editors show it.
files["lua/leadping/types.lua"] = { max_line_length = false }
