-- wire_bytes: the bytes that a server puts on the wire, right ones and broken
-- ones: HTTP/1.1 answers, HTTP/2 frames, TLS records. Header blocks are written
-- literally, so that no HPACK encoder stands between a case and its bytes.
-- Does no I/O but reading the golden body.
-- MIT, see LICENSE.

local bytes = {}

local function read(path)
  local file = assert(io.open(path, "rb"))
  local content = file:read("a")
  file:close()
  return content
end

local golden = read "spec/contract/selection-documented.json":gsub("%s+$", "")
local refusal = read "spec/contract/problem-401.json":gsub("%s+$", "")

--- The golden body; the marker tells this answer from every other.
function bytes.body(marker)
  return (golden:gsub('"pn_7f3a"', '"' .. marker .. '"'))
end

-- HTTP/1.1 -------------------------------------------------------------------

local COMMON = {
  { "Date", "Sat, 04 Jul 2026 12:00:00 GMT" },
  { "Content-Type", "application/json; charset=utf-8" },
  { "Cache-Control", "no-store" },
  { "Strict-Transport-Security", "max-age=31536000; includeSubDomains" },
  { "Vary", "Accept-Encoding" },
  { "X-Request-Id", "req_0f5e1d2c" },
}

--- The header section of every answer, without status line and length.
local function common_lines()
  local lines = {}
  for i, header in ipairs(COMMON) do lines[i] = header[1] .. ": " .. header[2] .. "\r\n" end
  return table.concat(lines)
end

bytes.COMMON_LINES = common_lines()

--- An answer of a status line, the common headers, other lines and a body.
function bytes.answer(status_line, lines, body)
  return status_line .. "\r\n" .. bytes.COMMON_LINES .. lines .. "\r\n" .. body
end

function bytes.length(body)
  return "Content-Length: " .. #body .. "\r\n"
end

--- The golden answer.
function bytes.good(marker)
  local body = bytes.body(marker)
  return bytes.answer("HTTP/1.1 200 OK", bytes.length(body), body)
end

--- A whole refusal: a problem of that status.
function bytes.refuse(status)
  return bytes.answer("HTTP/1.1 " .. status .. " Refused", bytes.length(refusal), refusal)
end

--- A body in chunks of at most that many bytes, without the last chunk.
function bytes.chunks(body, size)
  local chunks = {}
  for at = 1, #body, size do
    local piece = body:sub(at, at + size - 1)
    chunks[#chunks + 1] = ("%x\r\n%s\r\n"):format(#piece, piece)
  end
  return table.concat(chunks)
end

-- HTTP/2 ---------------------------------------------------------------------

bytes.PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

bytes.DATA, bytes.HEADERS, bytes.PRIORITY, bytes.RST_STREAM = 0, 1, 2, 3
bytes.SETTINGS, bytes.PUSH_PROMISE, bytes.PING, bytes.GOAWAY = 4, 5, 6, 7
bytes.WINDOW_UPDATE, bytes.CONTINUATION = 8, 9
bytes.END_STREAM, bytes.ACK, bytes.END_HEADERS = 1, 1, 4

bytes.NO_ERROR, bytes.PROTOCOL_ERROR, bytes.INTERNAL_ERROR = 0, 1, 2
bytes.REFUSED_STREAM, bytes.CANCEL, bytes.ENHANCE_YOUR_CALM = 7, 8, 11

function bytes.frame(kind, flags, stream, payload)
  return string.pack(">I3BBI4", #payload, kind, flags, stream) .. payload
end

--- An HPACK integer behind the bits that share its first byte (RFC 7541, 5.1).
local function integer(value, bits, first)
  local most = (1 << bits) - 1
  if value < most then return string.char(first | value) end
  local packed = { string.char(first | most) }
  value = value - most
  while value >= 128 do
    packed[#packed + 1] = string.char(value & 127 | 128)
    value = value >> 7
  end
  return table.concat(packed) .. string.char(value)
end

--- A header field, neither indexed nor Huffman-coded.
function bytes.field(name, value)
  return "\0" .. integer(#name, 7, 0) .. name .. integer(#value, 7, 0) .. value
end

local STATUS_NAME = 8 -- in the static table

--- A header block: a status, the common headers, a length where one is given.
function bytes.block(status, length, more)
  local block = { integer(STATUS_NAME, 4, 0) .. integer(#status, 7, 0) .. status }
  for _, header in ipairs(COMMON) do
    block[#block + 1] = bytes.field(header[1]:lower(), header[2])
  end
  if length then block[#block + 1] = bytes.field("content-length", tostring(length)) end
  return table.concat(block) .. (more or "")
end

function bytes.settings(payload)
  return bytes.frame(bytes.SETTINGS, 0, 0, payload or "")
end

function bytes.ack()
  return bytes.frame(bytes.SETTINGS, bytes.ACK, 0, "")
end

function bytes.headers(stream, block, flags)
  return bytes.frame(bytes.HEADERS, bytes.END_HEADERS | (flags or 0), stream, block)
end

function bytes.data(stream, payload, flags)
  return bytes.frame(bytes.DATA, flags or 0, stream, payload)
end

function bytes.reset(stream, code)
  return bytes.frame(bytes.RST_STREAM, 0, stream, string.pack(">I4", code))
end

function bytes.goaway(last, code)
  return bytes.frame(bytes.GOAWAY, 0, 0, string.pack(">I4I4", last, code))
end

function bytes.ping(text)
  return bytes.frame(bytes.PING, 0, 0, text)
end

local function stream_answer(stream, status, body)
  return bytes.headers(stream, bytes.block(status, #body))
    .. bytes.data(stream, body, bytes.END_STREAM)
end

--- The golden answer on a stream.
function bytes.good_h2(stream, marker)
  return stream_answer(stream, "200", bytes.body(marker))
end

function bytes.refuse_h2(stream, status)
  return stream_answer(stream, status, refusal)
end

-- TLS ------------------------------------------------------------------------

function bytes.alert(level, description)
  return string.pack(">BBBI2BB", 21, 3, 3, 2, level, description)
end

--- The same bytes each time, that no protocol begins with.
function bytes.garbage(length)
  local state, out = 12345, {}
  for i = 1, length do
    state = (state * 1103515245 + 12345) & 0x7fffffff
    out[i] = string.char(128 + (state >> 16) % 128)
  end
  return table.concat(out)
end

return bytes
