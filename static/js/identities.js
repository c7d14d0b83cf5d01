/* Names to choose from while one types in [data-identities] (its URL), in the field's own <datalist>:
   the browser makes it work with keys and screen readers. The datasets ticked narrow the choice. */

const REST = 150; // ms without a key before the server is asked
const known = new Map();

export function suggestIdentities(field) {
  let timer = null;
  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => fill(field), REST);
  });
}

async function fill(field) {
  const text = field.value.trim();
  if (!text) return;
  const query = new URLSearchParams({ contains: text });
  for (const box of field.form.querySelectorAll("[name=dataset]:checked")) query.append("dataset", box.value);
  const url = `${field.dataset.identities}?${query}`;
  if (!known.has(url)) {
    try {
      const answer = await fetch(url);
      if (!answer.ok) return;
      known.set(url, (await answer.json()).rows.map((row) => row.identity));
    } catch {
      return; // without names to choose from the field still takes any text
    }
  }
  if (text !== field.value.trim()) return;
  field.list.replaceChildren(
    ...known.get(url).map((name) => {
      const option = document.createElement("option");
      option.value = name;
      option.label = name.replaceAll("_", " ");
      return option;
    }),
  );
}
