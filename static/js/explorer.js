/* The explorer, enhanced. Everything here also works by plain links and the form's button.

   [data-explorer]   the part of the page that a new query replaces, without a full load
   [data-filters]    the form: sent when a field changes
   a[data-add]       the head of a column: with Shift or Ctrl it adds a sort key
   tr[data-row]      a pair: j and k walk, Enter opens its a[data-open]; n and p turn the page */

import { bindKeys } from "./keys.js";

const SWAPPED = "[data-explorer]";
let loading = null;
let shown = window.location.pathname + window.location.search;

function root() {
  return document.querySelector(SWAPPED);
}

/* Load a query and put it in place of the present one; on any surprise, go there the plain way. */
async function show(url, { remember = true } = {}) {
  loading?.abort();
  loading = new AbortController();
  const { signal } = loading;
  root().setAttribute("aria-busy", "true");
  let page;
  let address;
  try {
    const answer = await fetch(url, { signal, headers: { Accept: "text/html" } });
    page = new DOMParser().parseFromString(await answer.text(), "text/html");
    address = answer.url;
    if (!answer.ok || !page.querySelector(SWAPPED)) throw new Error("not a list of pairs");
  } catch (error) {
    if (error.name !== "AbortError") window.location.assign(url);
    return;
  }
  const focused = document.activeElement?.id;
  const open = [...root().querySelectorAll("details[open][data-keep]")].map((d) => d.dataset.keep);
  const unfolded = document.getElementById("filters-open")?.checked ?? false;
  root().replaceWith(document.adoptNode(page.querySelector(SWAPPED)));
  for (const name of open) root().querySelector(`details[data-keep="${name}"]`)?.setAttribute("open", "");
  document.getElementById("filters-open").checked = unfolded;
  document.title = page.title;
  document.querySelector("[data-status]").textContent = root().querySelector("h1").textContent;
  if (remember) window.history.pushState(null, "", address);
  shown = window.location.pathname + window.location.search;
  const field = focused && document.getElementById(focused);
  if (field) {
    field.focus({ preventScroll: true });
    if (field.type === "search" || field.type === "text") field.setSelectionRange(field.value.length, field.value.length);
  }
}

function formUrl(form) {
  const filled = [...new FormData(form)].filter(([, value]) => value !== "");
  const url = new URL(form.action);
  url.search = new URLSearchParams(filled).toString();
  return url.href;
}

document.addEventListener("change", (event) => {
  const form = event.target.closest("[data-filters]");
  if (form && event.target.name) show(formUrl(form)); // the switch of the form itself has no name
});

document.addEventListener("submit", (event) => {
  const form = event.target.closest("[data-filters]");
  if (!form) return;
  event.preventDefault();
  show(formUrl(form));
});

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-add]");
  if (!link || !(event.shiftKey || event.ctrlKey || event.metaKey) || event.button !== 0) return;
  event.preventDefault();
  show(link.dataset.add);
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
});

document.addEventListener("focusin", (event) => {
  const row = event.target.closest("tr[data-row]");
  if (row) for (const other of rows()) other.classList.toggle("is-current", other === row);
});
