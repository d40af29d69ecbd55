/** A multiscale image of this server as a source: OME-Zarr 0.5 `multiscales` of a Zarr v3 group. */

import { add, divide, log2, multiply, parse, parsePoint, rational, subtract } from "../numbers/rationals.js";
import { chunkShape } from "./chunks.js";

const FINER = 0.25; // a level is shown from 1.19 times its size down to 0.59
const MAGNIFY = 5; // zoom levels beyond the finest: a pixel of level 0 covers 32 screen pixels
const SKETCHES = [4, 2]; // the first requests are this many levels coarser: one tile replaces 256, then 16
const LIMITS = { uint8: [0, 255], int8: [-128, 127], uint16: [0, 65535], int16: [-32768, 32767] };

export class Image {
  kind = "image";
  width = 0n;
  height = 0n;
  iterations = 0;
  provable = false; // whether a field `period` next to the counts proves pixels inside
  ends = "This is the finest level of the image.";

  /** @param group result of `openGroup` @param {Record<string, string>} headers */
  constructor(group, headers = {}) {
    const [image] = group.attributes.ome?.multiscales ?? [];
    if (!image) throw new Error(`${group.url.pathname} contains no multiscale image.`);
    this.name = group.attributes.title ?? decodeURIComponent(group.url.pathname.split("/").at(-2));
    this.julia = group.attributes.mandeldask?.julia !== undefined;
    this.group = group;
    this.headers = headers;
    this.paths = image.datasets.map(({ path }) => path);
    this.fields = siblings(this.paths.at(-1), group.nodes);
    this.#place(group.attributes);
    const [rows, cols] = this.#metadata(this.paths[0]).shape;
    [this.width, this.height] = [BigInt(cols), BigInt(rows)];
    this.levels = this.paths.map((path, number) => this.#level(path, number));
    this.finest = -MAGNIFY;
    this.coarsest = Math.max(0, Math.log2(Math.max(cols, rows)) - 8);
  }

  /** The level whose pixel size is closest to that of the screen, with a preference for finer levels. */
  level({ scale }) {
    const distance = ({ factor }) => Math.abs(Math.log2(Number(factor)) + FINER - scale);
    return this.levels.reduce((best, level) => (distance(level) < distance(best) ? level : best));
  }

  /** The level `steps` coarser (finer if negative), or null. */
  coarser(level, steps) {
    return this.levels[level.number + steps] ?? null;
  }

  /** Levels that can replace a level; their pixels are 2^`steps` times as wide. */
  standIns(level, steps) {
    return [this.coarser(level, steps)].filter(Boolean);
  }

  /** The levels to request before a level, the first first: {level, steps} as in `standIns`. */
  sketches(level) {
    return SKETCHES.map((steps) => ({ level: this.coarser(level, steps), steps })).filter((each) => each.level);
  }

  /** The location of a tile's values: {url, metadata, headers, row, col, rule} for the worker. */
  async locate({ level, row, col }, field) {
    const own = this.paths[level.number];
    const path = field === this.fields[0] ? own : own.replace(/[^/]+$/, field);
    const metadata = this.#metadata(path);
    return {
      url: new URL(`${path}/`, this.group.url).href,
      metadata,
      headers: this.headers,
      row,
      col,
      rule: this.#rule(field, level, metadata),
      valid: [row, col].map((index, axis) =>
        Math.min(level.shape[axis], metadata.shape[axis] - Number(index) * level.shape[axis]),
      ),
    };
  }

  /** Images of the set contain counts; other values are shown between the limits in the image's metadata. */
  #rule(field, level, { data_type: dtype }) {
    if (this.place && (field === "iterations" || field === "smooth")) {
      return { kind: "escape", cap: level.maxiter ?? Infinity, counts: field === "iterations" };
    }
    if (field === "period") return { kind: "period" };
    const { window } = this.group.attributes.ome?.omero?.channels?.[0] ?? {};
    const [low, high] = window ? [window.start, window.end] : (LIMITS[dtype] ?? [0, 1]);
    return { kind: "linear", low, high };
  }

  prepare() {}

  /** The exact plane point of source coordinates, which are pixels of level 0; null if the image has no plane. */
  toPlane({ x, y }) {
    if (!this.place) return null;
    const { re, im, spacing } = this.place;
    return { re: add(re, multiply(x, spacing)), im: subtract(im, multiply(y, spacing)) };
  }

  /** Source coordinates of a plane point. */
  fromPlane({ re, im }) {
    const { place } = this;
    return { x: divide(subtract(re, place.re), place.spacing), y: divide(subtract(place.im, im), place.spacing) };
  }

  /** log2 of the plane units per source unit. */
  get unit() {
    return this.place ? log2(this.place.spacing) : 0;
  }

  zarrUrl(view) {
    return { url: this.group.url.href, path: this.paths[this.level(view).number].replace(/\/[^/]+$/, "") };
  }

  #metadata(path) {
    const metadata = this.group.nodes.get(path);
    if (!metadata) throw new Error(`The metadata of ${this.group.url.pathname} name “${path}”, which does not exist.`);
    return metadata;
  }

  #level(path, number) {
    const metadata = this.#metadata(path);
    const { maxiter } = { ...this.group.nodes.get(path.replace(/\/?[^/]+$/, ""))?.attributes, ...metadata.attributes };
    const shape = chunkShape(metadata);
    const factor = factorOf([Number(this.height), Number(this.width)], metadata.shape);
    const extent = shape.map((pixels) => ({ m: factor * BigInt(pixels), e: 0 })).reverse();
    const [rows, cols] = metadata.shape.map(
      (size, axis) => (BigInt(size) + BigInt(shape[axis]) - 1n) / BigInt(shape[axis]),
    );
    return { key: `${number}`, number, spacing: { m: factor, e: 0 }, extent, shape, rows, cols, maxiter, factor };
  }

  /** Plane position of pixel (0, 0) and plane units per pixel, if the metadata define them. */
  #place({ exact_center: center, exact_width: width }) {
    this.place = null;
    if (center === undefined || width === undefined) return;
    const middle = parsePoint(center);
    const half = multiply(parse(width), rational(1n, 2n));
    const [, cols] = this.#metadata(this.paths[0]).shape;
    const spacing = multiply(parse(width), rational(1n, BigInt(cols)));
    this.place = { re: subtract(middle.re, half), im: add(middle.im, half), spacing };
  }
}

/** Variables next to `path` with the same shape; its own is first. */
function siblings(path, nodes) {
  const folder = path.slice(0, path.lastIndexOf("/") + 1);
  const { shape } = nodes.get(path);
  const own = path.slice(folder.length);
  const names = [...nodes.keys()].filter((key) => {
    const name = key.slice(folder.length);
    return key.startsWith(folder) && !name.includes("/") && String(nodes.get(key).shape) === String(shape);
  });
  return [own, ...names.map((key) => key.slice(folder.length)).filter((name) => name !== own)];
}

/** Level-0 pixels per pixel of a level, BigInt. */
function factorOf([rows0, cols0], [rows, cols]) {
  const times = BigInt(cols0) / BigInt(cols);
  if (BigInt(rows) * times !== BigInt(rows0) || BigInt(cols) * times !== BigInt(cols0)) {
    throw new Error("The sizes of this image's levels are not integer multiples of each other.");
  }
  return times;
}
