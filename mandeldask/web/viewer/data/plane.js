/**
 * The Mandelbrot set or a Julia set at any depth, as a source: levels and tiles of one lattice over the whole plane.
 *
 * A tile of level n is 16/2^n plane units wide, counted from -8 + 8i. The server holds them in pyramids at
 * `/zarr/v3/at/<spec>.zarr`, each of LEVELS levels, that divide the plane between them: which tile is in which pyramid
 * follows from its place alone, so that all visitors ask for the same URLs. Each field has pyramids of its own, since a
 * server computes all fields of a pyramid at once. So have sketches: the same tiles of fewer pixels, every fourth along
 * each side.
 */

import { add, dyadicText, rational, round, subtract } from "../numbers/rationals.js";
import { openArray } from "./chunks.js";
import { openGroup, Refusal } from "./server.js";

export const TILE = 256;
const TILE_BITS = 8;
const SKETCH_BITS = 6; // of a tile that is there soon
const WIDTH_BITS = 4; // the lattice is 2^4 plane units wide
const LEVELS = 16; // of a pyramid
const FINER = 0.25; // a level is shown from 1.19 times its size down to 0.59
const AHEAD = 3; // levels before the last of a pyramid at which the next is opened
const LEAST_DIGITS = 10; // binary, of c of a Julia set
const MOST_OPEN = 128; // pyramids
const DISC_BITS = 6; // of the middle of a disc, past those of its radius
const CORNER = rational(8);

/** What is computed of a place; Julia sets have no period. */
const FIELDS = ["iterations", "smooth", "period"];

export class Plane {
  kind = "plane";
  name = "The Mandelbrot set";
  fields = FIELDS.slice(0, 2);
  width = 1n << BigInt(WIDTH_BITS);
  height = this.width;
  coarsest = WIDTH_BITS - TILE_BITS; // scales, of View
  finest = -Infinity; // where the server's limits end, once known
  ends = ""; // what the server said there

  #boost = 0;
  #pyramids = new Map(); // spec -> promise of an opened pyramid
  #prepared = ""; // what was opened ahead last
  #reach = new Map(); // bits of a tile -> the finest level that the server opens, once it refused one
  #search = null; // promise of that

  /**
   * @param {URL} root the server's Zarr v3 root
   * @param {Record<string, string>} headers
   * @param {string} julia the c of a Julia set as the server spells it, "-0.75i0.125"; "" for the Mandelbrot set
   */
  constructor(root, headers = {}, julia = "") {
    this.root = root;
    this.headers = headers;
    this.julia = julia;
  }

  /** Open the topmost pyramid; throws a Refusal where the server has no places. */
  async open() {
    await this.#pyramid(0, 0n, 0n, LEVELS, { bits: TILE_BITS, field: "smooth" });
    return this;
  }

  /** The level whose pixels are nearest in size to those of the screen, or rather a little finer. */
  level({ scale }) {
    const finest = Math.max(Math.round(scale - FINER), Math.ceil(this.finest));
    return this.#level(Math.max(1, WIDTH_BITS - TILE_BITS - finest));
  }

  /** The level `steps` coarser (finer where negative), or null. */
  coarser(level, steps) {
    const n = level.n - steps;
    return n < 1 || WIDTH_BITS - TILE_BITS - n < this.finest ? null : this.#level(n);
  }

  /** Levels that stand in for one, with pixels `steps` times twice as wide as its own. */
  standIns(level, steps) {
    const sketch = level.n - steps + TILE_BITS - SKETCH_BITS;
    const drawn = sketch >= 1 && sketch <= level.n ? [this.#level(sketch, SKETCH_BITS)] : [];
    return [...drawn, this.coarser(level, steps)].filter(Boolean);
  }

  /** What to ask for before a level, soonest first: {level, steps} as of `standIns`. The second is for slow places. */
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
   * Where the values of a tile are: {url, metadata, headers, row, col, rule} for the worker.
   *
   * @param {{level: object, row: bigint, col: bigint}} tile
   * @param {string} field "iterations", "smooth" or "period"
   */
  async locate({ level, row, col }, field) {
    const band = Math.floor((level.n - 1) / LEVELS);
    const depth = level.n - band * LEVELS; // 1 is the coarsest level of the pyramid
    const [p, q] = [col >> BigInt(depth), row >> BigInt(depth)];
    const pyramid = await this.#opened(band, p, q, depth, { bits: level.bits, field });
    const number = pyramid.levels - depth;
    const path = `${number}/${field}`;
    const part = (1n << BigInt(depth)) - 1n;
    const maxiter = pyramid.group.nodes.get(String(number)).attributes.maxiter;
    const rule =
      field === "period" ? { kind: "period" } : { kind: "escape", cap: maxiter, counts: field === "iterations" };
    return {
      url: new URL(`${path}/`, pyramid.group.url).href,
      metadata: pyramid.group.nodes.get(path),
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

  /** Open what a view may need next of a field, once: where that fails, tiles will say why. */
  prepare(view, field) {
    const { n } = this.level(view);
    const band = Math.floor((n - 1) / LEVELS);
    if (n - band * LEVELS <= LEVELS - AHEAD) return;
    const depth = (band + 1) * LEVELS;
    const extent = { m: 1n, e: WIDTH_BITS - depth };
    const [p, q] = view.cell(0, 0, extent, extent);
    const key = [band, p, q, field, this.#boost].join();
    if (key === this.#prepared) return;
    this.#prepared = key;
    for (const bits of [SKETCH_BITS, TILE_BITS]) {
      this.#opened(band + 1, p, q, 1, { bits, field }).catch(() => {});
    }
  }

  /** The exact plane point of source coordinates. */
  toPlane({ x, y }) {
    return { re: subtract(x, CORNER), im: subtract(CORNER, y) };
  }

  /** Source coordinates of a plane point. */
  fromPlane({ re, im }) {
    return { x: add(re, CORNER), y: subtract(CORNER, im) };
  }

  /** URL of the pyramid that holds the middle of a view, for people's own clients. */
  zarrUrl(view) {
    const level = this.level(view);
    const band = Math.floor((level.n - 1) / LEVELS);
    const [col, row] = view.cell(0, 0, ...level.extent);
    const depth = BigInt(level.n - band * LEVELS);
    const levels = this.#levels(band, TILE_BITS);
    const fields = this.provable ? FIELDS : this.fields;
    const spec = this.#spec(band, col >> depth, row >> depth, levels, { bits: TILE_BITS, field: fields.join("-") });
    return { url: this.#url(spec).href, path: `${levels - Number(depth)}` };
  }

  /** The point (dx, dy) screen pixels from the middle, to a pixel, as the server spells the c of a Julia set. */
  juliaAt(view, dx, dy) {
    const digits = Math.max(LEAST_DIGITS, Math.ceil(-view.scale));
    const { re, im } = this.toPlane(view.pan(dx, dy).middle);
    return [re, im].map(({ p, q }) => dyadicText(round({ p: p << BigInt(digits), q }), digits)).join("i");
  }

  /**
   * The nucleus of least period in sight, as the server finds and proves it.
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

  /** Levels of the pyramids of a band: fewer where the server's limits end inside it. */
  #levels(band, bits) {
    return Math.max(0, Math.min(LEVELS, this.#deepest(bits) - band * LEVELS));
  }

  /** The finest level of a kind of tiles that the server opens, as far as is known. */
  #deepest(bits) {
    return this.#reach.get(bits) ?? Infinity;
  }

  /** The pyramid of a band at (p, q) that has a level at a depth. */
  async #opened(band, p, q, depth, kind) {
    for (;;) {
      const levels = this.#levels(band, kind.bits);
      if (levels < depth) throw new Refusal(this.ends, 403);
      try {
        return await this.#pyramid(band, p, q, levels, kind);
      } catch (error) {
        if (error.status !== 403 || this.#boost > 0) throw error;
        if (levels === this.#levels(band, kind.bits)) await this.#end({ band, p, q, levels }, kind, error.message);
      }
    }
  }

  /** Find out, once for all tiles, where the limits end that refused so many levels of a band. */
  async #end(refused, kind, message) {
    this.ends = message;
    this.#search ??= this.#tried(refused, kind).finally(() => (this.#search = null));
    await this.#search;
    this.finest = WIDTH_BITS - TILE_BITS - this.#deepest(TILE_BITS);
  }

  /** Try the levels above a refused one, half of those left each time. */
  async #tried({ band, p, q, levels }, kind) {
    let [open, closed] = [0, band * LEVELS + levels];
    while (closed - open > 1) {
      const n = (open + closed) >> 1;
      const above = Math.floor((n - 1) / LEVELS);
      const up = BigInt((band - above) * LEVELS);
      try {
        await this.#pyramid(above, p >> up, q >> up, n - above * LEVELS, kind);
        open = n;
      } catch (error) {
        if (error.status !== 403) throw error;
        closed = n;
      }
    }
    this.#reach.set(kind.bits, open);
  }

  /** How often maxiter is multiplied by 4; limits may end elsewhere then. */
  get iterations() {
    return this.#boost;
  }

  set iterations(boost) {
    this.#boost = boost;
    this.finest = -Infinity;
    this.#reach.clear();
  }

  async #pyramid(band, p, q, levels, kind) {
    const spec = this.#spec(band, p, q, levels, kind);
    if (!this.#pyramids.has(spec)) {
      const opening = openGroup(this.#url(spec), this.headers).then((group) => ({ group, levels }));
      this.#pyramids.set(spec, opening);
      opening.catch(() => this.#pyramids.delete(spec));
      if (this.#pyramids.size > MOST_OPEN) this.#pyramids.delete(this.#pyramids.keys().next().value);
    }
    return await this.#pyramids.get(spec);
  }

  #url(spec) {
    return new URL(`at/${spec}.zarr/`, this.root);
  }

  #spec(band, p, q, levels, { bits, field }) {
    const a = band * LEVELS; // the pyramid is 2^(4 - a) wide
    const pyramid = { levels, tilesize: 1 << bits, maxiter: this.#maxiter(a, levels, bits), fields: [field] };
    return this.spelled(p, q, WIDTH_BITS - a, pyramid);
  }

  /**
   * A square of the lattice as the server spells it in URLs, `mandeldask.fractal.place_url`.
   *
   * @param {bigint} p column of squares 2^bits plane units wide @param {bigint} q row @param {number} bits
   * @param {{levels: number, tilesize: number, maxiter: string | number, fields: string[]}} pyramid
   */
  spelled(p, q, bits, { levels, tilesize, maxiter, fields }) {
    const places = Math.max(0, 1 - bits);
    const half = bits > 1 ? 1n << BigInt(bits - 1) : 1n; // of a square, in units of 2^-places
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

/** What `maxiter="auto"` gives pixels 2^exponent apart; `mandeldask.fractal.pyramid.auto_maxiter` is the rule. */
export function autoMaxiter(exponent) {
  const d = Math.max(0, -8 - exponent);
  return 255 + Math.min(16 * d * d, 400 * d);
}
