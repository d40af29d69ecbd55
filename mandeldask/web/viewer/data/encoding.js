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
 * Encode the values of a tile.
 *
 * @param {ArrayLike<number>} raw
 * @param {any} rule {kind: "period"}, {kind: "escape", cap, counts?} or {kind: "linear", low, high}
 * @param {{scale_factor?: number, add_offset?: number, _FillValue?: number}} attributes of the array, which may be packed
 *   as CF says: raw · scale_factor + add_offset, NaN for _FillValue
 * @returns {{fixed: Uint32Array, capped: number}} `capped` pixels have no escape
 */
export function encode(raw, rule, attributes = {}) {
  if (rule.kind === "period") return { fixed: new Uint32Array(raw), capped: 0 };
  const { scale_factor: scale, add_offset: offset, _FillValue: fill } = attributes;
  const isPacked = scale !== undefined || offset !== undefined;
  const packing = { scale: scale ?? 1, offset: offset ?? 0, missing: isPacked ? fill : undefined };
  return rule.kind === "escape" ? escapes(raw, rule, packing) : linear(raw, rule, packing);
}

function escapes(raw, { cap, counts }, { scale, offset, missing }) {
  const fixed = new Uint32Array(raw.length);
  const end = counts ? (cap - offset) / scale : Number.POSITIVE_INFINITY;
  const step = scale * UNIT;
  const first = (offset + (counts ? 0.5 : 0) + SHIFT) * UNIT;
  let capped = 0;
  for (let at = 0; at < raw.length; at++) {
    const value = raw[at];
    if (value < end && value !== missing) {
      const steps = value * step + first;
      fixed[at] = steps > 0 ? (steps < PROVEN ? steps : PROVEN - 1) : 0; // its fraction is dropped
    } else {
      fixed[at] = UNKNOWN; // NaN too
      capped += 1;
    }
  }
  return { fixed, capped };
}

function linear(raw, { low, high }, { scale, offset, missing }) {
  const fixed = new Uint32Array(raw.length);
  const steps = LINEAR_STEPS / (high - low || 1);
  for (let at = 0; at < raw.length; at++) {
    const value = raw[at] === missing ? Number.NaN : (raw[at] * scale + offset - low) * steps;
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
