'use strict';
// Only a help: without it the page shows all that did not pass too.
const byId = (id) => document.getElementById(id);

// Finding specs by words.
const box = byId('find');
if (box) {
  const rows = [...document.querySelectorAll('tr[data-name]')];
  const groups = [...document.querySelectorAll('details[data-group]')];
  const find = () => {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const row of rows) {
      const hit = words.every((word) => row.dataset.name.includes(word));
      row.hidden = !hit;
      count += hit;
    }
    for (const group of groups) {
      const some = group.querySelector('tr[data-name]:not([hidden])');
      group.hidden = !some;
      group.open = Boolean(some && words.length);
    }
    byId('found').textContent = words.length ? `${count} of ${rows.length} specs` : '';
  };
  box.hidden = false;
  box.addEventListener('input', find);
}

// All specs of a cell, made when it is first opened.
const words = { p: ['✓', 'passed'], l: ['≈', 'flaky'], f: ['✗', 'failed'], e: ['!', 'errored'], s: ['–', 'skipped'] };
const worst = 'efls.p';
const time = (tenths) => {
  const seconds = Math.floor(tenths / 10);
  if (seconds < 60) return `${seconds}.${tenths % 10} s`;
  const rest = String(seconds % 60).padStart(2, '0');
  return `${Math.floor(seconds / 60)} min ${rest} s`;
};
const element = (tag, name, text) => {
  const made = document.createElement(tag);
  made.className = name;
  made.textContent = text;
  return made;
};
let data;
const list = (place) => {
  data ??= JSON.parse(byId('data').textContent);
  const cell = Number(place.dataset.cell);
  const verdicts = data.verdicts[cell];
  const ran = data.names.map((_, spec) => spec).filter((spec) => verdicts[spec] !== '.');
  ran.sort((a, b) => worst.indexOf(verdicts[a]) - worst.indexOf(verdicts[b]) || a - b);
  const table = document.createElement('table');
  for (const spec of ran) {
    const [sign, word] = words[verdicts[spec]];
    const row = table.insertRow();
    const mark = element('td', `sign ${word}`, sign);
    mark.title = word;
    const name = element('td', '', data.anchors[spec] < 0 ? data.names[spec] : '');
    if (data.anchors[spec] >= 0) {
      const link = element('a', '', data.names[spec]);
      link.href = `#spec-${data.anchors[spec]}`;
      name.append(link);
    }
    row.append(mark, name, element('td', 'number dim', time(data.tenths[cell][spec])));
  }
  const head = document.createElement('p');
  head.append(element('b', '', `Specs (${ran.length})`));
  place.replaceChildren(head, table);
};
for (const place of document.querySelectorAll('[data-cell]')) {
  place.closest('details').addEventListener('toggle', () => list(place), { once: true });
}

// A link to what is closed opens it.
const open = () => {
  const target = location.hash.length > 1 && byId(location.hash.slice(1));
  if (target && target.tagName === 'DETAILS') {
    target.open = true;
    target.scrollIntoView();
  }
};
addEventListener('hashchange', open);
open();
