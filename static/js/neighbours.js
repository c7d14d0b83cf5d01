/* The way along a list of pairs: arrow keys (or j and k), and what comes next fetched beforehand.

   Found by attributes:
     [data-walk]           the pager; its a[rel=prev] and a[rel=next] are what the keys follow
     data-explanations     on such a link: the explanations URL of its pair, whose deviations are
                           fetched once the page has nothing better to do
   The pages and faces beside this one are fetched by <link rel="prefetch"> without scripts. */

import { carry } from "./carry.js";
import { bindKeys } from "./keys.js";

function go(rel, event) {
  // Arrows belong to whatever has the focus and can be moved: a face, a table that scrolls.
  // <main> can be focused, too, by a click on the page; it does nothing with them.
  if (event.key.startsWith("Arrow") && event.target.closest("[tabindex]:not(main), summary")) return false;
  const link = document.querySelector(`[data-walk] a[rel=${rel}]`);
  if (!link) return false;
  carry(link);
  location.assign(link.href);
  return true;
}

bindKeys({
  ArrowLeft: (event) => go("prev", event),
  ArrowRight: (event) => go("next", event),
  k: (event) => go("prev", event),
  j: (event) => go("next", event),
});

async function fetchDeviations(address) {
  try {
    const answer = await fetch(address, { priority: "low" });
    if (!answer.ok) return;
    const wanted = new URLSearchParams(location.search).get("spec");
    const { sets } = await answer.json();
    const set = sets.find((each) => each.name === wanted) ?? sets[0];
    if (!set) return;
    // The address in the JSON is absolute and may name the site as a proxy sees it.
    const url = new URL(set.deviations.url);
    await fetch(url.pathname + url.search, { priority: "low" });
  } catch {
    // Only a convenience: the page itself will say what is wrong, if it still is.
  }
}

if (!navigator.connection?.saveData) {
  const idle = window.requestIdleCallback ?? ((run) => setTimeout(run, 500));
  addEventListener("load", () =>
    idle(async () => {
      for (const rel of ["next", "prev"]) {
        const link = document.querySelector(`[data-walk] a[rel=${rel}][data-explanations]`);
        if (link) await fetchDeviations(link.dataset.explanations);
      }
    }),
  );
}
