-- spec/terminal_spec.lua: sessions with the command line program, under tmux.
-- Prompts, progress, cards, Ctrl-C and going on: what a person types and sees.
-- Not here: what scripts see (cli_spec.lua).
-- MIT, see LICENSE.

local support = require "spec.support"
local Terminal = require "spec.terminal"

describe("leadping on a terminal", function()
  local terminal

  local function open(variables)
    terminal = Terminal.open(variables)
    return terminal
  end

  after_each(function()
    if terminal then terminal:close() end
    terminal = nil
  end)

  it("sends many ids once their count is typed", function()
    local a, b, c = support.id(), support.id(), support.id()
    local _, mark = support.requests()
    open():run(("leadping clear %s %s %s"):format(a, b, c))
    assert.equal(([[
3 conversations on %s, about 1 s at 4.5 requests a second
first  %s
last   %s
Type 3 to clear their overrides:]]):format(support.http, a, c),
      terminal:wait_for("overrides:"))
    assert.same({}, (support.requests(mark)))
    terminal:enter("3")
    local screen, status = terminal:finish()
    assert.equal(0, status)
    assert.matches("\n3 done, 0 failed, 0 unknown, 0 not sent\nstatus", screen)
    assert.equal(3, #(support.requests(mark)))
  end)

  it("sends nothing where another count is typed, or none", function()
    local _, mark = support.requests()
    open()
    for _, answer in ipairs { "yes", "1", "20", "" } do
      terminal:run("leadping clear never-1 never-2")
      terminal:wait_for("overrides:")
      terminal:enter(answer)
      local screen, status = terminal:finish()
      assert.equal(2, status)
      assert.matches("\nleadping: not confirmed: nothing was sent\n", screen)
    end
    terminal:run("leadping clear never-1 never-2")
    terminal:wait_for("overrides:")
    terminal:press("C-d")
    assert.matches("\nleadping: not confirmed: nothing was sent\n", (terminal:finish()))
    assert.same({}, (support.requests(mark)))
  end)

  it("sends nothing where Ctrl-C ends the prompt", function()
    local _, mark = support.requests()
    open():run("leadping clear never-1 never-2")
    terminal:wait_for("overrides:")
    terminal:press("C-c")
    local screen, status = terminal:finish()
    assert.equal(130, status)
    assert.matches("overrides: %^C\nleadping: nothing was sent\nstatus 130\n", screen)
    assert.same({}, (support.requests(mark)))
  end)

  it("asks for no count for one id, and shows a card", function()
    open():run("leadping clear card-1")
    local screen, status = terminal:finish()
    assert.equal(0, status)
    assert.matches("^can send from %(512%) 555%-01%d%d\n  health   ", screen)
    assert.matches("\n  %* ", screen)
  end)

  it("says once why an id failed", function()
    open():run("leadping clear fault:status-409")
    local screen, status = terminal:finish()
    assert.equal(1, status)
    assert.equal("failed   fault:status-409  unexpected_status (409): a status that the API "
      .. "does not document for this call: Conflict: The emulator was asked for this.; "
      .. "the override stands\n"
      .. "status 1\n$", screen)
  end)

  it("asks for a key that there is not, and does not show it", function()
    open { LEADPING_API_KEY = false }
    terminal:run("leadping clear card-1")
    assert.equal("API key (not shown):", terminal:wait_for("shown):"))
    terminal:enter(support.key) -- support.shell fails where it is on the screen
    local screen, status = terminal:finish()
    assert.equal(0, status)
    assert.matches("^API key %(not shown%):\ncan send from ", screen)
  end)

  it("takes no empty key", function()
    open { LEADPING_API_KEY = "" }
    terminal:run("leadping clear never-1")
    terminal:wait_for("shown):")
    terminal:press("Enter")
    local screen, status = terminal:finish()
    assert.equal(3, status)
    assert.matches("\nleadping: no API key: set LEADPING_API_KEY or give ", screen)
  end)

  it("gives the terminal its echo back where Ctrl-C ends the prompt for the key", function()
    open { LEADPING_API_KEY = false }
    terminal:run("leadping clear never-1")
    terminal:wait_for("shown):")
    terminal:press("C-c")
    local screen, status = terminal:finish()
    assert.equal(130, status)
    assert.matches("\nleadping: nothing was sent\nstatus 130\n", screen)
    terminal:run("stty -a | tr ' ' '\\n' | grep -x -e '-*echo'")
    assert.equal("echo\nstatus 0\n$", (terminal:finish()))
  end)

  --- A screen without rate and time left, which the first second does not have.
  local function without_rate(screen)
    return (screen:gsub("  [%d.]+/s  %d+ s left", ""))
  end

  it("says how far a run is, and what has failed", function()
    open():run("leadping clear --yes --rate none --concurrency 1 --max-retries 0 "
      .. "fault:slow-1:p-1 fault:status-404 fault:half p-2 fault:slow-20:p p-3")
    local screen = terminal:wait_for("1 unknown")
    assert.matches("\n4/6  [%d.]+/s  %d+ s left  1 failed  1 unknown$",
      terminal:wait_for("4/6"), screen)
    assert.matches("\ndone     p%-2  [^\n]*\n4/6", terminal:screen())
  end)

  it("says that it waits, and why", function()
    open { LEADPING_API_KEY = "sk_emulator_limit_1_30" }
    terminal:run("leadping clear --yes --concurrency 1 w-1 w-2")
    assert.matches("\n1/2  waits %d+ s %(status 429%)$",
      without_rate(terminal:wait_for("waits")))
  end)

  it("--quiet says neither", function()
    open():run("leadping clear --quiet --yes --rate none --concurrency 1 q-1 q-2 fault:slow-20:q")
    terminal:wait_for("q-2")
    assert.matches("^done     q%-1  [^\n]*\ndone     q%-2  [^\n]*$", terminal:screen())
  end)

  it("leaves stderr to LEADPING_LOG=debug", function()
    open():run("LEADPING_LOG=debug leadping clear --yes --rate none --concurrency 1 l-1 "
      .. "fault:slow-20:l")
    assert.matches("\nleadping: request id=fault:slow%-20:l attempt=1\ndone     l%-1  [^\n]*$",
      terminal:wait_for("done     l-1"))
  end)

  it("has progress and summary on stderr behind --json", function()
    open():run("leadping clear --json --yes --rate none j-1 j-2 >results")
    assert.equal("2 done, 0 failed, 0 unknown, 0 not sent\nstatus 0\n$", (terminal:finish()))
    assert.equal(2, select(2, support.read(terminal.directory .. "/results"):gsub("\n", "")))
  end)

  it("has colors, unless --no-color, NO_COLOR or TERM=dumb say otherwise", function()
    open():run("leadping clear --yes c-1 c-2")
    terminal:finish()
    assert.is_not_nil(terminal:screen(true):find("\27[32mdone   \27[39m  c-1", 1, true))
    for _, command in ipairs {
      "leadping clear --no-color --yes c-1 c-2", "NO_COLOR=1 leadping clear --yes c-1 c-2",
      "TERM=dumb leadping clear --yes c-1 c-2",
    } do
      terminal:run(command)
      assert.matches("\nstatus 0\n", (terminal:finish()))
      assert.is_nil(terminal:screen(true):find("\27", 1, true))
    end
  end)

  --- What differs from run to run, made the same.
  local function even(screen)
    return (without_rate(screen):gsub("leadping%-%d+%-%d+%.journal", "leadping-TIME.journal")
      :gsub(support.http:gsub("%p", "%%%0"), "URL"))
  end

  it("is stopped by Ctrl-C in good order, and goes on by the command that it prints", function()
    open()
    support.write(terminal.directory .. "/leads.txt",
      "lead-1\ncannot-send-2\nfault:slow-1:session\nlead-4\ncannot-send-5\n")
    terminal:run("leadping clear --file leads.txt --concurrency 1")
    terminal:wait_for("overrides:")
    terminal:enter("5")
    assert.equal([[
5 conversations on URL, about 1 s at 4.5 requests a second
first  lead-1
last   cannot-send-5
Type 5 to clear their overrides: 5
done     lead-1  (512) 555-0188  can send  LocalArea
done     cannot-send-2  no number  cannot send  Add a phone number before sending.
2/5]], even(terminal:wait_for("2/5")))
    terminal:press("C-c")
    assert.matches("\nfinishing 1 in flight; press Ctrl%-C again to drop it\n2/5",
      terminal:wait_for("finishing"))
    local screen, status = terminal:finish()
    assert.equal(130, status)
    assert.equal([[
done     fault:slow-1:session  (512) 555-0188  can send  StickyConversation

3 done, 0 failed, 0 unknown, 2 not sent
cannot send now: 1
  cannot-send-2  no number  Add a phone number before sending.
leadping: interrupted
to go on: leadping clear --resume --journal=leadping-TIME.journal --yes --concurrency=1
status 130
$]], even(screen):match("drop it\n(.*)$"))

    local _, mark = support.requests()
    terminal:run(screen:match("\nto go on: ([^\n]*)\n"))
    screen, status = terminal:finish()
    assert.equal(0, status)
    assert.equal([[
done     lead-4  (512) 555-0143  can send  LeadAssigned
done     cannot-send-5  no number  cannot send  Add a phone number before sending.

2 done, 0 failed, 0 unknown, 0 not sent, 3 done before
cannot send now: 1
  cannot-send-5  no number  Add a phone number before sending.
status 0
$]], screen)
    assert.equal(2, #(support.requests(mark)))
  end)

  it("drops what is in flight at the second Ctrl-C", function()
    open():run("leadping clear --yes --rate none d-1 fault:never:d --journal run.journal")
    terminal:wait_for("1/2")
    terminal:press("C-c")
    terminal:wait_for("finishing 1 in flight")
    terminal:press("C-c")
    local screen, status = terminal:finish()
    assert.equal(130, status)
    assert.equal([[
unknown  fault:never:d  cancelled: dropped while in flight; look at the conversation, ]] .. [[
or send it again

1 done, 0 failed, 1 unknown, 0 not sent
unknown: look at these conversations, or send them again
  fault:never:d
leadping: interrupted
to go on: leadping clear --resume --journal=run.journal --yes --rate=none
status 130
$]], screen:match("\n(unknown  .*)$"))
  end)
end)
