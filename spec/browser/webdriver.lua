-- spec/browser/webdriver.lua: a headless Chromium, driven by the keyboard.
-- Speaks WebDriver (w3.org/TR/webdriver2) to chromedriver on loopback, by curl.
-- Each command and the whole life are bounded in time. Asserts nothing.
-- MIT, see LICENSE.

local cjson = require "cjson"
local support = require "spec.support"

local webdriver = {}

local LIFE, COMMAND = 300, 30 -- seconds at most

-- Code points that stand for keys ("Keyboard actions" there).
webdriver.ENTER, webdriver.ESCAPE = "\238\128\135", "\238\128\140"
webdriver.TAB, webdriver.SHIFT = "\238\128\132", "\238\128\136"

local ELEMENT = "element-6066-11e4-a52e-4f735466cecf"

-- As root Chromium cannot make its sandbox; in containers /dev/shm is small.
local CAPABILITIES = [[{ "capabilities": { "alwaysMatch": {
  "browserName": "chrome",
  "goog:loggingPrefs": { "browser": "ALL" },
  "goog:chromeOptions": { "args": [
    "--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu",
    "--no-proxy-server", "--window-size=1000,1200", "--user-data-dir=%s" ] } } } }]]

local Browser = {}
Browser.__index = Browser

--- Begins a session; the driver's port is in its log.
local function connect(self)
  local port = support.eventually(function()
    return (support.read(self.directory .. "/log") or ""):match("successfully on port (%d+)")
  end)
  self.url = ("http://127.0.0.1:%s/session"):format(port)
  local profile = self.directory .. "/profile"
  local session = self:command("POST", "", CAPABILITIES:format(profile))
  self.url = ("%s/%s"):format(self.url, session.sessionId)
end

--- Starts the driver, and a browser with a home of its own.
function webdriver.start()
  local directory = support.new_directory()
  local pid = support.shell(
    ("timeout %d chromedriver --port=0 >%s/log 2>&1 & echo $!"):format(LIFE, directory),
    { HOME = directory, TMPDIR = directory, XDG_CONFIG_HOME = false, XDG_CACHE_HOME = false })
  local self = setmetatable({ directory = directory, pid = pid:match("%d+") }, Browser)
  local ok, message = pcall(connect, self)
  if ok then return self end
  self:quit()
  error(message, 0)
end

--- One command; its value.
---@param body string? JSON
function Browser:command(method, path, body)
  local file = self.directory .. "/body"
  support.write(file, body or "{}")
  local data = method == "POST" and "--data-binary @" .. file or ""
  local output, status = support.shell(
    ("curl --silent --show-error --noproxy '*' --max-time %d -X %s %s %s%s")
      :format(COMMAND, method, data, self.url, path))
  assert(status == 0, output)
  local value = cjson.decode(output).value
  if type(value) == "table" and value.error then
    error(("%s: %s"):format(value.error, value.message:match("[^\n]*")), 2)
  end
  return value
end

--- Ends browser and driver, whatever state they are in.
function Browser:quit()
  pcall(self.command, self, "DELETE", "")
  support.shell("kill " .. self.pid)
  support.eventually(function() return not support.is_running(self.pid) end)
  support.remove_directory(self.directory)
end

function Browser:open(url)
  self:command("POST", "/url", cjson.encode { url = url })
end

--- Runs a script in the page; what it returns (nil for null).
function Browser:run(script)
  local value = self:command("POST", "/execute/sync",
    ('{"script":%s,"args":[]}'):format(cjson.encode(script)))
  if value ~= cjson.null then return value end
end

local function key_events(keys)
  local events = {}
  for key in keys:gmatch("[%z\1-\127\194-\244][\128-\191]*") do
    events[#events + 1] = { type = "keyDown", value = key }
    events[#events + 1] = { type = "keyUp", value = key }
  end
  return events
end

--- Presses keys, one after another, wherever the focus is.
---@param keys string characters and the keys above
---@param held string? a key that is held down meanwhile
function Browser:press(keys, held)
  local events = key_events(keys)
  if held then
    table.insert(events, 1, { type = "keyDown", value = held })
    events[#events + 1] = { type = "keyUp", value = held }
  end
  self:command("POST", "/actions", cjson.encode { actions = {
    { type = "key", id = "keyboard", actions = events },
  } })
end

--- What one element is to assistive technology: its role and its name.
function Browser:computed(selector)
  local found = self:command("POST", "/element",
    cjson.encode { using = "css selector", value = selector })
  local path = "/element/" .. found[ELEMENT]
  return self:command("GET", path .. "/computedrole"), self:command("GET", path .. "/computedlabel")
end

--- A command of Chromium's own protocol.
function Browser:cdp(name, parameters)
  return self:command("POST", "/goog/cdp/execute",
    ('{"cmd":%s,"params":%s}'):format(cjson.encode(name), parameters))
end

--- What the browser has complained of since the last time, as text.
function Browser:complaints()
  local lines = {}
  for i, entry in ipairs(self:command("POST", "/se/log", '{"type":"browser"}')) do
    lines[i] = entry.message
  end
  return table.concat(lines, "\n")
end

--- Keeps a picture of the whole page, for people to look at.
function Browser:screenshot(path)
  local shot = self:cdp("Page.captureScreenshot", '{"captureBeyondViewport":true}')
  local file = self.directory .. "/shot"
  support.write(file, shot.data)
  support.shell(("base64 -d %s >%s"):format(file, path))
end

return webdriver
