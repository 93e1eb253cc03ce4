-- spec/problem_spec.lua: problem details (RFC 9457) are found in an answer's body.
-- Covers leadping.problem.
-- Not here: what a status means; how an error is made of it.
-- MIT, see LICENSE.

local cjson = require "cjson"
local problem = require "leadping.problem"
local support = require "spec.support"

local contract = support.example

local PROBLEM, JSON = "application/problem+json", "application/json"
local ANY_TYPE = {
  PROBLEM, JSON, "text/html", "", "application/problem+json; charset=utf-8", "garbage", false,
}

describe("leadping.problem: decode", function()
  it("reads the contract's, under any media type", function()
    for _, media_type in ipairs(ANY_TYPE) do
      assert.same({
        type = "about:blank", title = "Unauthorized", status = 401,
        detail = "The API key has expired.",
      }, problem.decode(contract "problem-401", media_type or nil))
      assert.same({
        title = "Too many requests.", status = 429,
        detail = "The API rate limit for this account has been exceeded.",
        instance = "/phone-numbers/outgoing/conversation/c1/override", window = "60s",
      }, problem.decode(contract "problem-429", media_type or nil))
    end
  end)

  it("drops null, in standard members and in others", function()
    assert.same({ title = "x" }, problem.decode('{"type":null,"title":"x","status":null,'
      .. '"detail":null,"instance":null,"other":null}', PROBLEM))
  end)

  it("ignores a standard member of a wrong type, and keeps the rest", function()
    for member, values in pairs {
      type = { "1", "true", "[]", "{}" }, title = { "1", "false", '["x"]', '{"a":1}' },
      status = { '"401"', "true", "[401]", "{}" }, detail = { "1", "true", "[]", "{}" },
      instance = { "0", "true", "[]", "{}" },
    } do
      for _, value in ipairs(values) do
        local body = ('{"%s":%s,"other":"kept"}'):format(member, value)
        assert.same({ other = "kept" }, problem.decode(body, PROBLEM), body)
        assert.is_nil(problem.decode(body, JSON), body)
      end
    end
    assert.same({ title = "x" }, problem.decode('{"title":"x","status":"401"}', JSON))
  end)

  it("makes a whole number of the status", function()
    for _, number in ipairs { "404", "404.0", "404.7" } do
      assert.equal("404", tostring(problem.decode(('{"status":%s}'):format(number)).status))
    end
  end)

  it("keeps other members as they are", function()
    assert.same({
      title = "x", errors = { { name = "a", reason = cjson.null } }, retry = 5, ok = false,
    }, problem.decode('{"title":"x","errors":[{"name":"a","reason":null}],"retry":5,'
      .. '"ok":false}', JSON))
  end)

  it("takes one standard member for enough, whatever the media type", function()
    for body, members in pairs {
      ['{"type":"about:blank"}'] = { type = "about:blank" },
      ['{"title":"x"}'] = { title = "x" }, ['{"status":404}'] = { status = 404 },
      ['{"detail":"x"}'] = { detail = "x" }, ['{"instance":"/x"}'] = { instance = "/x" },
    } do
      assert.same(members, problem.decode(body, "text/plain"))
      assert.same(members, problem.decode(body, nil))
    end
  end)

  it("takes an object without any only under problem+json", function()
    for _, media_type in ipairs {
      PROBLEM, "Application/Problem+JSON", " application/problem+json",
      "application/problem+json; charset=utf-8", "application/problem+json;charset=utf-8",
    } do
      assert.same({ error = "x" }, problem.decode('{"error":"x"}', media_type))
      assert.same({}, problem.decode("{}", media_type))
      assert.same({}, problem.decode('{"title":null}', media_type))
    end
    for _, media_type in ipairs {
      JSON, "text/html", "application/problem+xml", "", "x application/problem+json", false,
    } do
      assert.is_nil(problem.decode('{"error":"x"}', media_type or nil))
      assert.is_nil(problem.decode("{}", media_type or nil))
    end
  end)

  it("finds none in what is no object, or no JSON", function()
    for _, body in ipairs {
      "", " ", "null", "[]", '[{"title":"x"}]', '"title"', "5", "true",
      "<html><head><title>502</title></head></html>", "Not found", "title: x",
      "{", '{"title":"x"', '{"title":"x",}', "{'title':'x'}", '{"title":x}', '{"title"}',
      '{"title":"x"}{', '{"title":"x"} trailing', '{"title":"\\x"}', "\239\187\191{}",
      '{"a":' .. ("["):rep(5000) .. ("]"):rep(5000) .. "}", ('{"a":'):rep(100000),
    } do
      for _, media_type in ipairs(ANY_TYPE) do
        assert.is_nil(problem.decode(body, media_type or nil), body:sub(1, 60))
      end
    end
  end)

  it("takes white space before and behind the object", function()
    assert.same({ title = "x" }, problem.decode('\r\n\t {"title":"x"}\r\n', JSON))
  end)

  it("gives a table without null, so that members can be tested", function()
    for _, value in pairs(problem.decode(contract "problem-429", JSON)) do
      assert.is_false(value == cjson.null)
    end
  end)
end)

describe("leadping.problem: describe", function()
  it("makes one sentence of title and detail", function()
    for _, row in ipairs {
      { "Unauthorized: The API key has expired.",
        title = "Unauthorized", detail = "The API key has expired." },
      { "Too many requests: slow down", title = "Too many requests.", detail = "slow down" },
      { "Invalid: the id", title = "Invalid:", detail = "the id" },
      { "Not found", title = "Not found" }, { "Not found.", title = "Not found." },
      { "no such conversation", detail = "no such conversation" },
      { "Not found", title = "Not found", detail = "Not found" },
      { "50% off: 100%", title = "50% off", detail = "100%" },
    } do
      assert.equal(row[1], problem.describe { title = row.title, detail = row.detail })
    end
  end)

  it("gives nil where there is neither", function()
    assert.is_nil(problem.describe {})
    assert.is_nil(problem.describe { type = "about:blank", status = 404, instance = "/x" })
  end)

  it("passes over an empty title or detail", function()
    assert.equal("x", problem.describe { title = "", detail = "x" })
    assert.equal("x", problem.describe { title = "x", detail = "" })
    assert.is_nil(problem.describe { title = "", detail = "" })
    assert.is_nil(problem.describe { detail = "" })
  end)
end)
