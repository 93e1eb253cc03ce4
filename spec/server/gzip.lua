-- gzip: compresses a string with the zlib that nginx itself is linked with.
-- It does not stream: the whole result is one string.
-- MIT, see LICENSE.

local ffi = require "ffi"

ffi.cdef [[
unsigned long compressBound(unsigned long);
int compress2(unsigned char *, unsigned long *, const char *, unsigned long,
              int);
]]

local HEADER = "\31\139\8\0\0\0\0\0\0\3"

local function little_endian(n)
  return ffi.string(ffi.new("uint32_t[1]", n), 4)
end

local function zlib_stream(bytes)
  local size = ffi.new("unsigned long[1]", ffi.C.compressBound(#bytes))
  local out = ffi.new("unsigned char[?]", size[0])
  assert(ffi.C.compress2(out, size, bytes, #bytes, 9) == 0)
  return ffi.string(out, size[0])
end

-- The same deflate data lies in a zlib stream (2 bytes before it, 4 behind)
-- and in a gzip member.
return function(bytes)
  return HEADER .. zlib_stream(bytes):sub(3, -5) ..
    little_endian(ngx.crc32_long(bytes)) .. little_endian(#bytes)
end
