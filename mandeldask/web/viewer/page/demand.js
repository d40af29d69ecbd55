/** What to ask the server for: stand-ins, the tiles in sight, and then what makes them better. */

import { prove } from "../data/encoding.js";
import { previews, tilesInSight } from "../picture/scene.js";

const CHEAP_MS = 700; // tiles that take longer are not asked for twice as fine
const SLOW_MS = 2500; // before those that take longer, a finer sketch is asked for
const LATEST = 0.3; // part of the last tile or sketch in what is expected
const LATER = 0.15; // part of the last tile in the pace

export class Demand {
  #view; // of the last requests

  /** @param {object} source @param {import("../data/loader.js").Loader} loader */
  constructor(source, loader) {
    this.source = source;
    this.loader = loader;
    this.field = source.fields.includes("smooth") ? "smooth" : source.fields[0];
    this.antialias = true;
    this.sketches = []; // requests for what is drawn before the tiles of a view
    this.pace = 0; // milliseconds that a tile took lately
    this.expected = 0; // the same, from sketches too
  }

  /**
   * Requests for a view, most urgent first.
   *
   * @param {{width: number, height: number}} screen
   * @param {number[]} at screen pixels from the middle, of what matters most
   * @param {{sketched: boolean} | null} moving then nothing is asked for that a moment later would be of no use, and where
   *   all is `sketched`, at a quarter of the screen's resolution, nothing that is finer
   */
  requests(view, screen, at, tiles, moving) {
    this.#view = view;
    const level = this.source.level(view);
    const own = tilesInSight(view, level, screen, at);
    const sketched = moving?.sketched;
    const first = previews(view, level, screen, at, this.source, tiles, sketched || this.expected > SLOW_MS);
    this.sketches = first;
    if (sketched) return first;
    if (moving) return [...first, ...own];
    this.source.prepare(view, this.field);
    if (!own.every(({ key }) => tiles.get(key))) return [...first, ...own];
    const finer = this.#finer(view, screen, at);
    return [...own, ...this.#proofs(own, tiles), ...finer, ...this.#proofs(finer, tiles)];
  }

  /** The level that smooths edges, twice as fine, and the view and screen that show it; null where none is wanted. */
  fineLevel(view, screen) {
    if (!this.antialias) return null;
    const [fine, double] = doubled(view, screen);
    const level = this.source.level(fine);
    return level.key === this.source.level(view).key ? null : { level, view: fine, screen: double };
  }

  /** Load a request: a tile's contents, or null where it improved a tile that is loaded already. */
  async load({ improves, ...request }, signal) {
    const asked = improves ? "period" : this.field;
    const { width, height, ...job } = await this.#located(request, asked);
    const began = performance.now();
    const { fixed, capped } = await this.loader.load(job, signal);
    if (improves) {
      improve(improves, fixed);
      return null;
    }
    this.#took(performance.now() - began, width * height);
    const tile = { fixed, capped, width, height, version: 0, smooth: asked !== "iterations", proved: capped === 0 };
    if (capped > 0 && !this.source.provable) improve(tile, null);
    return tile;
  }

  /** Learn from the time of a tile, or of a sketch of one, which says only whether tiles are slow. */
  #took(milliseconds, pixels) {
    const [height, width] = this.source.level(this.#view).shape;
    const whole = (milliseconds * width * height) / pixels;
    this.expected += LATEST * (whole - this.expected);
    if (pixels >= width * height) this.pace += LATER * (milliseconds - this.pace);
  }

  async #located(request, field) {
    const job = await this.source.locate(request, field);
    const [height, width] = request.level.shape;
    return { ...job, width, height };
  }

  /** What proves pixels of loaded tiles to be inside. */
  #proofs(requests, tiles) {
    return requests
      .map(({ key }) => tiles.get(key))
      .filter((tile) => tile && !tile.proved)
      .map((tile) => ({ key: `${tile.key}~period`, improves: tile, level: tile.level, row: tile.row, col: tile.col }));
  }

  #finer(view, screen, at) {
    const fine = this.pace < CHEAP_MS ? this.fineLevel(view, screen) : null;
    if (!fine) return [];
    return tilesInSight(
      fine.view,
      fine.level,
      fine.screen,
      at.map((part) => 2 * part),
    );
  }
}

/** A view and its screen at twice the pixels. */
function doubled(view, { width, height }) {
  return [view.zoom(view.scale - 1), { width: 2 * width, height: 2 * height }];
}

/** Mark what is proven in a tile. */
function improve(tile, periods) {
  tile.unproven = prove(tile.fixed, periods);
  tile.proved = true;
  tile.version += 1;
}
