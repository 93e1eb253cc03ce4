-- spec/browser/page.lua: the page of examples/openresty, used in a headless
-- Chromium with the keyboard alone. Run by `make test-page`; `make test` leaves
-- it out, as its name does not end in _spec.
-- MIT, see LICENSE.

local service = require "spec.service"
local support = require "spec.support"
local webdriver = require "spec.browser.webdriver"

local TAB, ENTER, ESCAPE = webdriver.TAB, webdriver.ENTER, webdriver.ESCAPE

describe("the page", function()
  local browser, running

  setup(function()
    running = assert(service.start { SERVICE_RATE = "4.9" })
    browser = webdriver.start()
  end)

  teardown(function()
    if browser then browser:quit() end
    if running then running:stop() end
  end)

  --- Opens the page, without the key of before.
  local function open()
    browser:open(service.root .. "/")
    browser:run "sessionStorage.clear(); document.querySelector('#key').value = ''"
  end

  before_each(open)

  local function text(selector)
    return browser:run(("return document.querySelector(%q).innerText"):format(selector))
  end

  local function focused()
    return browser:run "const at = document.activeElement; return at.id || at.value || at.tagName"
  end

  local function is_open()
    return browser:run "return document.querySelector('#confirm').open"
  end

  --- Types both fields and asks; the dialog is open then.
  local function ask(id, key)
    browser:press(id .. TAB .. (key or service.key) .. ENTER)
    assert.is_true(is_open())
  end

  --- Waits for a result; its lines.
  local function result()
    support.eventually(function()
      return browser:run "return !document.querySelector('#result').hidden"
    end)
    return text "#result"
  end

  --- Asks, confirms, and waits for the result.
  local function clear(id, key)
    ask(id, key)
    browser:press(TAB .. ENTER)
    return result()
  end

  --- A table's rows, each a list of the lines in its cells.
  local function rows_of(selector)
    return browser:run(([[
      return [...document.querySelector(%q).rows].map((row) =>
        row.innerText.split(/[\n\t]+/))]]):format(selector))
  end

  it("has names for all that can be used, and the focus in the first field", function()
    local rows = {
      { "#id", "textbox", "Conversation id" },
      { "#key", "textbox", "Service key" },
      { "#clear", "button", "Clear the override…" },
      { "#status", "status", "" },
    }
    for _, row in ipairs(rows) do
      local role, name = browser:computed(row[1])
      assert.same({ row[2], row[3] }, { role, name })
    end
    assert.equal("id", focused())
    assert.equal("Clear an override – Leadping", browser:run "return document.title")
  end)

  it("loads nothing from elsewhere, and gives the browser nothing to complain of", function()
    browser:complaints() -- of the rules before
    open()
    assert.matches("^Can send", clear(support.id()))
    local sources = browser:run [[
      return performance.getEntriesByType('resource').map((entry) => entry.name).join('\n')]]
    for source in sources:gmatch("[^\n]+") do
      assert.equal(service.root, source:sub(1, #service.root))
    end
    assert.equal("", browser:complaints())
  end)

  it("clears after a confirmation, and shows selection and eligible numbers", function()
    local id = support.answer(support.example "selection-documented")
    local _, mark = support.requests()
    local shown = clear(id)
    assert.equal(id, support.requests(mark)[1].id)
    assert.matches("^Can send from %(512%) 555%-0143\n", shown)
    assert.matches("\n" .. id:gsub("%p", "%%%0") .. "\n", shown)
    assert.matches("Health\n+Warming %(Warming up%)\n", shown)
    assert.matches("Reason\n+LocalArea %(Matches the lead's area code%)\n", shown)
    assert.matches("Campaign\n+cmp_21\n+Source\n+src_9\n", shown)
    assert.same({
      { "(512) 555-0143", "Selected · Austin 1", "Warming up", "Can send",
        "Matches the lead's area code" },
      { "(512) 555-0188", "Paused", "Paused by an administrator", "Cannot send", "Paused" },
    }, rows_of "#result tbody")
    assert.equal("The override is cleared.", text "#status")
    assert.equal("result", focused())
  end)

  it("shows health texts that nobody knows as they were sent", function()
    local shown = clear(support.answer(support.example "selection-later"))
    assert.matches("Health\n+Evaluating %(Évaluation en cours%)\n", shown)
    assert.matches("06 98 76 54 32%s+Quarantined%s+Carrier complaint rate above 0.3 %%%s+"
      .. "Cannot send%s+PinnedByCompliance %(Pinned%)", shown)
  end)

  it("says why a conversation cannot send", function()
    local shown = clear "cannot-send-1"
    assert.matches("^Cannot send\n", shown)
    assert.matches("\nAdd a phone number before sending%.\n", shown)
    assert.matches("Eligible numbers\n+There are none%.", shown)
    assert.is_nil(shown:find("Sending", 1, true))
  end)

  it("shows what is wrong with the health of a number", function()
    local shown = clear(support.answer(
      '{"canSend":false,"number":"+1555","healthStatus":"Blocked","healthWarning":"By the carrier",'
      .. '"wasManuallyOverridden":true,"eligibleNumbers":[]}'))
    assert.matches("^Cannot send from %+1555\n", shown)
    assert.matches("\nBy the carrier\n", shown)
    assert.matches("Override\n+Chosen by hand", shown)
  end)

  it("takes text from the API for text", function()
    local shown = clear(support.answer(
      '{"canSend":true,"displayNumber":"<img src=x onerror=alert(1)>","eligibleNumbers":'
      .. '[{"label":"<b>x</b>","canSend":true,"isSelected":true}]}'))
    assert.matches("^Can send from <img src=x onerror=alert%(1%)>\n", shown)
    assert.same({ { "Not stated", "Selected · <b>x</b>", "Not stated", "Can send" } },
      rows_of "#result tbody")
  end)

  it("shows the id that is to be cleared, and does nothing at Esc", function()
    clear "conv_0" -- what was answered before is no answer now
    browser:press(TAB:rep(3), webdriver.SHIFT)
    local _, mark = support.requests()
    ask("conv <1>")
    local role, name = browser:computed "#confirm"
    assert.same({ "dialog", "Clear the override?" }, { role, name })
    assert.equal("conv <1>", text "#confirm-id")
    browser:press(ESCAPE)
    assert.is_false(is_open())
    assert.equal("key", focused())
    assert.equal("The override is cleared.", text "#status") -- conv_0's
    assert.same({}, support.requests(mark))
  end)

  it("does nothing at Enter where nothing else was chosen", function()
    local _, mark = support.requests()
    ask "conv_1"
    assert.equal("cancel", focused())
    browser:press(ENTER)
    assert.equal("key", focused())
    assert.equal("", text "#status")
    assert.same({}, support.requests(mark))
  end)

  it("keeps the focus in the dialog until it is answered", function()
    ask "conv_1"
    for _ = 1, 4 do
      browser:press(TAB)
      assert.is_nil(browser:run [[
        const at = document.activeElement;
        return at !== document.body && !document.querySelector('#confirm').contains(at) || null]])
    end
  end)

  it("tells the ids that no address can hold, without a dialog", function()
    for _, id in ipairs { "..", " . ", "  " } do
      open()
      browser:press(id .. TAB .. service.key .. ENTER)
      assert.is_false(is_open())
      assert.matches("^%S.+", browser:run "return document.querySelector('#id').validationMessage")
    end
  end)

  it("tells a key that no header can hold, without a dialog", function()
    browser:press("conv_1" .. TAB .. "ключ" .. ENTER)
    assert.is_false(is_open())
    assert.is_false(browser:run "return document.querySelector('#key').validity.valid")
  end)

  it("sends any other id as it was typed, but for spaces around it", function()
    local _, mark = support.requests()
    clear(" Zoë & co/42? 100%+ ")
    assert.equal("Zoë & co/42? 100%+", support.requests(mark)[1].id)
  end)

  it("says in plain words what went wrong, and what is known of the override", function()
    local rows = {
      { "fault:status-404", "^The API knows no such conversation\n", "\nThe override stands%.",
        "Override\n+Stands\n+Kind\n+not_found\n+Status\n+404\n+Attempts\n+1" },
      { "fault:half", "^The API cannot be reached\n", "\nIt is not known whether the override",
        "Override\n+Not known\n+Kind\n+connection\n+Status\n+502\n+Attempts\n+3" },
      { "fault:empty-200", "^The API's answer cannot be read\n", "\nThe override is cleared;",
        "Override\n+Cleared\n+Kind\n+decode" },
    }
    for _, row in ipairs(rows) do
      open()
      local shown = clear(row[1])
      for i = 2, 4 do assert.matches(row[i], shown) end
      assert.equal("There is a problem.", text "#status")
      assert.equal("result", focused())
    end
  end)

  it("leads from a problem to what it means", function()
    clear "fault:status-404"
    browser:press(TAB .. ENTER)
    support.eventually(function()
      return browser:run "return location.pathname + location.hash" == "/problems.html#not_found"
    end)
    assert.matches("knows no conversation with that id", text "#not_found + dd")
  end)

  it("keeps the key in this tab, once the service has taken it", function()
    assert.is_nil(browser:run "return sessionStorage.getItem('key')")
    clear(support.id())
    assert.equal(service.key, browser:run "return sessionStorage.getItem('key')")
    assert.equal("0", browser:run "return String(localStorage.length + document.cookie.length)")
    browser:open(service.root .. "/")
    assert.equal(service.key, browser:run "return document.querySelector('#key').value")
    browser:press("conv_1" .. ENTER)
    browser:press(TAB .. ENTER)
    assert.matches("^Can send from", result())
  end)

  it("forgets a key that the service does not take", function()
    browser:run "sessionStorage.setItem('key', 'old')"
    local shown = clear("conv_1", "a-wrong-key")
    assert.matches("^The service key is missing or wrong\n", shown)
    assert.is_nil(browser:run "return sessionStorage.getItem('key')")
  end)

  it("says that nothing is known where the service does not answer", function()
    ask "conv_1"
    running:stop()
    browser:press(TAB .. ENTER)
    local shown = result()
    running = assert(service.start { SERVICE_RATE = "4.9" })
    assert.matches("^The service does not answer\n", shown)
    assert.matches("\nIt is not known whether the override was cleared", shown)
    assert.matches("Override\n+Not known", shown)
  end)

  it("clears once, however often it is asked to while it does", function()
    local _, mark = support.requests()
    ask "fault:slow-0.5"
    browser:press(TAB .. ENTER)
    assert.equal("Clearing the override…", text "#status")
    browser:press(ENTER) -- in the form again
    assert.is_false(is_open())
    assert.matches("^Can send from", result())
    assert.equal(1, #support.requests(mark))
  end)

  it("is as dark as the system asks for, and fits a phone", function()
    finally(function()
      browser:cdp("Emulation.clearDeviceMetricsOverride", "{}")
      browser:cdp("Emulation.setEmulatedMedia", '{"features":[]}')
    end)
    local background = "return getComputedStyle(document.body).backgroundColor"
    local long = ("x"):rep(300)
    clear(support.answer((('{"canSend":false,"displayNumber":"%s","setupMessage":"%s",'
      .. '"campaignId":"%s","eligibleNumbers":[{"displayNumber":"%s","healthLabel":"%s",'
      .. '"reasonLabel":"%s"}]}'):gsub("%%s", long))))
    assert.equal("rgb(246, 246, 244)", browser:run(background))
    assert.is_true(browser:run "return document.documentElement.scrollWidth <= innerWidth")
    browser:cdp("Emulation.setEmulatedMedia",
      '{"features":[{"name":"prefers-color-scheme","value":"dark"}]}')
    assert.equal("rgb(22, 24, 27)", browser:run(background))
    browser:cdp("Emulation.setDeviceMetricsOverride",
      '{"width":320,"height":640,"deviceScaleFactor":1,"mobile":true}')
    assert.is_true(browser:run "return document.documentElement.scrollWidth <= 320")
  end)

  it("says when to try again where a pause is asked for", function()
    local shown = clear "fault:retry-after-429-77"
    assert.matches("^The API asks for a pause\n", shown)
    assert.matches("\nTry again in 77 seconds%.", shown)
    assert.matches("Override\n+Stands\n+Kind\n+rate_limited", shown)
    open()
    shown = clear "conv_1"
    assert.matches("^Too many requests at a time\n", shown)
    assert.matches("\nTry again in 7%d seconds%.", shown)
  end)
end)
