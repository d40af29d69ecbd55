/**
 * The colour of a pixel from its encoded value and those of its neighbours. This is the reference:
 * `webgl.js` computes the same in GLSL, and the tests compare both.
 */

import { CAPPED, NONE, PROVEN, UNIT, UNKNOWN } from "../data/encoding.js";
import { CDF_STEPS } from "./contrast.js";
import { STEPS } from "./palettes.js";

const FLAT = 0.03; // iterations per pixel: slopes below this fade out
const STEEP = 2; // iterations per pixel: above this, no structure is visible, and the light fades, too
const GOLDEN = 0.61803398875; // turns of the palette from one period to the next
const DIM = 72; // smallest brightness of a period, so that dark palette colours stay visible
const LIGHT = [-0.6, -0.8]; // direction of the light, from the upper left
const RING = Math.LN2; // 1 / (ln 2 · slope) approximates the distance to the set in pixels

/**
 * @typedef {object} Style
 * @property {Uint8Array} palette from `ring`
 * @property {import("./contrast.js").Contrast} contrast
 * @property {number} density turns of the palette from the least to the greatest visible value
 * @property {number} offset start of the palette, in turns
 * @property {number} equalise 0 to 1: degree of histogram equalisation
 * @property {number} slope 0 to 1: strength of the light
 * @property {number} edges 0 to 1: darkness of pixels next to the set
 * @property {"plain" | "period"} inside
 * @property {number[]} insideColour red, green, blue, 0 to 255
 * @property {number[]} background
 * @property {boolean} cyclic whether the palette repeats after its end
 */

/**
 * @param {number} value encoded
 * @param {number[]} beside encoded values to the left, right, above and below
 * @param {number} x column of the pixel on the screen @param {number} y row
 * @param {number} reach screen pixels from one value to the next
 * @param {Style} style
 * @returns {number[]} red, green, blue, 0 to 255
 */
export function colour(value, beside, x, y, reach, style) {
  if (value === NONE) return style.background;
  if (value >= PROVEN) return inside(value, x, y, style);
  const { low, knee, span, cdf } = style.contrast;
  const above = (value - low) / knee;
  const position = (above < 0 ? -Math.log2(1 - above) : Math.log2(1 + above)) / span;
  const within = Math.min(1, Math.max(0, position));
  const equal = lookUp(cdf, within * (CDF_STEPS - 1)) + position - within;
  const place = position + (equal - position) * style.equalise;
  const turn =
    (style.cyclic ? place : Math.min(1, Math.max(0, place)) * (1 - 1 / STEPS)) * style.density + style.offset;
  const rgb = inPalette(style.palette, turn);
  return underLight(rgb, light(value, beside, reach, style));
}

function inside(value, x, y, { inside: how, insideColour, palette, offset }) {
  if (value === CAPPED) {
    const stripe = (Math.floor(x) + Math.floor(y)) % 9 === 0 ? 34 : 12;
    return insideColour.map((part, at) => Math.min(255, part + stripe * [0.7, 0.8, 1.3][at]));
  }
  if (value === UNKNOWN || how !== "period") return insideColour;
  return inPalette(palette, (value - PROVEN) * GOLDEN + offset).map((part) => DIM + (1 - DIM / 255) * 0.85 * part);
}

/** A colour with more light (above 0) or less. */
function underLight(rgb, light) {
  if (light > 0) return rgb.map((part) => part + (255 - part) * Math.min(1, light) * 0.55);
  return rgb.map((part) => part * Math.max(0, 1 + light));
}

/**
 * The light on a pixel: 0 if there is no slope.
 *
 * @param {number} value
 * @param {number[]} beside
 * @param {number} reach
 * @param {Style} style
 */
function light(value, [left, right, up, down], reach, { slope, edges }) {
  if (slope === 0 && edges === 0) return 0;
  const across = difference(value, left, right) / (UNIT * reach);
  const along = difference(value, up, down) / (UNIT * reach);
  const steep = Math.hypot(across, along);
  const fade = 1 / ((steep + FLAT) * (1 + (steep / STEEP) ** 2));
  const distance = 1 / (RING * steep + 1e-6);
  return -slope * fade * (across * LIGHT[0] + along * LIGHT[1]) - edges * Math.exp(-0.5 * distance);
}

/** Encoded values from one pixel to the next, estimated from its two neighbours. */
function difference(value, before, after) {
  const [back, ahead] = [before < PROVEN, after < PROVEN];
  if (back && ahead) return (after - before) / 2;
  if (ahead) return after - value;
  return back ? value - before : 0;
}

function inPalette(palette, turn) {
  const position = (turn - Math.floor(turn)) * STEPS;
  const step = Math.floor(position) % STEPS;
  const next = (step + 1) % STEPS;
  const part = position - Math.floor(position);
  return [0, 1, 2].map((band) => palette[4 * step + band] * (1 - part) + palette[4 * next + band] * part);
}

function lookUp(table, position) {
  const step = Math.min(table.length - 2, Math.floor(position));
  return table[step] + (table[step + 1] - table[step]) * (position - step);
}
