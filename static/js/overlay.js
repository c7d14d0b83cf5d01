/* What lies over a map: crosshair, outline of what really differs, the slider's line. It is drawn
   in the pixels of the screen, so that lines stay thin at every zoom. */

import { SIZE } from "./maps.js";

const INSIDE = 127;
const DARK = "#141414";
const PALE = "rgb(255 255 255 / 90%)";
const OUTLINE = "#ffd600";

export class Overlay {
  constructor() {
    this.canvas = document.createElement("canvas");
    this.canvas.dataset.overlay = "";
    this.canvas.setAttribute("aria-hidden", "true");
  }

  /** Draw all: `place` {left, top, side} of the face in a box of CSS pixels. */
  draw(box, place, { cursor, mask, column }) {
    const ratio = window.devicePixelRatio || 1;
    const drawn = [box, ratio, place.left, place.top, place.side, cursor?.x, cursor?.y, mask, column];
    if (this.drawn?.every((value, i) => value === drawn[i])) return;
    this.drawn = drawn;
    const side = Math.round(box * ratio);
    if (this.canvas.width !== side) this.canvas.width = this.canvas.height = side;
    const context = this.canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, side, side);
    context.setTransform(ratio, 0, 0, ratio, place.left * ratio, place.top * ratio);
    const scale = place.side / SIZE;
    if (mask) {
      const path = outline(mask, scale);
      stroke(context, path, DARK, 4);
      stroke(context, path, OUTLINE, 2);
    }
    if (column !== null) {
      const path = slider(column * scale, place.side, box / 2 - place.top);
      stroke(context, path, DARK, 4);
      stroke(context, path, PALE, 2);
    }
    if (cursor) {
      const path = crosshair(cursor, scale, place.side);
      stroke(context, path, PALE, 3);
      stroke(context, path, DARK, 1);
    }
  }
}

function stroke(context, path, colour, width) {
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.lineCap = "square";
  context.stroke(path);
}

/** Four lines that leave the pixel itself free, and a frame around it. */
function crosshair({ x, y }, scale, end) {
  const path = new Path2D();
  const [left, top] = [x * scale, y * scale];
  const [cx, cy, gap] = [left + scale / 2, top + scale / 2, 2 * scale];
  path.rect(left - 0.5, top - 0.5, scale + 1, scale + 1);
  for (const [x1, y1, x2, y2] of [
    [cx, 0, cx, cy - gap],
    [cx, cy + gap, cx, end],
    [0, cy, cx - gap, cy],
    [cx + gap, cy, end, cy],
  ]) {
    path.moveTo(x1, y1);
    path.lineTo(x2, y2);
  }
  return path;
}

/** A line from top to bottom, and a grip in the middle of what is seen. */
function slider(x, end, middle) {
  const path = new Path2D();
  path.moveTo(x, 0);
  path.lineTo(x, end);
  for (const side of [-1, 1]) {
    path.moveTo(x + 4 * side, middle - 5);
    path.lineTo(x + 9 * side, middle);
    path.lineTo(x + 4 * side, middle + 5);
  }
  return path;
}

/** The edges between pixels inside and outside of a mask (RGB bytes). */
function outline(mask, scale) {
  const path = new Path2D();
  const inside = (x, y) => x >= 0 && y >= 0 && x < SIZE && y < SIZE && mask[3 * (y * SIZE + x)] > INSIDE;
  for (let y = 0; y <= SIZE; y++) {
    for (let x = 0; x <= SIZE; x++) {
      if (inside(x, y) !== inside(x, y - 1)) {
        path.moveTo(x * scale, y * scale);
        path.lineTo((x + 1) * scale, y * scale);
      }
      if (inside(x, y) !== inside(x - 1, y)) {
        path.moveTo(x * scale, y * scale);
        path.lineTo(x * scale, (y + 1) * scale);
      }
    }
  }
  return path;
}
