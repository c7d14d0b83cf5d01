/* The comparison grid: every cell drawn from its deviations, one crosshair on all of them.

   Models, methods and sets are the server's to place: their change replaces parts of the page.
   Everything else is drawn here, in all cells at once. Without scripts the form's button sends it,
   and the server's pictures show.

   [data-compare-form]     the form; its fields are the state (choice.js)
   [data-swap]             parts of the page that a new state replaces, by name
   [data-url]              on the grid: the address of its state
   [data-grid]             the cells; data-places names the parts of a face. Where it is missing,
                           the pictures of the server stay
   [data-panel]            a cell: data-api its explanation, data-method, data-model its title,
                           data-mask what really differs, where that is chosen
   [data-side]             a face in it (side.js)
   [data-row-scale]        what ±1 is in all cells of a method, where they share it
   [data-readout]          says where the crosshair is; [data-announce] says it with all values
   [data-figure]           the link to the figure; the attribute is its path
   [data-compare-status]   tells screen readers that the grid is new
   [data-compare-problem]  says why it is not */

import { ChoiceForm, withQuery } from "./choice.js";
import { MIDDLE, moved, pixelAt } from "./cursor.js";
import { SIZE, rowName } from "./maps.js";
import { scientific, signed } from "./numbers.js";
import { splitColumn } from "./pictures.js";
import { placeText, valueAt } from "./readout.js";
import { Side, setText } from "./side.js";
import { Source, loadPixels } from "./source.js";
import { Zoom } from "./zoom.js";

const PLACED = ["model", "method", "spec"]; // what the server places
const MAPS = ["normalise", "patch"]; // what the maps themselves depend on, and so their agreement
const REST = 250; // milliseconds after which words and URL follow
const form = document.querySelector("[data-compare-form]");
const status = document.querySelector("[data-compare-status]");
const problem = document.querySelector("[data-compare-problem]");
const choice = new ChoiceForm(form);
const kept = new Map(); // what was loaded, by its address
let grid = null;
let loading = null;

function once(load, url) {
  if (!kept.has(url)) kept.set(url, load(url));
  return kept.get(url);
}

function complain(error) {
  problem.textContent = `The grid could not be drawn anew: ${error.message}`;
  problem.hidden = false;
}

/* A cell: both faces of a pair under one model and method. */
class Panel {
  constructor(element, source, faces, mask) {
    this.element = element;
    this.source = source;
    this.mask = mask;
    this.method = element.dataset.method;
    this.model = element.dataset.model;
    const text = (shown, cursor) => signed(valueAt(shown, cursor));
    this.sides = [...element.querySelectorAll("[data-side]")].map((side, i) => new Side(side, faces[i], text));
    this.sides[1].canvas.tabIndex = -1; // one stop a cell: both faces have the same crosshair
  }

  static async load(element) {
    const { api, mask } = element.dataset;
    const faces = [...element.querySelectorAll("[data-side]")].map((side) => once(loadPixels, side.dataset.face));
    const wanted = [once(Source.load, api), Promise.all(faces), mask ? once(loadPixels, mask) : null];
    const parts = await Promise.all(wanted);
    return () => new Panel(element, ...parts);
  }

  state(state) {
    return { ...state, method: this.method };
  }

  scale(state) {
    return Math.max(...this.sides.map((side) => this.source.map(rowName(this.method, side.number), state).scale));
  }
}

class Grid {
  constructor(root, panels) {
    this.root = root;
    this.panels = panels;
    this.places = JSON.parse(root.dataset.places);
    this.readout = document.querySelector("[data-readout]");
    this.invitation = this.readout.textContent;
    this.zoom = new Zoom();
    this.cursor = null;
    for (const panel of panels) for (const side of panel.sides) this.attach(panel, side);
    this.observer = new ResizeObserver(() => this.measure());
    this.observer.observe(panels[0].sides[0].box);
    this.draw();
    root.dataset.drawn = "";
  }

  /** Take over the cells of the page; null where their pictures are the server's. */
  static async load() {
    const root = document.querySelector("[data-grid]");
    const elements = [...(root?.querySelectorAll("[data-panel]") ?? [])];
    if (elements.length === 0) return null;
    const made = await Promise.all(elements.map((element) => Panel.load(element)));
    // Replaced while it loaded: another grid is on its way.
    return root.isConnected ? new Grid(root, made.map((make) => make())) : null;
  }

  draw() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.render(choice.state()));
  }

  render(state) {
    this.state = state;
    const shares = state.scale === "shared" && state.view !== "original";
    const scales = new Map();
    for (const panel of this.panels) {
      scales.set(panel.method, Math.max(scales.get(panel.method) ?? 0, panel.scale(state)));
    }
    for (const panel of this.panels) {
      const shared = shares ? scales.get(panel.method) : null;
      for (const side of panel.sides) side.draw(panel.source, panel.state(state), shared);
    }
    choice.show(state);
    for (const output of document.querySelectorAll("[data-row-scale]")) {
      setText(output, scientific(scales.get(output.dataset.rowScale) ?? 0));
      output.parentElement.hidden = !shares;
    }
    this.measure();
    clearTimeout(this.wordTimer);
    this.wordTimer = setTimeout(() => {
      for (const panel of this.panels) {
        for (const side of panel.sides) side.describe(panel.state(state), panel.model, this.places);
      }
    }, REST);
  }

  /** The side of a face's box in CSS pixels; kept, for asking costs a layout. */
  measure() {
    this.box = this.panels[0].sides[0].box.clientWidth;
    this.show();
  }

  show() {
    const { state, cursor } = this;
    if (!state) return;
    const column = state.compare === "none" ? null : splitColumn(state.split);
    for (const { sides, mask } of this.panels) {
      for (const side of sides) {
        side.place(this.zoom, this.box, { cursor, mask, column });
        side.read(cursor, state.sign !== "absolute");
      }
    }
    setText(this.readout, cursor ? placeText(cursor, this.places) : this.invitation);
  }

  moveTo(cursor) {
    this.cursor = cursor;
    this.show();
  }

  /** Tell screen readers where the keys led, with what every model says there, once they rest. */
  announce(panel) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      if (!this.cursor) return;
      const row = this.panels.filter((each) => each.element.closest("tr") === panel.element.closest("tr"));
      const values = row.map(({ model, sides }) =>
        `${model} ${sides.map((side) => `${side.name} ${signed(valueAt(side.shown, this.cursor))}`).join(", ")}`);
      const where = placeText(this.cursor, this.places);
      document.querySelector("[data-announce]").textContent = `${where}, method ${panel.method}: ${values.join("; ")}`;
    }, REST);
  }

  hasFocus() {
    return document.activeElement?.matches("[data-panel] canvas");
  }

  attach(panel, side) {
    const { box, canvas } = side;
    for (const type of ["pointerdown", "pointermove"]) {
      box.addEventListener(type, (event) => {
        const frame = box.getBoundingClientRect();
        this.moveTo(pixelAt(event.clientX - frame.left, event.clientY - frame.top, frame.width / SIZE));
      });
    }
    box.addEventListener("pointerleave", (event) => {
      if (event.pointerType === "mouse" && !this.hasFocus()) this.moveTo(null);
    });
    canvas.addEventListener("focus", () => {
      if (!canvas.matches(":focus-visible")) return;
      this.moveTo(this.cursor ?? MIDDLE);
      this.announce(panel);
    });
    canvas.addEventListener("blur", () => {
      if (!this.hasFocus()) this.moveTo(null);
    });
    canvas.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.moveTo(null);
      const to = moved(event, this.cursor);
      if (!to) return;
      event.preventDefault();
      this.moveTo(to);
      this.announce(panel);
    });
  }
}

async function attach() {
  grid?.observer.disconnect();
  grid = null;
  try {
    grid = await Grid.load();
  } catch (error) {
    complain(error); // the pictures of the server are still there
  }
}

/* Parts that a state replaces: all of them, or those that are named. */
async function swap(url, names = null) {
  loading?.abort();
  loading = new AbortController();
  const isWanted = (part) => names?.includes(part.dataset.swap) ?? !part.parentElement.closest("[data-swap]");
  const parts = [...document.querySelectorAll("[data-swap]")].filter(isWanted);
  for (const part of parts) part.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(url, { signal: loading.signal, headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (!answer.ok) throw new Error(page.querySelector("main p")?.textContent ?? `the site answered ${answer.status}`);
    for (const part of parts) {
      part.replaceWith(document.adoptNode(page.querySelector(`[data-swap=${part.dataset.swap}]`)));
    }
    problem.hidden = true;
    if (names) return;
    document.title = page.title;
    history.replaceState(null, "", document.querySelector("[data-url]").dataset.url);
    status.textContent = document.title;
    await attach();
  } catch (error) {
    if (error.name === "AbortError") return;
    for (const part of parts) part.removeAttribute("aria-busy");
    complain(error);
  }
}

/* The query of the form; models and methods as the address has them, or as they are ticked now. */
function query({ ticked = false } = {}) {
  const found = choice.query();
  const lists = ticked ? new URLSearchParams([...new FormData(form)]) : new URLSearchParams(location.search);
  for (const name of ["model", "method"]) {
    found.delete(name);
    for (const value of lists.getAll(name)) found.append(name, value);
  }
  return found;
}

/* Put the state into the address, and into what can be taken along. */
function keepUrl() {
  const found = query();
  history.replaceState(null, "", withQuery(location.pathname, found));
  const link = document.querySelector("[data-figure]");
  if (!link) return;
  const models = new URL(link.href).searchParams.getAll("model");
  found.delete("model");
  found.delete("results");
  for (const model of models) found.append("model", model);
  link.href = withQuery(link.dataset.figure, found);
}

form.addEventListener("input", ({ target }) => {
  if (target.name === "view") choice.changedView();
  if (target.name === "patch" || target.name.startsWith("weight_")) choice.keepOneSize(target);
  choice.show(choice.state());
  if (!PLACED.includes(target.name)) grid?.draw();
});

form.addEventListener("change", ({ target }) => {
  const { name } = target;
  const last = (name === "model" || name === "method") && !form.querySelector(`[name=${name}]:checked`);
  if (last) {
    target.checked = true; // one column and one row at least
  } else if (PLACED.includes(name) || !grid) {
    swap(withQuery(location.pathname, query({ ticked: true })));
  } else {
    keepUrl();
    if (MAPS.includes(name) || name.startsWith("weight_")) swap(location.href, ["agreement"]);
  }
});

form.addEventListener("submit", (event) => {
  event.preventDefault();
  swap(withQuery(location.pathname, query({ ticked: true })));
});

attach();
