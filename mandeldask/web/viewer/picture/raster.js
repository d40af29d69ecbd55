/** Draws without WebGL: the same two passes in JavaScript on a 2D canvas. It is slower; tests compare WebGL with it. */

import { NONE, PROVEN } from "../data/encoding.js";
import { colour } from "./colours.js";

export class Raster {
  name = "canvas";
  lost = false;
  busy = false; // drawing is synchronous
  fine = 1;
  cost = 0;

  /** @param {HTMLCanvasElement | OffscreenCanvas} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    this.context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { alpha: false }));
  }

  /** Like `WebGL.draw`. */
  draw(drawing, fine, style) {
    const began = performance.now();
    this.fine = fine;
    this.width = Math.ceil(this.canvas.width * fine);
    this.height = Math.ceil(this.canvas.height * fine);
    if (this.values?.length !== this.width * this.height) this.values = new Uint32Array(this.width * this.height);
    this.values.fill(NONE);
    for (const { tile, box } of drawing) if (box.width > 0 && box.height > 0) this.#drawTile(tile, box);
    const [across, down] = fine < 1 ? [this.width, this.height] : [this.canvas.width, this.canvas.height];
    const image = new ImageData(across, down);
    image.data.fill(255);
    for (let y = 0; y < image.height; y++) {
      for (let x = 0; x < image.width; x++) {
        const rgb = this.#colour(x, y, Math.max(1, fine), 1 / fine, style);
        image.data.set(rgb.map(Math.round), 4 * (y * image.width + x));
      }
    }
    if (fine < 1) this.#stretch(image);
    else this.context.putImageData(image, 0, 0);
    this.cost = (performance.now() - began) / fine ** 2;
  }

  /** Like `WebGL.refine`, but in a single call. */
  refine(drawing, style) {
    this.draw(drawing, 2, style);
    return true;
  }

  #stretch(image) {
    const small = new OffscreenCanvas(image.width, image.height);
    small.getContext("2d").putImageData(image, 0, 0);
    this.context.drawImage(small, 0, 0, this.canvas.width, this.canvas.height);
  }

  /** Encoded values of a part of the last picture, row by row. */
  read(left, top, width, height) {
    const part = new Uint32Array(width * height);
    for (let row = 0; row < height; row++) {
      const from = (top + row) * this.width + left;
      part.set(this.values.subarray(from, from + width), row * width);
    }
    return part;
  }

  #drawTile(tile, box) {
    const [across, down] = [tile.width / box.width, tile.height / box.height];
    const blend = box.width !== tile.width || box.height !== tile.height;
    for (let y = Math.max(0, box.top); y < Math.min(this.height, box.top + box.height); y++) {
      for (let x = Math.max(0, box.left); x < Math.min(this.width, box.left + box.width); x++) {
        this.values[y * this.width + x] = valueAt(tile, (x - box.left) * across, (y - box.top) * down, blend);
      }
    }
  }

  #colour(x, y, fine, reach, style) {
    const sum = [0, 0, 0];
    for (let row = y * fine; row < (y + 1) * fine; row++) {
      for (let col = x * fine; col < (x + 1) * fine; col++) {
        const beside = [this.#at(col - 1, row), this.#at(col + 1, row), this.#at(col, row - 1), this.#at(col, row + 1)];
        const rgb = colour(this.#at(col, row), beside, x, y, reach, style);
        for (let band = 0; band < 3; band++) sum[band] += rgb[band] / fine ** 2;
      }
    }
    return sum;
  }

  #at(col, row) {
    const [x, y] = [Math.min(this.width - 1, Math.max(0, col)), Math.min(this.height - 1, Math.max(0, row))];
    return this.values[y * this.width + x];
  }
}

/** The value at a position in a tile, in its pixels: the nearest, or interpolated between four. */
function valueAt({ fixed, width, height }, x, y, blend) {
  const at = (col, row) =>
    fixed[Math.min(height - 1, Math.max(0, row)) * width + Math.min(width - 1, Math.max(0, col))];
  const nearest = at(Math.floor(x + 0.5), Math.floor(y + 0.5));
  if (!blend || nearest >= PROVEN) return nearest;
  const [col, row] = [Math.floor(x), Math.floor(y)];
  const four = [at(col, row), at(col + 1, row), at(col, row + 1), at(col + 1, row + 1)];
  if (Math.max(...four) >= PROVEN) return nearest;
  const mix = (a, b, part) => a + (b - a) * part;
  return Math.floor(mix(mix(four[0], four[1], x - col), mix(four[2], four[3], x - col), y - row));
}
