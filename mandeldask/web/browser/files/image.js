/** An image on the page: draws the visible part of its levels with the settings of the panel. */

import { paintAlpha, paintChannel, paintLabels, paintMap } from "./colour.js";
import { Tiles } from "./tiles.js";
import { Viewport } from "./viewport.js";

const PAINTED = 300; // number of drawn tiles in the cache

export class ImageView {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {object} picture
   * @param {object} look how to draw: `at`, `channels`, `mode`; call `redraw` after a change
   */
  constructor(canvas, picture, look, { failed, drawn }) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d", { alpha: true });
    this.picture = picture;
    this.look = look;
    this.drawn = drawn;
    this.viewport = new Viewport(picture);
    this.tiles = new Tiles(picture, () => this.redraw(), failed);
    this.painted = new Map();
    this.frame = 0;
    new ResizeObserver(() => this.#resize()).observe(canvas);
    this.#resize();
  }

  #resize() {
    const ratio = window.devicePixelRatio || 1;
    const { clientWidth, clientHeight } = this.canvas;
    this.canvas.width = Math.max(1, Math.round(clientWidth * ratio));
    this.canvas.height = Math.max(1, Math.round(clientHeight * ratio));
    this.viewport.resize(this.canvas.width, this.canvas.height);
    this.redraw();
  }

  redraw() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.#draw();
    });
  }

  /** The indices of the drawn channels along their axis. */
  get #shown() {
    const { channels, mode } = this.look;
    return mode === "channels"
      ? channels.map((each, index) => ({ ...each, index })).filter((each) => each.active)
      : [{ ...channels[0], index: 0 }];
  }

  #key(level, { row, column }, channel) {
    const at = this.#place(channel);
    return `${level}/${row}/${column}/${this.picture.others.map((axis) => at[axis]).join(",")}/${channel}/${this.look.part}`;
  }

  #place(channel) {
    const at = [...this.look.at];
    if (this.picture.channel >= 0) at[this.picture.channel] = channel;
    return at;
  }

  #draw() {
    const { context, canvas, picture, viewport } = this;
    context.imageSmoothingEnabled = false;
    context.clearRect(0, 0, canvas.width, canvas.height);
    const level = viewport.level;
    const coarsest = picture.arrays.length - 1;
    /** @type {[number, { row: number, column: number }][]} */
    const wanted = [];
    let complete = true;
    for (let each = coarsest; each >= level; each--) {
      for (const tile of viewport.tiles(each)) {
        const whole = this.#drawTile(each, tile);
        if (each === level || each === coarsest) wanted.push([each, tile]);
        if (each === level && !whole) complete = false;
      }
    }
    wanted.sort(([one], [other]) => Number(other === coarsest) - Number(one === coarsest)); // coarsest level first
    this.tiles.want(
      wanted.flatMap(([each, tile]) =>
        this.#shown.map(({ index }) => ({
          key: this.#key(each, tile, index),
          level: each,
          ...tile,
          at: this.#place(index),
          part: this.look.part,
        })),
      ),
    );
    canvas.dataset.state = complete && !this.tiles.busy ? "idle" : "loading";
    this.drawn();
  }

  /** Draw a tile if all its channels are loaded; return whether they are. */
  #drawTile(level, tile) {
    const shown = this.#shown;
    const parts = shown.map(({ index }) => this.tiles.get(this.#key(level, tile, index)));
    if (!parts.every(Boolean)) return false;
    const [first] = parts;
    if (first?.width) {
      const bitmap = this.#bitmap(
        `${this.#key(level, tile, "")}${JSON.stringify([shown, this.look.mode])}`,
        first,
        shown,
        parts,
      );
      const [x, y] = [Math.round(tile.x), Math.round(tile.y)];
      const [right, bottom] = [
        Math.round(tile.x + first.width * tile.across),
        Math.round(tile.y + first.height * tile.down),
      ];
      this.context.clearRect(x, y, right - x, bottom - y); // missing values must not show coarser levels
      this.context.drawImage(bitmap, x, y, right - x, bottom - y);
    }
    return true;
  }

  #bitmap(key, { width, height }, shown, parts) {
    let bitmap = this.painted.get(key);
    if (bitmap) {
      this.painted.delete(key);
    } else {
      const image = new ImageData(width, height);
      for (const [index, channel] of shown.entries()) this.#paint(image.data, parts[index].values, channel);
      bitmap = new OffscreenCanvas(width, height);
      bitmap.getContext("2d").putImageData(image, 0, 0);
    }
    this.painted.set(key, bitmap);
    if (this.painted.size > PAINTED) this.painted.delete(this.painted.keys().next().value);
    return bitmap;
  }

  #paint(pixels, values, channel) {
    const { missing } = this.picture;
    if (this.look.mode === "labels") paintLabels(pixels, values, { missing });
    else if (this.look.mode === "channels" && channel.alpha) paintAlpha(pixels, values, channel);
    else if (this.look.mode === "channels") paintChannel(pixels, values, { ...channel, missing });
    else paintMap(pixels, values, { ...channel, missing });
  }

  /** The value of each channel at a position of the image, from the finest loaded level. */
  valuesAt({ x, y }) {
    const [row, column] = [Math.floor(y), Math.floor(x)];
    if (row < 0 || column < 0 || row >= this.picture.height || column >= this.picture.width) return undefined;
    for (let level = this.viewport.level; level < this.picture.arrays.length; level++) {
      const [down, across] = this.picture.scales[level];
      const [tall, wide] = this.picture.side(level);
      const [r, c] = [Math.floor(row / down), Math.floor(column / across)];
      const tile = { row: Math.floor(r / tall), column: Math.floor(c / wide) };
      const parts = this.#shown.map(({ index }) => this.tiles.get(this.#key(level, tile, index)));
      if (parts.every((part) => part?.width))
        return {
          row,
          column,
          level,
          values: parts.map((part) => (part.exact ?? part.values)[(r % tall) * part.width + (c % wide)]),
        };
    }
    return { row, column, level: -1, values: [] };
  }

  /** The tiles of a channel that are visible and loaded. */
  seen(channel) {
    const level = this.viewport.level;
    for (let each = level; each < this.picture.arrays.length; each++) {
      const found = this.viewport
        .tiles(each)
        .map((tile) => this.tiles.get(this.#key(each, tile, channel)))
        .filter(Boolean);
      if (found.length) return found;
    }
    return [];
  }
}
