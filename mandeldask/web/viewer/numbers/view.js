/**
 * The position of the view: a point and a scale. It is immutable; every move returns a new View.
 *
 * The point is a pair of BigInt in units of 2^-bits, so it is exact at any depth; float64 would reach only 1e-16. Only
 * differences between nearby points become floats. Coordinates are those of the source: x to the right and y down from
 * its upper left corner, in plane units of the set or in pixels of an image.
 */

import { log2, rational, round } from "./rationals.js";

const SPARE_BITS = 20; // positions are exact to 2^-20 of a screen pixel

/** A length m · 2^e, BigInt and integer. @typedef {{m: bigint, e: number}} Dyadic */

export class View {
  /**
   * @param {bigint} x middle of the screen, in 2^-bits
   * @param {bigint} y likewise
   * @param {number} bits binary digits after the point of x and y
   * @param {number} scale log2 of the coordinate units per screen pixel
   */
  constructor(x, y, bits, scale) {
    this.scale = scale;
    this.bits = bitsFor(scale);
    this.x = shifted(x, this.bits - bits);
    this.y = shifted(y, this.bits - bits);
    Object.freeze(this);
  }

  /**
   * The view with an exact point in its middle.
   *
   * @param {import("./rationals.js").Rational} x
   * @param {import("./rationals.js").Rational} y
   * @param {number} scale
   */
  static at(x, y, scale) {
    const bits = bitsFor(scale);
    const fixed = ({ p, q }) => round({ p: p << BigInt(bits), q });
    return new View(fixed(x), fixed(y), bits, scale);
  }

  /** The exact middle: rationals {x, y}. */
  get middle() {
    const unit = 1n << BigInt(this.bits);
    return { x: rational(this.x, unit), y: rational(this.y, unit) };
  }

  /** Move by screen pixels. */
  pan(dx, dy) {
    return new View(this.x + this.#fixed(dx), this.y + this.#fixed(dy), this.bits, this.scale);
  }

  /** Change the scale; the point (dx, dy) screen pixels from the middle stays fixed. */
  zoom(scale, dx = 0, dy = 0) {
    const anchor = this.pan(dx, dy);
    return new View(anchor.x, anchor.y, anchor.bits, scale).pan(-dx, -dy);
  }

  /** Keep the middle within a source's `width` and `height`, integers in coordinate units. */
  clamp(width, height) {
    const within = (value, most) => (value < 0n ? 0n : value > most ? most : value);
    const [right, bottom] = [width << BigInt(this.bits), height << BigInt(this.bits)];
    return new View(within(this.x, right), within(this.y, bottom), this.bits, this.scale);
  }

  /**
   * Screen pixels from the middle to (column, row) of a grid of cells `size` apart, as floats.
   *
   * @param {bigint} col
   * @param {bigint} row
   * @param {Dyadic} width of a cell
   * @param {Dyadic} height of a cell
   */
  toScreen(col, row, width, height) {
    const unit = 2 ** -(this.scale + this.bits);
    /** @param {bigint} at @param {Dyadic} size @param {bigint} from */
    const away = (at, { m, e }, from) => Number(shifted(at * m, e + this.bits) - from) * unit;
    return [away(col, width, this.x), away(row, height, this.y)];
  }

  /** (column, row) of the cell at (dx, dy) screen pixels from the middle. @returns {bigint[]} */
  cell(dx, dy, width, height) {
    const { x, y, bits } = this.pan(dx, dy);
    /** @param {bigint} at @param {Dyadic} size @returns {bigint} */
    const index = (at, { m, e }) =>
      bits + e >= 0 ? floored(at, m << BigInt(bits + e)) : floored(at << BigInt(-bits - e), m);
    return [index(x, width), index(y, height)];
  }

  /** Screen pixels from the middle to the middle of another view; infinite if too large for float64. */
  distanceTo(other) {
    const bits = Math.max(this.bits, other.bits);
    const along = (from, to) => {
      const apart = shifted(to, bits - other.bits) - shifted(from, bits - this.bits);
      if (apart === 0n) return 0;
      const size = log2(rational(apart < 0n ? -apart : apart)) - bits - this.scale;
      return (apart < 0n ? -1 : 1) * 2 ** size;
    };
    return [along(this.x, other.x), along(this.y, other.y)];
  }

  #fixed(pixels) {
    return BigInt(Math.round(pixels * 2 ** (this.scale + this.bits)));
  }
}

/** @typedef {import("./rationals.js").Rational} Rational */

/** Binary digits that a view of this scale needs. */
function bitsFor(scale) {
  return Math.max(0, Math.ceil(-scale)) + SPARE_BITS;
}

/** value · 2^bits, rounded to nearest. @param {bigint} value @param {number} bits @returns {bigint} */
export function shifted(value, bits) {
  if (bits >= 0) return value << BigInt(bits);
  return (value + (1n << BigInt(-bits - 1))) >> BigInt(-bits);
}

/** Greatest integer not above a / b, b > 0. @param {bigint} a @param {bigint} b @returns {bigint} */
function floored(a, b) {
  return a >= 0n ? a / b : -((-a + b - 1n) / b);
}
