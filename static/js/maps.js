/* From deviations to similarity maps (eq. 9 and 10).

   Pure functions on arrays, no DOM: the same numbers as compute/xmaps.py, which the conformance
   vectors hold to. Maps are row-major Float64Array of 112 x 112. Sign: positive means that hiding
   the place raised the distance, a similar region.

   What a patch size contributes is linear in its deviations and does not depend on its weight, so
   it is computed and smoothed once (`sizeMaps`); patches and weights then only add (`combined`). */

export const SIZE = 112;
export const PIXELS = SIZE * SIZE;
const FLAT_BELOW = 1e-6;

/** The row of deviations that explains one side with one method; III explains both. */
export function rowName(method, side) {
  return method === "III" ? "III" : `${method}${side}`;
}

/** Offsets of the patches of size p along one axis, from the top or left. */
function positions(spec, p) {
  const reach = SIZE - p;
  const count =
    spec.grid === "paper" ? Math.floor(reach / spec.stride) : Math.ceil(reach / spec.stride);
  const offsets = Array.from({ length: count }, (_, i) => i * spec.stride);
  return spec.grid === "full" ? [...offsets, reach] : offsets;
}

/** The side in pixels of what is drawn: p, or p + 1 on the published grid. */
function drawnSize(spec, p) {
  return spec.grid === "published" ? p + 1 : p;
}

/** K, the number of occlusions of one image. */
function occlusionCount(spec) {
  return spec.patch_sizes.reduce((sum, p) => sum + positions(spec, p).length ** 2, 0);
}

/** Int16 values of the .bin file as K deviations of one row. */
export function readRow(buffer, rowIndex, rowCount, scale) {
  const view = new DataView(buffer);
  const k = buffer.byteLength / 2 / rowCount;
  const row = new Float64Array(k);
  for (let i = 0; i < k; i++) row[i] = view.getInt16(2 * (rowIndex * k + i), true) * scale;
  return row;
}

/**
 * The similarity map of one side.
 *
 * `patchSizes` are those used (all by default), `weights` a Map of size to weight relative to the
 * default's. `values` is raw / scale in [-1, 1]; `scale` is max|S| in distance, 0 where flat.
 */
export function similarityMap(deviations, spec, { normalise = "count", patchSizes, weights } = {}) {
  const chosen = spec.patch_sizes.filter((p) => !patchSizes || patchSizes.includes(p));
  const used = new Map(chosen.map((p) => [p, weights?.get(p) ?? 1]));
  return combined(sizeMaps(deviations, spec, normalise), used);
}

/** What each patch size contributes to a map: Map of size to {raw, flat}, smoothed already. */
export function sizeMaps(deviations, spec, normalise) {
  if (deviations.length !== occlusionCount(spec)) {
    throw new RangeError(
      `${deviations.length} deviations, expected ${occlusionCount(spec)} for this spec`,
    );
  }
  const maps = new Map();
  let start = 0;
  for (const p of spec.patch_sizes) {
    const n = positions(spec, p).length ** 2;
    const part = deviations.subarray(start, start + n);
    const sum = maskSum(part, spec, p);
    if (normalise === "coverage") {
      const cover = coverage(spec, p);
      for (let i = 0; i < PIXELS; i++) sum[i] = cover[i] > 0 ? sum[i] / cover[i] : 0;
    } else {
      for (let i = 0; i < PIXELS; i++) sum[i] /= n * p * p;
    }
    maps.set(p, { raw: smooth(sum), flat: part.every((d) => Math.abs(d) < FLAT_BELOW) });
    start += n;
  }
  return maps;
}

/** The map of the sizes in `weights` (Map of size to weight): their mean by weight. */
export function combined(maps, weights) {
  const total = [...weights.values()].reduce((sum, weight) => sum + weight, 0);
  if (!(total > 0)) throw new RangeError("no patch size is chosen");
  const raw = new Float64Array(PIXELS);
  if ([...weights.keys()].every((p) => maps.get(p).flat)) {
    return { raw, values: raw, scale: 0, status: "flat" };
  }
  for (const [p, weight] of weights) {
    const part = maps.get(p).raw;
    const factor = weight / total;
    for (let i = 0; i < PIXELS; i++) raw[i] += part[i] * factor;
  }
  let scale = 0;
  for (let i = 0; i < PIXELS; i++) {
    const size = Math.abs(raw[i]);
    if (size > scale) scale = size;
  }
  return { raw, values: scaled(raw, scale), scale, status: "ok" };
}

/** A raw map divided by a scale of one's choice: its own, or one that pictures share. */
export function scaled(raw, scale) {
  const values = new Float64Array(raw.length);
  if (scale > 0) for (let i = 0; i < raw.length; i++) values[i] = raw[i] / scale;
  return values;
}

/* Sum the masks of one size, each times its weight. */
function maskSum(weights, spec, p) {
  return spec.shape === "square" ? squareSum(weights, spec, p) : circleSum(weights, spec, p);
}

/* A square's mask is an outer product of one profile: rows x deviations x columns. */
function squareSum(weights, spec, p) {
  const offsets = positions(spec, p);
  const n = offsets.length;
  const { profile, reach } = squareProfile(spec, p);
  const across = new Float64Array(n * SIZE); // each row of patches, spread over the columns
  offsets.forEach((left, column) => {
    for (let i = 0; i < profile.length; i++) {
      const x = left - reach + i;
      if (x < 0 || x >= SIZE) continue;
      for (let row = 0; row < n; row++) across[row * SIZE + x] += profile[i] * weights[row * n + column];
    }
  });
  const sum = new Float64Array(PIXELS);
  offsets.forEach((top, row) => {
    for (let i = 0; i < profile.length; i++) {
      const y = top - reach + i;
      if (y < 0 || y >= SIZE) continue;
      for (let x = 0; x < SIZE; x++) sum[y * SIZE + x] += profile[i] * across[row * SIZE + x];
    }
  });
  return sum;
}

/* The values of a square's mask along one axis, their maximum 1; it starts `reach` before the patch. */
function squareProfile(spec, p) {
  const hard = new Float64Array(drawnSize(spec, p)).fill(1);
  if (!spec.blur) return { profile: hard, reach: 0 };
  const kernel = gaussian(spec.blur | 1, spec.blur);
  const soft = new Float64Array(hard.length + kernel.length - 1);
  for (let i = 0; i < hard.length; i++) {
    for (let k = 0; k < kernel.length; k++) soft[i + k] += kernel[k];
  }
  const top = Math.max(...soft);
  return { profile: soft.map((value) => value / top), reach: kernel.length >> 1 };
}

/* Blurring is linear and the maximum of a soft mask is the same everywhere, so hard circles are
   summed first and blurred once. */
function circleSum(weights, spec, p) {
  const offsets = positions(spec, p);
  const size = drawnSize(spec, p);
  const spans = chords(size);
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
  return separable(sum, SIZE, kernel, zeroOutside(SIZE)).map((v) => v / top);
}

/* Which columns of each row lie inside a circle: [from, to). */
function chords(size) {
  const middle = (size - 1) / 2;
  return Array.from({ length: size }, (_, y) => {
    const columns = [...Array(size).keys()].filter(
      (x) => (y - middle) ** 2 + (x - middle) ** 2 <= (size / 2) ** 2,
    );
    return columns.length ? [columns[0], columns.at(-1) + 1] : [0, 0];
  });
}

/* The largest value of one blurred circle: on a canvas that holds all of it. */
function softMaximum(spans, size, kernel) {
  const margin = kernel.length >> 1;
  const side = size + 2 * margin;
  const canvas = new Float64Array(side * side);
  spans.forEach(([from, to], y) => {
    canvas.fill(1, (y + margin) * side + margin + from, (y + margin) * side + margin + to);
  });
  return separable(canvas, side, kernel, zeroOutside(side)).reduce((a, b) => Math.max(a, b), 0);
}

const covers = new Map();

function coverage(spec, p) {
  const key = JSON.stringify([spec.grid, spec.stride, spec.shape, spec.blur, p]);
  if (!covers.has(key)) {
    covers.set(key, maskSum(new Float64Array(positions(spec, p).length ** 2).fill(1), spec, p));
  }
  return covers.get(key);
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

function zeroOutside(side) {
  return (at) => (at >= 0 && at < side ? at : -1);
}

/* Convolve rows, then columns; `border` maps an index to one inside, or to -1 for zero. */
function separable(map, side, kernel, border) {
  const half = kernel.length >> 1;
  const rows = new Float64Array(side * side);
  const out = new Float64Array(side * side);
  const reach = side + 2 * half;
  const from = Int32Array.from({ length: reach }, (_, at) => border(at - half));
  const line = new Float64Array(reach);
  for (let y = 0; y < side; y++) {
    const start = y * side;
    for (let at = 0; at < reach; at++) line[at] = from[at] < 0 ? 0 : map[start + from[at]];
    for (let x = 0; x < side; x++) {
      let sum = 0;
      for (let k = 0; k < kernel.length; k++) sum += kernel[k] * line[x + k];
      rows[start + x] = sum;
    }
  }
  for (let y = 0; y < side; y++) {
    for (let k = 0; k < kernel.length; k++) {
      const source = from[y + k] * side;
      if (source < 0) continue;
      const weight = kernel[k];
      for (let x = 0; x < side; x++) out[y * side + x] += weight * rows[source + x];
    }
  }
  return out;
}
