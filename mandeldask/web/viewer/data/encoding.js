/**
 * The encoding of values for the painters: one unsigned 32-bit fixed-point number per pixel, for arrays of any dtype.
 *
 * Escape times are in units of 1/256, starting at -4. The top of the range is for pixels without an escape.
 */

export const UNIT = 256; // encoded units per iteration
const SHIFT = 4; // smooth escape times can be slightly negative
export const NONE = 0xffffffff; // unknown value
export const CAPPED = 0xfffffffe; // no escape within maxiter, and no proof either
export const UNKNOWN = 0xfffffffd; // no escape within maxiter; a proof may follow
export const PROVEN = 0xf0000000; // inside; the low 24 bits are the period
export const LINEAR_STEPS = 2 ** 24; // encoded units from the lower to the upper limit, for values of other images

/**
 * Values of an array packed by CF conventions: raw · scale_factor + add_offset, NaN for _FillValue.
 *
 * @param {ArrayLike<number>} raw
 * @param {{scale_factor?: number, add_offset?: number, _FillValue?: number}} attributes of the array
 * @returns {ArrayLike<number>}
 */
export function unpacked(raw, { scale_factor: scale, add_offset: offset, _FillValue: missing }) {
  if (scale === undefined && offset === undefined) return raw;
  return Float64Array.from(raw, (value) => (value === missing ? Number.NaN : value * (scale ?? 1) + (offset ?? 0)));
}

/**
 * Encode the values of a tile.
 *
 * @param {ArrayLike<number>} values
 * @param {{kind: string, cap?: number, counts?: boolean, low?: number, high?: number}} rule
 * @returns {{fixed: Uint32Array, capped: number}} `capped` pixels have no escape
 */
export function encode(values, rule) {
  if (rule.kind === "escape") return escapes(values, rule.cap, rule.counts ? 0.5 : 0);
  if (rule.kind === "period") return { fixed: Uint32Array.from(values), capped: 0 };
  return linear(values, rule.low, rule.high);
}

function escapes(values, cap, middle) {
  const fixed = new Uint32Array(values.length);
  let capped = 0;
  for (let at = 0; at < values.length; at++) {
    const value = values[at];
    if (value < cap || (middle === 0 && value >= cap)) {
      fixed[at] = Math.min(PROVEN - 1, Math.max(0, Math.floor((value + middle + SHIFT) * UNIT)));
    } else {
      fixed[at] = UNKNOWN; // NaN too
      capped += 1;
    }
  }
  return { fixed, capped };
}

function linear(values, low, high) {
  const fixed = new Uint32Array(values.length);
  const steps = LINEAR_STEPS / (high - low || 1);
  for (let at = 0; at < values.length; at++) {
    const value = (values[at] - low) * steps;
    fixed[at] = Number.isNaN(value) ? NONE : Math.min(LINEAR_STEPS, Math.max(0, Math.floor(value)));
  }
  return { fixed, capped: 0 };
}

/** Mark proven pixels in a tile: pixels without an escape become PROVEN + period, or CAPPED; returns their number. */
export function prove(fixed, periods) {
  let unproven = 0;
  for (let at = 0; at < fixed.length; at++) {
    if (fixed[at] !== UNKNOWN) continue;
    const period = periods?.[at] ?? 0;
    fixed[at] = period > 0 ? PROVEN + Math.min(period, 0xffffff) : CAPPED;
    unproven += period > 0 ? 0 : 1;
  }
  return unproven;
}

/** The escape time of an encoded value, or NaN. */
export const escapeTime = (fixed) => (fixed < PROVEN ? fixed / UNIT - SHIFT : Number.NaN);

/** Set the pixels beyond the array's end to NONE, in a tile of `width`, of which `rows` x `cols` are in the array. */
export function crop(fixed, width, [rows, cols]) {
  fixed.fill(NONE, rows * width);
  for (let row = 0; cols < width && row < rows; row++) fixed.fill(NONE, row * width + cols, (row + 1) * width);
}
