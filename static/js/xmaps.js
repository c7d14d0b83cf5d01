/* From deviations to pictures: maps (eq. 9 and 10), colours, X-Maps (Algorithm 2).

   Pure functions on arrays, no DOM: the same numbers as on the server, which the conformance
   vectors hold to. Maps are row-major Float64Array of 112 x 112; pictures are RGB, three bytes a
   pixel. Sign: positive means that hiding the place raised the distance, a similar region. */

export const SIZE = 112;
export const PIXELS = SIZE * SIZE;
export const FLAT_BELOW = 1e-6;
export const ROWS = ["I1", "I2", "II1", "II2", "III"];

/** The row of deviations that explains one side with one method; III explains both. */
export function rowName(method, side) {
  return method === "III" ? "III" : `${method}${side}`;
}

/** Offsets of the patches of size p along one axis, from the top or left. */
export function positions(spec, p) {
  const reach = SIZE - p;
  const count =
    spec.grid === "paper" ? Math.floor(reach / spec.stride) : Math.ceil(reach / spec.stride);
  const offsets = Array.from({ length: count }, (_, i) => i * spec.stride);
  return spec.grid === "full" ? [...offsets, reach] : offsets;
}

/** The side in pixels of what is drawn: p, or p + 1 on the published grid. */
export function drawnSize(spec, p) {
  return spec.grid === "published" ? p + 1 : p;
}

/** K, the number of occlusions of one image. */
export function occlusionCount(spec) {
  return spec.patch_sizes.reduce((sum, p) => sum + positions(spec, p).length ** 2, 0);
}

/** Int16 values of the .bin file as K deviations of one row. */
export function readRow(buffer, rowIndex, rowCount, scale) {
  const view = new DataView(buffer);
  const k = buffer.byteLength / 2 / rowCount;
  return Float64Array.from(
    { length: k },
    (_, i) => view.getInt16(2 * (rowIndex * k + i), true) * scale,
  );
}

/**
 * The similarity map of one side.
 *
 * `values` is raw / scale in [-1, 1]; `scale` is max|S| in units of distance, 0 where flat.
 */
export function similarityMap(deviations, spec, { normalise = "count", patchSizes } = {}) {
  if (deviations.length !== occlusionCount(spec)) {
    throw new RangeError(
      `${deviations.length} deviations, expected ${occlusionCount(spec)} for this spec`,
    );
  }
  const chosen = spec.patch_sizes.filter((p) => !patchSizes || patchSizes.includes(p));
  if (chosen.length === 0) throw new RangeError("no patch size is chosen");
  const mean = new Float64Array(PIXELS);
  let start = 0;
  let flat = true;
  for (const p of spec.patch_sizes) {
    const n = positions(spec, p).length ** 2;
    if (chosen.includes(p)) {
      flat &&= deviations.subarray(start, start + n).every((d) => Math.abs(d) < FLAT_BELOW);
      const sum = maskSum(deviations.subarray(start, start + n), spec, p);
      const cover = normalise === "coverage" ? coverage(spec, p) : null;
      const divisor = chosen.length * (cover ? 1 : n * p * p);
      for (let i = 0; i < PIXELS; i++) {
        if (!cover) mean[i] += sum[i] / divisor;
        else if (cover[i] > 0) mean[i] += sum[i] / cover[i] / divisor;
      }
    }
    start += n;
  }
  if (flat) {
    const zero = new Float64Array(PIXELS);
    return { raw: zero, values: zero, scale: 0, status: "flat" };
  }
  const raw = smooth(mean);
  const scale = raw.reduce((high, value) => Math.max(high, Math.abs(value)), 0);
  return { raw, values: scaled(raw, scale), scale, status: "ok" };
}

/** A raw map divided by a scale of one's choice: its own, or one that pictures share. */
export function scaled(raw, scale) {
  return scale > 0 ? raw.map((value) => value / scale) : new Float64Array(raw.length);
}

/* Sum the masks of one size, each times its weight. Blurring is linear and the maximum of a soft
   mask is the same everywhere, so hard patches are summed first and blurred once. */
function maskSum(weights, spec, p) {
  const offsets = positions(spec, p);
  const size = drawnSize(spec, p);
  const spans = patchSpans(spec, size);
  const sum = new Float64Array(PIXELS);
  offsets.forEach((top, row) => {
    offsets.forEach((left, column) => {
      const weight = weights[row * offsets.length + column];
      for (let y = 0; y < size; y++) {
        const line = (top + y) * SIZE + left;
        for (let i = line + spans[y][0]; i < line + spans[y][1]; i++) sum[i] += weight;
      }
    });
  });
  if (!spec.blur) return sum;
  const kernel = gaussian(spec.blur | 1, spec.blur);
  const top = softMaximum(spans, size, kernel);
  return separable(sum, SIZE, kernel, (at) => (at >= 0 && at < SIZE ? at : -1)).map((v) => v / top);
}

const covers = new Map();

function coverage(spec, p) {
  const key = JSON.stringify([spec.grid, spec.stride, spec.shape, spec.blur, p]);
  if (!covers.has(key)) {
    covers.set(key, maskSum(new Float64Array(positions(spec, p).length ** 2).fill(1), spec, p));
  }
  return covers.get(key);
}

/* Which columns of a patch are inside it, per row: all of a square, the chord of a circle. */
function patchSpans(spec, size) {
  const middle = (size - 1) / 2;
  return Array.from({ length: size }, (_, y) => {
    if (spec.shape === "square") return [0, size];
    const columns = [...Array(size).keys()].filter(
      (x) => (y - middle) ** 2 + (x - middle) ** 2 <= (size / 2) ** 2,
    );
    return columns.length ? [columns[0], columns.at(-1) + 1] : [0, 0];
  });
}

/* The largest value of one blurred patch: on a canvas that holds all of it. */
function softMaximum(spans, size, kernel) {
  const margin = kernel.length >> 1;
  const side = size + 2 * margin;
  const canvas = new Float64Array(side * side);
  spans.forEach(([from, to], y) => {
    canvas.fill(1, (y + margin) * side + margin + from, (y + margin) * side + margin + to);
  });
  const soft = separable(canvas, side, kernel, (at) => (at >= 0 && at < side ? at : -1));
  return soft.reduce((high, value) => Math.max(high, value), 0);
}

function gaussian(size, sigma) {
  const weights = Array.from({ length: size }, (_, i) =>
    Math.exp(-((i - (size - 1) / 2) ** 2) / (2 * sigma ** 2)),
  );
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}

/* The published smoothing: 5 x 5, sigma 5, mirrored at the border without repeating the edge. */
const SMOOTHING = gaussian(5, 5);

function smooth(map) {
  const last = SIZE - 1;
  return separable(map, SIZE, SMOOTHING, (at) => last - Math.abs(last - Math.abs(at)));
}

/* Convolve rows, then columns; `border` maps an index to one inside, or to -1 for zero. */
function separable(map, side, kernel, border) {
  const half = kernel.length >> 1;
  const source = Array.from({ length: side }, (_, at) => kernel.map((_, k) => border(at + k - half)));
  const rows = new Float64Array(side * side);
  const out = new Float64Array(side * side);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      let sum = 0;
      for (let k = 0; k < kernel.length; k++) {
        const from = source[x][k];
        if (from >= 0) sum += kernel[k] * map[y * side + from];
      }
      rows[y * side + x] = sum;
    }
  }
  for (let y = 0; y < side; y++) {
    for (let k = 0; k < kernel.length; k++) {
      const from = source[y][k];
      if (from < 0) continue;
      for (let x = 0; x < side; x++) out[y * side + x] += kernel[k] * rows[from * side + x];
    }
  }
  return out;
}

/* ColorBrewer's 11-class diverging scheme PiYG (C. Brewer, 2003), from magenta to green. */
const ANCHORS = [
  [142, 1, 82],
  [197, 27, 125],
  [222, 119, 174],
  [241, 182, 218],
  [253, 224, 239],
  [247, 247, 247],
  [230, 245, 208],
  [184, 225, 134],
  [127, 188, 65],
  [77, 146, 33],
  [39, 100, 25],
];

/** 256 RGB colours in [0, 1] over similarity -1 (magenta) to 1 (green). */
export const PIYG = Array.from({ length: 256 }, (_, i) => {
  const at = (i / 255) * (ANCHORS.length - 1);
  const low = Math.min(Math.floor(at), ANCHORS.length - 2);
  return [0, 1, 2].map(
    (c) => (ANCHORS[low][c] + (at - low) * (ANCHORS[low + 1][c] - ANCHORS[low][c])) / 255,
  );
});

/* Hue in turns (HLS) and saturation (HSV) of each colour of the table. */
const TINTS = PIYG.map(([red, green, blue]) => {
  const high = Math.max(red, green, blue);
  const chroma = high - Math.min(red, green, blue);
  if (chroma === 0) return [0, 0];
  let sector = (red - green) / chroma + 4;
  if (high === red) sector = ((green - blue) / chroma + 6) % 6;
  else if (high === green) sector = (blue - red) / chroma + 2;
  return [sector / 6, chroma / high];
});

function tableIndex(value) {
  return Math.min(255, Math.max(0, Math.floor(((value + 1) / 2) * 256)));
}

function roundHalfToEven(value) {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** The colours of a map: RGB bytes. */
export function colourMap(values) {
  const out = new Uint8ClampedArray(PIXELS * 3);
  for (let i = 0; i < PIXELS; i++) {
    const colour = PIYG[tableIndex(values[i])];
    for (let c = 0; c < 3; c++) out[3 * i + c] = roundHalfToEven(colour[c] * 255);
  }
  return out;
}

/** Blend a map into its image (Algorithm 2): lightness of the image, hue and saturation of the map. */
export function xmap(image, values) {
  const out = new Uint8ClampedArray(PIXELS * 3);
  for (let i = 0; i < PIXELS; i++) {
    const r = image[3 * i] / 255;
    const g = image[3 * i + 1] / 255;
    const b = image[3 * i + 2] / 255;
    const lightness = (Math.max(r, g, b) + Math.min(r, g, b)) / 2;
    const [hue, saturation] = TINTS[tableIndex(values[i])];
    const reach = saturation * Math.min(lightness, 1 - lightness);
    for (let c = 0; c < 3; c++) {
      const turn = ((c === 0 ? 0 : c === 1 ? 8 : 4) + hue * 12) % 12;
      const channel = lightness - reach * Math.max(-1, Math.min(turn - 3, 9 - turn, 1));
      out[3 * i + c] = roundHalfToEven(channel * 255);
    }
  }
  return out;
}

/** Mix two pictures: opacity 0 is `below`, 1 is `above`. */
export function mix(below, above, opacity) {
  if (opacity === 1) return above;
  return Uint8ClampedArray.from(below, (value, i) =>
    roundHalfToEven(value * (1 - opacity) + above[i] * opacity),
  );
}
