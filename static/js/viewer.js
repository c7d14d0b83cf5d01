/* Draws maps on the faces of a page and reads them out; everything is computed here, from the
   deviations of the pair, so that a change of method, patches, scale or blend needs no request.

   Found by attributes:
     [data-viewer]       the stage; data-api is the explanations URL (one set)
     [data-side]         a figure; data-face is its image, [data-picture] the <img> to replace
     [data-viewer-form]  the form: its fields are the state, its URL is kept up to date
     [data-reload]       a field that needs another page
   The scale that ±1 stands for is, for "shared", the largest of both sides over the whole set.
   Every drawn canvas offers what it shows as `canvas.shown` ({values, scale, method}). */

import { SIZE, PIXELS, colourMap, mix, readRow, rowName, scaled, similarityMap, xmap } from "./xmaps.js";
import { mapText, scientific, signed } from "./numbers.js";
import { Overlay } from "./overlay.js";

const DEFAULTS = { method: "I", view: "xmap", normalise: "count", scale: "own", blend: "100", mask: "0" };

class Viewer {
  constructor(stage, form) {
    this.stage = stage;
    this.form = form;
    this.cursor = null;
    this.maps = new Map();
    this.pending = false;
  }

  async start() {
    const figures = [...this.stage.querySelectorAll("[data-side]")];
    const [set, ...faces] = await Promise.all([
      this.loadSet(),
      ...figures.map((figure) => loadPixels(figure.dataset.face)),
    ]);
    // Only now, with everything at hand, do canvases take the place of the server's pictures.
    this.set = set;
    this.sides = figures.map((figure, i) => this.makeSide(figure, faces[i]));
    for (const field of this.form?.querySelectorAll("[data-only-no-js]") ?? []) field.remove();
    for (const side of this.sides) this.attach(side);
    this.form?.addEventListener("input", (event) => this.changed(event));
    addEventListener("popstate", () => location.reload());
    this.stage.dataset.ready = "true";
    this.draw();
  }

  async loadSet() {
    const answer = await fetch(this.stage.dataset.api);
    if (!answer.ok) throw new Error(`the explanations answered ${answer.status}`);
    const set = (await answer.json()).sets[0];
    // The address in the JSON is absolute and may name the site as a proxy sees it.
    const address = new URL(set.deviations.url);
    const binary = await fetch(address.pathname + address.search);
    if (!binary.ok) throw new Error(`the deviations answered ${binary.status}`);
    const buffer = await binary.arrayBuffer();
    const rows = set.deviations.rows;
    set.rows = Object.fromEntries(
      rows.map((name, i) => [name, readRow(buffer, i, rows.length, set.deviations.scale)]),
    );
    return set;
  }

  makeSide(figure, face) {
    const picture = figure.querySelector("[data-picture]");
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = SIZE;
    canvas.dataset.map = "";
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `${picture.alt}. Arrow keys read the map.`);
    const overlay = new Overlay();
    picture.replaceWith(canvas, overlay.canvas);
    return {
      number: Number(figure.dataset.side),
      name: figure.dataset.side === "1" ? "left" : "right",
      face,
      canvas,
      overlay,
      value: figure.querySelector("[data-value]"),
      scale: figure.querySelector("[data-scale]"),
    };
  }

  /** The state: what the form says, or the defaults with the stage's method. */
  state() {
    const data = this.form ? new FormData(this.form) : new FormData();
    const get = (name) => data.get(name) ?? DEFAULTS[name];
    const boxes = this.form ? [...this.form.querySelectorAll("[name=patch]")] : [];
    const chosen = boxes.filter((box) => box.checked).map((box) => Number(box.value));
    return {
      method: get("method"),
      view: get("view"),
      normalise: get("normalise"),
      scale: get("scale"),
      blend: Number(get("blend")),
      mask: get("mask") === "1",
      patchSizes: boxes.length && chosen.length ? chosen : this.set.spec.patch_sizes,
    };
  }

  changed(event) {
    if (event.target.matches("[data-reload]")) {
      this.go(event.target);
      return;
    }
    if (event.target.name === "patch" && !this.form.querySelector("[name=patch]:checked")) {
      event.target.checked = true; // one size at least, else there is no map
    }
    history.replaceState(null, "", this.url(location.pathname, this.query()));
    this.draw();
  }

  /** Another model or set: a page of its own; a new model starts with its own sets. */
  go(field) {
    const query = this.query();
    if (field.name === "model") {
      query.delete("spec");
      query.delete("patch");
    }
    location.assign(this.url(this.form.action, query));
  }

  query() {
    const query = new URLSearchParams();
    const boxes = [...this.form.querySelectorAll("[name=patch]")];
    const all = boxes.every((box) => box.checked);
    for (const [name, value] of new FormData(this.form)) {
      if (value !== DEFAULTS[name] && !(name === "patch" && all)) query.append(name, value);
    }
    return query;
  }

  url(path, query) {
    const text = query.toString();
    return text ? `${path}?${text}` : path;
  }

  /** Draw once before the next frame, however many changes come until then. */
  draw() {
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => {
      this.pending = false;
      this.render(this.state());
    });
  }

  map(row, state) {
    const key = [row, state.normalise, ...state.patchSizes].join();
    if (!this.maps.has(key)) this.maps.set(key, similarityMap(this.set.rows[row], this.set.spec, state));
    return this.maps.get(key);
  }

  scaleOf(map, state) {
    if (state.scale !== "shared") return map.scale;
    const shared = this.set.shared_scales[state.normalise];
    return Math.max(shared[rowName(state.method, 1)], shared[rowName(state.method, 2)]);
  }

  render(state) {
    for (const side of this.sides) {
      const map = this.map(rowName(state.method, side.number), state);
      const scale = this.scaleOf(map, state);
      const values = scale === map.scale ? map.values : scaled(map.raw, scale);
      side.canvas.shown = { values, scale, method: state.method };
      let picture = side.face;
      if (state.view !== "original") {
        const drawn = state.view === "map" ? colourMap(values) : xmap(side.face, values);
        picture = mix(side.face, drawn, state.blend / 100);
      }
      paint(side.canvas, picture);
      side.scale.textContent = scientific(scale);
    }
    const output = this.form?.querySelector("[data-blend]");
    if (output) output.textContent = state.blend;
    this.updateDownloads();
    this.showMask(state.mask);
    this.showCursor();
    this.stage.dataset.drawn = state.method;
  }

  updateDownloads() {
    if (!this.form?.dataset.pictureUrl) return;
    const query = this.query();
    query.delete("results");
    for (const link of document.querySelectorAll("[data-download]")) {
      const path = this.form.dataset.pictureUrl.replace(/1\.png$/, `${link.dataset.download}.png`);
      link.href = this.url(path, query);
    }
  }

  async showMask(wanted) {
    const box = this.form?.querySelector("[data-mask]");
    if (!box) return;
    this.mask ??= loadPixels(box.dataset.mask);
    const mask = wanted ? await this.mask : null;
    for (const side of this.sides) side.overlay.setMask(mask);
  }

  attach(side) {
    const { canvas } = side;
    const point = (event) => {
      const box = canvas.getBoundingClientRect();
      const at = (offset, length) => Math.min(SIZE - 1, Math.max(0, Math.floor((offset / length) * SIZE)));
      this.moveTo(at(event.clientX - box.left, box.width), at(event.clientY - box.top, box.height));
    };
    canvas.addEventListener("pointermove", point);
    canvas.addEventListener("pointerdown", point);
    canvas.addEventListener("pointerleave", (event) => {
      if (event.pointerType === "mouse" && !this.hasFocus()) this.moveTo(null);
    });
    canvas.addEventListener("focus", () => {
      if (!this.cursor && canvas.matches(":focus-visible")) this.moveTo(SIZE / 2, SIZE / 2, true);
    });
    canvas.addEventListener("blur", () => {
      if (!this.hasFocus()) this.moveTo(null);
    });
    canvas.addEventListener("keydown", (event) => this.key(event));
  }

  hasFocus() {
    return this.sides.some((side) => side.canvas === document.activeElement);
  }

  key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const step = event.shiftKey ? 10 : 1;
    const steps = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    if (event.key === "Escape") this.moveTo(null);
    if (!(event.key in steps)) return;
    event.preventDefault();
    const from = this.cursor ?? { x: SIZE / 2, y: SIZE / 2 };
    const clamp = (at) => Math.min(SIZE - 1, Math.max(0, at));
    const [dx, dy] = steps[event.key];
    this.moveTo(clamp(from.x + dx), clamp(from.y + dy), true);
  }

  moveTo(x, y, announce = false) {
    this.cursor = x === null ? null : { x, y };
    this.showCursor();
    if (announce) this.announce();
  }

  /** Value and crosshair at the same place of both images. */
  showCursor() {
    const readout = this.stage.querySelector("[data-readout]");
    this.invitation ??= readout.textContent;
    for (const side of this.sides) {
      side.overlay.setCursor(this.cursor);
      const value = this.valueOf(side);
      side.value.textContent = value === null ? "\u00a0" : signed(value);
      side.value.dataset.number = value ?? "";
    }
    readout.textContent = this.cursor ? this.sentence() : this.invitation;
  }

  valueOf(side) {
    if (!this.cursor || !side.canvas.shown) return null;
    return side.canvas.shown.values[this.cursor.y * SIZE + this.cursor.x];
  }

  sentence() {
    const { x, y } = this.cursor;
    const parts = this.sides.map(
      (side) => `${side.name} ${mapText(this.valueOf(side), side.canvas.shown.scale)}`,
    );
    return `Column ${x}, row ${y}: ${parts.join("; ")}`;
  }

  /** Tell screen readers where the keys led, once they rest. */
  announce() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      if (this.cursor) this.stage.querySelector("[data-announce]").textContent = this.sentence();
    }, 250);
  }
}

/** Pixels of a picture as RGB bytes. */
async function loadPixels(url) {
  const image = new Image();
  image.src = url;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SIZE;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0, SIZE, SIZE);
  const rgba = context.getImageData(0, 0, SIZE, SIZE).data;
  const rgb = new Uint8ClampedArray(PIXELS * 3);
  for (let i = 0; i < PIXELS; i++) rgb.set(rgba.subarray(4 * i, 4 * i + 3), 3 * i);
  return rgb;
}

function paint(canvas, rgb) {
  const picture = new ImageData(SIZE, SIZE);
  for (let i = 0; i < PIXELS; i++) {
    picture.data.set(rgb.subarray(3 * i, 3 * i + 3), 4 * i);
    picture.data[4 * i + 3] = 255;
  }
  // Pixels come from the processor and small pictures stay there: no round trip to a GPU.
  canvas.getContext("2d", { willReadFrequently: true }).putImageData(picture, 0, 0);
}

/** Bring every stage of the page to life that is not alive yet. */
export function attachViewers() {
  for (const stage of document.querySelectorAll("[data-viewer][data-api]:not([data-attached])")) {
    stage.dataset.attached = "true";
    new Viewer(stage, document.querySelector("[data-viewer-form]")).start().catch((error) => {
      // The pictures of the server are still there; say why they cannot be played with.
      const problem = stage.querySelector("[data-problem]");
      problem.textContent = `The interactive maps could not be loaded: ${error.message}. Reload the page to try again.`;
      problem.hidden = false;
    });
  }
}

attachViewers();
