/* Draws maps on the faces of a page and reads them out; everything is computed here, from the
   deviations of the pair, so that a change of method, patches, scale or blend needs no request.

   Found by attributes:
     [data-viewer]       the stage; data-api is the explanations URL (one set), data-places the
                         parts of a face by column and row, data-model the model's title
     [data-side]         a figure; data-face is its image, [data-picture] the <img> to replace
     [data-viewer-form]  the form: its fields are the state (choice.js), its URL is kept up to date
     [data-reload]       a field that needs another page
     [data-show]         what only belongs to some choice (choice.js)
     [data-zoom-step], [data-zoom-to], [data-zoom]   buttons (1, -1; fit, 1) and what they led to
     [data-peek]         a button that shows the original faces as long as it is held
     [data-download]     a link whose query follows the choices; the attribute is its path
   The scale that ±1 stands for is, for "shared", the largest of both sides over the whole set.
   Every drawn canvas offers what it shows as `canvas.shown` ({values, scale, method}). */

import { ChoiceForm, withQuery } from "./choice.js";
import { MIDDLE, moved, pixelAt } from "./cursor.js";
import { listen } from "./gestures.js";
import { bindStageKeys } from "./stage-keys.js";
import { SIZE, rowName } from "./maps.js";
import { splitColumn } from "./pictures.js";
import { sentence } from "./readout.js";
import { Side, setText } from "./side.js";
import { Source, loadPixels } from "./source.js";
import { Zoom } from "./zoom.js";

const REST = 250; // milliseconds after which words and URL follow

class Viewer {
  constructor(stage, form) {
    this.stage = stage;
    this.form = form;
    this.choice = new ChoiceForm(form);
    this.places = JSON.parse(stage.dataset.places);
    this.zoom = new Zoom(Number(this.choice.get("zoom")) || null, Number(this.choice.get("x")), Number(this.choice.get("y")));
    this.cursor = null;
    this.peeking = false;
    this.mask = null;
    this.pending = false;
    this.readout = stage.querySelector("[data-readout]");
    this.invitation = this.readout.textContent;
  }

  async start() {
    const figures = [...this.stage.querySelectorAll("[data-side]")];
    const [source, ...faces] = await Promise.all([
      Source.load(this.stage.dataset.api),
      ...figures.map((figure) => loadPixels(figure.dataset.face)),
    ]);
    // Only now, with everything at hand, do canvases take the place of the server's pictures.
    this.source = source;
    this.sides = figures.map((figure, i) => new Side(figure, faces[i]));
    for (const field of this.form?.querySelectorAll("[data-only-no-js]") ?? []) field.remove();
    for (const side of this.sides) this.attach(side);
    this.attachForm();
    addEventListener("popstate", () => location.reload());
    this.measure();
    new ResizeObserver(() => this.measure()).observe(this.sides[0].box);
    this.stage.dataset.ready = "true";
    this.draw();
    this.source.prepare();
  }

  // ------------------------------------------------------------------------------ choices

  attachForm() {
    this.form?.addEventListener("input", (event) => this.changed(event.target, event));
    this.form?.addEventListener("change", () => this.keepUrl());
    for (const button of document.querySelectorAll("[data-zoom-step]")) {
      button.addEventListener("click", () => this.zoomStep(Number(button.dataset.zoomStep)));
    }
    for (const button of document.querySelectorAll("[data-zoom-to]")) {
      const to = button.dataset.zoomTo;
      button.addEventListener("click", () => this.zoomTo(to === "fit" ? null : Number(to)));
    }
    for (const button of document.querySelectorAll("[data-peek]")) {
      button.addEventListener("pointerdown", () => this.peek(true));
      for (const end of ["pointerup", "pointerleave", "pointercancel", "blur"]) {
        button.addEventListener(end, () => this.peek(false));
      }
      button.addEventListener("keydown", (event) => {
        if (event.key === " " || event.key === "Enter") this.peek(true);
      });
      button.addEventListener("keyup", () => this.peek(false));
    }
    if (document.querySelector("dialog[data-keys]")) bindStageKeys(this);
  }

  changed(field) {
    if (field.matches("[data-reload]")) {
      leave(this.choice, field);
      return;
    }
    if (field.name === "view") this.choice.changedView();
    if (field.name === "patch" || field.name.startsWith("weight_")) this.choice.keepOneSize(field);
    // A slider that moves would write the address a hundred times; it does when it rests.
    if (field.type !== "range") this.keepUrl();
    this.draw();
  }

  /** Choose by another way than the form's own fields. */
  choose(name, value) {
    this.choice.set(name, value);
    if (name === "view") this.choice.changedView();
    this.keepUrl();
    this.draw();
  }

  keepUrl() {
    clearTimeout(this.urlTimer);
    if (!this.form) return;
    const query = this.choice.query();
    history.replaceState(history.state, "", withQuery(location.pathname, query));
    query.delete("results");
    for (const name of ["zoom", "x", "y"]) query.delete(name);
    for (const link of document.querySelectorAll("[data-download]")) {
      link.href = withQuery(link.dataset.download, query);
    }
  }

  // ------------------------------------------------------------------------------ pictures

  /** Draw once before the next frame, however many changes come until then. */
  draw() {
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => {
      this.pending = false;
      this.render(this.choice.state());
    });
  }

  shared(state) {
    if (state.scale !== "shared") return null;
    const shared = this.source.set.shared_scales[state.normalise];
    return Math.max(shared[rowName(state.method, 1)], shared[rowName(state.method, 2)]);
  }

  render(state) {
    const shared = this.shared(state);
    for (const side of this.sides) side.draw(this.source, state, shared, this.peeking);
    this.state = state;
    this.choice.show(state);
    this.showMask(state.mask);
    this.show();
    this.stage.dataset.drawn = state.method;
    clearTimeout(this.wordTimer);
    this.wordTimer = setTimeout(() => {
      for (const side of this.sides) side.describe(state, this.stage.dataset.model, this.places);
    }, REST);
  }

  async showMask(wanted) {
    const box = this.form?.querySelector("[data-mask]");
    if (!box) return;
    this.maskPixels ??= wanted ? loadPixels(box.dataset.mask) : undefined;
    const mask = wanted ? await this.maskPixels : null;
    if (mask === this.mask) return;
    this.mask = mask;
    this.show();
  }

  peek(on) {
    if (this.peeking === on) return;
    this.peeking = on;
    this.stage.classList.toggle("is-peeking", on);
    this.draw();
  }

  // ------------------------------------------------------------------ place, zoom, cursor

  /** Place the faces, and write what the cursor reads. */
  show() {
    if (!this.state) return;
    const column = this.state.compare === "none" || this.peeking ? null : splitColumn(this.state.split);
    const isSigned = this.state.sign !== "absolute";
    for (const side of this.sides) {
      side.place(this.zoom, this.box, { cursor: this.cursor, mask: this.mask, column });
      side.read(this.cursor, isSigned);
    }
    setText(this.readout, this.cursor ? this.sentence() : this.invitation);
    const scale = this.zoom.effective(this.box);
    for (const output of document.querySelectorAll("[data-zoom]")) {
      setText(output, `${Number(scale.toFixed(2))}×`);
    }
  }

  /** The side of a face's box in CSS pixels; kept, for asking costs a layout. */
  measure() {
    this.box = this.sides[0].box.clientWidth;
    this.show();
  }

  sentence() {
    return sentence(this.cursor, this.sides, this.state, this.places);
  }

  moveTo(cursor, announce = false) {
    this.cursor = cursor;
    if (announce && cursor) this.zoom.reveal(cursor.x, cursor.y, this.box);
    this.show();
    if (announce) this.announce();
  }

  /** Tell screen readers where the keys led, once they rest. */
  announce() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      if (this.cursor) this.stage.querySelector("[data-announce]").textContent = this.sentence();
    }, REST);
  }

  hasFocus() {
    return this.sides.some((side) => side.canvas === document.activeElement);
  }

  zoomStep(direction, x, y) {
    this.zoomTo(this.zoom.next(direction, this.box), x, y);
  }

  zoomTo(scale, x, y) {
    this.zoom.to(scale, this.box, x, y);
    this.zoomed();
  }

  zoomed() {
    this.choice.set("zoom", this.zoom.scale ?? 0);
    this.choice.set("x", Math.round(this.zoom.x));
    this.choice.set("y", Math.round(this.zoom.y));
    this.show();
    clearTimeout(this.urlTimer);
    this.urlTimer = setTimeout(() => this.keepUrl(), REST);
  }

  attach(side) {
    const { canvas } = side;
    const pixel = (x, y) => {
      const { left, top } = this.zoom.place(this.box);
      return pixelAt(x - left, y - top, this.zoom.effective(this.box));
    };
    let pinched = 1;
    listen(side.box, {
      point: (x, y) => this.moveTo(pixel(x, y)),
      leave: () => {
        if (!this.hasFocus()) this.moveTo(null);
      },
      canPan: () => this.zoom.effective(this.box) * SIZE > this.box,
      pan: (dx, dy) => {
        this.zoom.pan(dx, dy, this.box);
        this.zoomed();
      },
      beginPinch: () => {
        pinched = this.zoom.effective(this.box);
      },
      pinch: (factor, x, y) => {
        const scale = pinched * factor;
        this.zoomTo(scale * SIZE <= this.box * 1.1 ? null : scale, x, y);
      },
      canZoomOut: () => this.zoom.effective(this.box) * SIZE > this.box,
      step: (direction, x, y) => {
        const scale = this.zoom.next(direction, this.box);
        this.zoomTo(scale * SIZE <= this.box ? null : scale, x, y);
      },
      nearSlider: (x, coarse) => {
        if (!this.state || this.state.compare === "none") return false;
        const { left, side: length } = this.zoom.place(this.box);
        return Math.abs(x - left - (this.state.split / 100) * length) < (coarse ? 24 : 8);
      },
      slide: (x) => {
        const { left, side: length } = this.zoom.place(this.box);
        this.choice.set("split", Math.round(100 * Math.min(1, Math.max(0, (x - left) / length))));
        this.draw();
        clearTimeout(this.urlTimer);
        this.urlTimer = setTimeout(() => this.keepUrl(), REST);
      },
      peek: (on) => this.peek(on),
    });
    canvas.addEventListener("focus", () => {
      if (!this.cursor && canvas.matches(":focus-visible")) this.moveTo(MIDDLE, true);
    });
    canvas.addEventListener("blur", () => {
      if (!this.hasFocus()) this.moveTo(null);
    });
    canvas.addEventListener("keydown", (event) => this.key(event));
  }

  key(event) {
    if (event.key === "Escape") this.moveTo(null);
    const to = moved(event, this.cursor);
    if (!to) return;
    event.preventDefault();
    this.moveTo(to, true);
  }
}

function leave(choice, field) {
  location.assign(withQuery(location.pathname, choice.queryElsewhere(field)));
}

/** Bring every stage of the page to life that is not alive yet. */
export function attachViewers() {
  const form = document.querySelector("[data-viewer-form]");
  for (const stage of document.querySelectorAll("[data-viewer][data-api]:not([data-attached])")) {
    stage.dataset.attached = "true";
    const viewer = new Viewer(stage, form);
    viewer.start().catch((error) => {
      // The pictures of the server are still there; say why they cannot be played with.
      const problem = stage.querySelector("[data-problem]");
      problem.textContent = `The interactive maps could not be loaded: ${error.message}. Reload the page to try again.`;
      problem.hidden = false;
    });
  }
}

attachViewers();

// Where there is nothing to draw, the form still leads to another model.
if (!document.querySelector("[data-viewer][data-api]")) {
  const form = document.querySelector("[data-viewer-form]");
  form?.addEventListener("input", ({ target }) => leave(new ChoiceForm(form), target));
}
