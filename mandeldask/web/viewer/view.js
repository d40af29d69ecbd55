/**
 * Where the page looks: a point of level 0 and a scale. Immutable; every move returns a new View.
 *
 * The point is a pair of BigInt in 2^-16 of a level-0 pixel, so it is exact on a level 2^59 pixels wide, where float64
 * would jump by 64 pixels. Only differences between nearby points become floats.
 */

const FRACTION = 16;
const ONE = 1n << BigInt(FRACTION);

export class View {
  /**
   * @param {bigint} x column of the middle of the screen, in 2^-16 of a level-0 pixel
   * @param {bigint} y row, likewise
   * @param {number} scale log2 of level-0 pixels to a screen pixel: at whole numbers k, level k is seen 1:1
   */
  constructor(x, y, scale) {
    Object.assign(this, { x, y, scale });
    Object.freeze(this);
  }

  /** The view with a point of level 0 (whole pixels, BigInt) in the middle. */
  static at(col, row, scale) {
    return new View(col * ONE, row * ONE, scale);
  }

  /** Move by screen pixels. */
  pan(dx, dy) {
    return new View(this.x + this.#fixed(dx), this.y + this.#fixed(dy), this.scale);
  }

  /** Change the scale, keeping what is (dx, dy) screen pixels from the middle where it is. */
  zoom(scale, dx = 0, dy = 0) {
    const anchor = this.pan(dx, dy);
    return new View(anchor.x, anchor.y, scale).pan(-dx, -dy);
  }

  /** Keep the middle on an image of level-0 size (cols, rows). */
  clamp(cols, rows) {
    const within = (value, size) => (value < 0n ? 0n : value > size * ONE ? size * ONE : value);
    return new View(within(this.x, cols), within(this.y, rows), this.scale);
  }

  /** Screen pixels from the middle to column `col` of level 0 (BigInt), as a float. */
  toScreenX(col) {
    return this.#screen(col * ONE - this.x);
  }

  /** Screen pixels from the middle to row `row` of level 0 (BigInt), as a float. */
  toScreenY(row) {
    return this.#screen(row * ONE - this.y);
  }

  /** Level-0 pixel (BigInt col, row) at (dx, dy) screen pixels from the middle. */
  pixelAt(dx, dy) {
    const { x, y } = this.pan(dx, dy);
    return { col: x >> BigInt(FRACTION), row: y >> BigInt(FRACTION) };
  }

  #fixed(pixels) {
    return BigInt(Math.round(pixels * 2 ** (this.scale + FRACTION)));
  }

  #screen(distance) {
    return Number(distance) * 2 ** -(this.scale + FRACTION);
  }
}
