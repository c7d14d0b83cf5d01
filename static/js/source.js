/* What pictures are drawn from: the pixels of a face, and the maps of one explanation.

   Both are loaded once. Maps are computed here, from the int16 deviations of the pair, and kept. */

import { PIXELS, SIZE, combined, readRow, sizeMaps } from "./maps.js";

const NORMALISATIONS = ["count", "coverage"];
const MOST_KEPT = 64;

/** The maps of a pair under a model: `set` is what the API says of its explanation set. */
export class Source {
  constructor(set, rows) {
    this.set = set;
    this.rows = rows;
    this.parts = new Map();
    this.maps = new Map();
  }

  /** Load what an explanations URL (of one set) names. */
  static async load(api) {
    const answer = await fetch(api);
    if (!answer.ok) throw new Error(`the explanations answered ${answer.status}`);
    const set = (await answer.json()).sets[0];
    // The address in the JSON is absolute and may name the site as a proxy sees it.
    const address = new URL(set.deviations.url);
    const binary = await fetch(address.pathname + address.search);
    if (!binary.ok) throw new Error(`the deviations answered ${binary.status}`);
    const buffer = await binary.arrayBuffer();
    const names = set.deviations.rows;
    const rows = names.map((name, i) => [name, readRow(buffer, i, names.length, set.deviations.scale)]);
    return new Source(set, Object.fromEntries(rows));
  }

  /** The map of a row; its parts are kept by normalisation, itself by sizes and weights, too. */
  map(row, state) {
    const weights = state.weights.size ? state.weights : new Map(this.set.spec.patch_sizes.map((p) => [p, 1]));
    const key = `${row} ${state.normalise} ${[...weights].join(" ")}`;
    if (!this.maps.has(key)) {
      if (this.maps.size > MOST_KEPT) this.maps.clear();
      this.maps.set(key, combined(this.partsOf(row, state.normalise), weights));
    }
    return this.maps.get(key);
  }

  partsOf(row, normalise) {
    const key = `${row} ${normalise}`;
    if (!this.parts.has(key)) this.parts.set(key, sizeMaps(this.rows[row], this.set.spec, normalise));
    return this.parts.get(key);
  }

  /** While nobody waits, compute what the next choices may need: one row at a time. */
  prepare(wanted = Object.keys(this.rows).flatMap((row) => NORMALISATIONS.map((n) => [row, n]))) {
    if (wanted.length === 0) return;
    setTimeout(() => {
      this.partsOf(...wanted[0]);
      this.prepare(wanted.slice(1));
    }, 30);
  }
}

/** Pixels of a picture as RGB bytes. */
export async function loadPixels(url) {
  const image = new Image();
  image.src = url;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SIZE;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0, SIZE, SIZE);
  const rgba = context.getImageData(0, 0, SIZE, SIZE).data;
  const rgb = new Uint8ClampedArray(PIXELS * 3);
  for (let i = 0; i < PIXELS; i++) for (let c = 0; c < 3; c++) rgb[3 * i + c] = rgba[4 * i + c];
  return rgb;
}
