-- spec/cli_ids_spec.lua: what the command line reads as ids, and refuses.
-- Covers leadping.cli.csv and leadping.cli.ids, with files as users have them.
-- Not here: what an id may hold, which segment_spec.lua has.
-- MIT, see LICENSE.

local csv = require "leadping.cli.csv"
local exits = require "leadping.cli.exits"
local ids = require "leadping.cli.ids"
local support = require "spec.support"

describe("leadping.cli.csv: records", function()
  --- All records as lists of fields, and the lines they begin at.
  local function read(text)
    local records, lines, next_record = {}, {}, csv.records(text)
    while true do
      local record, line, wrong = next_record()
      if not record then return records, lines, line, wrong end
      records[#records + 1], lines[#lines + 1] = record, line
    end
  end

  it("reads what RFC 4180 describes", function()
    for text, expected in pairs {
      [""] = {},
      ["a"] = { { "a" } },
      ["a,b\r\nc,d\r\n"] = { { "a", "b" }, { "c", "d" } },
      ["a,b\nc,d"] = { { "a", "b" }, { "c", "d" } },
      ["a,\r\n,b"] = { { "a", "" }, { "", "b" } },
      ["a,"] = { { "a", "" } },
      ['"a","b"\r\n'] = { { "a", "b" } },
      ['"a"'] = { { "a" } },
      ['"a"\r'] = { { "a" } },
      ['"",""'] = { { "", "" } },
      ['"a ""b"" c",d'] = { { 'a "b" c', "d" } },
      ['""""'] = { { '"' } },
      ['"a,b","c\r\nd"\r\ne,f'] = { { "a,b", "c\r\nd" }, { "e", "f" } },
      ["\r\n\r\na"] = { { "" }, { "" }, { "a" } },
      [" a , b "] = { { " a ", " b " } },
    } do
      assert.same(expected, (read(text)), text)
    end
  end)

  it("counts the line that each begins at", function()
    local _, lines = read('a,b\n"c\nc","d\r\n\r\nd"\ne\n\nf')
    assert.same({ 1, 2, 6, 7, 8 }, lines)
  end)

  it("refuses what would shift the fields of a row", function()
    for _, row in ipairs {
      { 'a\n"b', 2, "a field's opening quote has no closing one" },
      { 'a\nb\n"c"d', 3, "text behind a field's closing quote" },
      { '"a\nb","c"x', 2, "text behind a field's closing quote" },
      { 'a"b', 1, 'a quote inside a field that does not begin with one: write it ""'
        .. " and put the field in quotes" },
    } do
      local _, _, line, wrong = read(row[1])
      assert.equal(row[2], line)
      assert.equal(row[3], wrong)
    end
  end)
end)

--- Reads ids; the list, or the message where they are refused.
local function read(given)
  given.id = given.id or {}
  local ok, result = pcall(ids.read, given)
  if ok then return result end
  assert(exits.is_refusal(result), result)
  assert.equal(exits.USAGE, result.status)
  return result.message
end

local function read_file(content, given, extension)
  local name = os.tmpname()
  os.remove(name)
  local path = name .. (extension or "")
  support.write(path, content)
  given = given or {}
  given.file = path
  local result = read(given)
  os.remove(path)
  if type(result) == "string" then
    return (result:gsub(path:gsub("%p", "%%%0"), "FILE"))
  end
  return result.ids, result.duplicates
end

describe("leadping.cli.ids: arguments", function()
  it("keeps them in order, each once", function()
    local list = read { id = { "b", "a", "b", "b", "-c" } }
    assert.same({ "b", "a", "-c" }, list.ids)
    assert.equal(2, list.duplicates)
    assert.equal("3 ids, 2 duplicates not sent again", ids.describe_count(list))
    assert.equal("1 id", ids.describe_count(read { id = { "a" } }))
  end)

  it("come before those of a file", function()
    local list, duplicates = read_file("c\na\n", { id = { "a", "b" } })
    assert.same({ "a", "b", "c" }, list)
    assert.equal(1, duplicates)
  end)

  it("are refused all together, each with its place and reason", function()
    assert.equal([[
3 ids cannot be used; nothing was sent
  argument 1: "" is no id: it is empty
  argument 3: "a\x0A" is no id: its byte 2 (0x0A) is a control byte
  argument 4: " b" is no id: it begins or ends with a space: take that out]],
      read { id = { "", "good", "a\n", " b" } })
  end)

  it("are refused with a space at either end", function()
    for _, id in ipairs { " a", "a ", "\194\160a", "a\194\160" } do
      assert.matches("^an id cannot be used; nothing was sent\n.*take that out$",
        read { id = { id } })
    end
    assert.same({ "a b" }, read({ id = { "a b" } }).ids)
  end)

  it("are shown with their first 60 bytes", function()
    local id = ("a"):rep(59) .. " "
    assert.matches(('"%s" is no id'):format(id), read { id = { id } })
    assert.matches(('"%s… %%(61 bytes%%)" is no id'):format(id), read { id = { id .. " " } })
  end)

  it("are all counted where more than ten are wrong", function()
    local wrong = {}
    for i = 1, 12 do wrong[i] = ("\1"):rep(i) end
    local message = read { id = wrong }
    assert.matches("^12 ids cannot be used", message)
    assert.matches("\n  argument 10: [^\n]*\n  and 2 more$", message)
    assert.is_nil(message:find("argument 11", 1, true))
  end)

  it("have to be there", function()
    assert.equal("no ids: give them as arguments, or --file FILE (- for stdin) with one a "
      .. "line", read {})
  end)

  it("are at most --max", function()
    assert.equal(2, #read({ id = { "a", "b", "a" }, max = 2 }).ids)
    assert.equal("3 ids, more than --max 2 allows; nothing was sent",
      read { id = { "a", "b", "c" }, max = 2 })
  end)
end)

describe("leadping.cli.ids: a text file", function()
  it("has an id a line, blank lines aside", function()
    for content, expected in pairs {
      ["a\nb\n"] = { "a", "b" }, ["a\r\nb"] = { "a", "b" }, ["\n\na\n \n\n"] = { "a" },
      ["\239\187\191a\nb"] = { "a", "b" }, ["a#b\n"] = { "a#b" }, ["a,b\n"] = { "a,b" },
    } do
      assert.same(expected, (read_file(content)))
    end
  end)

  it("is refused with the lines that are wrong", function()
    assert.equal([[
2 ids cannot be used; nothing was sent
  FILE line 3: "b\x09" is no id: its byte 2 (0x09) is a control byte
  FILE line 4: ".." is no id: "." and ".." are steps in a path, not names]],
      read_file("a\r\n\nb\t\r\n..\n"))
  end)

  it("is refused where it looks like JSON Lines", function()
    assert.equal([[
an id cannot be used; nothing was sent
  FILE line 1: an id expected, this looks like JSON: add --format jsonl]],
      read_file('{"id":"a"}\n'))
  end)

  it("is refused where a line would be a comment elsewhere", function()
    assert.equal([[
2 ids cannot be used; nothing was sent
  FILE line 1: an ids file has no comments: take the line out
  FILE line 3: an ids file has no comments: take the line out]],
      read_file("# leads of May\na\n  #b\r\n"))
    assert.same({ "#a" }, read({ id = { "#a" } }).ids)
    assert.same({ "#a" }, (read_file("id\n#a\n", {}, ".csv")))
  end)

  it("is refused where it is empty, absent, a directory or UTF-16", function()
    assert.equal("no ids in FILE", read_file("\n"))
    assert.equal("cannot read /nowhere/ids: No such file or directory",
      read { file = "/nowhere/ids" })
    assert.equal("cannot read /: Is a directory", read { file = "/" })
    assert.equal("FILE is UTF-16: save it as UTF-8", read_file("\255\254a\0"))
    assert.equal("FILE is UTF-16: save it as UTF-8", read_file("\254\255\0a"))
  end)

  it("has no columns", function()
    assert.equal("--column is for CSV and JSON Lines: add --format csv or --format jsonl",
      read_file("a", { column = "id" }))
  end)

  it("is what --format and --column are for", function()
    assert.equal("--format is for --file, which is not given",
      read { id = { "a" }, format = "csv" })
    assert.equal("--column is for --file, which is not given",
      read { id = { "a" }, column = "id" })
  end)
end)

describe("leadping.cli.ids: a CSV file", function()
  it("has its ids in the column id or conversationId, or the one that is named", function()
    for _, row in ipairs {
      { "id,name\na,x\nb,y\n", { "a", "b" } },
      { "name,conversationId\r\nx,a\r\n", { "a" } },
      { "name,lead\nx,a\n", { "a" }, "lead" },
      { "id,conversationId\nx,a\n", { "a" }, "conversationId" },
      { '\239\187\191"id"\n"a,b"\n"c ""d"""\n\n', { "a,b", 'c "d"' } },
    } do
      assert.same(row[2], (read_file(row[1], { column = row[3] }, ".csv")))
    end
  end)

  it("is told by its extension or by --format", function()
    assert.same({ "a" }, (read_file("id\na\n", {}, ".CSV")))
    assert.same({ "a" }, (read_file("id\na\n", { format = "csv" })))
    assert.same({ "id", "a" }, (read_file("id\na\n", { format = "text" }, ".csv")))
  end)

  it("is refused where the column cannot be told", function()
    for _, row in ipairs {
      { "name,x\na,b\n", nil, 'FILE line 1: its header has no column "id" or '
        .. '"conversationId", but "name", "x": name one by --column' },
      { "id;x\na;b\n", "id", 'FILE line 1: its header has no column "id", but "id;x": '
        .. "name one by --column" },
      { "id,conversationId\na,b\n", nil, "FILE line 1: more than one column may hold the "
        .. 'ids; the header has "id", "conversationId": name one by --column' },
      { "a,a\n1,2\n", "a", "FILE line 1: more than one column may hold the ids; the "
        .. 'header has "a", "a": name one by --column' },
    } do
      assert.equal(row[3], read_file(row[1], { column = row[2] }, ".csv"))
    end
  end)

  it("is refused with the rows that do not match the header", function()
    assert.equal([[
2 ids cannot be used; nothing was sent
  FILE line 2: 2 fields expected as in the header, got 3
  FILE line 4: "" is no id: it is empty]],
      read_file('name,id\nDoe, Jane,a\nx,b\ny,\n', {}, ".csv"))
  end)

  it("is refused where its quotes are wrong", function()
    assert.equal("FILE line 3: a field's opening quote has no closing one",
      read_file('id\na\n"b\nc', {}, ".csv"))
    assert.equal("FILE line 1: text behind a field's closing quote",
      read_file('"id"x\na\n', {}, ".csv"))
  end)

  it("has no ids where it is empty or a header alone", function()
    assert.equal("no ids in FILE", read_file("", {}, ".csv"))
    assert.equal("no ids in FILE", read_file("id\n", {}, ".csv"))
  end)
end)

describe("leadping.cli.ids: a JSON Lines file", function()
  it("has its ids in the member id or conversationId, or the one that is named", function()
    for _, row in ipairs {
      { '{"id":"a"}\n\n{"conversationId":"b","x":[1]}\r\n', { "a", "b" } },
      { '{"id":"a","conversationId":"a"}', { "a" } },
      { '{"id":"x","lead":"a"}', { "a" }, "lead" },
      { '{"id":"\\u00e9 \\"b\\""}', { '\195\169 "b"' } },
    } do
      assert.same(row[2], (read_file(row[1], { column = row[3] }, ".jsonl")))
    end
  end)

  it("is told by its extension or by --format", function()
    for _, extension in ipairs { ".jsonl", ".ndjson", ".JSON" } do
      assert.same({ "a" }, (read_file('{"id":"a"}', {}, extension)))
    end
    assert.same({ "a" }, (read_file('{"id":"a"}', { format = "jsonl" })))
  end)

  it("is refused line by line", function()
    for line, message in pairs {
      ['{"id":12345678901234567}'] = "the id is a number: write it as a string, in quotes",
      ['{"id":true}'] = "the id is a boolean: write it as a string, in quotes",
      ['{"id":{}}'] = "the id is an object or array: write it as a string, in quotes",
      ['{"id":null}'] = "the id is null: write it as a string, in quotes",
      ['{"x":1}'] = 'the object has no "id" or "conversationId"',
      ['{"id":"a","conversationId":"b"}'] =
        '"id" and "conversationId" differ: name one by --column',
      ['{"id":"a"'] = "one JSON object a line expected",
      ['["a"]'] = "one JSON object a line expected",
      ['"a"'] = "one JSON object a line expected",
      ["[]"] = "one JSON object a line expected",
      ["a"] = "one JSON object a line expected",
      ['{"id":"a"}\0{"id":"b"}'] = "a NUL byte in it",
      ['{"id":"a\\u0000"}'] = '"a\\x00" is no id: its byte 2 (0x00) is a control byte',
    } do
      assert.equal("an id cannot be used; nothing was sent\n  FILE line 2: " .. message,
        read_file('{"id":"good"}\n' .. line, {}, ".jsonl"))
    end
  end)

  it("names the member that is asked for and missing", function()
    assert.matches('the object has no "lead"$',
      read_file('{"id":"a"}', { column = "lead" }, ".jsonl"))
  end)
end)
