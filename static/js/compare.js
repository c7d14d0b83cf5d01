/* The comparison grid, enhanced: a change of the form replaces the grid, not the page.

   [data-compare-form]     the form; without scripts its button sends it
   [data-swap]             parts of the page that a new state replaces, by name
   [data-url]              on the grid: the address of its state
   [data-compare-status]   tells screen readers that the grid is new
   [data-compare-problem]  says why it is not */

const form = document.querySelector("[data-compare-form]");
const status = document.querySelector("[data-compare-status]");
const problem = document.querySelector("[data-compare-problem]");
let loading = null;

const grid = () => document.querySelector("[data-swap=grid]");

function address() {
  const query = new URLSearchParams([...new FormData(form)].filter(([, value]) => value !== ""));
  return `${form.action}?${query}`;
}

async function show(url) {
  loading?.abort();
  loading = new AbortController();
  grid().setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(url, { signal: loading.signal, headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (!answer.ok) throw new Error(page.querySelector("main p")?.textContent ?? `the site answered ${answer.status}`);
    for (const part of document.querySelectorAll("[data-swap]")) {
      part.replaceWith(document.adoptNode(page.querySelector(`[data-swap=${part.dataset.swap}]`)));
    }
    document.title = page.title;
    history.replaceState(null, "", grid().dataset.url);
    status.textContent = document.title;
    problem.hidden = true;
  } catch (error) {
    if (error.name === "AbortError") return;
    grid().removeAttribute("aria-busy");
    problem.textContent = `The grid could not be drawn anew: ${error.message}`;
    problem.hidden = false;
  }
}

form.addEventListener("input", (event) => {
  if (event.target.name === "blend") form.querySelector("[data-blend]").textContent = event.target.value;
});
form.addEventListener("change", (event) => {
  const { name } = event.target;
  const last = (name === "model" || name === "method") && !form.querySelector(`[name=${name}]:checked`);
  if (last) event.target.checked = true; // one column and one row at least
  else show(address());
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  show(address());
});
