/* The explorer, enhanced. Everything here also works by plain links and the forms' buttons.

   [data-explorer]       the part of the page that a new query replaces, without a full load
   [data-filters]        the form: sent when a field changes; [data-form-problem] says what is wrong
   [data-column-form]    the form of columns, in dialog[data-columns]; a[data-columns-open] opens it
   a.sort                the head of a column: with Shift or Ctrl it adds a sort key, and leads to
                         data-add, where that is another address
   tr[data-row]          a pair: j and k walk, Enter opens its a[data-open], x ticks it, n and p
                         turn the page
   [data-summary]        where the counts of the query come in once the table is there; its URL. Its
                         links change the query in place, so that it stays as it was unfolded
   [data-fold]           parts of the form that begin folded on a narrow screen */

import { Basket } from "./basket.js";
import { bindKeys } from "./keys.js";
import { suggestIdentities } from "./identities.js";

const SWAPPED = "[data-explorer]";
const UNFOLDED = "xfv-counts-unfolded";
const narrow = window.matchMedia("(max-width: 59.99rem)");
let loading = null;
let asked = ""; // the address of the latest query
let shown = window.location.pathname + window.location.search;
const basket = new Basket();

function root() {
  return document.querySelector(SWAPPED);
}

/* Get a page; its text says why where the query was refused. */
async function load(url, signal) {
  const answer = await fetch(url, { signal, headers: { Accept: "text/html" } });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  return { page, address: answer.url, status: answer.status };
}

/* Load a query and put it in place of the present one; on any surprise, go there the plain way. */
async function show(url, { remember = true } = {}) {
  loading?.abort();
  loading = new AbortController();
  asked = url;
  const before = entries();
  root().setAttribute("aria-busy", "true");
  let found;
  try {
    found = await load(url, loading.signal);
  } catch (error) {
    if (error.name !== "AbortError") window.location.assign(url);
    return;
  }
  const fresh = found.page.querySelector(SWAPPED);
  if (found.status === 400 && remember) {
    root().removeAttribute("aria-busy");
    complain(found.page.querySelector(".lede")?.textContent ?? "This query cannot be answered.");
  } else if (found.status !== 200 || !fresh) {
    window.location.assign(url);
  } else {
    const typed = [...entries()].filter(([id, value]) => before.get(id) !== value);
    swap(fresh, found.page.title);
    if (remember) window.history.pushState(null, "", found.address);
    shown = window.location.pathname + window.location.search;
    keep(typed);
  }
}

/* What stands in the fields of the form, by their ids. */
function entries() {
  const fields = root().querySelectorAll("[data-filters] :is(input, select)[id]:not([type=checkbox])");
  return new Map([...fields].map((field) => [field.id, field.value]));
}

/* Whatever was entered while a list was on its way stays in the form, and is asked for next: as soon
   as nobody types there any more. */
function keep(typed) {
  for (const [id, value] of typed) {
    const field = document.getElementById(id);
    if (!field) continue;
    field.value = value;
    const ask = () => {
      const url = field.isConnected && formUrl(field.form);
      if (url && url !== asked) show(url);
    };
    if (document.activeElement === field) field.addEventListener("blur", ask, { once: true });
    else ask();
  }
}

function swap(fresh, title) {
  const focused = document.activeElement?.id;
  const folds = [...root().querySelectorAll("details[data-keep]")].map((d) => [d.dataset.keep, d.open]);
  const unfolded = document.getElementById("filters-open")?.checked ?? false;
  keepSummary(fresh);
  root().replaceWith(document.adoptNode(fresh));
  for (const [name, open] of folds) root().querySelector(`details[data-keep="${name}"]`)?.toggleAttribute("open", open);
  document.getElementById("filters-open").checked = unfolded;
  document.title = title;
  document.querySelector("[data-status]").textContent = root().querySelector("h1").textContent;
  ready();
  const field = focused && document.getElementById(focused);
  if (field) {
    field.focus({ preventScroll: true });
    if (field.type === "search" || field.type === "text") field.setSelectionRange(field.value.length, field.value.length);
  }
}

/* The counts of the query before stay, paler, until the new ones are there: nothing jumps. */
function keepSummary(fresh) {
  const old = root().querySelector("[data-summary]");
  const place = fresh.querySelector("[data-summary]");
  if (!old || !place) return;
  old.dataset.summary = place.dataset.summary;
  old.setAttribute("aria-busy", "true");
  place.replaceWith(old);
}

function complain(message) {
  const problem = root().querySelector("[data-form-problem]");
  problem.textContent = message;
  problem.hidden = false;
}

/* What every list needs, the first and those that come in its place. */
function ready() {
  basket.attach();
  for (const field of root().querySelectorAll("[data-identities]")) suggestIdentities(field);
  loadSummary();
}

/* The counts come after the table; without them the link to their page stays. */
async function loadSummary() {
  const place = root().querySelector("[data-summary]");
  if (!place?.dataset.summary) return;
  try {
    const { page, status } = await load(place.dataset.summary, loading?.signal);
    const counts = page.querySelector("[data-summary]");
    if (status !== 200 || !counts || !place.isConnected) return;
    // It stays as it was left, on this page or on the one before.
    const before = place.querySelector("details");
    const open = before ? before.open : sessionStorage.getItem(UNFOLDED) === "yes";
    counts.querySelector("details").toggleAttribute("open", open);
    place.replaceWith(document.adoptNode(counts));
  } catch (error) {
    if (error.name !== "AbortError") console.info("No counts of these pairs:", error.message);
  }
}

function formUrl(form) {
  const filled = [...new FormData(form)].filter(([, value]) => value !== "");
  const url = new URL(form.action);
  url.search = new URLSearchParams(filled).toString();
  return url.href;
}

document.addEventListener(
  "toggle",
  (event) => {
    if (event.target.dataset.keep !== "summary" || !event.target.isConnected) return;
    sessionStorage.setItem(UNFOLDED, event.target.open ? "yes" : "no");
  },
  { capture: true },
);

document.addEventListener("change", (event) => {
  const form = event.target.closest("[data-filters]");
  if (form && event.target.name) show(formUrl(form)); // the switch of the form itself has no name
});

document.addEventListener("submit", (event) => {
  const form = event.target.closest("[data-filters], [data-column-form]");
  if (!form) return;
  event.preventDefault();
  show(formUrl(form));
});

document.addEventListener("click", (event) => {
  const columns = event.target.closest("[data-columns-open]");
  if (columns) {
    event.preventDefault();
    document.querySelector("dialog[data-columns]").showModal();
  }
  const link = event.target.closest("a.sort, [data-summary] a");
  if (!link || event.button !== 0) return;
  const further = event.shiftKey || event.ctrlKey || event.metaKey;
  if (link.matches(".sort") !== further) return;
  event.preventDefault();
  show(link.dataset.add ?? link.getAttribute("href")); // the href of a bar is not a text, but SVG's
});

window.addEventListener("popstate", () => {
  const moved = shown !== window.location.pathname + window.location.search; // else a mere #anchor
  if (root() && moved) show(window.location.href, { remember: false });
});

/* -------------------------------------------------------------------------------- keyboard */
function rows() {
  return [...document.querySelectorAll("tr[data-row]")];
}

function walk(step) {
  const all = rows();
  if (!all.length) return;
  const now = all.findIndex((row) => row.classList.contains("is-current"));
  const next = all[Math.min(Math.max(now + step, 0), all.length - 1)];
  for (const row of all) row.classList.toggle("is-current", row === next);
  next.querySelector("[data-open]").focus({ preventScroll: true });
  next.scrollIntoView({ block: "center" });
}

bindKeys({
  j: () => walk(1),
  k: () => walk(-1),
  n: () => document.querySelector("a[data-next]")?.click(),
  p: () => document.querySelector("a[data-previous]")?.click(),
  x: () => document.querySelector("tr.is-current .pick input")?.click(),
  c: () => document.querySelector("[data-basket-two]:not(:disabled)")?.click(),
});

document.addEventListener("focusin", (event) => {
  const row = event.target.closest("tr[data-row]");
  if (row) for (const other of rows()) other.classList.toggle("is-current", other === row);
});

narrow.addEventListener("change", () => {
  for (const fold of root()?.querySelectorAll("[data-fold]") ?? []) fold.open = !narrow.matches;
});
if (narrow.matches) for (const fold of root().querySelectorAll("[data-fold]")) fold.removeAttribute("open");
ready();
