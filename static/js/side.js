/* One of the two faces on the stage: its canvases, numbers and colour bar. */

import { PIXELS, SIZE, rowName } from "./maps.js";
import { scientific, signed } from "./numbers.js";
import { Overlay } from "./overlay.js";
import { comparedMethod, draw, shownMap } from "./pictures.js";
import { about, shortText, valueAt } from "./readout.js";

const RAMPS = { piyg: "ramp-piyg", rdbu: "ramp-rdbu", ylorbr: "ramp-ylorbr" };
const TICKS = { signed: ["−1", "−0.5", "0", "+0.5", "+1"], sizes: ["0", "0.25", "0.5", "0.75", "1"] };

export class Side {
  /** Put canvases in the place of the server's picture; `face` are its RGB bytes, `textAt` what is
      read out below it. */
  constructor(figure, face, textAt = shortText) {
    this.textAt = textAt;
    this.number = Number(figure.dataset.side);
    this.name = this.number === 1 ? "left" : "right";
    this.subject = figure.dataset.subject;
    this.face = face;
    this.shown = null;
    this.canvas = document.createElement("canvas");
    this.canvas.width = this.canvas.height = SIZE;
    this.canvas.dataset.map = "";
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "img");
    this.overlay = new Overlay();
    const picture = figure.querySelector("[data-picture]");
    this.canvas.setAttribute("aria-label", picture.alt);
    this.box = picture.parentElement;
    picture.replaceWith(this.canvas, this.overlay.canvas);
    this.value = figure.querySelector("[data-value]");
    this.bar = figure.querySelector("[data-colourbar]");
    this.scale = figure.querySelector("[data-scale]");
    this.pixels = new ImageData(SIZE, SIZE);
    this.pixels.data.fill(255);
  }

  /** Draw what a state makes of the maps of a source; the face itself while somebody peeks. */
  draw(source, state, shared = null, peeking = false) {
    const shownOf = (method) => shownMap(source.map(rowName(method, this.number), state), state, shared);
    const shown = shownOf(state.method);
    const compared = comparedMethod(state);
    this.paint(peeking ? this.face : draw(this.face, shown, state, compared && shownOf(compared)), shown, state);
    const isSigned = state.sign !== "absolute";
    this.showTable(isSigned ? state.colours : "ylorbr", isSigned);
  }

  /** Show RGB bytes, and keep what they mean. */
  paint(rgb, shown, state) {
    this.shown = shown;
    this.canvas.shown = { values: shown.values, scale: shown.scale, method: state.method };
    const { data } = this.pixels;
    for (let i = 0; i < PIXELS; i++) {
      data[4 * i] = rgb[3 * i];
      data[4 * i + 1] = rgb[3 * i + 1];
      data[4 * i + 2] = rgb[3 * i + 2];
    }
    // Pixels come from the processor and small pictures stay there: no round trip to a GPU.
    this.canvas.getContext("2d", { willReadFrequently: true }).putImageData(this.pixels, 0, 0);
    setText(this.scale, scientific(shown.scale));
  }

  /** Words for those who do not see the picture; later than the picture, it is not part of a frame. */
  describe(state, model, places) {
    const words = about(this.subject, model, this.shown, state, places);
    this.canvas.setAttribute("aria-label", `${words}. Arrow keys read the map.`);
  }

  /** The colour bar of a table, with or without signs. */
  showTable(table, isSigned) {
    if (!this.bar || this.bar.dataset.table === table) return;
    this.bar.dataset.table = table;
    this.bar.querySelector("[data-ramp]").classList.remove(...Object.values(RAMPS));
    this.bar.querySelector("[data-ramp]").classList.add(RAMPS[table]);
    const ticks = isSigned ? TICKS.signed : TICKS.sizes;
    this.bar.querySelectorAll("[data-tick]").forEach((tick, i) => setText(tick, ticks[i]));
    setText(this.bar.querySelector("[data-one]"), isSigned ? "±1" : "1");
    for (const word of this.bar.querySelectorAll("[data-word]")) word.hidden = !isSigned;
  }

  /** Place the face by a zoom in its box of `side` pixels, and draw what lies over it. */
  place(zoom, side, over) {
    const place = zoom.place(side);
    const fits = zoom.isFit(side);
    const { style } = this.canvas;
    style.left = fits ? "" : `${place.left}px`;
    style.top = fits ? "" : `${place.top}px`;
    style.width = style.height = fits ? "" : `${place.side}px`;
    this.box.classList.toggle("is-zoomed", place.side > side);
    this.overlay.draw(side, place, over);
  }

  /** Value and rank at the cursor, and where that is on the colour bar. */
  read(cursor, isSigned) {
    const value = cursor && this.shown ? valueAt(this.shown, cursor) : null;
    setText(this.value, value === null ? "\u00a0" : this.textAt(this.shown, cursor));
    this.value.dataset.number = value ?? "";
    const marker = this.bar?.querySelector("[data-marker]");
    if (!marker) return;
    marker.hidden = value === null;
    if (value === null) return;
    const at = isSigned ? (value + 1) / 2 : value;
    marker.style.left = `${100 * Math.min(1, Math.max(0, at))}%`;
    marker.title = signed(value);
  }
}

/** Write text where it is another: the same again would still cost a layout. */
export function setText(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}
