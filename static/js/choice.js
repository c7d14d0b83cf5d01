/* The state of the viewer: what the fields of its form say, and the same as a URL.

   A form may have few of the fields (the front page's has two) or be missing: what has no field
   is kept here and has its default. app/viewer/choices.py reads the URL that this writes.

     output[for]   in the form: says what a slider stands at
     [data-show]   on the page: what only belongs to some choice, as "compare=!none" or "view=xmap|map" */

import { setText } from "./side.js";

const DEFAULTS = {
  method: "I",
  view: "xmap",
  sign: "all",
  top: "100",
  base: "colour",
  colours: "piyg",
  normalise: "count",
  scale: "own",
  blend: "100",
  compare: "none",
  split: "50",
  mask: "0",
  zoom: "0",
  x: "56",
  y: "56",
};
const OF_MASKED = { sign: "absolute", top: "20" };

export class ChoiceForm {
  constructor(form) {
    this.form = form;
    this.kept = {};
    this.boxes = [...(form?.querySelectorAll("[name=patch]") ?? [])];
    this.restrain();
  }

  field(name) {
    return this.form?.elements[name] ?? null;
  }

  /** The value of a field as text; radio buttons and check boxes as the form would send them. */
  get(name) {
    const field = this.field(name);
    if (!field) return this.kept[name] ?? this.defaultOf(name);
    if (field.type === "checkbox") return field.checked ? field.value : DEFAULTS[name];
    return field.value;
  }

  set(name, value) {
    const field = this.field(name);
    if (!field) this.kept[name] = String(value);
    else if (field.type === "checkbox") field.checked = field.value === String(value);
    else field.value = String(value);
  }

  defaultOf(name) {
    const masked = name !== "view" && this.get("view") === "masked";
    return (masked && OF_MASKED[name]) || DEFAULTS[name];
  }

  /** A masked view has no colours: it forbids "all" signs, and starts with its own defaults. */
  changedView() {
    for (const [name, own] of Object.entries(OF_MASKED)) {
      const masked = this.get("view") === "masked";
      if (masked && this.get(name) === DEFAULTS[name]) this.set(name, own);
      else if (!masked && this.get(name) === own) this.set(name, DEFAULTS[name]);
    }
    this.restrain();
  }

  restrain() {
    const all = this.form?.querySelector("[name=sign][value=all]");
    if (all) all.disabled = this.get("view") === "masked";
  }

  /** At least one size has a weight, else there is no map: take back what `field` was told. */
  keepOneSize(field) {
    if (this.boxes.length === 0 || this.weights().size > 0) return;
    if (field.type === "checkbox") field.checked = true;
    else field.value = "1";
    if (this.weights().size === 0) this.field(`weight_${field.value}`).value = "1";
  }

  /** The weight of each patch size that is used; empty where the form does not ask. */
  weights() {
    const weights = new Map();
    for (const box of this.boxes) {
      if (!box.checked) continue;
      const weight = this.weight(box.value);
      if (weight > 0) weights.set(Number(box.value), weight);
    }
    return weights;
  }

  weight(size) {
    const field = this.field(`weight_${size}`);
    if (!field?.value || !field.validity.valid) return 1;
    return Math.round(Number(field.value) * 1000) / 1000;
  }

  state() {
    const text = (name) => this.get(name);
    const number = (name) => Number(this.get(name));
    return {
      method: text("method"),
      view: text("view"),
      sign: text("sign"),
      top: number("top"),
      base: text("base"),
      colours: text("colours"),
      normalise: text("normalise"),
      scale: text("scale"),
      blend: number("blend"),
      compare: text("compare"),
      split: number("split"),
      mask: text("mask") === "1",
      weights: this.weights(),
    };
  }

  /** Let the page say what is chosen. */
  show(state) {
    for (const output of this.form?.querySelectorAll("output[for]") ?? []) {
      setText(output, this.get(output.htmlFor.value));
    }
    for (const part of document.querySelectorAll("[data-show]")) {
      const [name, wanted] = part.dataset.show.split("=");
      const named = wanted.replace("!", "").split("|").includes(String(state[name]));
      part.hidden = named === wanted.startsWith("!");
    }
  }

  /** The parameters of the URL; what has its default is left out. */
  query() {
    const query = new URLSearchParams();
    const single = new Set();
    for (const field of this.form?.elements ?? []) {
      const { name } = field;
      if (!name || single.has(name) || name === "patch" || name.startsWith("weight_")) continue;
      single.add(name);
      const value = this.get(name);
      if (value && value !== this.defaultOf(name)) query.append(name, value);
    }
    const used = this.weights();
    for (const size of used.keys()) {
      if (used.size < this.boxes.length) query.append("patch", size);
    }
    for (const [size, weight] of used) {
      if (weight !== 1) query.append(`weight_${size}`, weight);
    }
    return query;
  }

  /** The query of another model or set; a new model starts with its own sets, a set with its sizes. */
  queryElsewhere(field) {
    const query = this.query();
    if (field.name === "model") query.delete("spec");
    for (const name of [...query.keys()]) {
      if (name === "patch" || name.startsWith("weight_")) query.delete(name);
    }
    return query;
  }
}

export function withQuery(path, query) {
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}
