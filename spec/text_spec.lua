-- spec/text_spec.lua: what comes from elsewhere is fit to be shown.
-- Covers leadping.text: escape, sample and redact.
-- Not here: who calls it, which the specs of errors, cards and events have.
-- MIT, see LICENSE.

local core = require "leadping.core"
local text = require "leadping.text"

describe("leadping.text: escape", function()
  it("leaves printable ASCII and UTF-8 as they are", function()
    for _, value in ipairs {
      "", "abc", " !~", "%d %s", "\\x1B", "\195\169", "\226\128\167", "\240\159\152\128",
      "\194\160", "\239\187\191", "\244\143\191\191", "\224\160\128",
    } do
      assert.equal(value, text.escape(value))
    end
  end)

  it("writes each control byte as \\xNN", function()
    for byte = 0, 31 do
      assert.equal(("a\\x%02Xb"):format(byte), text.escape("a" .. string.char(byte) .. "b"))
    end
    assert.equal("a\\x7Fb", text.escape "a\127b")
  end)

  it("writes each C1 control as the two bytes that it is", function()
    for byte = 0x80, 0x9F do
      assert.equal(("\195\169\\xC2\\x%02X\195\169"):format(byte),
        text.escape("\195\169\194" .. string.char(byte) .. "\195\169"))
    end
    assert.equal("\194\160", text.escape "\194\160")
  end)

  it("writes separators and marks that turn the direction as their bytes", function()
    for _, row in ipairs {
      { "\226\128\142", "8E" }, { "\226\128\168", "A8" }, { "\226\128\174", "AE" },
    } do
      assert.equal("\\xE2\\x80\\x" .. row[2], text.escape(row[1]))
    end
    assert.equal("\\xE2\\x81\\xA6", text.escape "\226\129\166")
  end)

  it("keeps a C1 control's bytes inside other characters", function()
    for _, value in ipairs { "\226\130\155", "\195\155", "\240\159\155\155" } do
      assert.equal(value, text.escape(value))
    end
  end)

  it("writes every byte over 7F as \\xNN where the text is not UTF-8", function()
    for value, shown in pairs {
      ["\255"] = "\\xFF", ["caf\233"] = "caf\\xE9", ["\195"] = "\\xC3",
      ["\195\169\128"] = "\\xC3\\xA9\\x80", ["\192\175"] = "\\xC0\\xAF",
      ["\237\160\128"] = "\\xED\\xA0\\x80", ["\244\144\128\128"] = "\\xF4\\x90\\x80\\x80",
      ["\155[31m\n"] = "\\x9B[31m\\x0A",
    } do
      assert.equal(shown, text.escape(value))
    end
  end)

  it("gives safe UTF-8 for each single byte and each pair with a start byte", function()
    for first = 0, 255 do
      for _, second in ipairs { "", "\128", "\155", "\191", "\27", "A" } do
        local shown = text.escape(string.char(first) .. second)
        assert.is_true(core.is_utf8(shown))
        assert.is_nil(shown:find("[%z\1-\31\127]"))
        assert.is_nil(shown:find("\194[\128-\159]"))
      end
    end
  end)

  it("returns one value", function()
    assert.equal(1, select("#", text.escape "a\0b"))
    assert.equal(1, select("#", text.escape "\194\155"))
    assert.equal(1, select("#", text.escape "\255"))
  end)
end)

describe("leadping.text: sample", function()
  it("shows a text up to the limit whole", function()
    assert.equal("", text.sample("", 5))
    assert.equal("abcd", text.sample("abcd", 5))
    assert.equal("abcde", text.sample("abcde", 5))
    assert.equal("a\\x0Ab", text.sample("a\nb", 3))
  end)

  it("cuts a longer one and tells its length", function()
    assert.equal("abcde… (6 bytes)", text.sample("abcdef", 5))
    assert.equal("<html>\\x0A… (1000 bytes)", text.sample("<html>\n" .. ("x"):rep(993), 7))
    assert.equal("\\xFF\\xFF… (4 bytes)", text.sample("\255\255\255\255", 2))
  end)

  it("stays readable where the limit is inside a character", function()
    for _, row in ipairs {
      { "\195\169", 3, 1 }, { "\195\169", 7, 3 }, { "\226\130\172", 4, 1 },
      { "\226\130\172", 5, 1 }, { "\240\159\152\128", 9, 2 }, { "\240\159\152\128", 11, 2 },
    } do
      local character, limit, whole = row[1], row[2], row[3]
      local shown = text.sample(character:rep(20), limit)
      assert.equal(1, (shown:find(character:rep(whole), 1, true)), shown)
      assert.is_true(core.is_utf8(shown))
      assert.matches(("%%(%d bytes%%)$"):format(20 * #character), shown)
    end
  end)
end)

describe("leadping.text: redact", function()
  it("replaces every occurrence of the secret", function()
    for _, row in ipairs {
      { "sk_1", "sk_1", "[key]" }, { "a sk_1 b sk_1", "sk_1", "a [key] b [key]" },
      { "sk_1sk_1", "sk_1", "[key][key]" }, { "sk_", "sk_1", "sk_" }, { "", "sk_1", "" },
      { "SK_1", "sk_1", "SK_1" }, { "\0sk_1\255", "sk_1", "\0[key]\255" },
    } do
      assert.equal(row[3], text.redact(row[1], row[2]))
    end
  end)

  it("takes no byte of the secret for a pattern", function()
    local printable = {}
    for byte = 33, 126 do printable[#printable + 1] = string.char(byte) end
    for _, secret in ipairs {
      "%d", "sk.1", "^a$", "(a)", "[a-z]", "a*", "a+", "a-", "a?", "%", "%%", "%b()", "[", "(",
      table.concat(printable),
    } do
      assert.equal("<[key]>", text.redact("<" .. secret .. ">", secret))
    end
    assert.equal("skx1", text.redact("skx1", "sk.1"))
    assert.equal("5", text.redact("5", "%d"))
  end)

  it("leaves the text where there is no secret", function()
    assert.equal("text", text.redact("text", nil))
    assert.equal("[key], [key]", text.redact("sk_1, sk_2", { "sk_2", "sk_1" }))
    assert.equal("[key]", text.redact("sk_12", { "sk_1", "sk_12" }))
  end)

  it("returns one value", function()
    assert.equal(1, select("#", text.redact("sk_1", "sk_1")))
  end)
end)

describe("leadping.text: hides", function()
  it("finds a secret that JSON's escapes spell", function()
    for _, row in ipairs {
      { "sk_1", [[\u0073k_1]] }, { "sk_1", [[a\u0073\u006B\u005f\u0031b]] },
      { "a/b", [[a\/b]] }, { 'a"b', [[a\"b]] }, { "a\\b", [[a\\b]] }, { "a\\b", [[a\u005Cb]] },
      { "a\\u0062", [[a\\u0062]] }, { "sk_1", [[\\\u0073k_1]] },
    } do
      assert.is_true(text.hides(row[2], row[1]), row[2])
    end
  end)

  it("finds none where they spell something else, or nothing", function()
    for _, value in ipairs {
      "", "sk_1", "sk_", [[\u0053k_1]], [[\\u0073k_1]], [[\u1073k_1]], [[\u073k_1]], "\\", "\\u",
    } do
      assert.is_false(text.hides(value, "sk_1"), value)
    end
    assert.is_false(text.hides([[\u0073k_1]], nil))
  end)
end)
