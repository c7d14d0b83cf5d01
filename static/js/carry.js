/* Links that take the choices of the page along.

   The address of a viewer page is kept up to date while its form changes, the links on it are as old
   as the page. Just before such a link is followed or copied, it gets the parameters of the address.

     a[data-carry]   names, by blanks, of the parameters that are the link's own business: there, or
                     left out by it; "weights" stands for weight_7, weight_14, ... */

function isOwn(name, own) {
  return own.includes(name) || (own.includes("weights") && name.startsWith("weight_"));
}

/** Bring one link up to date. */
export function carry(link) {
  const own = link.dataset.carry.split(/\s+/);
  const url = new URL(link.href);
  const kept = [...url.searchParams].filter(([name]) => isOwn(name, own));
  const carried = [...new URLSearchParams(location.search)].filter(([name]) => !isOwn(name, own));
  url.search = new URLSearchParams([...carried, ...kept]).toString();
  link.href = url.href;
}

for (const type of ["click", "auxclick", "contextmenu", "focusin", "pointerover"]) {
  document.addEventListener(
    type,
    (event) => {
      const link = event.target.closest?.("a[data-carry]");
      if (link) carry(link);
    },
    { capture: true },
  );
}
