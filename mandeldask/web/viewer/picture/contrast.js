/**
 * Contrast that adapts to the view: converts values to positions in a palette.
 *
 * An escape time v is mapped to log2(1 + (v - low) / knee), divided by its value near the greatest visible escape time.
 * So the smallest visible values are near 0 and the greatest near 1, and areas far from the set and close to it both
 * get a part of the palette, at any depth.
 */

import { NONE, PROVEN } from "./../data/encoding.js";

const LOW = 0.002;
const KNEE = 0.35;
const HIGH = 0.99;
export const CDF_STEPS = 256;

/** @typedef {{low: number, knee: number, span: number, cdf: Float32Array}} Contrast `low` and `knee` are encoded values */

/**
 * The contrast for a sample of encoded values.
 *
 * @param {Uint32Array} sample
 * @param {boolean} linear whether to use a linear mapping, for values that are not escape times
 * @returns {Contrast | null} null if no visible value escapes
 */
export function contrastOf(sample, linear = false) {
  const values = sample.filter((value) => value < PROVEN).sort();
  if (values.length === 0) return null;
  const quantile = (part) => values[Math.min(values.length - 1, Math.floor(part * values.length))];
  const low = quantile(LOW);
  const high = Math.max(quantile(HIGH), low + 64);
  const knee = linear ? 1e12 : Math.max(quantile(KNEE) - low, (high - low) / 48, 24);
  const span = Math.log2(1 + (high - low) / knee);
  return { low, knee, span, cdf: distribution(values, low, knee, span) };
}

/** Share of values below each of CDF_STEPS positions from 0 to 1. */
function distribution(values, low, knee, span) {
  const cdf = new Float32Array(CDF_STEPS);
  let at = 0;
  for (let step = 0; step < CDF_STEPS; step++) {
    const position = step / (CDF_STEPS - 1);
    const value = low + knee * (2 ** (position * span) - 1);
    while (at < values.length && values[at] < value) at++;
    cdf[step] = at / values.length;
  }
  cdf[CDF_STEPS - 1] = 1;
  return cdf;
}

/** A contrast between two others: `part` 0 gives the first, 1 the second. */
export function between(from, to, part) {
  if (!from || part >= 1) return to;
  const mix = (a, b) => a + (b - a) * part;
  const geometric = (a, b) => a * (b / a) ** part;
  return {
    low: mix(from.low, to.low),
    knee: geometric(from.knee, to.knee),
    span: mix(from.span, to.span),
    cdf: from.cdf.map((value, at) => mix(value, to.cdf[at])),
  };
}

/** Whether two contrasts differ by no more than a share. */
export function alike(a, b, share) {
  const close = (x, y) => Math.abs(x - y) <= share * Math.abs(y);
  return Math.abs(a.low - b.low) <= share * b.knee && close(a.knee, b.knee) && close(a.span, b.span);
}

/** Copy up to `side`² values of a part of a tile into `sample` at `at`; returns the next position. */
export function sampled(tile, part, side, sample, start) {
  const { top, left, bottom, right } = part;
  let at = start;
  for (let i = 0; i < side; i++) {
    const row = Math.floor(top + ((i + 0.5) * (bottom - top)) / side);
    for (let j = 0; j < side; j++) {
      const col = Math.floor(left + ((j + 0.5) * (right - left)) / side);
      sample[at++] = tile.fixed[row * tile.width + col] ?? NONE;
    }
  }
  return at;
}
