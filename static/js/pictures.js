/* What a choice makes of a face and a map: the same rules as app/viewer/maps.py and pictures.py.

   `state` is what choice.js reads from the form. A shown map is {values, where, scale, ranks}:
   values relative to the scale and of the chosen signs; where it shows (null: everywhere); the
   sizes of all values, sorted, from which strongest places and percentiles come. */

import { PIXELS, SIZE, TABLES, colourMap, mix, scaled, xmap } from "./xmaps.js";

const BLANK = 128;
const TIE = 1e-9;
const METHODS = ["I", "II", "III"];

/** A map of maps.js on its own scale or on a shared one, its signs and strongest places chosen. */
export function shownMap(map, state, shared = null) {
  const scale = shared ?? map.scale;
  const values = ofSign(scale === map.scale ? map.values : scaled(map.raw, scale), state.sign);
  const ranks = rankSizes(map, state.sign);
  const everywhere = state.top === 100 && state.view !== "masked";
  const where = everywhere ? null : strongest(values, state.top, ranks, scale ? map.scale / scale : 0);
  return { values, where, scale, ranks, factor: scale ? map.scale / scale : 0 };
}

function ofSign(values, sign) {
  if (sign === "all") return values;
  const keep = {
    similar: (value) => Math.max(value, 0),
    dissimilar: (value) => Math.min(value, 0),
    absolute: Math.abs,
  }[sign];
  return values.map(keep);
}

/* Sizes of the values on the map's own scale, sorted; kept with the map, for they only depend on it. */
function rankSizes(map, sign) {
  map.ranks ??= new Map();
  const which = sign === "absolute" ? "all" : sign;
  if (!map.ranks.has(which)) map.ranks.set(which, ofSign(map.values, which).map(Math.abs).sort());
  return map.ranks.get(which);
}

function strongest(values, top, ranks, factor) {
  const count = Math.floor((PIXELS * top + 50) / 100);
  const least = ranks[PIXELS - count] * factor - TIE;
  const where = new Uint8Array(PIXELS);
  for (let i = 0; i < PIXELS; i++) {
    const size = Math.abs(values[i]);
    where[i] = size > 0 && size >= least ? 1 : 0;
  }
  return where;
}

/** Which per cent of the picture has a smaller value than this, by size. */
export function percentile(shown, value) {
  const size = shown.factor ? Math.abs(value) / shown.factor - TIE : 0;
  let [low, high] = [0, PIXELS];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (shown.ranks[middle] < size) low = middle + 1;
    else high = middle;
  }
  return (100 * low) / PIXELS;
}

/** The method whose map stands right of the slider, or null. */
export function comparedMethod(state) {
  return METHODS.includes(state.compare) ? state.compare : null;
}

/** The first column right of a slider that stands at `split` per cent. */
export function splitColumn(split) {
  return Math.floor((split * SIZE + 50) / 100);
}

/** Draw one side as chosen: RGB bytes. `other` is the shown map right of the slider, if any. */
export function draw(face, shown, state, other = null) {
  const left = drawView(face, shown, state, state.view);
  if (state.compare === "none") return left;
  const right = other
    ? drawView(face, other, state, state.view)
    : drawView(face, shown, state, state.compare);
  const out = left.slice();
  const at = splitColumn(state.split);
  for (let y = 0; y < SIZE; y++) {
    const from = 3 * (y * SIZE + at);
    out.set(right.subarray(from, 3 * (y + 1) * SIZE), from);
  }
  return out;
}

function drawView(face, shown, state, view) {
  if (view === "original") return face;
  const base = state.base === "grey" ? grey(face) : face;
  let drawn;
  if (view === "masked") {
    drawn = new Uint8ClampedArray(face.length).fill(BLANK);
    if (shown.where) paste(drawn, base, shown.where, 1);
  } else {
    const unsigned = state.sign === "absolute";
    const table = unsigned ? TABLES.ylorbr : TABLES[state.colours];
    const places = unsigned ? shown.values.map((value) => 2 * value - 1) : shown.values;
    drawn = view === "map" ? colourMap(places, table) : xmap(face, places, table);
    if (shown.where) paste(drawn, base, shown.where, 0);
  }
  return mix(base, drawn, state.blend / 100);
}

/* Copy the pixels of `source` where `where` has the value `wanted`. */
function paste(target, source, where, wanted) {
  for (let i = 0; i < PIXELS; i++) {
    if (where[i] !== wanted) continue;
    for (let c = 3 * i; c < 3 * i + 3; c++) target[c] = source[c];
  }
}

const greys = new WeakMap();

/** The same picture without colours: luma of ITU-R BT.601. */
function grey(face) {
  if (!greys.has(face)) {
    const out = new Uint8ClampedArray(face.length);
    for (let i = 0; i < face.length; i += 3) {
      out[i] = face[i] * 0.299 + face[i + 1] * 0.587 + face[i + 2] * 0.114;
      out[i + 1] = out[i + 2] = out[i];
    }
    greys.set(face, out);
  }
  return greys.get(face);
}
