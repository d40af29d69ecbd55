/** What to ask the server for: stand-ins, the tiles in sight, and then what makes them better. */

import { PROVEN, prove } from "../data/encoding.js";
import { previews, tilesInSight } from "../picture/scene.js";

const FLOAT64 = -44; // log2 of the spacing down to which smooth escape times cost no more than counts
const CHEAP_MS = 700; // tiles that take longer are not asked for twice as fine

export class Demand {
  /** @param {object} source @param {import("../data/loader.js").Loader} loader */
  constructor(source, loader) {
    this.source = source;
    this.loader = loader;
    this.field = source.fields.includes("smooth") ? "smooth" : source.fields[0];
    this.antialias = true;
  }

  /**
   * Requests for a view, most urgent first.
   *
   * @param {{width: number, height: number}} screen
   * @param {number[]} at screen pixels from the middle, of what matters most
   * @param {boolean} moving then nothing is asked for that a moment later would be of no use
   */
  requests(view, screen, at, tiles, moving) {
    const level = this.source.level(view);
    const own = tilesInSight(view, level, screen, at);
    const first = previews(view, level, screen, at, this.source, tiles);
    if (moving) return [...first, ...own];
    this.source.prepare(view);
    const here = own.map(({ key }) => tiles.get(key)).filter(Boolean);
    if (here.length < own.length) return [...first, ...own];
    return [...own, ...here.flatMap((tile) => this.#improvements(tile)), ...this.#finer(view, screen, at, tiles)];
  }

  /** The level that smooths edges, twice as fine, and the view and screen that show it; null where none is wanted. */
  fineLevel(view, screen) {
    if (!this.antialias) return null;
    const [fine, double] = doubled(view, screen);
    const level = this.source.level(fine);
    return level.key === this.source.level(view).key ? null : { level, view: fine, screen: double };
  }

  /** Load a request: a tile's contents, or null where it improved a tile at hand. */
  async load({ improves, field, ...request }, signal) {
    const asked = field ?? this.#firstField(request.level);
    const { width, height, ...job } = await this.#located(request, asked);
    const { fixed, capped } = await this.loader.load(job, signal);
    if (improves) {
      improve(improves, field, fixed);
      return null;
    }
    const tile = { fixed, capped, width, height, version: 0, smooth: asked !== "iterations", proved: capped === 0 };
    if (capped > 0 && !this.source.provable(request.level)) improve(tile, "period", null);
    return tile;
  }

  async #located(request, field) {
    const job = await this.source.locate(request, field);
    const [height, width] = request.level.shape;
    return { ...job, width, height };
  }

  /** Counts come first where they are much cheaper. */
  #firstField(level) {
    const deep = this.source.kind === "plane" && level.spacing.e < FLOAT64;
    return deep && this.field === "smooth" ? "iterations" : this.field;
  }

  #improvements(tile) {
    const wanted = [];
    const { key, level, row, col } = tile;
    const better = (field) => wanted.push({ key: `${key}~${field}`, improves: tile, field, level, row, col });
    if (!tile.smooth && this.field === "smooth") better("smooth");
    if (!tile.proved) better("period");
    return wanted;
  }

  #finer(view, screen, at, tiles) {
    const fine = tiles.pace < CHEAP_MS ? this.fineLevel(view, screen) : null;
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

/** Write better values into a tile. */
function improve(tile, field, fixed) {
  if (field === "smooth") {
    const marks = tile.fixed;
    tile.fixed = fixed.map((value, at) => (marks[at] >= PROVEN ? marks[at] : value));
    tile.smooth = true;
  } else {
    tile.unproven = prove(tile.fixed, fixed);
    tile.proved = true;
  }
  tile.version += 1;
}
