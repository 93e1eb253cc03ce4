-- spec/segment_spec.lua: an id becomes exactly one segment of a URL's path.
-- Covers csrc/segment.c (leadping.core's segment).
-- Not here: the rest of the URL, and what servers make of it.
-- MIT, see LICENSE.

local segment = require("leadping.core").segment

local function percent_decoded(text)
  return (text:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

--- What makes a segment one that cannot leave its place: unreserved bytes of
-- RFC 3986 and whole upper-case escapes, nothing else.
local function assert_one_segment(id, escaped)
  local rest = escaped:gsub("%%[0-9A-F][0-9A-F]", "")
  assert.is_nil(rest:find("[^A-Za-z0-9%-._~]"), escaped)
  assert.equal(id, percent_decoded(escaped))
end

local function assert_refused(id, message)
  local escaped, why = segment(id)
  assert.is_nil(escaped)
  assert.equal(message, why)
end

describe("leadping.core.segment: accepts", function()
  it("and escapes each of these as written here", function()
    for id, escaped in pairs {
      ["c1"] = "c1",
      ["0"] = "0",
      ["6b1f0b9e-3a0e-4c1b-9d5c-2f7f6f0a8e11"] = "6b1f0b9e-3a0e-4c1b-9d5c-2f7f6f0a8e11",
      ["AZaz09-._~"] = "AZaz09-._~",
      ["../../PN123?"] = "..%2F..%2FPN123%3F",
      ["/"] = "%2F", ["//"] = "%2F%2F", ["\\"] = "%5C", ["..\\.."] = "..%5C..",
      ["a/../b"] = "a%2F..%2Fb", ["./"] = ".%2F", ["/."] = "%2F.", ["../"] = "..%2F",
      ["..."] = "...", [".a"] = ".a", ["a."] = "a.", ["..a"] = "..a", ["-"] = "-",
      ["%2e"] = "%252e", ["%2E%2E"] = "%252E%252E", ["%2F"] = "%252F", ["%"] = "%25",
      ["%00"] = "%2500", ["%%"] = "%25%25",
      ["a?b#c"] = "a%3Fb%23c", ["a;b=c&d"] = "a%3Bb%3Dc%26d", ["a:b@c"] = "a%3Ab%40c",
      ["!$&'()*+,;="] = "%21%24%26%27%28%29%2A%2B%2C%3B%3D",
      [" "] = "%20", ["a b"] = "a%20b", ["a+b"] = "a%2Bb", ["{id}"] = "%7Bid%7D",
      ["[1]"] = "%5B1%5D", ["<\">"] = "%3C%22%3E", ["^`|"] = "%5E%60%7C",
      ["\194\128"] = "%C2%80", ["\195\169"] = "%C3%A9", ["\226\128\168"] = "%E2%80%A8",
      ["\226\136\149"] = "%E2%88%95", ["\239\188\143"] = "%EF%BC%8F",
      ["\240\159\152\128"] = "%F0%9F%98%80", ["\239\187\191"] = "%EF%BB%BF",
      ["\226\128\174"] = "%E2%80%AE", ["\244\143\191\191"] = "%F4%8F%BF%BF",
    } do
      assert.equal(escaped, (segment(id)))
      assert_one_segment(id, escaped)
    end
  end)

  it("each byte from 20 to 7E, escaped but for the unreserved ones", function()
    for byte = 0x20, 0x7E do
      local id = "x" .. string.char(byte)
      local escaped = segment(id)
      local expected = id:sub(2):find("^[A-Za-z0-9._~-]$") and id or ("x%%%02X"):format(byte)
      assert.equal(expected, escaped)
      assert_one_segment(id, escaped)
    end
  end)

  it("up to 1024 bytes, of any length of UTF-8", function()
    for _, id in ipairs {
      ("a"):rep(1024), ("/"):rep(1024), ("."):rep(1024), ("\195\169"):rep(512),
      ("\226\130\172"):rep(341) .. "/", ("\240\159\152\128"):rep(256),
    } do
      assert.equal(1024, #id)
      assert_one_segment(id, assert(segment(id)))
    end
    assert.equal(3 * 1024, #segment(("/"):rep(1024)))
    assert.equal(("%F0%9F%98%80"):rep(256), (segment(("\240\159\152\128"):rep(256))))
  end)

  it("and returns nothing beside the segment", function()
    assert.equal(1, select("#", segment("a")))
  end)
end)

describe("leadping.core.segment: refuses", function()
  it("an empty id", function()
    assert_refused("", "it is empty")
  end)

  it("an id that is a step in a path", function()
    assert_refused(".", '"." and ".." are steps in a path, not names')
    assert_refused("..", '"." and ".." are steps in a path, not names')
  end)

  it("more than 1024 bytes", function()
    for _, id in ipairs {
      ("a"):rep(1025), ("\240\159\152\128"):rep(256) .. "a", ("\195\169"):rep(513),
      ("a"):rep(2 ^ 20), ("\0"):rep(1025), ("\255"):rep(1025),
    } do
      assert_refused(id, "it is longer than 1024 bytes")
    end
  end)

  it("each control byte, wherever it stands", function()
    local bytes = { 0x7F }
    for byte = 0x00, 0x1F do bytes[#bytes + 1] = byte end
    for _, byte in ipairs(bytes) do
      local control = string.char(byte)
      for at, id in pairs {
        [1] = control, [2] = "a" .. control .. "b", [4] = "a\195\169" .. control,
        [1024] = ("a"):rep(1023) .. control,
      } do
        assert_refused(id, ("its byte %d (0x%02X) is a control byte"):format(at, byte))
      end
    end
  end)

  it("a step in a path with a NUL behind it, for its NUL", function()
    assert_refused(".\0", "its byte 2 (0x00) is a control byte")
    assert_refused("..\0", "its byte 3 (0x00) is a control byte")
    assert_refused("..\0/x", "its byte 3 (0x00) is a control byte")
  end)

  it("each byte over 7F that stands alone", function()
    for byte = 0x80, 0xFF do
      assert_refused(string.char(byte), ("its byte 1 (0x%02X) is not UTF-8"):format(byte))
      assert_refused("a" .. string.char(byte) .. "b",
        ("its byte 2 (0x%02X) is not UTF-8"):format(byte))
    end
  end)

  it("broken UTF-8 of each class, at the byte where it begins", function()
    for _, broken in ipairs {
      "\192\175", "\193\191", "\224\128\175", "\224\159\191", "\240\128\128\175",
      "\240\143\191\191", "\237\160\128", "\237\191\191", "\244\144\128\128",
      "\245\128\128\128", "\248\136\128\128\128", "\195", "\226\130", "\240\159\152",
      "\195/", "\226\130/", "\240\159\152/",
    } do
      assert_refused("/\195\169" .. broken,
        ("its byte 4 (0x%02X) is not UTF-8"):format(broken:byte()))
    end
  end)

  it("the first wrong byte of several", function()
    assert_refused("a\255\0", "its byte 2 (0xFF) is not UTF-8")
    assert_refused("a\0\255", "its byte 2 (0x00) is a control byte")
  end)
end)

describe("leadping.core.segment: all single bytes", function()
  it("are either escaped or refused, none let through raw", function()
    local accepted = 0
    for byte = 0, 255 do
      local id = string.char(byte)
      local escaped, why = segment(id)
      if escaped then
        accepted = accepted + 1
        assert_one_segment(id, escaped)
      else
        assert.is_string(why)
      end
    end
    assert.equal(0x7E - 0x20 + 1 - 1, accepted) -- printable ASCII but "."
  end)
end)

describe("leadping.core.segment: its argument", function()
  it("raises for what is no string", function()
    for _, value in ipairs { true, {}, print } do
      assert.error_matches(function() segment(value) end, "string expected, got " .. type(value))
    end
    assert.error_matches(function() segment() end, "string expected, got no value")
  end)
end)
