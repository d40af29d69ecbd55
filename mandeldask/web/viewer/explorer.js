/** Moves over one pyramid: holds the View, eases it to where it is going, and keeps the canvas up to date. */

import { Painter, key } from "./painter.js";
import { fromHash, viewAt } from "./permalink.js";
import { parsePoint, rational, subtract } from "./rationals.js";
import { Tiles } from "./tiles.js";
import { View } from "./view.js";

const GLIDE_MS = 220;
const MAGNIFY = 5; // levels past the finest: a pixel of level 0 is 32 of the screen
const ASK_EVERY_MS = 150; // requests while gliding; most would be given up at once
const HOME = { center: parsePoint("-0.65"), width: 3.4, height: 2.8 }; // the set with a margin, in plane units

export class Explorer {
  #glide = null; // {from, levels, dx, dy, start}
  #frame = 0;
  #asked = 0;

  /** @param {{failed: (error: Error) => void, moved: () => void, drawn: () => void}} events */
  constructor(canvas, pyramid, { failed, moved, drawn }) {
    Object.assign(this, { canvas, pyramid, moved, drawn });
    const maxBytes = (navigator.deviceMemory ?? 4) >= 4 ? 2 ** 28 : 2 ** 26;
    this.tiles = new Tiles({ maxBytes, failed, changed: () => this.refresh() });
    this.painter = new Painter(canvas, this.tiles);
    this.view = new View(0n, 0n, 0);
  }

  /** Show a field in the colours of a palette; `scale` says which values are black. */
  show(field, colours) {
    this.field = field;
    this.painter.scene = { levels: this.pyramid.levels(field), colours, scale: scaleOf(this.pyramid) };
    this.refresh();
  }

  /** The whole set where the pyramid holds it, else the whole pyramid. */
  home() {
    const { cols, rows, place } = this.pyramid;
    const units = Number(place.spacing.p) / Number(place.spacing.q);
    const start = viewAt(HOME.center, 0, this.pyramid);
    const whole = Number(cols) * units >= HOME.width && inside(HOME.center, this.pyramid);
    const [across, down] = whole ? [HOME.width / units, HOME.height / units] : [Number(cols), Number(rows)];
    const scale = Math.log2(Math.max(across / this.canvas.width, down / this.canvas.height));
    this.go(whole ? new View(start.x, start.y, scale) : View.at(cols / 2n, rows / 2n, scale));
  }

  go(view) {
    this.#glide = null;
    this.#set(view);
  }

  /** Go to the place in the URL's hash, or home. */
  follow(hash) {
    const { view } = fromHash(hash, this.pyramid);
    if (view) this.go(view);
    else this.home();
  }

  pan(dx, dy) {
    this.go(this.view.pan(dx, dy));
  }

  zoom(levels, dx, dy) {
    this.go(this.view.zoom(this.#within(this.view.scale + levels), dx, dy));
  }

  /** Zoom by `levels` smoothly; a glide under way is lengthened, so that notches add up exactly. */
  glide(levels, dx, dy) {
    const goal = this.#within((this.#glide?.goal ?? this.view.scale) + levels);
    this.#glide = { from: this.view.scale, goal, dx, dy, start: performance.now() };
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) this.#glide.start = -Infinity;
    this.refresh();
  }

  /** What lies (dx, dy) screen pixels from the middle: {row, col} of the shown level, and its value once computed. */
  pixel(dx, dy) {
    const level = this.painter.level(this.view);
    const at = this.view.pixelAt(dx, dy);
    const [row, col] = [at.row / level.factor, at.col / level.factor];
    if (at.row < 0n || at.col < 0n || row >= BigInt(level.shape[0]) || col >= BigInt(level.shape[1])) return null;
    const [height, width] = level.chunks.map(BigInt);
    const tile = this.tiles.get(key(level, row / height, col / width));
    const value = tile?.values[Number((row % height) * width + (col % width))];
    return { row, col, value, field: this.field, inside: this.painter.scene.scale(level).inside };
  }

  /** Whether every pixel in sight has been computed and none escapes. */
  get saturated() {
    const { inside: cap } = this.painter.scene.scale(this.painter.level(this.view));
    const tiles = this.painter.requests(this.view).map((request) => this.tiles.get(request.key));
    return tiles.length > 0 && tiles.every((tile) => tile?.values.every((value) => !(value < cap)));
  }

  /** Draw at the next frame. */
  refresh() {
    this.canvas.dataset.state = "moving";
    this.#frame ||= requestAnimationFrame((now) => this.#draw(now));
  }

  get state() {
    return this.#glide || this.#frame ? "moving" : this.tiles.complete ? "idle" : "loading";
  }

  #draw(now) {
    this.#frame = 0;
    if (!this.painter.scene) return;
    if (this.#glide) this.#step(now);
    if (!this.#glide || now - this.#asked > ASK_EVERY_MS) {
      this.#asked = now;
      const requests = this.painter.requests(this.view);
      this.tiles.want([...this.painter.previews(requests), ...requests]);
    }
    this.painter.draw(this.view);
    this.canvas.dataset.state = this.state;
    this.drawn();
    if (this.#glide) this.refresh();
  }

  #step(now) {
    const { from, goal, dx, dy, start } = this.#glide;
    const part = Math.min(1, Math.max(0, (now - start) / GLIDE_MS));
    const scale = part === 1 ? goal : from + (goal - from) * (1 - (1 - part) ** 3);
    if (part === 1) this.#glide = null;
    this.#set(this.view.zoom(scale, dx, dy));
  }

  #set(view) {
    this.view = view.clamp(this.pyramid.cols, this.pyramid.rows);
    this.moved();
    this.refresh();
  }

  #within(scale) {
    const { cols, rows } = this.pyramid;
    const widest = Math.log2(Math.max(Number(cols) / this.canvas.width, Number(rows) / this.canvas.height)) + 1;
    return Math.min(Math.max(scale, -MAGNIFY), Math.max(widest, 0));
  }
}

/** Whether a plane point lies on the pyramid's image. */
function inside(point, pyramid) {
  const { x, y } = viewAt(point, 0, pyramid);
  const [right, bottom] = [pyramid.cols << 16n, pyramid.rows << 16n];
  return x > 0n && x < right && y > 0n && y < bottom;
}

/** Colour scale of a level: the values from `inside` up are black, and one `unit` counts as one iteration. */
function scaleOf(pyramid) {
  return ({ field, maxiter, factor }) => {
    const counts = field === "iterations" || field === "smooth";
    const unit = (Number(pyramid.place.spacing.p) / Number(pyramid.place.spacing.q)) * Number(factor);
    return { inside: (counts && maxiter) || Infinity, unit: field === "distance" && unit > 0 ? unit : 1 };
  };
}
