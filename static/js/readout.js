/* What the maps say at a place, in words and numbers. */

import { SIZE } from "./maps.js";
import { scientific, signed, wholePercent } from "./numbers.js";
import { percentile } from "./pictures.js";

const VIEWS = { xmap: "X-Map", map: "heat map", masked: "face masked by the map", original: "original face" };

/** The value of a shown map at a pixel. */
export function valueAt(shown, { x, y }) {
  return shown.values[y * SIZE + x];
}

/** +0.123, percentile 93. */
export function shortText(shown, cursor) {
  const value = valueAt(shown, cursor);
  return `${signed(value)}, percentile ${wholePercent(percentile(shown, value))}`;
}

/** The same place in both maps: `sides` are [{name, shown}], `places` the parts of a face. */
export function sentence(cursor, sides, state, places) {
  const parts = sides.map(({ name, shown }) => `${name} ${longText(shown, cursor, state)}`);
  return `${placeText(cursor, places)}: ${parts.join("; ")}`;
}

/** Where a pixel is, in numbers and words. */
export function placeText({ x, y }, places) {
  return `Column ${x}, row ${y}, near ${nearest(places, x, y)}`;
}

function longText(shown, cursor, state) {
  const value = valueAt(shown, cursor);
  const word = state.sign === "absolute" ? "in size" : wordOf(value);
  const rank = wholePercent(percentile(shown, value));
  return `${signed(value)} ${word} (${scientific(value * shown.scale)}), percentile ${rank}`;
}

function wordOf(value) {
  if (value === 0) return "neutral";
  return value > 0 ? "similar" : "dissimilar";
}

/** What a picture shows, for those who do not see it; as app/viewer/words.py says it. */
export function about(subject, model, shown, state, places) {
  const what = state.view === "original" ? VIEWS.original : `${VIEWS[state.view]} of method ${state.method}`;
  const parts = [`${subject}: ${what}, model ${model}`];
  for (const [sign, word] of [[1, "most similar"], [-1, "most dissimilar"]]) {
    const at = extreme(shown.values, sign);
    if (at !== null && shown.scale > 0 && !(state.sign === "absolute" && sign < 0)) {
      const [x, y] = [at % SIZE, Math.floor(at / SIZE)];
      const name = state.sign === "absolute" ? "strongest" : word;
      parts.push(`${name} near ${nearest(places, x, y)} (column ${x}, row ${y})`);
    }
  }
  return parts.join("; ");
}

function extreme(values, sign) {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (sign * values[i] > sign * values[best]) best = i;
  return sign * values[best] > 0 ? best : null;
}

function nearest(places, x, y) {
  const away = ([column, row]) => (column - x) ** 2 + (row - y) ** 2;
  return places.reduce((best, place) => (away(place) < away(best) ? place : best))[2];
}
