/**
 * The Mandelbrot set or a Julia set at any depth, as a source: levels and tiles of one lattice over the whole plane.
 *
 * A tile of level n is 16/2^n plane units wide, counted from -8 + 8i. The server has them in pyramids of LEVELS levels
 * at `/zarr/v3/at/<spec>.zarr`, which together cover the plane. The position of a tile determines its pyramid, so
 * that all visitors request the same URLs. Each field has its own pyramids, because a server computes all fields of a
 * pyramid at once. Sketches, too, have their own pyramids: they are the same tiles with every fourth pixel along each
 * side. Of each pyramid, only the document of the array that is shown is read: a server writes it much faster than the
 * document of the whole group.
 */

import { add, dyadicText, rational, round, subtract } from "../numbers/rationals.js";
import { bandOf, LEVELS, levelsAbove } from "./bands.js";
import { openArray } from "./chunks.js";
import { openGroup, openNode, Refusal } from "./server.js";

export const TILE = 256;
const TILE_BITS = 8;
const SKETCH_BITS = 6; // log2 of the side of a sketch, which loads quickly
const WIDTH_BITS = 4; // log2 of the width of the lattice in plane units
const FINER = 0.25; // a level is shown from 1.19 times its size down to 0.59
const AHEAD = 2; // this many finer levels are opened in advance
const SHARED_LEVELS = 16; // levels of the pyramids whose URLs are given to other clients
const LEAST_DIGITS = 10; // least number of binary digits of c of a Julia set
const MOST_OPEN = 512; // largest number of open arrays
const DISC_BITS = 6; // bits of the centre of a disc beyond those of its radius
const CORNER = rational(8);

/** Fields as the page requests them: `smooth` in steps of 1/256, which is all that it draws, has short chunks. */
const TOLERATED = new Map([["smooth", "smooth0.00390625"]]);
const MOST_TOLERATED = 1 << 23; // iterations: 32 bits hold their steps

/** Fields that are computed; Julia sets have no period. */
const FIELDS = ["iterations", "smooth", "period"];

export class Plane {
  kind = "plane";
  name = "The Mandelbrot set";
  fields = FIELDS.slice(0, 2);
  width = 1n << BigInt(WIDTH_BITS);
  height = this.width;
  coarsest = WIDTH_BITS - TILE_BITS; // the coarsest scale of a View
  finest = -Infinity; // the finest level within the server's limits, once known
  ends = ""; // the server's message at that limit

  #boost = 0;
  #arrays = new Map(); // URL -> promise of an array's document
  #reach = new Map(); // bits of a tile -> the finest level that the server opens, after it has refused one
  #search = null; // promise of the search for that level

  /**
   * @param {URL} root the server's Zarr v3 root
   * @param {Record<string, string>} headers
   * @param {string} julia the c of a Julia set in the server's form, "-0.75i0.125"; "" for the Mandelbrot set
   */
  constructor(root, headers = {}, julia = "") {
    this.root = root;
    this.headers = headers;
    this.julia = julia;
  }

  /** Open a level of the topmost pyramid; throws a Refusal if the server has no places. */
  async open() {
    await this.#array(0, 0n, 0n, { levels: LEVELS, depth: 1 }, { bits: TILE_BITS, field: "smooth" });
    return this;
  }

  /** The level whose pixel size is closest to that of the screen, with a preference for finer levels. */
  level({ scale }) {
    const finest = Math.max(Math.round(scale - FINER), Math.ceil(this.finest));
    return this.#level(Math.max(1, WIDTH_BITS - TILE_BITS - finest));
  }

  /** The level `steps` coarser (finer if negative), or null. */
  coarser(level, steps) {
    const n = level.n - steps;
    return n < 1 || WIDTH_BITS - TILE_BITS - n < this.finest ? null : this.#level(n);
  }

  /** Levels that can replace a level; their pixels are 2^`steps` times as wide. */
  standIns(level, steps) {
    const sketch = level.n - steps + TILE_BITS - SKETCH_BITS;
    const drawn = sketch >= 1 && sketch <= level.n ? [this.#level(sketch, SKETCH_BITS)] : [];
    return [...drawn, this.coarser(level, steps)].filter(Boolean);
  }

  /** The levels to request before a level, in order: {level, steps} as in `standIns`. The second is for slow places. */
  sketches(level, slow) {
    const bits = TILE_BITS - SKETCH_BITS;
    return (slow ? [bits, 0] : [bits])
      .filter((up) => level.n - up >= 1)
      .map((up) => ({ level: this.#level(level.n - up, SKETCH_BITS), steps: up + bits }));
  }

  /** @returns levels are equal if their keys are */
  #level(n, bits = TILE_BITS) {
    const spacing = { m: 1n, e: WIDTH_BITS - bits - n };
    const extent = { m: 1n, e: WIDTH_BITS - n };
    const most = 1n << BigInt(n);
    const keyAt = (boost) => `${n}^${boost}${bits === TILE_BITS ? "" : "~"}`;
    const key = keyAt(this.#boost);
    const maxiter = autoMaxiter(spacing.e) * 4 ** this.#boost;
    const shape = [1 << bits, 1 << bits];
    const level = { key, n, bits, spacing, extent: [extent, extent], shape, rows: most, cols: most, maxiter };
    return { ...level, older: this.#boost > 0 ? { ...level, key: keyAt(this.#boost - 1) } : null };
  }

  /**
   * The location of a tile's values: {url, metadata, headers, row, col, rule} for the worker.
   *
   * @param {{level: object, row: bigint, col: bigint}} tile
   * @param {string} field "iterations", "smooth" or "period"
   */
  async locate({ level, row, col }, field) {
    const band = bandOf(level.n);
    const depth = level.n - levelsAbove(band); // 1 is the coarsest level of the pyramid
    const [p, q] = [col >> BigInt(depth), row >> BigInt(depth)];
    const { url, metadata } = await this.#opened(band, p, q, depth, { bits: level.bits, field });
    const part = (1n << BigInt(depth)) - 1n;
    const { maxiter } = metadata.attributes;
    const rule =
      field === "period" ? { kind: "period" } : { kind: "escape", cap: maxiter, counts: field === "iterations" };
    return {
      url: url.href,
      metadata,
      headers: this.headers,
      row: row & part,
      col: col & part,
      rule,
    };
  }

  /** Whether the server can prove pixels to be inside. */
  get provable() {
    return this.julia === "";
  }

  /** Open, once, what the next finer levels need for a field; if that fails, the tiles report the error. */
  prepare(view, field) {
    const { n } = this.level(view);
    for (let finer = n + 1; finer <= n + AHEAD; finer++) {
      this.#prepare(view, finer, { bits: TILE_BITS, field });
      this.#prepare(view, finer - TILE_BITS + SKETCH_BITS, { bits: SKETCH_BITS, field });
    }
  }

  #prepare(view, n, kind) {
    if (n < 1 || n > this.#deepest(kind.bits)) return;
    const band = bandOf(n);
    const extent = { m: 1n, e: WIDTH_BITS - levelsAbove(band) };
    const [p, q] = view.cell(0, 0, extent, extent);
    this.#opened(band, p, q, n - levelsAbove(band), kind).catch(() => {});
  }

  /** The exact plane point of source coordinates. */
  toPlane({ x, y }) {
    return { re: subtract(x, CORNER), im: subtract(CORNER, y) };
  }

  /** Source coordinates of a plane point. */
  fromPlane({ re, im }) {
    return { x: add(re, CORNER), y: subtract(CORNER, im) };
  }

  /** URL of the pyramid that contains the middle of a view, for other clients. */
  zarrUrl(view) {
    const level = this.level(view);
    const band = bandOf(level.n);
    const [col, row] = view.cell(0, 0, ...level.extent);
    const depth = BigInt(level.n - levelsAbove(band));
    const levels = this.#levels(band, TILE_BITS, SHARED_LEVELS);
    const fields = this.provable ? FIELDS : this.fields;
    const spec = this.#spec(band, col >> depth, row >> depth, levels, { bits: TILE_BITS, field: fields.join("-") });
    return { url: this.#url(spec).href, path: `${levels - Number(depth)}` };
  }

  /** The point (dx, dy) screen pixels from the middle, to pixel precision, in the server's form of a c. */
  juliaAt(view, dx, dy) {
    const digits = Math.max(LEAST_DIGITS, Math.ceil(-view.scale));
    const { re, im } = this.toPlane(view.pan(dx, dy).middle);
    return [re, im].map(({ p, q }) => dyadicText(round({ p: p << BigInt(digits), q }), digits)).join("i");
  }

  /**
   * The visible nucleus of least period, found and proven by the server.
   *
   * @param view @param {{width: number, height: number}} screen
   * @returns {Promise<{period: number, kind: string, re: string, im: string, size: string, width: string} | null>}
   */
  async nucleus(view, { width, height }) {
    const places = Math.max(0, Math.ceil(1 - view.scale - Math.log2(Math.min(width, height))));
    const digits = places + DISC_BITS;
    const { re, im } = this.toPlane(view.middle);
    const [x, y] = [re, im].map(({ p, q }) => dyadicText(round({ p: p << BigInt(digits), q }), digits));
    const url = new URL(`at/nucleus_re${x}_im${y}_radius${dyadicText(1n, places)}.zarr/`, this.root);
    const group = await openGroup(url, this.headers);
    const found = await openArray(new URL("found/", url), group.nodes.get("found"), this.headers);
    const bytes = await found.read(0n, 0n);
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(bytes)));
  }

  /** Levels of the pyramids of a band: fewer if the server's limits end inside it. */
  #levels(band, bits, most = LEVELS) {
    return Math.max(0, Math.min(most, this.#deepest(bits) - levelsAbove(band)));
  }

  /** The finest level that the server opens for a kind of tiles, as far as it is known. */
  #deepest(bits) {
    return this.#reach.get(bits) ?? Infinity;
  }

  /** The array at a depth of the pyramid of a band at (p, q). */
  async #opened(band, p, q, depth, kind) {
    for (;;) {
      const levels = this.#levels(band, kind.bits);
      if (levels < depth) throw new Refusal(this.ends, 403);
      try {
        return await this.#array(band, p, q, { levels, depth }, kind);
      } catch (error) {
        if (error.status !== 403 || this.#boost > 0) throw error;
        if (levels === this.#levels(band, kind.bits)) await this.#end({ band, p, q, levels }, kind, error.message);
      }
    }
  }

  /** After the server refused this many levels of a band, find the limit, once for all tiles. */
  async #end(refused, kind, message) {
    this.ends = message;
    this.#search ??= this.#tried(refused, kind).finally(() => (this.#search = null));
    await this.#search;
    this.finest = WIDTH_BITS - TILE_BITS - this.#deepest(TILE_BITS);
  }

  /** Search the levels above a refused one by bisection. */
  async #tried({ band, p, q, levels }, kind) {
    let [open, closed] = [0, levelsAbove(band) + levels];
    while (closed - open > 1) {
      const n = (open + closed) >> 1;
      const coarser = bandOf(n);
      const up = BigInt(levelsAbove(band) - levelsAbove(coarser));
      try {
        const levels = n - levelsAbove(coarser);
        await this.#array(coarser, p >> up, q >> up, { levels, depth: levels }, kind);
        open = n;
      } catch (error) {
        if (error.status !== 403) throw error;
        closed = n;
      }
    }
    this.#reach.set(kind.bits, open);
  }

  /** Number of times that maxiter is multiplied by 4; the limits may then be elsewhere. */
  get iterations() {
    return this.#boost;
  }

  set iterations(boost) {
    this.#boost = boost;
    this.finest = -Infinity;
    this.#reach.clear();
  }

  /** The document and URL of the array at a depth of a pyramid with this many levels. */
  async #array(band, p, q, { levels, depth }, kind) {
    const url = new URL(`${levels - depth}/${kind.field}/`, this.#url(this.#spec(band, p, q, levels, kind)));
    if (!this.#arrays.has(url.href)) {
      const opening = openNode(url, this.headers).then((metadata) => ({ url, metadata }));
      this.#arrays.set(url.href, opening);
      opening.catch(() => this.#arrays.delete(url.href));
      if (this.#arrays.size > MOST_OPEN) this.#arrays.delete(this.#arrays.keys().next().value);
    }
    return await this.#arrays.get(url.href);
  }

  #url(spec) {
    return new URL(`at/${spec}.zarr/`, this.root);
  }

  #spec(band, p, q, levels, { bits, field }) {
    const a = levelsAbove(band); // the pyramid is 2^(4 - a) wide
    const most = autoMaxiter(WIDTH_BITS - bits - a - levels) * 4 ** this.#boost;
    const fields = [most > MOST_TOLERATED ? field : (TOLERATED.get(field) ?? field)];
    const pyramid = { levels, tilesize: 1 << bits, maxiter: this.#maxiter(a, levels, bits), fields };
    return this.spelled(p, q, WIDTH_BITS - a, pyramid);
  }

  /**
   * A square of the lattice in the server's form for URLs, `mandeldask.fractal.place_url`.
   *
   * @param {bigint} p column of squares 2^bits plane units wide @param {bigint} q row @param {number} bits
   * @param {{levels: number, tilesize: number, maxiter: string | number, fields: string[]}} pyramid
   */
  spelled(p, q, bits, { levels, tilesize, maxiter, fields }) {
    const places = Math.max(0, 1 - bits);
    const half = bits > 1 ? 1n << BigInt(bits - 1) : 1n; // half the side of a square, in units of 2^-places
    const corner = 8n << BigInt(places);
    const re = dyadicText((2n * p + 1n) * half - corner, places);
    const im = dyadicText(corner - (2n * q + 1n) * half, places);
    const width = bits < 0 ? dyadicText(1n, -bits) : String(1 << bits);
    const julia = this.julia && `_julia${this.julia}`;
    return `re${re}_im${im}_width${width}_levels${levels}_tilesize${tilesize}_maxiter${maxiter}_${fields.join("-")}${julia}`;
  }

  #maxiter(a, levels, bits) {
    if (this.#boost === 0) return "auto";
    const finest = WIDTH_BITS - bits - a - levels;
    return Array.from({ length: levels }, (_, number) => autoMaxiter(finest + number) * 4 ** this.#boost).join(".");
  }
}

/** The value of `maxiter="auto"` for a pixel spacing of 2^exponent; as in `mandeldask.fractal.pyramid.auto_maxiter`. */
export function autoMaxiter(exponent) {
  const d = Math.max(0, -8 - exponent);
  return 255 + Math.min(16 * d * d, 400 * d);
}
