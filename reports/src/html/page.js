'use strict';
// Only a help: without it the page shows everything too.
const box = document.getElementById('find');
const rows = [...document.querySelectorAll('tr[data-name]')];
const groups = [...document.querySelectorAll('details[data-group]')];
const found = document.getElementById('found');
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
  found.textContent = words.length ? `${count} of ${rows.length} specs` : '';
};
box.hidden = false;
box.addEventListener('input', find);
const open = () => {
  const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
  if (target && target.tagName === 'DETAILS') target.open = true;
};
addEventListener('hashchange', open);
open();
