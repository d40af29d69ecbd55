/** The visible part of an image: its centre in elements of the finest level, and the size of an element. */

export class Viewport {
  constructor(picture) {
    this.picture = picture;
    this.size = { width: 1, height: 1 }; // size of the canvas in pixels
    this.fitted = true;
    this.fit();
  }

  /** Elements of the finest level per canvas pixel if the whole image is shown. */
  get whole() {
    const { picture, size } = this;
    return Math.max(picture.width / size.width, picture.height / size.height);
  }

  /** The largest scale: beyond it, floats could not represent positions in very large images. */
  get most() {
    return Math.min(64, 2 ** 50 / Math.max(this.picture.width, this.picture.height));
  }

  fit() {
    this.fitted = true;
    this.x = this.picture.width / 2;
    this.y = this.picture.height / 2;
    this.scale = 1 / this.whole; // canvas pixels per element
    if (this.scale > 1) this.scale = Math.max(1, Math.floor(this.scale));
  }

  resize(width, height) {
    this.size = { width, height };
    if (this.fitted) this.fit();
  }

  move(right, down) {
    this.fitted = false;
    this.x = clamp(this.x + right / this.scale, 0, this.picture.width);
    this.y = clamp(this.y + down / this.scale, 0, this.picture.height);
  }

  /** Zoom by a factor; the point at a given canvas pixel stays fixed. */
  zoom(factor, at = { x: this.size.width / 2, y: this.size.height / 2 }) {
    this.fitted = false;
    const before = this.element(at);
    this.scale = clamp(this.scale * factor, Math.min(1, 0.5 / this.whole), this.most);
    const after = this.element(at);
    this.x = clamp(this.x + before.x - after.x, 0, this.picture.width);
    this.y = clamp(this.y + before.y - after.y, 0, this.picture.height);
  }

  /** The position in the image at a canvas pixel. */
  element({ x, y }) {
    const { left, top } = this.corner;
    return { x: (x - left) / this.scale, y: (y - top) / this.scale };
  }

  /** The canvas pixel where the image begins, rounded, so that elements have sharp edges. */
  get corner() {
    return {
      left: Math.round(this.size.width / 2 - this.x * this.scale),
      top: Math.round(this.size.height / 2 - this.y * this.scale),
    };
  }

  /** The coarsest level whose elements are no larger than a pixel and a half. */
  get level() {
    const { scales } = this.picture;
    let level = 0;
    while (level + 1 < scales.length && Math.max(...scales[level + 1]) * this.scale <= 1.0001) level++;
    return level;
  }

  /**
   * The visible tiles of a level, the most central first: row, column, and position on the canvas.
   *
   * @param {number} level
   */
  tiles(level) {
    const { picture, scale, size } = this;
    const [down, across] = picture.scales[level];
    const [tall, wide] = picture.side(level);
    const { left, top } = this.corner;
    const rows = span(
      -top / (tall * down * scale),
      (size.height - top) / (tall * down * scale),
      picture.arrays[level].shape[picture.space[0]] / tall,
    );
    const columns = span(
      -left / (wide * across * scale),
      (size.width - left) / (wide * across * scale),
      picture.arrays[level].shape[picture.space[1]] / wide,
    );
    const found = [];
    for (let row = rows[0]; row < rows[1]; row++)
      for (let column = columns[0]; column < columns[1]; column++)
        found.push({
          row,
          column,
          x: left + column * wide * across * scale,
          y: top + row * tall * down * scale,
          across: across * scale,
          down: down * scale,
        });
    const middle = { x: size.width / 2, y: size.height / 2 };
    const off = (tile) =>
      Math.hypot(tile.x + (wide * tile.across) / 2 - middle.x, tile.y + (tall * tile.down) / 2 - middle.y);
    return found.sort((one, other) => off(one) - off(other));
  }
}

const clamp = (value, least, most) => Math.min(Math.max(value, least), most);

/** Integers from a first to a last position, limited to a count. */
const span = (first, last, count) => [Math.max(0, Math.floor(first)), Math.min(Math.ceil(count), Math.ceil(last))];
