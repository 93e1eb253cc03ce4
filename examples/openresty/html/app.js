// app.js: asks the service to clear an override, and shows what came of it.
// All text from the service is put in as text, never as markup. Keeps nothing
// but the key, and that in this tab alone.
// MIT, see LICENSE.
'use strict';

const PATIENCE = 85000; // milliseconds; the service's own limits are shorter

const NO_ANSWER = {
  title: 'The service does not answer',
  detail: 'It is not known whether the override was cleared: look at the conversation. '
    + 'Your connection may be down, or the service stopped.',
  kind: 'no_answer', outcome: 'unknown',
};

const UNREADABLE = {
  title: 'The answer cannot be read',
  detail: 'It is not known whether the override was cleared: look at the conversation. '
    + 'What answered may not have been the service.',
  kind: 'unreadable', outcome: 'unknown',
};

const OUTCOMES = {
  not_sent: 'Stands', not_applied: 'Stands', applied: 'Cleared', unknown: 'Not known',
};

const TONES = {
  Healthy: 'good', Ready: 'good', 'Needs Attention': 'warn', Paused: 'warn', Blocked: 'bad',
};

const get = (id) => document.getElementById(id);

// the service ----------------------------------------------------------------

async function send(id, key) {
  try {
    return await fetch(`/conversations/${encodeURIComponent(id)}/clear`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${key}` },
      signal: AbortSignal.timeout(PATIENCE),
    });
  } catch {
    return null;
  }
}

// { selection } or { problem }.
async function clearOverride(id, key) {
  const response = await send(id, key);
  if (!response) return { problem: NO_ANSWER };
  try {
    const body = await response.json();
    if (response.ok) return { selection: body };
    return { problem: body.kind ? body : UNREADABLE };
  } catch {
    return { problem: UNREADABLE };
  }
}

// the result -----------------------------------------------------------------

function make(tag, text, className) {
  const element = document.createElement(tag);
  element.textContent = text;
  if (className) element.className = className;
  return element;
}

// A template's copy, and a function that finds the parts of it to fill in.
function copyTemplate(name) {
  const copy = get(name).content.cloneNode(true);
  return [copy, (part) => copy.querySelector(`[data-is="${part}"]`)];
}

function setText(element, text) {
  element.textContent = text || '';
  element.hidden = !text;
}

// Rows of [name, value, tone]; those without a value are left out.
function addFacts(list, rows) {
  for (const [name, value, tone] of rows) {
    if (value) list.append(make('dt', name), make('dd', value, tone));
  }
}

// "Warming (Warming up)"; one of the two where the label says nothing more.
function withLabel(value, label) {
  if (!value) return label;
  if (!label || label.toLowerCase() === value.toLowerCase()) return value;
  return `${value} (${label})`;
}

function healthOf(item) {
  return withLabel(item.healthStatus, item.healthLabel);
}

function numberOf(item) {
  return item.displayNumber || item.number;
}

// "Can send from (512) 555-0143", whose number stays on one line.
function fillHeadline(heading, selection) {
  const number = numberOf(selection);
  heading.textContent = selection.canSend ? 'Can send' : 'Cannot send';
  if (number) heading.append(' from ', make('span', number, 'number'));
}

// A cell, with a quieter line below where there is more to say.
function makeCell(tag, text, more, tone) {
  const cell = make(tag, text, tone);
  if (more) cell.append(make('span', more, 'more'));
  return cell;
}

function makeRow(item) {
  const row = document.createElement('tr');
  const selected = item.isSelected && 'Selected';
  const number = makeCell('th', numberOf(item) || 'Not stated',
    [selected, item.label].filter(Boolean).join(' · '));
  number.scope = 'row';
  if (selected) row.className = 'selected';
  row.append(
    number,
    makeCell('td', healthOf(item) || 'Not stated', item.healthWarning, TONES[item.healthStatus]),
    makeCell('td', item.canSend ? 'Can send' : 'Cannot send',
      withLabel(item.selectionReason, item.reasonLabel)),
  );
  return row;
}

function fillSelection(id, selection) {
  const [copy, part] = copyTemplate('selection');
  const numbers = selection.eligibleNumbers || [];
  fillHeadline(copy.querySelector('h2'), selection);
  part('id').textContent = id;
  for (const name of ['setupMessage', 'healthWarning']) setText(part(name), selection[name]);
  addFacts(part('facts'), [
    ['Health', healthOf(selection), TONES[selection.healthStatus]],
    ['Reason', withLabel(selection.selectionReason, selection.reasonLabel)],
    ['Campaign', selection.campaignId],
    ['Source', selection.sourceId],
    ['Override', selection.wasManuallyOverridden && 'Chosen by hand'],
  ]);
  part('none').hidden = numbers.length > 0;
  part('numbers').hidden = numbers.length === 0;
  part('numbers').tBodies[0].append(...numbers.map(makeRow));
  return copy;
}

function seconds(count) {
  return count === 1 ? '1 second' : `${count} seconds`;
}

function fillProblem(id, problem) {
  const [copy, part] = copyTemplate('problem');
  copy.querySelector('h2').textContent = problem.title;
  part('id').textContent = id;
  setText(part('detail'), problem.detail);
  setText(part('retry'), problem.retry_after && `Try again in ${seconds(problem.retry_after)}.`);
  addFacts(part('facts'), [
    ['Override', OUTCOMES[problem.outcome] || problem.outcome],
    ['Kind', problem.kind],
    ['Status', problem.status],
    ['Attempts', problem.attempts],
  ]);
  part('more').hidden = !problem.type;
  if (problem.type) part('more').firstChild.href = problem.type;
  return copy;
}

function show(id, { selection, problem }) {
  const result = get('result');
  result.replaceChildren(selection ? fillSelection(id, selection) : fillProblem(id, problem));
  result.hidden = false;
  get('status').textContent = selection ? 'The override is cleared.' : 'There is a problem.';
  result.focus();
}

// the form -------------------------------------------------------------------

// The key stays where the service took it, and is asked for again otherwise.
function keepKey(key, problem) {
  if (problem && problem.kind === 'wrong_key') sessionStorage.removeItem('key');
  else if (problem !== NO_ANSWER) sessionStorage.setItem('key', key);
}

function setBusy(busy) {
  get('clear').setAttribute('aria-disabled', busy);
}

async function run(id, key) {
  setBusy(true);
  get('result').hidden = true;
  get('status').textContent = 'Clearing the override…';
  const answer = await clearOverride(id, key);
  keepKey(key, answer.problem);
  setBusy(false);
  show(id, answer);
}

// A browser takes these as steps in a path, and so does a server.
function checkId() {
  const id = get('id').value.trim();
  get('id').setCustomValidity(
    id === '.' || id === '..' ? '"." and ".." are no ids.' : id ? '' : 'An id, please.');
}

function askToConfirm(event) {
  event.preventDefault();
  if (get('clear').getAttribute('aria-disabled') === 'true') return;
  get('confirm-id').textContent = get('id').value.trim();
  get('confirm').returnValue = ''; // which some browsers keep at Esc
  get('confirm').showModal();
}

function onClose() {
  if (get('confirm').returnValue !== 'clear') return;
  run(get('confirm-id').textContent, get('key').value.trim());
}

function start() {
  get('key').value = sessionStorage.getItem('key') || '';
  get('id').addEventListener('input', checkId);
  get('form').addEventListener('submit', askToConfirm);
  get('confirm').addEventListener('close', onClose);
  checkId();
  get('id').focus();
}

start();
