-- wire_cases: every fault, as what a server does and what may come of it.
-- Makes tables; runs nothing.
-- MIT, see LICENSE.
--
-- A case: group, name, protocol; connections (what each connection does, see
-- wire_server.lua; those behind them behave well) or what else a plan has;
-- timeout and retries of the call; want, what may come back: selection = true
-- where the golden body arrives whole, kind and outcome of the errors (words).
-- seen: how often the server may be asked, 1 where nothing is said.

local bytes = require "wire_bytes"

local SHORT = 0.2 -- seconds, for what does not end by itself
local MARK = "faulty" -- of the answers that faulty connections give
local OLD = "stale" -- of answers that belong to nobody

local SELECTION = { selection = true }
local LOST = { kind = "connection", outcome = "unknown" }
local LATE = { kind = "timeout", outcome = "unknown" }
local NOT_CONNECTED = { kind = "connection", outcome = "not_sent" }
local NOT_CONNECTED_LATE = { kind = "timeout", outcome = "not_sent" }
local NO_TLS = { kind = "tls connection", outcome = "not_sent" }
local LOST_EARLY = { kind = "connection", outcome = "not_sent unknown" }
local ODD_STATUS = { kind = "unexpected_status connection", outcome = "unknown" }
local BAD_BODY = { kind = "decode", outcome = "applied" }
local TOO_LARGE = { kind = "too_large", outcome = "applied" }
-- A line over 100 KB goes over libcurl's own limit first. That failure does not
-- tell from its memory running out, where libcurl is older than 8.6.
local LINE_TOO_LARGE = { kind = "too_large connection", outcome = "applied unknown" }
-- Where the golden body is there for who is lenient, and framing is doubtful.
-- Or where the client, at the end, still writes to one that has left.
local LENIENT = { selection = true, kind = "connection", outcome = "unknown" }
local DOUBTFUL = { selection = true, kind = "connection decode", outcome = "unknown applied" }

local cases = { MARK = MARK, OLD = OLD }
local list

local function add(group, protocol, name, fields)
  fields.group, fields.protocol, fields.name = group, protocol, name
  list[#list + 1] = fields
end

--- One connection that reads a request and then does those steps.
local function after_request(...)
  return { { steps = { { "greet" }, { "request" }, ... } } }
end

local function good(protocol, stream)
  return protocol == "h2" and bytes.good_h2(stream or 1, MARK) or bytes.good(MARK)
end

local function refusal(protocol, status)
  return protocol == "h2" and bytes.refuse_h2(1, status) or bytes.refuse(status)
end

-- at connect -----------------------------------------------------------------

local function at_connect(protocol)
  local function one(name, fields) add("connect", protocol, name, fields) end
  one("refused", { closed = true, want = NOT_CONNECTED })
  one("never accepted", {
    no_accept = true, timeout = SHORT,
    want = protocol == "http" and LATE or NOT_CONNECTED_LATE,
  })
  one("no room in the queue", { full = true, timeout = SHORT, want = NOT_CONNECTED_LATE })
  local lost = protocol == "http" and LOST_EARLY or NO_TLS
  for _, how in ipairs { "close", "reset" } do
    one("accepted and " .. how, { connections = { { before = { { how } } } }, want = lost })
  end
  one("accepted and never read", {
    connections = { { before = { { "pause", 1 } } } }, timeout = SHORT,
    want = protocol == "http" and LATE or NOT_CONNECTED_LATE,
  })
  one("garbage", {
    connections = { { before = { { "send", bytes.garbage(64) }, { "stall" } } } },
    timeout = SHORT, want = lost,
  })
  one("garbage in drips", {
    connections = { { before = { { "send", bytes.garbage(64), 1, 0.02 }, { "stall" } } } },
    timeout = SHORT,
    want = { kind = "tls connection timeout", outcome = "not_sent unknown" },
  })
end

-- in the TLS handshake -------------------------------------------------------

local HELLO_ANSWERS = {
  ["garbage"] = bytes.garbage(256),
  ["garbage in a record"] = "\22\3\3\1\0" .. bytes.garbage(256),
  ["an empty record"] = "\22\3\3\0\0",
  ["an endless record"] = "\22\3\3\255\255" .. bytes.garbage(2000),
  ["HTTP in clear"] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
  ["the golden answer in clear"] = bytes.good(MARK),
  ["alert handshake_failure"] = bytes.alert(2, 40),
  ["alert internal_error"] = bytes.alert(2, 80),
  ["alert unrecognized_name"] = bytes.alert(2, 112),
  ["alert no_application_protocol"] = bytes.alert(2, 120),
  ["alert close_notify"] = bytes.alert(1, 0),
  ["alert of no such level"] = bytes.alert(9, 40),
}

-- The server's flight is measured once, and its signature's length differs by
-- some bytes from one handshake to the next (ECDSA's DER): a cut so near the
-- end might cut nothing.
local SIGNATURE_SLACK = 10

local function in_handshake(protocol, flight, full)
  local function one(name, before, pump, want, timeout)
    add("handshake", protocol, name, {
      connections = { { before = before, pump = pump } }, want = want, timeout = timeout,
    })
  end
  for _, how in ipairs { "close", "reset" } do
    one("hello, then " .. how, { { "hello" }, { how } }, nil, NO_TLS)
  end
  one("hello, then stall", { { "hello" }, { "stall" } }, nil, NOT_CONNECTED_LATE, SHORT)
  for name, answer in pairs(HELLO_ANSWERS) do
    one("hello, then " .. name, { { "hello" }, { "send", answer }, { "close" } }, nil, NO_TLS)
  end
  for cut = 1, flight - SIGNATURE_SLACK, full and 5 or 97 do
    for _, how in ipairs { "close", "reset" } do
      one(("flight cut at %d, %s"):format(cut, how), nil, { cut = cut, after = how }, NO_TLS)
    end
  end
  for cut = 1, flight - SIGNATURE_SLACK, full and 101 or 401 do
    one(("flight cut at %d, stall"):format(cut), nil, { cut = cut, after = "stall" },
      NOT_CONNECTED_LATE, SHORT)
  end
  one("all in single bytes", nil, { piece = 1 }, SELECTION)
  one("all in drips", nil, { piece = 1, pause = 0.02 }, NOT_CONNECTED_LATE, SHORT)
  one("200 bytes a second", nil, { piece = 20, pause = 0.1 }, NOT_CONNECTED_LATE, SHORT)
  one("40 KB a second", nil, { piece = 200, pause = 0.005 }, SELECTION)
end

-- at a place of the answer ---------------------------------------------------

--- Names of places, and how many bytes of the golden answer come before them.
local function places(protocol)
  local head = 9 + #bytes.block("200", #bytes.body(MARK))
  if protocol == "h2" then
    return { { "frame's head", 5 }, { "header block", 60 }, { "between frames", head },
      { "data frame's head", head + 4 }, { "body", head + 300 } }
  end
  head = #bytes.good(MARK) - #bytes.body(MARK)
  return { { "before the answer", 0 }, { "status line", 11 }, { "headers", 60 },
    { "between head and body", head }, { "body", head + 300 } }
end

--- Garbage in a header's value or in a chunk of HTTP/1.1's body is a header or
-- a body; it is the body's rest that makes it wrong.
local GARBLED = { kind = "connection decode", outcome = "unknown applied" }

local function at_place(protocol, place, at)
  local text = good(protocol)
  local before, rest = text:sub(1, at), text:sub(at + 1)
  local function one(name, want, timeout, ...)
    add("answer", protocol, place .. ": " .. name, {
      connections = after_request({ "send", before }, ...), want = want, timeout = timeout,
    })
  end
  one("close", LOST, nil, { "close" })
  one("reset", LOST, nil, { "reset" })
  one("stall", LATE, SHORT, { "stall" })
  one("garbage, close", GARBLED, SHORT, { "send", bytes.garbage(64) }, { "close" })
  one("garbage, stall", { kind = "connection decode timeout", outcome = "unknown applied" },
    SHORT, { "send", bytes.garbage(64) }, { "stall" })
  one("garbage for the rest", GARBLED, SHORT,
    { "send", bytes.garbage(#rest) }, { "close" })
  one("single bytes", SELECTION, nil, { "send", rest, 1 })
  one("drip", LATE, SHORT, { "send", rest, 1, 0.02 })
  one("200 bytes a second", LATE, SHORT, { "send", rest, 20, 0.1 })
  one("40 KB a second", SELECTION, nil, { "send", rest, 200, 0.005 })
end

local function in_answer(protocol)
  for _, place in ipairs(places(protocol)) do at_place(protocol, place[1], place[2]) end
end

-- each byte offset -----------------------------------------------------------

local function cut_cases(protocol, group, text, whole, step)
  for at = 0, #text - 1, step do
    add(group, protocol, "cut at " .. at, {
      connections = after_request({ "send", text:sub(1, at) }, { "close" }), want = LOST,
    })
  end
  add(group, protocol, "cut behind the last byte", {
    connections = after_request({ "send", text }, { "close" }), want = whole,
  })
end

local function split_cases(protocol, text, step)
  for at = 1, #text - 1, step do
    add("split", protocol, "split at " .. at, {
      connections = after_request({ "send", text:sub(1, at) }, { "pause", 0.002 },
        { "send", text:sub(at + 1) }), want = SELECTION,
    })
  end
end

local REFUSED = { kind = "unauthorized", outcome = "not_applied" }
local REFUSED_OR_LOST = { kind = "unauthorized connection", outcome = "not_applied unknown" }

local function offsets(protocol, full)
  local step = full and 1 or 7
  local h2 = protocol == "h2"
  cut_cases(protocol, "cut", good(protocol), h2 and LENIENT or SELECTION, step)
  cut_cases(protocol, "cut refusal", refusal(protocol, "401"), h2 and REFUSED_OR_LOST or REFUSED,
    step)
  split_cases(protocol, good(protocol), step)
end

-- HTTP/1.1: framing, heads, bodies -------------------------------------------

local BODY = bytes.body(MARK)
local LENGTH = bytes.length(BODY)
local OK = "HTTP/1.1 200 OK"

local function length(value)
  return ("Content-Length: %s\r\n"):format(value)
end

local CHUNKED = "Transfer-Encoding: chunked\r\n"

--- name, the lines that frame the body, the body, what may come, and whether
-- the connection then stays open for a while ("stall") instead of closing.
local FRAMINGS = {
  { "Content-Length too short", length(#BODY - 10), BODY, BAD_BODY },
  { "Content-Length 0", length(0), BODY, BAD_BODY },
  { "Content-Length 0, stay", length(0), BODY, BAD_BODY, "behave" },
  { "Content-Length too short, stay", length(#BODY - 10), BODY, BAD_BODY, "stall" },
  { "Content-Length too long", length(#BODY + 10), BODY, LOST },
  { "Content-Length too long, stay", length(#BODY + 10), BODY, LATE, "stall" },
  { "Content-Length negative", length(-5), BODY, DOUBTFUL },
  { "Content-Length minus 0", length("-0"), BODY, DOUBTFUL },
  { "Content-Length with a plus", length("+" .. #BODY), BODY, DOUBTFUL },
  { "Content-Length twice, equal", LENGTH .. LENGTH, BODY, SELECTION },
  { "Content-Length twice, first shorter", length(10) .. LENGTH, BODY, DOUBTFUL },
  { "Content-Length twice, last shorter", LENGTH .. length(10), BODY, DOUBTFUL },
  { "Content-Length a list", length(#BODY .. ", " .. #BODY), BODY, DOUBTFUL },
  { "Content-Length no number", length("abc"), BODY, DOUBTFUL },
  { "Content-Length empty", length(""), BODY, DOUBTFUL },
  { "Content-Length hexadecimal", length("0x10"), BODY, DOUBTFUL },
  { "Content-Length of 20 digits", length("99999999999999999999"), BODY, DOUBTFUL },
  { "Content-Length 2^63", length("9223372036854775808"), BODY, DOUBTFUL },
  { "Content-Length 2^63 - 1", length("9223372036854775807"), BODY, LOST },
  { "more than Content-Length", LENGTH, BODY .. "and more", SELECTION },
  { "more than Content-Length, stay", LENGTH, BODY .. "and more", SELECTION, "stall" },
  { "two answers to one request", LENGTH, BODY .. bytes.good(OLD), SELECTION },
  { "two answers to one request, stay", LENGTH, BODY .. bytes.good(OLD), SELECTION, "behave" },
  { "answer and refusal, stay", LENGTH, BODY .. bytes.refuse("401"), SELECTION, "behave" },
  { "no length", "", BODY, SELECTION, "goodbye" },
  { "no length, TLS not ended", "", BODY, DOUBTFUL },
  { "no length, cut", "", BODY:sub(1, -2), { kind = "decode connection",
    outcome = "applied unknown" } },
  { "no length, reset", "", BODY, DOUBTFUL, "reset" },
  { "Connection: close", LENGTH .. "Connection: close\r\n", BODY, SELECTION },
  { "Connection: close, stay", LENGTH .. "Connection: close\r\n", BODY, SELECTION, "stall" },
  { "chunked", CHUNKED, bytes.chunks(BODY, 100) .. "0\r\n\r\n", SELECTION, "behave" },
  { "chunks of one byte", CHUNKED, bytes.chunks(BODY, 1) .. "0\r\n\r\n", SELECTION, "behave" },
  { "chunked, with extensions", CHUNKED,
    (bytes.chunks(BODY, 500):gsub("^(%x+)", "%1;name=value")) .. "0\r\n\r\n", SELECTION, "behave" },
  { "chunked, a trailer", CHUNKED,
    bytes.chunks(BODY, 100) .. "0\r\nX-Sum: 1\r\nX-Other: 2\r\n\r\n", SELECTION, "behave" },
  { "chunked, a trailer that says 500", CHUNKED,
    bytes.chunks(BODY, 100) .. "0\r\nStatus: 500\r\nContent-Length: 3\r\n\r\n", SELECTION,
    "behave" },
  { "chunked, no last chunk", CHUNKED, bytes.chunks(BODY, 100), LOST },
  { "chunked, no last chunk, stay", CHUNKED, bytes.chunks(BODY, 100), LATE, "stall" },
  { "chunked, trailer without an end", CHUNKED, bytes.chunks(BODY, 100) .. "0\r\nX-Sum: 1\r\n",
    DOUBTFUL },
  { "chunked, size not hexadecimal", CHUNKED, "zz\r\n" .. BODY .. "\r\n0\r\n\r\n", LOST },
  { "chunked, size negative", CHUNKED, "-5\r\n" .. BODY .. "\r\n0\r\n\r\n", LOST },
  { "chunked, size empty", CHUNKED, "\r\n" .. BODY .. "\r\n0\r\n\r\n", LOST },
  { "chunked, size of 17 digits", CHUNKED, "FFFFFFFFFFFFFFFFF\r\n" .. BODY .. "\r\n0\r\n\r\n",
    LOST },
  { "chunked, size too long", CHUNKED, ("%x\r\n"):format(#BODY + 50) .. BODY, LOST },
  { "chunked, size too short", CHUNKED, ("%x\r\n"):format(#BODY - 5) .. BODY .. "\r\n0\r\n\r\n",
    LOST },
  { "chunked, no end of a chunk", CHUNKED, ("%x\r\n"):format(#BODY) .. BODY .. "0\r\n\r\n", LOST },
  { "chunked and more behind it", CHUNKED, bytes.chunks(BODY, 100) .. "0\r\n\r\n"
    .. bytes.good(OLD), SELECTION, "behave" },
  { "chunked with Content-Length", CHUNKED .. LENGTH, bytes.chunks(BODY, 100) .. "0\r\n\r\n",
    DOUBTFUL },
  { "Content-Length with chunked", length(5) .. CHUNKED, bytes.chunks(BODY, 100) .. "0\r\n\r\n",
    DOUBTFUL },
  { "chunked said, not done", CHUNKED, BODY, LOST },
  { "chunked done, not said", LENGTH, bytes.chunks(BODY, 100), BAD_BODY },
  { "gzip said, not done", LENGTH .. "Content-Encoding: gzip\r\n", BODY, BAD_BODY },
}

local function framings(protocol)
  for _, row in ipairs(FRAMINGS) do
    local name, lines, body, want, ending = table.unpack(row, 1, 5)
    local steps = { { "send", bytes.answer(OK, lines, body) } }
    if ending ~= "behave" then steps[2] = { ending or "close" } end
    if protocol == "http" and name == "no length, TLS not ended" then want = SELECTION end
    add("framing", protocol, name, {
      connections = after_request(table.unpack(steps)), want = want,
      timeout = ending == "stall" and SHORT or nil,
    })
  end
end

local CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n"
local HINTS = "HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"

local function big_lines(count, size)
  local line = "X-Filler: " .. ("x"):rep(size) .. "\r\n"
  return line:rep(count)
end

--- name, what comes before the common answer, its lines, what may come.
local HEADS = {
  { "100 first", CONTINUE, "", SELECTION },
  { "103 first", HINTS, "", SELECTION },
  { "several 1xx first", CONTINUE .. HINTS .. HINTS .. "HTTP/1.1 102 Processing\r\n\r\n", "",
    SELECTION },
  { "199 first", "HTTP/1.1 199 Other\r\n\r\n", "", SELECTION },
  { "1000 times 100 first", CONTINUE:rep(1000), "", SELECTION },
  { "10000 times 100 first", CONTINUE:rep(10000), "", {
    kind = "too_large", outcome = "unknown applied" } },
  { "50 KB of headers", "", big_lines(50, 1000), SELECTION },
  { "100 KB of headers", "", big_lines(100, 1000), TOO_LARGE },
  { "100 KB of small headers", "", big_lines(10000, 1), TOO_LARGE },
  { "a header of 60 KB", "", big_lines(1, 60000), SELECTION },
  { "a header of 1 MB", "", big_lines(1, 1 << 20), LINE_TOO_LARGE },
  { "a header of 1 MB, no end", "", "X-Filler: " .. ("x"):rep(1 << 20), LINE_TOO_LARGE },
  { "a header without a colon", "", "no colon here\r\n", DOUBTFUL },
  { "a header without a name", "", ": value\r\n", DOUBTFUL },
  { "a header with spaces in its name", "", "Bad Name : value\r\n", DOUBTFUL },
  { "obs-fold", "", "X-Folded: one\r\n two\r\n\tthree\r\n", DOUBTFUL },
  { "obs-fold at first", "", " folded onto nothing\r\n", DOUBTFUL },
  { "NUL in a header", "", "X-Nul: a\0b\r\n", DOUBTFUL },
  { "NUL in a name", "", "X-N\0ul: b\r\n", DOUBTFUL },
  { "CR in a header", "", "X-Cr: a\rb\r\n", DOUBTFUL },
  { "garbage in a header", "", "X-Garbage: " .. bytes.garbage(40) .. "\r\n", DOUBTFUL },
  { "100 in the end", "", "", LOST, CONTINUE },
}

local function heads(protocol)
  for _, row in ipairs(HEADS) do
    local name, before, lines, want, instead = table.unpack(row, 1, 5)
    local text = instead or before .. bytes.answer(OK, lines .. LENGTH, BODY)
    local ending = want == SELECTION and { "pause", 0 } or { "close" }
    add("head", protocol, name, {
      connections = after_request({ "send", text }, ending), want = want,
    })
  end
  local golden = bytes.answer(OK, LENGTH, BODY)
  local function one(name, text, want)
    add("head", protocol, name, {
      connections = after_request({ "send", text }, { "close" }), want = want,
    })
  end
  one("bare LF", golden:gsub("\r\n", "\n"), DOUBTFUL)
  one("bare CR", golden:gsub("\r\n", "\r"), LOST)
  one("no blank line", golden:gsub("\r\n\r\n", "\r\n"), LOST)
  one("no blank line, refusal", bytes.refuse("401"):gsub("\r\n\r\n", "\r\n"), LOST)
  one("blank lines first", "\r\n\r\n" .. golden, DOUBTFUL)
  one("only a body", BODY, LOST)
  one("only a status line", OK .. "\r\n", LOST)
  one("only a refusal's status line", "HTTP/1.1 404 Not Found\r\n", LOST)
  one("only a status line and a blank one", OK .. "\r\n\r\n", BAD_BODY)
  one("101", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"
    .. golden, ODD_STATUS)
end

local STATUS_LINES = {
  ["HTTP/1.1 200"] = SELECTION,
  ["HTTP/1.1 200 "] = SELECTION,
  ["HTTP/1.0 200 OK"] = SELECTION,
  ["HTTP/1.1 200 " .. ("x"):rep(2000)] = SELECTION,
  ["HTTP/1.1 200 \127\1\255"] = DOUBTFUL,
  ["HTTP/1.1 200OK"] = LENIENT,
  ["HTTP/1.1  200 OK"] = DOUBTFUL,
  ["HTTP/1.1 2000 OK"] = LOST,
  ["HTTP/1.1 20 OK"] = LOST,
  ["HTTP/1.1 0200 OK"] = LOST,
  ["HTTP/1.1 -1"] = LOST,
  ["HTTP/1.1 0 OK"] = LOST,
  ["HTTP/1.1 000 OK"] = LOST,
  ["HTTP/1.1 099 OK"] = LOST,
  ["HTTP/1.1 +20 OK"] = LOST,
  ["HTTP/1.1 0x1 OK"] = LOST,
  ["HTTP/1.1 abc OK"] = LOST,
  ["HTTP/1.1 "] = LOST,
  ["HTTP/1.1"] = LOST,
  ["HTTP/2 200"] = LENIENT,
  ["HTTP/3 200"] = LOST,
  ["HTTP/9.9 200 OK"] = LOST,
  ["HTTP/1.2 200 OK"] = DOUBTFUL,
  ["HTTP/1.10 200 OK"] = LOST,
  ["HTTP/11 200 OK"] = LOST,
  ["HTTP/-1.1 200 OK"] = LENIENT,
  ["HTP/1.1 200 OK"] = LOST,
  ["http/1.1 200 OK"] = LENIENT,
  ["HTTPS/1.1 200 OK"] = LOST,
  ["ICY 200 OK"] = LOST,
  ["RTSP/1.0 200 OK"] = LOST,
  ["200 OK"] = LOST,
  [" HTTP/1.1 200 OK"] = LOST,
  ["HTTP/1.1 600 Odd"] = { kind = "server_error unexpected_status connection",
    outcome = "unknown" },
  ["HTTP/1.1 999 Odd"] = { kind = "server_error unexpected_status connection",
    outcome = "unknown" },
  ["HTTP/1.1 201 Created"] = SELECTION,
  ["HTTP/1.1 204 No Content"] = BAD_BODY,
  ["HTTP/1.1 304 Not Modified"] = { kind = "unexpected_status", outcome = "not_applied" },
}

local function status_lines(protocol)
  for line, want in pairs(STATUS_LINES) do
    local name = #line > 60 and line:sub(1, 20) .. "…" or line
    add("status line", protocol, ("%q"):format(name), {
      connections = after_request({ "send", bytes.answer(line, LENGTH, BODY) }, { "close" }),
      want = want,
    })
  end
end

-- HTTP/2: frames -------------------------------------------------------------

local BLOCK = bytes.block("200", #BODY)
local HEAD = bytes.headers(1, BLOCK)
local DATA = bytes.data(1, BODY, bytes.END_STREAM)
local HALF = bytes.data(1, BODY:sub(1, 300))
local REST = bytes.data(1, BODY:sub(301), bytes.END_STREAM)
-- libcurl sends a refused stream again by itself.
local REFUSED_STREAM = { selection = true, kind = "connection", outcome = "not_sent unknown" }

local function split_block()
  return bytes.frame(bytes.HEADERS, 0, 1, BLOCK:sub(1, 40))
    .. bytes.frame(bytes.CONTINUATION, bytes.END_HEADERS, 1, BLOCK:sub(41))
end

local function informational(count)
  local blocks = {}
  for i = 1, count do blocks[i] = bytes.headers(1, bytes.block("103")) end
  return table.concat(blocks)
end

local function pings(count)
  return bytes.ping("12345678"):rep(count)
end

--- name, what comes in answer, what may come of it, how the connection goes on
-- (it behaves where nothing is said), how often the server may be asked.
local FRAMES = {
  { "GOAWAY, nothing done", bytes.goaway(0, bytes.NO_ERROR), LOST_EARLY, "close" },
  { "GOAWAY, nothing done, stay", bytes.goaway(0, bytes.NO_ERROR),
    { kind = "connection timeout", outcome = "unknown" }, "stall" },
  { "GOAWAY at our stream, then the answer", bytes.goaway(1, bytes.NO_ERROR) .. HEAD .. DATA,
    SELECTION },
  { "GOAWAY of 2^31-1, then the answer", bytes.goaway(0x7fffffff, bytes.NO_ERROR) .. HEAD .. DATA,
    SELECTION },
  { "GOAWAY at our stream, then close", bytes.goaway(1, bytes.NO_ERROR), LOST, "close" },
  { "GOAWAY with an error", bytes.goaway(0, bytes.ENHANCE_YOUR_CALM), LOST, "close" },
  { "GOAWAY with an error at our stream", bytes.goaway(1, bytes.INTERNAL_ERROR), LOST, "close" },
  { "GOAWAY within the body", HEAD .. HALF .. bytes.goaway(1, bytes.NO_ERROR) .. REST, SELECTION },
  { "GOAWAY within the body, then close", HEAD .. HALF .. bytes.goaway(1, bytes.NO_ERROR), LOST,
    "close" },
  { "GOAWAY behind the answer", HEAD .. DATA .. bytes.goaway(1, bytes.NO_ERROR), SELECTION },
  { "GOAWAY with debug data", bytes.frame(bytes.GOAWAY, 0, 0, ("\0"):rep(8)
    .. bytes.garbage(100)), LOST, "close" },
  { "RST_STREAM REFUSED_STREAM", bytes.reset(1, bytes.REFUSED_STREAM), REFUSED_STREAM, nil, 2 },
  { "RST_STREAM CANCEL", bytes.reset(1, bytes.CANCEL), LOST },
  { "RST_STREAM INTERNAL_ERROR", bytes.reset(1, bytes.INTERNAL_ERROR), LOST },
  { "RST_STREAM NO_ERROR", bytes.reset(1, bytes.NO_ERROR), LOST },
  { "RST_STREAM behind the head", HEAD .. bytes.reset(1, bytes.CANCEL), LOST },
  { "RST_STREAM behind a refusal's head", bytes.headers(1, bytes.block("404", 300))
    .. bytes.reset(1, bytes.CANCEL), LOST },
  { "RST_STREAM NO_ERROR behind a refusal's head", bytes.headers(1, bytes.block("404", 300))
    .. bytes.reset(1, bytes.NO_ERROR), LOST },
  { "RST_STREAM REFUSED_STREAM within the body", HEAD .. HALF
    .. bytes.reset(1, bytes.REFUSED_STREAM), REFUSED_STREAM, nil, 2 },
  { "RST_STREAM CANCEL within the body", HEAD .. HALF .. bytes.reset(1, bytes.CANCEL), LOST },
  { "RST_STREAM INTERNAL_ERROR within the body", HEAD .. HALF
    .. bytes.reset(1, bytes.INTERNAL_ERROR), LOST },
  { "RST_STREAM NO_ERROR within the body", HEAD .. HALF .. bytes.reset(1, bytes.NO_ERROR), LOST },
  { "RST_STREAM behind the answer", HEAD .. DATA .. bytes.reset(1, bytes.NO_ERROR), SELECTION },
  { "RST_STREAM of stream 0", bytes.reset(0, bytes.CANCEL), LOST, "close" },
  { "RST_STREAM of a stream not begun", bytes.reset(99, bytes.CANCEL), LOST, "close" },
  { "a frame over the largest size", HEAD .. bytes.data(1, ("x"):rep(20000)), LOST, "close" },
  { "a frame of 16 MB said", HEAD .. string.pack(">I3BBI4", 0xffffff, 0, 0, 1), LOST, "close" },
  { "an unknown frame first", bytes.frame(200, 255, 1, "what") .. HEAD .. DATA, SELECTION },
  { "a frame of stream 0", bytes.headers(0, BLOCK, bytes.END_STREAM), LOST, "close" },
  { "DATA on stream 0", HEAD .. bytes.data(0, BODY, bytes.END_STREAM), LOST, "close" },
  { "the answer on stream 2", bytes.good_h2(2, OLD), LOST, "close" },
  { "the answer on stream 3", bytes.good_h2(3, OLD), LOST, "close" },
  { "DATA before HEADERS", DATA, LOST, "close" },
  { "DATA before HEADERS, then both", bytes.data(1, "x") .. HEAD .. DATA, LOST, "close" },
  { "DATA behind the end", HEAD .. DATA .. bytes.data(1, "more"), LENIENT, "close" },
  { "two answers on one stream", HEAD .. DATA .. bytes.good_h2(1, OLD), LENIENT, "close" },
  { "a second head instead of a body", HEAD .. HEAD, LOST, "close" },
  { "trailers", HEAD .. bytes.data(1, BODY) .. bytes.headers(1, bytes.field("x-sum", "1"),
    bytes.END_STREAM), SELECTION },
  { "trailers with a status", HEAD .. bytes.data(1, BODY) .. bytes.headers(1,
    bytes.block("500"), bytes.END_STREAM), DOUBTFUL, "close" },
  { "the head in two frames", split_block() .. DATA, SELECTION },
  { "CONTINUATION alone", bytes.frame(bytes.CONTINUATION, 4, 1, BLOCK), LOST, "close" },
  { "another frame within the head", bytes.frame(bytes.HEADERS, 0, 1, BLOCK:sub(1, 40))
    .. bytes.ping("12345678"), LOST, "close" },
  { "no head's end", bytes.frame(bytes.HEADERS, 0, 1, BLOCK), LOST, "close" },
  { "header block broken", bytes.headers(1, ("\255"):rep(9)), LOST, "close" },
  { "header block of garbage", bytes.headers(1, bytes.garbage(100)), LOST, "close" },
  { "header block cut", bytes.headers(1, BLOCK:sub(1, 50)) .. DATA, LOST, "close" },
  { "header block empty", bytes.headers(1, "") .. DATA, LOST, "close" },
  { "an index out of the table", bytes.headers(1, "\200"), LOST, "close" },
  { "no status", bytes.headers(1, BLOCK:sub(6)) .. DATA, LOST, "close" },
  { "status twice", bytes.headers(1, "\136\136") .. DATA, LOST, "close" },
  { "status behind a header", bytes.headers(1, bytes.field("x-a", "b") .. BLOCK) .. DATA, LOST,
    "close" },
  { "status of 4 digits", bytes.headers(1, bytes.block("2000", #BODY)) .. DATA, LOST, "close" },
  { "status no number", bytes.headers(1, bytes.block("abc", #BODY)) .. DATA, LOST, "close" },
  { "status 099", bytes.headers(1, bytes.block("099", #BODY)) .. DATA, ODD_STATUS, "close" },
  { "status -01", bytes.headers(1, bytes.block("-01", #BODY)) .. DATA, LOST, "close" },
  { "status 101", bytes.headers(1, bytes.block("101")) .. HEAD .. DATA, DOUBTFUL, "close" },
  { "a header in upper case", bytes.headers(1, bytes.block("200", #BODY,
    bytes.field("X-Upper", "a"))) .. DATA, DOUBTFUL, "close" },
  { "NUL in a header", bytes.headers(1, bytes.block("200", #BODY, bytes.field("x-nul", "a\0b")))
    .. DATA, DOUBTFUL, "close" },
  { "CRLF in a header", bytes.headers(1, bytes.block("200", #BODY,
    bytes.field("x-crlf", "a\r\nhttp/1.1 500 b"))) .. DATA, DOUBTFUL, "close" },
  { "Connection in the head", bytes.headers(1, bytes.block("200", #BODY,
    bytes.field("connection", "close"))) .. DATA, DOUBTFUL, "close" },
  { "Content-Length too short", bytes.headers(1, bytes.block("200", 10)) .. DATA, LOST, "close" },
  { "Content-Length too long", bytes.headers(1, bytes.block("200", #BODY + 10)) .. DATA, LOST,
    "close" },
  { "Content-Length negative", bytes.headers(1, bytes.block("200", -5)) .. DATA, LOST, "close" },
  { "Content-Length twice", bytes.headers(1, bytes.block("200", #BODY,
    bytes.field("content-length", "10"))) .. DATA, LOST, "close" },
  { "Content-Length no number", bytes.headers(1, bytes.block("200", "abc")) .. DATA, LOST,
    "close" },
  { "Content-Length of 20 digits", bytes.headers(1, bytes.block("200", ("9"):rep(20))) .. DATA,
    LOST, "close" },
  { "no Content-Length", bytes.headers(1, bytes.block("200")) .. DATA, SELECTION },
  { "no Content-Length, no end", bytes.headers(1, bytes.block("200")) .. bytes.data(1, BODY),
    LOST, "close" },
  { "no Content-Length, a body cut", bytes.headers(1, bytes.block("200")) .. HALF, LOST,
    "close" },
  { "padding", HEAD .. bytes.frame(bytes.DATA, 9, 1, "\5" .. BODY .. ("\0"):rep(5)), SELECTION },
  { "padding longer than the frame", HEAD .. bytes.frame(bytes.DATA, 9, 1, "\200abc"), LOST,
    "close" },
  { "empty DATA frames", HEAD .. bytes.data(1, ""):rep(100) .. DATA, SELECTION },
  { "DATA of single bytes", HEAD .. BODY:gsub(".", function(byte) return bytes.data(1, byte) end)
    .. bytes.data(1, "", bytes.END_STREAM), SELECTION },
  { "103 first", informational(1) .. HEAD .. DATA, SELECTION },
  { "100 times 103 first", informational(100) .. HEAD .. DATA, SELECTION },
  { "103 that ends", bytes.headers(1, bytes.block("103"), bytes.END_STREAM), LOST, "close" },
  { "60 KB in CONTINUATIONs", bytes.frame(bytes.HEADERS, 0, 1, BLOCK) .. bytes.frame(
    bytes.CONTINUATION, 0, 1, bytes.field("x-filler", ("x"):rep(16000))):rep(3) .. bytes.frame(
    bytes.CONTINUATION, 4, 1, bytes.field("x-last", "x")) .. DATA, DOUBTFUL, "close" },
  { "a million headers", bytes.frame(bytes.HEADERS, 0, 1, BLOCK) .. bytes.frame(
    bytes.CONTINUATION, 0, 1, bytes.field("x-a", "x"):rep(1600)):rep(100), {
    kind = "connection too_large", outcome = "unknown applied" }, "close" },
  { "1000 PINGs, then the answer", pings(1000) .. HEAD .. DATA, SELECTION },
  { "PING of 7 bytes", bytes.ping("1234567"), LOST, "close" },
  { "PING on our stream", bytes.frame(bytes.PING, 0, 1, "12345678"), LOST, "close" },
  { "1000 SETTINGS, then the answer", bytes.settings():rep(1000) .. HEAD .. DATA,
    LENIENT, "close" },
  { "SETTINGS of 5 bytes", bytes.settings("12345"), LOST, "close" },
  { "SETTINGS of impossible values", bytes.settings("\0\4\255\255\255\255"), LOST, "close" },
  { "SETTINGS: no streams", bytes.settings("\0\3\0\0\0\0") .. HEAD .. DATA, LENIENT,
    "close" },
  { "SETTINGS: window 0", bytes.settings("\0\4\0\0\0\0") .. HEAD .. DATA, SELECTION },
  { "SETTINGS: no table", bytes.settings("\0\1\0\0\0\0") .. HEAD .. DATA, SELECTION },
  { "WINDOW_UPDATE of 0", bytes.frame(bytes.WINDOW_UPDATE, 0, 1, "\0\0\0\0"), LOST, "close" },
  { "WINDOW_UPDATE too far", bytes.frame(bytes.WINDOW_UPDATE, 0, 0, "\127\255\255\255"):rep(2),
    LOST, "close" },
  { "PUSH_PROMISE", bytes.frame(bytes.PUSH_PROMISE, 4, 1, "\0\0\0\2" .. BLOCK), LOST, "close" },
  { "HTTP/1.1 over it", bytes.good(OLD), LOST, "close" },
  { "garbage", bytes.garbage(100), LOST, "close" },
  { "garbage, stay", bytes.garbage(100), { kind = "connection timeout", outcome = "unknown" },
    "stall" },
  { "an answer of 2 MB", bytes.headers(1, bytes.block("200")) .. bytes.data(1,
    (" "):rep(16384)):rep(128), { kind = "too_large", outcome = "applied" } },
}

local function frames()
  for _, row in ipairs(FRAMES) do
    local name, text, want, ending, seen = table.unpack(row, 1, 5)
    local steps = { { "send", text } }
    if ending then steps[2] = { ending } end
    add("frames", "h2", name, {
      connections = after_request(table.unpack(steps)), want = want, seen = seen,
      timeout = ending == "stall" and SHORT or nil,
    })
  end
end

--- How an HTTP/2 connection begins, and one where a stream alone is stuck.
local function beginnings()
  local function one(name, want, timeout, ...)
    add("frames", "h2", name, { connections = { { steps = { ... } } }, want = want,
      timeout = timeout })
  end
  one("SETTINGS never sent, no answer", LATE, SHORT, { "mute" }, { "request" }, { "stall" })
  one("SETTINGS never sent, an answer", DOUBTFUL, nil, { "mute" }, { "request" },
    { "send", HEAD .. DATA }, { "close" })
  one("SETTINGS never acknowledged", SELECTION, nil, { "mute" }, { "greet" }, { "request" },
    { "send", HEAD .. DATA })
  one("GOAWAY before SETTINGS", LOST_EARLY, nil, { "send", bytes.goaway(0, 0) }, { "close" })
  one("GOAWAY before the request", LOST_EARLY, nil, { "greet" },
    { "send", bytes.goaway(0, 0) }, { "request" }, { "close" })
  one("GOAWAY with an error at first", LOST_EARLY, nil,
    { "send", bytes.settings() .. bytes.goaway(0, bytes.ENHANCE_YOUR_CALM) }, { "close" })
  one("HTTP/1.1 at first", LOST_EARLY, nil, { "send", bytes.good(OLD) }, { "close" })
  one("HTTP/1.1 first, stay", { kind = "connection timeout", outcome = "unknown not_sent" },
    SHORT, { "send", bytes.good(OLD) }, { "stall" })
  one("garbage at first", LOST_EARLY, nil, { "send", bytes.garbage(99) }, { "close" })
  one("close at first", LOST_EARLY, nil, { "close" })
  one("reset at first", LOST_EARLY, nil, { "reset" })
  one("RST_STREAM REFUSED_STREAM, late", LOST, nil, { "greet" }, { "request" },
    { "send", HEAD .. HALF }, { "pause", 0.02 }, { "send", bytes.reset(1, bytes.REFUSED_STREAM) })
  one("one stream stuck, others served", LATE, SHORT, { "greet" }, { "request" })
  one("one stream stuck behind its head", LATE, SHORT, { "greet" }, { "request" },
    { "send", HEAD })
  one("PINGs without an end", LATE, SHORT, { "greet" }, { "request" },
    { "send", pings(20000), 17, 0.0005 }, { "stall" })
end

-- between two calls ----------------------------------------------------------
-- The connection serves one call well, waits for the driver's word, and then
-- does this. The calls behind it must not get what belongs to nobody.

--- A fault may cost the next call, but never give it another's answer.
local KEPT = { selection = true, kind = "connection timeout", outcome = "unknown not_sent" }

local function kept(protocol, name, want, steps, fields)
  fields = fields or {}
  local all = { { "greet" }, { "request" }, { "good" }, { "gate" } }
  for _, step in ipairs(steps) do all[#all + 1] = step end
  fields.connections = { { steps = all }, table.unpack(fields.others or {}) }
  fields.kept, fields.want, fields.others = true, want, nil
  fields.timeout = want ~= SELECTION and SHORT or nil
  add("kept", protocol, name, fields)
end

--- `passed` comes before the steps that close, so that the driver goes on.
local function kept_anyway(protocol)
  kept(protocol, "closed", SELECTION, { { "passed" }, { "close" } })
  kept(protocol, "goodbye and closed", SELECTION, { { "passed" }, { "goodbye" } })
  kept(protocol, "reset", SELECTION, { { "passed" }, { "reset" } })
  kept(protocol, "stalled", LATE, { { "passed" }, { "request" }, { "stall" } }, { seen = 1 })
  kept(protocol, "never read again", LATE, { { "passed" }, { "pause", 1 } })
  for _, ending in ipairs { "close", "stall" } do
    kept(protocol, "garbage, then " .. ending, KEPT,
      { { "send", bytes.garbage(50) }, { "passed" }, { ending } })
    kept(protocol, "a single byte, then " .. ending, KEPT,
      { { "send", "H" }, { "passed" }, { ending } })
  end
  for _, how in ipairs { "close", "reset" } do
    kept(protocol, "asked, then " .. how, KEPT, { { "passed" }, { "request" }, { how } },
      { seen = 2 })
    kept(protocol, "asked, then " .. how .. ", the second refused", {
      kind = "unauthorized connection", outcome = "unknown",
    }, { { "passed" }, { "request" }, { how } }, {
      seen = 2,
      others = { { steps = { { "greet" }, { "request" }, { "send", refusal(protocol, "401") } } } },
    })
  end
end

local TIMED_OUT = "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

local function kept_h1(protocol)
  kept_anyway(protocol)
  local spurious = {
    ["a second answer"] = bytes.good(OLD),
    ["half a second answer"] = bytes.good(OLD):sub(1, -100),
    ["a second head"] = OK .. "\r\n" .. LENGTH,
    ["a refusal"] = bytes.refuse("401"),
    ["a 404 without a body"] = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    ["408 and no more"] = TIMED_OUT,
    ["100 Continue"] = CONTINUE,
    ["blank lines"] = "\r\n\r\n",
  }
  for name, text in pairs(spurious) do
    for _, ending in ipairs { "behave", "close", "stall" } do
      local steps = { { "send", text }, { "passed" }, { ending } }
      if ending == "behave" then steps[3] = nil end
      kept(protocol, name .. ", then " .. ending, KEPT, steps)
    end
  end
  kept(protocol, "half an answer", LOST, { { "passed" }, { "request" },
    { "send", bytes.good(MARK):sub(1, -50) }, { "close" } }, { seen = 1 })
end

local function kept_h2()
  kept_anyway("h2")
  local function two(name, want, text, ending)
    kept("h2", name, want, { { "send", text }, { "passed" }, ending }, {})
  end
  two("GOAWAY", SELECTION, bytes.goaway(1, bytes.NO_ERROR))
  two("GOAWAY, then close", SELECTION, bytes.goaway(1, bytes.NO_ERROR), { "close" })
  two("GOAWAY with an error, then close", SELECTION, bytes.goaway(1, bytes.ENHANCE_YOUR_CALM),
    { "close" })
  two("PINGs", SELECTION, pings(100))
  two("SETTINGS", SELECTION, bytes.settings())
  two("an unknown frame", SELECTION, bytes.frame(200, 0, 0, "what"))
  two("WINDOW_UPDATE", SELECTION, bytes.frame(bytes.WINDOW_UPDATE, 0, 0, "\0\0\1\0"))
  two("a second answer on the old stream", KEPT, bytes.good_h2(1, OLD))
  two("DATA on the old stream", KEPT, bytes.data(1, "more"))
  two("RST_STREAM on the old stream", SELECTION, bytes.reset(1, bytes.NO_ERROR))
  two("the next stream's answer", KEPT, bytes.good_h2(3, OLD))
  two("the next stream's refusal", KEPT, bytes.refuse_h2(3, "401"))
  two("RST_STREAM on the next stream", KEPT, bytes.reset(3, bytes.CANCEL))
  two("half a frame", KEPT, bytes.ping("12345678"):sub(1, 11), { "stall" })
  kept("h2", "half an answer", LOST, { { "passed" }, { "request" },
    { "send", bytes.headers(3, BLOCK) .. bytes.data(3, BODY:sub(1, 99)) }, { "close" } },
    { seen = 1 })
  kept("h2", "GOAWAY below the stream asked", KEPT, { { "passed" }, { "request" },
    { "send", bytes.goaway(1, bytes.NO_ERROR) }, { "close" } }, { seen = 2 })
end

-- with retries ---------------------------------------------------------------

local function retried(protocol)
  local function one(name, script, fields)
    fields = fields or {}
    local count = fields.times or 1
    fields.connections = {}
    for i = 1, count do fields.connections[i] = script end
    fields.retries, fields.want = 2, fields.want or SELECTION
    fields.attempts, fields.timeout = fields.attempts or count + 1, 5
    fields.attempt_timeout, fields.seen = SHORT, 3
    add("retries", protocol, name, fields)
  end
  local text = good(protocol)
  local steps = { { "greet" }, { "request" } }
  local function asked(...)
    return { steps = { steps[1], steps[2], ... } }
  end
  one("closed without an answer", asked { "close" })
  one("closed without an answer, twice", asked { "close" }, { times = 2 })
  one("reset without an answer", asked { "reset" })
  one("stalled", asked { "stall" })
  one("stalled within the body", asked({ "send", text:sub(1, -100) }, { "stall" }))
  one("cut in the head", asked({ "send", text:sub(1, 60) }, { "close" }))
  one("cut in the body", asked({ "send", text:sub(1, -100) }, { "close" }))
  -- What does not speak HTTP will not do so the next time.
  one("garbage", asked({ "send", bytes.garbage(99) }, { "close" }), {
    attempts = protocol == "h2" and 2 or 1, want = protocol == "h2" and SELECTION or LOST,
  })
  one("503", asked { "send", refusal(protocol, "503") })
  one("closed, thrice", asked { "close" }, { times = 3, attempts = 3, want = LOST })
  one("closed, then refused", asked { "close" }, {
    attempts = 2, want = { kind = "unauthorized", outcome = "unknown" },
  })
  list[#list].connections[2] = asked { "send", refusal(protocol, "401") }
  one("refused", asked { "send", refusal(protocol, "401") }, { attempts = 1, want = REFUSED })
  if protocol == "h2" then
    one("REFUSED_STREAM", asked { "send", bytes.reset(1, bytes.REFUSED_STREAM) },
      { attempts = 1 }) -- libcurl's own second one does
    one("GOAWAY", asked({ "send", bytes.goaway(0, 0) }, { "close" }))
  end
  if protocol ~= "http" then
    one("handshake cut", { pump = { cut = 300, after = "close" } })
    one("handshake alert", { before = { { "hello" }, { "send", bytes.alert(2, 80) },
      { "close" } } })
    one("handshake stalled", { before = { { "hello" }, { "stall" } } })
  end
end

--- All cases.
---@param full boolean each byte offset, not a sample
---@param flight table<string, integer> bytes of the handshake's first flight
---@return table[] cases
function cases.all(full, flight)
  list = {}
  for _, protocol in ipairs { "http", "tls", "h2" } do
    at_connect(protocol)
    if protocol ~= "http" then in_handshake(protocol, flight[protocol], full) end
    in_answer(protocol)
    offsets(protocol, full)
    if protocol == "h2" then
      frames()
      beginnings()
      kept_h2()
    else
      framings(protocol)
      heads(protocol)
      status_lines(protocol)
      kept_h1(protocol)
    end
    retried(protocol)
  end
  return list
end

return cases
