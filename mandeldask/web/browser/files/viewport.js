/** What part of an image is seen: its middle, in elements of the finest level, and how large an element is. */

export class Viewport {
  constructor(picture) {
    this.picture = picture;
    this.size = { width: 1, height: 1 }; // of the canvas, in its pixels
    this.fitted = true;
    this.fit();
  }

  /** Elements of the finest level that are as large as a pixel of the canvas. */
  get whole() {
    const { picture, size } = this;
    return Math.max(picture.width / size.width, picture.height / size.height);
  }

  /** The largest scale: beyond, floats could not tell where elements of very large images lie. */
  get most() {
    return Math.min(64, 2 ** 50 / Math.max(this.picture.width, this.picture.height));
  }

  fit() {
    this.fitted = true;
    this.x = this.picture.width / 2;
    this.y = this.picture.height / 2;
    this.scale = 1 / this.whole; // pixels of the canvas for an element
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

  /** Zoom by a factor, what is at a pixel of the canvas staying there. */
  zoom(factor, at = { x: this.size.width / 2, y: this.size.height / 2 }) {
    this.fitted = false;
    const before = this.element(at);
    this.scale = clamp(this.scale * factor, Math.min(1, 0.5 / this.whole), this.most);
    const after = this.element(at);
    this.x = clamp(this.x + before.x - after.x, 0, this.picture.width);
    this.y = clamp(this.y + before.y - after.y, 0, this.picture.height);
  }

  /** The place in the image that is seen at a pixel of the canvas. */
  element({ x, y }) {
    const { left, top } = this.corner;
    return { x: (x - left) / this.scale, y: (y - top) / this.scale };
  }

  /** The pixel of the canvas where the image begins: a whole one, so that elements are as sharp as pixels. */
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
   * The tiles of a level that are seen, those in the middle first: their row, column, and where they are drawn.
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

/** Whole numbers from a first to a last place, within a count. */
const span = (first, last, count) => [Math.max(0, Math.floor(first)), Math.min(Math.ceil(count), Math.ceil(last))];
