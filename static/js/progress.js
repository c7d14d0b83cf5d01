/* The front page while the pipeline runs: [data-progress] is kept up to date from its URL.

   Known rows ([data-row], [data-cell]) and sums ([data-total]) get new numbers; where rows come or go, the parts of the page that depend on them
   ([data-progress-part]) are taken from a fresh page. The preview is left alone once it is there. */

import { attachViewers } from "./viewer.js";

const EVERY = 3000;
const section = document.querySelector("[data-progress]");

const percent = (value) => `${(100 * value).toFixed(2)} %`;
const number = (value) => value.toLocaleString("en");

function keysOf(progress) {
  return progress.rows.map((row) => `${row.dataset}/${row.model}`).concat(progress.datasets.map((d) => d.name));
}

function fill(progress) {
  for (const row of progress.rows) {
    const line = section.querySelector(`[data-row="${CSS.escape(`${row.dataset}/${row.model}`)}"]`);
    const set = (name, text) => {
      line.querySelector(`[data-cell="${name}"]`).textContent = text;
    };
    set("pairs", number(row.pairs));
    set("explained", number(row.explained));
    set("accuracy", percent(row.accuracy));
    set("confidence", row.confidence === null ? "" : row.confidence.toFixed(3));
    const bar = line.querySelector("progress");
    const wanted = Math.max(0, ...row.sets.map((each) => each.wanted));
    if (bar && wanted) {
      bar.max = wanted;
      bar.value = Math.max(...row.sets.map((each) => each.explained));
    }
  }
  const sum = (values) => number(values.reduce((total, value) => total + value, 0));
  const totals = {
    datasets: number(progress.datasets.length),
    models: number(new Set(progress.rows.map((row) => row.model)).size),
    pairs: sum(progress.datasets.map((dataset) => dataset.pairs)),
    verdicts: sum(progress.rows.map((row) => row.pairs)),
    explained: sum(progress.rows.map((row) => row.explained)),
  };
  for (const cell of section.querySelectorAll("[data-total]")) cell.textContent = totals[cell.dataset.total];
}

async function replace() {
  const page = new DOMParser().parseFromString(await (await fetch(location.href)).text(), "text/html");
  for (const fresh of page.querySelectorAll("[data-progress-part]")) {
    const old = document.querySelector(`[data-progress-part="${fresh.dataset.progressPart}"]`);
    if (old && !old.querySelector("[data-viewer]")) old.replaceWith(fresh);
  }
  attachViewers();
}

async function refresh() {
  try {
    const answer = await fetch(section.dataset.progress);
    if (answer.ok) {
      const progress = await answer.json();
      const known = section.dataset.keys;
      const keys = keysOf(progress).join(" ");
      if (known !== keys) {
        await replace();
        section.dataset.keys = keys;
      } else fill(progress);
      if (progress.complete && progress.rows.length) {
        await replace();
        return;
      }
    }
  } catch {
    // The site is restarting or the network is gone: the next round tells.
  }
  setTimeout(refresh, EVERY);
}

if (section) setTimeout(refresh, EVERY);
