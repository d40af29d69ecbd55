/** Explores one source: holds the View, applies motions to it, and keeps the picture up to date. */

import { CAPPED, escapeTime, LINEAR_STEPS, NONE, PROVEN } from "../data/encoding.js";
import { Tiles } from "../data/tiles.js";
import { cover } from "../picture/changes.js";
import { Following, sample } from "../picture/following.js";
import { drawing, insideOf, keyOf, reduced, tilesInSight } from "../picture/scene.js";
import { View } from "../numbers/view.js";
import { Demand } from "./demand.js";
import { coast, dive, flight, glide } from "./motion.js";

const MAGNIFY = 5; // zoom levels beyond the finest
const ASK_EVERY_MS = 120; // interval of requests during a motion; most requests would be cancelled soon
const FRAME_MS = 20; // time limit of a picture during a motion; slower pictures are drawn with fewer values
const TOGETHER_MS = 200; // if pictures are slow, tiles that arrive within this time are drawn together
const REFINE_MS = 60; // time limit of one part of the finest picture: a new view waits for the end of a part
const SETTLE_MS = 200; // the complete picture is drawn this long after the last change
const HOLD_MS = 800; // if pictures are slow, a sketch stays this long after a move, to wait for all tiles
const COARSE = 2 ** 6; // screen pixels of the coarsest pixels that show a view
const WAIT_MS = 1500; // a motion waits up to this long for finer ones
const JUMP_MS = 200; // after a jump, the last picture stays up to this long

export class Explorer {
  #motion = null;
  #frame = 0;
  #asked = 0;
  #changed = 0; // time of the last change of the view or its tiles
  #moved = 0; // time of the last change of the view
  #timer = 0; // timer of the next picture
  #painted = 0; // time of the last picture
  #covered = false; // whether the last picture was complete
  #sketched = null; // its view, if it showed all sketches
  #jumped = -Infinity; // time of the last jump
  #waiting = 0; // time since which a motion waits for tiles; 0 if it does not
  #waited = 0; // milliseconds that it has waited
  #kept = false; // whether the canvas still shows the last view

  /**
   * @param {HTMLCanvasElement} canvas
   * @param painter WebGL or Raster
   * @param {import("../data/loader.js").Loader} loader
   * @param {{failed: (error: Error, seconds: number) => void, recovered: () => void, moved: Function, drawn: Function, ended: Function}} events
   */
  constructor(canvas, painter, source, loader, style, events) {
    this.canvas = canvas;
    this.painter = painter;
    this.source = source;
    this.style = style;
    this.shown = []; // entries of the last picture, as in `scene.drawing`
    this.events = events;
    this.demand = new Demand(source, loader);
    this.tiles = new Tiles({
      load: (request, signal) => this.demand.load(request, signal),
      maxBytes: (Reflect.get(navigator, "deviceMemory") ?? 4) >= 4 ? 2 ** 27 : 2 ** 26,
      changed: () => this.#arrived(),
      failed: events.failed,
      recovered: events.recovered,
    });
    this.still = matchMedia("(prefers-reduced-motion: reduce)").matches; // then there are no animations
    this.following = new Following(this.still);
    this.pointer = [0, 0];
    this.view = new View(0n, 0n, 0, 0);
  }

  get level() {
    return this.source.level(this.view);
  }

  /** Show a view immediately; the next frame, which requests its tiles too, may be late. */
  go(view) {
    this.#move(view);
    this.#jumped = performance.now();
    this.#request(this.#jumped);
  }

  #move(view) {
    this.#motion = null;
    this.#set(view);
  }

  pan(dx, dy) {
    this.#move(this.view.pan(dx, dy));
  }

  zoom(levels, dx, dy) {
    this.#move(this.view.zoom(this.#within(this.view.scale + levels), dx, dy));
  }

  /** Zoom smoothly by `levels`; a running zoom is extended, so that wheel notches add up exactly. */
  glide(levels, dx, dy) {
    const goal = this.#within((this.#motion?.goal ?? this.view.scale) + levels);
    this.#begin(glide(this.view.scale, goal, dx, dy, this.still ? -Infinity : performance.now()));
  }

  /** Continue a drag after the finger has left the screen, with a speed in pixels per millisecond. */
  coast(vx, vy) {
    if (!this.still && Math.hypot(vx, vy) > 0.1) this.#begin(coast(vx, vy, performance.now()));
  }

  /** Fly to a view. */
  fly(goal) {
    if (this.still) this.go(goal);
    else this.#begin(flight(goal, Math.min(this.canvas.width, this.canvas.height), performance.now()));
  }

  /** Zoom steadily around the pointer, at `rate` levels per second, until `stop`. */
  dive(rate) {
    this.#begin(dive(rate, () => this.pointer, performance.now()));
  }

  stop() {
    this.#motion = null;
    this.refresh();
  }

  get moving() {
    return this.#motion !== null;
  }

  /** The pixel of the shown level at (dx, dy) screen pixels from the middle, and its value if it is loaded. */
  pixel(dx, dy) {
    const { level, view } = this;
    const [col, row] = view.cell(dx, dy, level.spacing, level.spacing);
    const [height, width] = level.shape.map(BigInt);
    if (row < 0n || col < 0n || row >= level.rows * height || col >= level.cols * width) return null;
    const tile = this.tiles.get(keyOf(level, row / height, col / width));
    const fixed = tile?.fixed[Number(row % height) * tile.width + Number(col % width)] ?? NONE;
    return { row, col, level, tile, fixed, value: escapeTime(fixed), linear: fixed / LINEAR_STEPS };
  }

  /** Shares of the visible pixels that reached maxiter without a proof, and that are proven inside. */
  get shares() {
    let [capped, proven, all] = [0, 0, 0];
    for (const value of sample(this.shown, this.canvas)) {
      if (value === NONE) continue;
      all += 1;
      if (value === CAPPED) capped += 1;
      else if (value >= PROVEN) proven += 1;
    }
    return { capped: capped / (all || 1), proven: proven / (all || 1) };
  }

  /** Numbers of visible tiles, and of sketches that come before them, that are loaded. */
  get progress() {
    const loaded = (requests) => ({
      done: requests.filter(({ key }) => this.tiles.get(key)).length,
      all: requests.length,
    });
    return { ...loaded(tilesInSight(this.view, this.level, this.canvas)), sketches: loaded(this.demand.sketches) };
  }

  /** Draw in the next frame. */
  refresh() {
    this.canvas.dataset.state = "moving";
    this.#frame ||= requestAnimationFrame((now) => this.#draw(now));
  }

  #begin(motion) {
    this.#waiting = this.#waited = 0;
    this.#motion = motion;
    this.refresh();
  }

  #draw(now) {
    this.#frame = 0;
    if (this.#motion) this.#step(now);
    if (this.view.scale < this.source.finest - MAGNIFY) this.#set(this.view); // limited by the server
    if (!this.#motion || now - this.#asked > ASK_EVERY_MS) this.#request(now);
    const { canvas, tiles } = this;
    const { busy } = this.painter;
    if (!busy && this.#holds(now)) this.#later(SETTLE_MS);
    else if (!busy) this.#paint(now);
    if (this.painter.busy) this.refresh(); // to go on at its end
    canvas.dataset.state =
      this.#motion || this.#frame || this.#timer ? "moving" : tiles.missing > 0 ? "loading" : "idle";
    if (!busy && !this.#kept) this.events.drawn(this); // each change of the page costs the time of a picture
  }

  /** Request the tiles of the view. */
  #request(now) {
    const { canvas, view, tiles } = this;
    this.#asked = now;
    const moving = this.#motion ? { sketched: this.slow && this.#least === 1 / 4 } : null;
    tiles.want(this.demand.requests(view, canvas, this.pointer, tiles, moving));
  }

  #paint(now) {
    const { canvas, view, tiles, source, painter, demand } = this;
    const drawn = drawing(view, this.level, canvas, source, tiles);
    this.shown = drawn;
    const boxes = drawn.map(({ box }) => box);
    this.#covered = cover(boxes, insideOf(view, source, canvas));
    if (this.#waitsForSketches(drawn, now)) return;
    this.#follow(drawn, now);
    const stepped = drawn.some(({ tile }) => tile.level.key === this.level.key && tile.smooth === false);
    const style = stepped ? { ...this.style, slope: 0, edges: 0 } : this.style; // count steps are not slopes
    const part = this.#part(drawn, now);
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#painted = now;
    if (part < 1) {
      if (!this.#motion) this.#later(SETTLE_MS);
      this.#sketched = this.#covered && demand.sketches.every(({ key }) => tiles.get(key)) ? view : null;
      painter.draw(reduced(drawn, part), part, style);
      return;
    }
    const fine = this.#motion ? null : demand.fineLevel(view, canvas);
    const better = fine && drawing(fine.view, fine.level, fine.screen, source, tiles);
    const whole = better?.length > 0 && better.every(({ tile }) => tile.proved && tile.level.key === fine.level.key);
    if (!whole) painter.draw(drawn, 1, style);
    else if (!painter.refine(better, style, REFINE_MS)) this.refresh();
  }

  /** Set the contrast of the picture. */
  #follow(drawn, now) {
    const { canvas, style } = this;
    const settled = this.#motion !== null || drawn.every(({ tile }) => tile.level.key === this.level.key);
    const jumps = !this.#motion && this.slow; // then one picture replaces many
    style.contrast = this.following.contrast(sample(drawn, canvas), style.linear, now, { settled, jumps });
    if (this.following.changing) this.refresh();
  }

  /** Whether the last picture stays for a moment after a jump, until sketches cover the view, so that nothing flashes. */
  #waitsForSketches(drawn, now) {
    const left = this.#jumped + JUMP_MS - now;
    this.#kept = left > 0 && !this.#isFine(drawn);
    if (!this.#kept) return false;
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#later(left);
    return true;
  }

  /** Whether tiles that are not too coarse cover the view. */
  #isFine(drawn) {
    const fine = drawn.filter(({ tile, box }) => box.width <= COARSE * tile.width).map(({ box }) => box);
    return cover(fine, insideOf(this.view, this.source, this.canvas));
  }

  /** Values per screen pixel: 1, or less during changes on machines that cannot draw that many in time. */
  #part(drawn, now) {
    if (!this.slow) return 1;
    if (!this.#motion && now - this.#moved >= SETTLE_MS && (this.#ready(drawn, now) || this.#whole(drawn))) return 1;
    return this.#least;
  }

  /** Values per screen pixel that can be drawn in time. */
  get #least() {
    return this.painter.cost <= 4 * FRAME_MS ? 1 / 2 : 1 / 4;
  }

  /** Whether no better picture can be drawn soon. */
  #ready(drawn, now) {
    if (now - this.#changed >= (this.tiles.missing === 0 ? SETTLE_MS : HOLD_MS)) return true;
    return !this.#waits(now) && drawn.some(({ tile }) => tile.level.key === this.level.key);
  }

  /** Whether a sketch may wait for the visible tiles: for a while after a move, and twice as long once most are here. */
  #waits(now) {
    const { done, all } = this.progress;
    if (done === all) return false;
    const waited = now - this.#moved;
    return waited < HOLD_MS || (waited < 2 * HOLD_MS && this.painter.fine < 1 && 2 * done > all);
  }

  /** Whether only tiles of the view's own level are drawn. */
  #whole(drawn) {
    return drawn.length > 0 && drawn.every(({ tile }) => tile.level.key === this.level.key);
  }

  /** Draw new tiles: immediately if this is urgent or fast, otherwise several together. */
  #arrived() {
    this.#changed = performance.now();
    const wait = this.#painted + TOGETHER_MS - this.#changed;
    const urgent = this.#motion !== null || !this.#covered || this.#kept;
    if (!this.slow || urgent || this.tiles.missing === 0) this.refresh();
    else if (this.#holds(this.#changed)) this.#later(SETTLE_MS);
    else this.#later(Math.max(0, wait));
  }

  /** Whether the canvas shows a sketch of the view that all its tiles may soon replace together. */
  #holds(now) {
    const sketched = this.#sketched === this.view && this.painter.fine < 1;
    return sketched && this.#waits(now);
  }

  #later(milliseconds) {
    this.canvas.dataset.state = "moving";
    this.#timer ||= setTimeout(() => {
      this.#timer = 0;
      this.refresh();
    }, milliseconds);
  }

  /** Whether drawing takes longer than a frame. */
  get slow() {
    return this.painter.cost > FRAME_MS;
  }

  #step(now) {
    const motion = this.#motion;
    const { view, done } = motion(this.view, now);
    if (motion.waits && view.scale < this.view.scale && this.#pauses(now, motion.waits)) {
      this.refresh();
      return;
    }
    this.#motion = done ? null : motion;
    this.#set(view);
  }

  /** Whether a motion that goes deeper waits for sketches: a short time each, and for a limited time together. */
  #pauses(now, most) {
    const { canvas, view, tiles, source } = this;
    const fine = this.#isFine(drawing(view, this.level, canvas, source, tiles));
    const since = this.#waiting;
    this.#waiting = fine ? 0 : since || now;
    if (fine && since > 0) this.#waited += now - since;
    return !fine && now - this.#waiting < Math.min(WAIT_MS, most - this.#waited);
  }

  #set(view) {
    const scale = this.#within(view.scale);
    const { width, height } = this.source;
    if (scale !== view.scale) this.#stopAtEnd(view.scale);
    this.view = (scale === view.scale ? view : view.zoom(scale)).clamp(width, height);
    this.events.moved(this);
    this.#moved = this.#changed = performance.now();
    this.refresh();
  }

  #stopAtEnd(scale) {
    this.#motion = null;
    if (scale < this.view.scale) this.events.ended(this.source.ends);
  }

  #within(scale) {
    const { source, canvas } = this;
    const widest = Math.log2(Math.max(Number(source.width) / canvas.width, Number(source.height) / canvas.height));
    const within = Math.min(Math.max(scale, source.finest - MAGNIFY), Math.max(widest, source.finest));
    if (within > scale) this.events.ended(source.ends);
    return within;
  }
}
