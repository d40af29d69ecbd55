/** The requests to the server: substitutes, visible tiles, and then refinements of these. */

import { prove } from "../data/encoding.js";
import { previews, tilesInSight } from "../picture/scene.js";

const CHEAP_MS = 700; // slower tiles are not requested at twice the resolution
const SLOW_MS = 2500; // before slower tiles, a finer sketch is requested
const LATEST = 0.3; // weight of the last tile or sketch in `expected`
const LATER = 0.15; // weight of the last tile in `pace`

export class Demand {
  #view; // view of the last requests

  /** @param {object} source @param {import("../data/loader.js").Loader} loader */
  constructor(source, loader) {
    this.source = source;
    this.loader = loader;
    this.field = source.fields.includes("smooth") ? "smooth" : source.fields[0];
    this.antialias = true;
    this.sketches = []; // requests for sketches that are drawn before the tiles of a view
    this.pace = 0; // recent milliseconds per tile
    this.expected = 0; // the same, including sketches
  }

  /**
   * Requests for a view, most urgent first.
   *
   * @param {{width: number, height: number}} screen
   * @param {number[]} at screen pixels from the middle of the most important point
   * @param {{sketched: boolean} | null} moving during a motion, only tiles that stay useful are
   *   requested; if everything is `sketched` at a quarter of the screen's resolution, none that are finer
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
    if (!own.every(({ key }) => tiles.get(key))) return [...first, ...own];
    this.source.prepare(view, this.field);
    const finer = this.#finer(view, screen, at);
    return [...own, ...this.#proofs(own, tiles), ...finer, ...this.#proofs(finer, tiles)];
  }

  /** The level for smooth edges, twice as fine, with its view and screen; null if none is needed. */
  fineLevel(view, screen) {
    if (!this.antialias) return null;
    const [fine, double] = doubled(view, screen);
    const level = this.source.level(fine);
    return level.key === this.source.level(view).key ? null : { level, view: fine, screen: double };
  }

  /** Load a request: the content of a tile, or null if it improved a loaded tile. */
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

  /** Update the pace from the time of a tile, or of a sketch, which shows only whether tiles are slow. */
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

  /** Requests for proofs that pixels of loaded tiles are inside. */
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

/** A view and its screen at twice the resolution. */
function doubled(view, { width, height }) {
  return [view.zoom(view.scale - 1), { width: 2 * width, height: 2 * height }];
}

/** Mark proven pixels in a tile. */
function improve(tile, periods) {
  tile.unproven = prove(tile.fixed, periods);
  tile.proved = true;
  tile.version += 1;
}
