/* Colours of a map, and its blend into a face (Algorithm 2); the maps themselves are in maps.js.

   Pure functions on arrays, no DOM: the same bytes as compute/blending.py. Pictures are RGB, three
   bytes a pixel, in a Uint8ClampedArray, which rounds half to even as the server does. */

import { PIXELS } from "./maps.js";

export * from "./maps.js";

/* The schemes of C. Brewer's ColorBrewer (2003): PiYG and RdBu diverge, YlOrBr has no sign. */
const ANCHORS = {
  piyg: [
    [142, 1, 82], [197, 27, 125], [222, 119, 174], [241, 182, 218], [253, 224, 239], [247, 247, 247],
    [230, 245, 208], [184, 225, 134], [127, 188, 65], [77, 146, 33], [39, 100, 25],
  ],
  rdbu: [
    [103, 0, 31], [178, 24, 43], [214, 96, 77], [244, 165, 130], [253, 219, 199], [247, 247, 247],
    [209, 229, 240], [146, 197, 222], [67, 147, 195], [33, 102, 172], [5, 48, 97],
  ],
  ylorbr: [
    [255, 255, 229], [255, 247, 188], [254, 227, 145], [254, 196, 79], [254, 153, 41],
    [236, 112, 20], [204, 76, 2], [153, 52, 4], [102, 37, 6],
  ],
};

/* 256 colours; with them, what Algorithm 2 takes of each: saturation (HSV), and for every channel
   how far its hue (HLS) moves it away from the lightness. */
function makeTable(anchors) {
  const colours = Array.from({ length: 256 }, (_, i) => {
    const at = (i / 255) * (anchors.length - 1);
    const low = Math.min(Math.floor(at), anchors.length - 2);
    return [0, 1, 2].map(
      (c) => (anchors[low][c] + (at - low) * (anchors[low + 1][c] - anchors[low][c])) / 255,
    );
  });
  const bytes = Uint8ClampedArray.from(colours.flat(), (channel) => channel * 255);
  const saturation = new Float64Array(256);
  const moves = new Float64Array(256 * 3);
  colours.forEach((colour, i) => {
    const high = Math.max(...colour);
    const chroma = high - Math.min(...colour);
    const hue = chroma === 0 ? 0 : sectorOf(colour, high, chroma) / 6;
    saturation[i] = chroma === 0 ? 0 : chroma / high;
    [0, 8, 4].forEach((shift, c) => {
      const turn = (shift + hue * 12) % 12;
      moves[3 * i + c] = Math.max(-1, Math.min(turn - 3, 9 - turn, 1));
    });
  });
  return { colours, bytes, saturation, moves };
}

function sectorOf([red, green, blue], high, chroma) {
  if (high === red) return ((green - blue) / chroma + 6) % 6;
  return high === green ? (blue - red) / chroma + 2 : (red - green) / chroma + 4;
}

export const TABLES = Object.fromEntries(
  Object.entries(ANCHORS).map(([name, anchors]) => [name, makeTable(anchors)]),
);

/** 256 RGB colours in [0, 1] over similarity -1 (magenta) to 1 (green). */
export const PIYG = TABLES.piyg.colours;

function tableIndex(value) {
  return Math.min(255, Math.max(0, Math.floor(((value + 1) / 2) * 256)));
}

/** The colours of a map: RGB bytes. */
export function colourMap(values, table = TABLES.piyg) {
  const out = new Uint8ClampedArray(PIXELS * 3);
  for (let i = 0; i < PIXELS; i++) {
    const at = 3 * tableIndex(values[i]);
    for (let c = 0; c < 3; c++) out[3 * i + c] = table.bytes[at + c];
  }
  return out;
}

const UNIT = Float64Array.from({ length: 256 }, (_, byte) => byte / 255);

/** Blend a map into its image (Algorithm 2): lightness of the image, hue and saturation of the map. */
export function xmap(image, values, table = TABLES.piyg) {
  const { saturation, moves } = table;
  const out = new Uint8ClampedArray(PIXELS * 3);
  for (let i = 0; i < PIXELS; i++) {
    const r = UNIT[image[3 * i]];
    const g = UNIT[image[3 * i + 1]];
    const b = UNIT[image[3 * i + 2]];
    const lightness = (Math.max(r, g, b) + Math.min(r, g, b)) / 2;
    const at = tableIndex(values[i]);
    const reach = saturation[at] * Math.min(lightness, 1 - lightness);
    for (let c = 0; c < 3; c++) out[3 * i + c] = (lightness - reach * moves[3 * at + c]) * 255;
  }
  return out;
}

/** Mix two pictures: opacity 0 is `below`, 1 is `above`. */
export function mix(below, above, opacity) {
  if (opacity === 1) return above;
  const out = new Uint8ClampedArray(below.length);
  for (let i = 0; i < out.length; i++) out[i] = below[i] * (1 - opacity) + above[i] * opacity;
  return out;
}
