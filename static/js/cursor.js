/* The crosshair under the arrow keys: a pixel {x, y} of the faces. */

import { SIZE } from "./maps.js";

export const MIDDLE = { x: SIZE / 2, y: SIZE / 2 };
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** Where a key leads from a place (from the middle without one); null where it leads nowhere. */
export function moved(event, from) {
  if (event.altKey || event.ctrlKey || event.metaKey || !(event.key in STEPS)) return null;
  const { x, y } = from ?? MIDDLE;
  const [dx, dy] = STEPS[event.key].map((step) => step * (event.shiftKey ? 10 : 1));
  return { x: within(x + dx), y: within(y + dy) };
}

/** The pixel below a place of a face that is drawn with `scale` CSS pixels per pixel. */
export function pixelAt(left, top, scale) {
  return { x: within(Math.floor(left / scale)), y: within(Math.floor(top / scale)) };
}

function within(at) {
  return Math.min(SIZE - 1, Math.max(0, at));
}
