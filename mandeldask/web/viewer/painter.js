/** Draws a View: the tiles of its level, and where one is still missing the best that coarser and finer levels have. */

import { paint } from "./colours.js";

const COARSER = 9; // levels up to look for a stand-in: 512 pixels shrink to one
const PREVIEW = 2; // levels up of the tile asked for first: it stands in for sixteen
const FINER = 0.25; // a level is shown from 1.19 times its size down to 0.59

export class Painter {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {Tiles} tiles
   * @param {{levels: object[]}} scene `levels` of the pyramid, finest first; `colours` and `scale` of `paint`
   */
  constructor(canvas, tiles) {
    Object.assign(this, { canvas, tiles, scene: null });
    this.context = canvas.getContext("2d", { alpha: false });
  }

  /** The level whose pixels are nearest in size to those of the screen, or rather a little finer: shrunk looks sharp. */
  level({ scale }) {
    const { levels } = this.scene;
    const distance = ({ factor }) => Math.abs(Math.log2(Number(factor)) + FINER - scale);
    return levels.reduce((best, level) => (distance(level) < distance(best) ? level : best));
  }

  /** Requests for the tiles in sight of `view`, the middle first. */
  requests(view) {
    const level = this.level(view);
    const { width, height } = this.canvas;
    const [rows, cols] = level.chunks.map((size) => BigInt(size) * level.factor);
    const { col: left, row: top } = view.pixelAt(-width / 2, -height / 2);
    const { col: right, row: bottom } = view.pixelAt(width / 2, height / 2);
    const across = tileRange(left, right, cols, level.shape[1], level.chunks[1]);
    const down = tileRange(top, bottom, rows, level.shape[0], level.chunks[0]);
    const requests = down.flatMap((row) => across.map((col) => ({ key: key(level, row, col), level, row, col })));
    const away = ({ row, col }) =>
      Math.hypot(view.toScreenX(col * cols + cols / 2n), view.toScreenY(row * rows + rows / 2n));
    return requests.sort((a, b) => away(a) - away(b));
  }

  /** Requests for coarse stand-ins of tiles that nothing could be drawn for otherwise. */
  previews(requests) {
    const wanted = new Map();
    for (const request of requests) {
      if (this.tiles.get(request.key) || this.#standIn(request, PREVIEW + 1)) continue;
      const level = this.scene.levels[request.level.number + PREVIEW];
      if (level) {
        const { row, col } = above(level, request);
        wanted.set(key(level, row, col), { key: key(level, row, col), level, row, col });
      }
    }
    return [...wanted.values()];
  }

  draw(view) {
    const { context, canvas } = this;
    context.fillStyle = "#0a0d16";
    context.fillRect(0, 0, canvas.width, canvas.height);
    const requests = this.requests(view);
    const missing = requests.filter(({ key }) => !this.tiles.get(key));
    for (const request of missing) this.#drawCoarser(view, request);
    for (const request of missing) this.#drawFiner(view, request);
    for (const { key } of requests) this.#drawTile(view, this.tiles.get(key));
  }

  /** Where a tile lies on the screen; edges are whole pixels, so that neighbours meet. */
  #box(view, { level, row, col }) {
    const [rows, cols] = level.chunks.map((size) => BigInt(size) * level.factor);
    const { width, height } = this.canvas;
    const left = Math.round(view.toScreenX(col * cols) + width / 2);
    const top = Math.round(view.toScreenY(row * rows) + height / 2);
    const right = Math.round(view.toScreenX((col + 1n) * cols) + width / 2);
    const bottom = Math.round(view.toScreenY((row + 1n) * rows) + height / 2);
    return [left, top, right - left, bottom - top];
  }

  #drawTile(view, tile) {
    if (!tile) return;
    const [left, top, width, height] = this.#box(view, tile);
    const [rows, cols] = tile.level.chunks;
    this.context.imageSmoothingEnabled = width < 2 * cols; // pixels seen large are shown as they are
    this.context.drawImage(this.#picture(tile), 0, 0, cols, rows, left, top, width, height);
  }

  #drawCoarser(view, request) {
    const tile = this.#standIn(request, COARSER);
    if (!tile) return;
    const { top, left } = above(tile.level, request);
    const shrunk = Number(tile.level.factor / request.level.factor);
    const [height, width] = request.level.chunks.map((pixels) => pixels / shrunk);
    this.context.imageSmoothingEnabled = true;
    this.context.drawImage(this.#picture(tile), left, top, width, height, ...this.#box(view, request));
  }

  /** The finest tile at hand that covers a tile, at most `levels` coarser. */
  #standIn(request, levels) {
    const from = request.level.number + 1;
    for (const level of this.scene.levels.slice(from, from + levels)) {
      const { row, col } = above(level, request);
      const tile = this.tiles.get(key(level, row, col));
      if (tile) return tile;
    }
    return null;
  }

  #drawFiner(view, { level: { number, factor, chunks }, row, col }) {
    const level = this.scene.levels[number - 1];
    if (!level) return;
    const [rows, cols] = level.chunks.map((size) => BigInt(size) * level.factor);
    const [top, left] = [row * BigInt(chunks[0]) * factor, col * BigInt(chunks[1]) * factor];
    for (let down = top / rows; down * rows < top + BigInt(chunks[0]) * factor; down++) {
      for (let across = left / cols; across * cols < left + BigInt(chunks[1]) * factor; across++) {
        this.#drawTile(view, this.tiles.get(key(level, down, across)));
      }
    }
  }

  /** The tile in the colours of now, painted once. */
  #picture(tile) {
    const { colours, scale } = this.scene;
    if (tile.colours !== colours) {
      tile.picture = paint(tile.values, tile.level.chunks[1], colours, scale(tile.level));
      tile.colours = colours;
    }
    return tile.picture;
  }
}

export const key = ({ field, number }, row, col) => `${field}/${number}/${row}/${col}`;

/** The tile of a coarser level that holds a tile, and where in it that begins, in its pixels. */
function above(level, request) {
  const begin = (axis, index) => index * BigInt(request.level.chunks[axis]) * request.level.factor;
  const [rows, cols] = level.chunks.map((size) => BigInt(size) * level.factor);
  const [top, left] = [begin(0, request.row), begin(1, request.col)];
  const inside = (offset) => Number(offset / request.level.factor) / Number(level.factor / request.level.factor);
  return { row: top / rows, col: left / cols, top: inside(top % rows), left: inside(left % cols) };
}

/** Indices of the tiles of `size` level-0 pixels from pixel `first` to `last`, within an array. */
function tileRange(first, last, size, pixels, chunk) {
  const count = (BigInt(pixels) + BigInt(chunk) - 1n) / BigInt(chunk);
  const start = first < 0n ? 0n : first / size;
  const end = last < 0n ? -1n : last / size;
  const stop = end < count ? end : count - 1n;
  return Array.from({ length: Math.max(0, Number(stop - start) + 1) }, (_, at) => start + BigInt(at));
}
