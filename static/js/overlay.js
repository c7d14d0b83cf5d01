/* What lies over a map: the crosshair, and the outline of what really differs. */

import { SIZE } from "./xmaps.js";

const ZOOM = 8;
const INSIDE = 127;

export class Overlay {
  constructor() {
    this.canvas = document.createElement("canvas");
    this.canvas.width = this.canvas.height = SIZE * ZOOM;
    this.canvas.dataset.overlay = "";
    this.canvas.setAttribute("aria-hidden", "true");
    this.cursor = null;
    this.mask = null;
  }

  setCursor(cursor) {
    this.cursor = cursor;
    this.draw();
  }

  setMask(mask) {
    if (mask === this.mask) return;
    this.mask = mask;
    this.draw();
  }

  draw() {
    const context = this.canvas.getContext("2d");
    context.clearRect(0, 0, SIZE * ZOOM, SIZE * ZOOM);
    if (this.mask) {
      const path = outline(this.mask);
      stroke(context, path, "#141414", 10);
      stroke(context, path, "#ffd600", 5);
    }
    if (this.cursor) {
      const path = crosshair(this.cursor);
      stroke(context, path, "rgb(255 255 255 / 85%)", 7);
      stroke(context, path, "#141414", 3);
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
function crosshair({ x, y }) {
  const path = new Path2D();
  const [left, top, end] = [x * ZOOM, y * ZOOM, SIZE * ZOOM];
  const [cx, cy, gap] = [left + ZOOM / 2, top + ZOOM / 2, 2 * ZOOM];
  path.rect(left - 2, top - 2, ZOOM + 4, ZOOM + 4);
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

/** The edges between pixels inside and outside of a mask (RGB bytes). */
function outline(mask) {
  const path = new Path2D();
  const inside = (x, y) => x >= 0 && y >= 0 && x < SIZE && y < SIZE && mask[3 * (y * SIZE + x)] > INSIDE;
  for (let y = 0; y <= SIZE; y++) {
    for (let x = 0; x <= SIZE; x++) {
      if (inside(x, y) !== inside(x, y - 1)) {
        path.moveTo(x * ZOOM, y * ZOOM);
        path.lineTo((x + 1) * ZOOM, y * ZOOM);
      }
      if (inside(x, y) !== inside(x - 1, y)) {
        path.moveTo(x * ZOOM, y * ZOOM);
        path.lineTo(x * ZOOM, (y + 1) * ZOOM);
      }
    }
  }
  return path;
}
