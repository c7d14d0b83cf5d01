/* One look at both faces: whole screen pixels per pixel of the faces, and what is in the middle.

   `scale` is CSS pixels per pixel of a face; null fits the face into its box. The box's side is
   given with every question, so that nothing has to be kept up to date. */

import { SIZE } from "./maps.js";

const LARGEST = 16;
const MIDDLE = SIZE / 2;

export class Zoom {
  constructor(scale = null, x = MIDDLE, y = MIDDLE) {
    this.scale = scale;
    this.x = x;
    this.y = y;
  }

  /** CSS pixels per pixel of a face in a box of this side. */
  effective(box) {
    return this.scale ?? box / SIZE;
  }

  isFit(box) {
    return this.effective(box) * SIZE === box;
  }

  /** Where the face lies in the box: {left, top, side} in CSS pixels. */
  place(box) {
    const scale = this.effective(box);
    const side = scale * SIZE;
    const along = (middle) => {
      if (side <= box) return Math.round((box - side) / 2);
      return Math.round(Math.min(0, Math.max(box - side, box / 2 - (middle + 0.5) * scale)));
    };
    return { left: along(this.x), top: along(this.y), side };
  }

  /** Take a scale; the place (x, y) of the box, its middle by default, keeps its pixel. */
  to(scale, box, x = box / 2, y = box / 2) {
    const before = this.place(box);
    const old = this.effective(box);
    const wanted = scale === null ? null : Math.min(LARGEST, Math.max(1, Math.round(scale)));
    this.scale = wanted !== null && wanted * SIZE === box ? null : wanted;
    const now = this.effective(box);
    this.x = clamp((x - before.left) / old - (x - box / 2) / now - 0.5);
    this.y = clamp((y - before.top) / old - (y - box / 2) / now - 0.5);
    if (this.isFit(box)) [this.x, this.y] = [MIDDLE, MIDDLE];
  }

  /** The next whole scale in a direction (1 or -1). */
  next(direction, box) {
    const scale = this.effective(box);
    return direction > 0 ? Math.floor(scale) + 1 : Math.ceil(scale) - 1;
  }

  /** Move by CSS pixels, as a hand drags a sheet of paper. */
  pan(dx, dy, box) {
    const scale = this.effective(box);
    const { left, top } = this.place(box);
    this.x = clamp((box / 2 - left - dx) / scale - 0.5);
    this.y = clamp((box / 2 - top - dy) / scale - 0.5);
  }

  /** Bring a pixel into sight. */
  reveal(x, y, box) {
    const { left, top } = this.place(box);
    const scale = this.effective(box);
    const outside = (from, at) => from + at * scale < 0 || from + (at + 1) * scale > box;
    if (outside(left, x)) this.x = x;
    if (outside(top, y)) this.y = y;
  }
}

function clamp(at) {
  return Math.min(SIZE - 1, Math.max(0, at));
}
