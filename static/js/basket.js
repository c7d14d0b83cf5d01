/* The ticked pairs: kept for this tab, in the order they were ticked, from page to page and list to
   list. What is done with them leads to a URL that names them, so nothing hidden is ever shared.

     form[data-basket]        goes to /explorer/basket; hidden while nothing is ticked
     [data-basket-count]      says how many are ticked
     [data-basket-two]        the button that needs two
     [data-basket-clear]      unticks all
     .pick input             the box of a row; its value is the id of the pair */

const KEY = "basket";

export class Basket {
  constructor() {
    this.ids = read();
    document.addEventListener("change", (event) => {
      if (event.target.matches(".pick input")) this.tick(event.target.value, event.target.checked);
    });
    document.addEventListener("click", (event) => {
      if (event.target.closest("[data-basket-clear]")) this.clear();
    });
    document.addEventListener("submit", (event) => {
      if (event.target.matches("[data-basket]")) this.fill(event.target);
    });
    // A page out of the browser's cache shows the ticks of its time, not those of now.
    addEventListener("pageshow", (event) => {
      if (!event.persisted) return;
      this.ids = read();
      this.attach();
    });
  }

  /** Bring the boxes and the bar of the list in line with what is ticked. */
  attach() {
    for (const box of document.querySelectorAll(".pick input")) box.checked = this.ids.has(box.value);
    const form = document.querySelector("[data-basket]");
    if (!form) return;
    const { size } = this.ids;
    form.toggleAttribute("data-empty", size === 0);
    form.querySelector("[data-basket-count]").textContent = `${size} ${size === 1 ? "pair" : "pairs"} ticked`;
    form.querySelector("[data-basket-two]").disabled = size !== 2;
  }

  tick(id, ticked) {
    if (ticked) this.ids.add(id);
    else this.ids.delete(id);
    this.save();
  }

  clear() {
    this.ids.clear();
    this.save();
  }

  save() {
    write(this.ids);
    this.attach();
  }

  /** Send all that is ticked, once: the boxes of this page are among it. */
  fill(form) {
    for (const old of form.querySelectorAll("input[name=pick]")) old.remove();
    const field = document.createElement("input");
    Object.assign(field, { type: "hidden", name: "pick", value: [...this.ids].join(",") });
    form.append(field);
    for (const box of document.querySelectorAll(".pick input")) box.disabled = true;
    setTimeout(() => {
      for (const box of document.querySelectorAll(".pick input")) box.disabled = false;
      field.remove();
    });
  }
}

function read() {
  try {
    return new Set(JSON.parse(sessionStorage.getItem(KEY) ?? "[]"));
  } catch {
    return new Set(); // storage is forbidden: ticks last for this page
  }
}

function write(ids) {
  try {
    sessionStorage.setItem(KEY, JSON.stringify([...ids]));
  } catch {
    // the ticks then last for this page
  }
}
