/** A map of the whole set in a corner, with a mark at the view. */

import { PROVEN, escapeTime } from "../data/encoding.js";
import { rational } from "../numbers/rationals.js";
import { View } from "../numbers/view.js";
import { boxOf, tilesInSight } from "../picture/scene.js";

const SET = { middle: { re: rational(-7n, 10n), im: rational(0n) }, width: 3 }; // plane units
const JULIA = { middle: { re: rational(0n), im: rational(0n) }, width: 4 };
const MARK = 7; // pixels: a smaller frame is drawn as a cross

export class Minimap {
  #tiles = [];

  /** @param {HTMLCanvasElement} canvas @param source of kind "plane" @param {import("../data/loader.js").Loader} loader */
  constructor(canvas, source, loader) {
    this.canvas = canvas;
    this.source = source;
    this.loader = loader;
    this.context = canvas.getContext("2d");
    const { middle, width } = source.julia ? JULIA : SET;
    const { x, y } = source.fromPlane(middle);
    this.view = View.at(x, y, Math.log2(width / canvas.width));
  }

  async load() {
    const level = this.source.level(this.view);
    for (const request of tilesInSight(this.view, level, this.canvas)) {
      const job = await this.source.locate(request, "iterations");
      const { fixed } = await this.loader.load(job, new AbortController().signal);
      const [height, width] = level.shape;
      this.#tiles.push({ picture: picture(fixed, width, height), box: boxOf(this.view, request, this.canvas) });
    }
  }

  /** The exact point of the plane under a pixel of the map. */
  point(x, y) {
    const { width, height } = this.canvas;
    return this.source.toPlane(this.view.pan(x - width / 2, y - height / 2).middle);
  }

  /** Draw the map, with the frame of a view on a screen. */
  show(view, screen) {
    const { context, canvas } = this;
    context.clearRect(0, 0, canvas.width, canvas.height);
    for (const { picture: image, box } of this.#tiles)
      context.drawImage(image, box.left, box.top, box.width, box.height);
    const [dx, dy] = this.view.distanceTo(view);
    const [x, y] = [canvas.width / 2 + dx, canvas.height / 2 + dy];
    const size = 2 ** (view.scale - this.view.scale);
    this.#mark(x, y, screen.width * size, screen.height * size);
  }

  #mark(x, y, width, height) {
    const { context } = this;
    context.strokeStyle = "#ffb52e";
    context.lineWidth = 2;
    context.beginPath();
    if (Math.max(width, height) >= 2 * MARK) context.rect(x - width / 2, y - height / 2, width, height);
    else {
      context.moveTo(x - MARK, y);
      context.lineTo(x + MARK, y);
      context.moveTo(x, y - MARK);
      context.lineTo(x, y + MARK);
    }
    context.stroke();
  }
}

/** Grey on a transparent background: the nearer to the set, the darker. */
function picture(fixed, width, height) {
  const image = new ImageData(width, height);
  for (let at = 0; at < fixed.length; at++) {
    const inside = fixed[at] >= PROVEN;
    const near = inside ? 1 : Math.min(1, Math.log2(Math.max(1, escapeTime(fixed[at]))) / 6);
    image.data.set([210, 218, 235, inside ? 235 : 120 * near], 4 * at);
  }
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}
