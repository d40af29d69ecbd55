/** A multiscale image as the viewer sees it: OME-Zarr 0.5 `multiscales` of a Zarr v3 group, and its place in the plane. */

import { add, magnitude, multiply, parse, parsePoint, rational, subtract } from "./rationals.js";
import { openArray } from "./zarr.js";

export class Pyramid {
  /** @param group of `openGroup` */
  constructor(group, headers = {}) {
    const [image] = group.attributes.ome?.multiscales ?? [];
    if (!image) throw new Error(`${group.url.pathname} holds no multiscale image.`);
    this.name = group.attributes.title ?? decodeURIComponent(group.url.pathname.split("/").at(-2));
    this.paths = image.datasets.map(({ path }) => path);
    this.group = group;
    this.headers = headers;
    this.shapes = this.paths.map((path) => this.#metadata(path).shape);
    this.fields = siblings(this.paths.at(-1), group.nodes);
    this.factors = this.shapes.map((shape) => factor(this.shapes[0], shape));
    this.place = place(group.attributes, this.cols);
  }

  /** Width of level 0 in pixels, BigInt. */
  get cols() {
    return BigInt(this.shapes[0][1]);
  }

  /** Height of level 0 in pixels, BigInt. */
  get rows() {
    return BigInt(this.shapes[0][0]);
  }

  /** The levels of one variable, finest first: {number, factor, shape, chunks, maxiter, read}. */
  levels(field) {
    return this.paths.map((path, number) => {
      const own = field === this.fields[0] ? path : path.replace(/[^/]+$/, field);
      const metadata = this.#metadata(own);
      const url = new URL(`${own}/`, this.group.url);
      const { maxiter } = { ...this.group.nodes.get(parent(own))?.attributes, ...metadata.attributes };
      return { number, maxiter, field, factor: this.factors[number], ...openArray(url, metadata, this.headers) };
    });
  }

  /** Exact plane point of a level-0 pixel: {re, im} rationals. */
  point(col, row) {
    const { re, im, spacing } = this.place;
    return { re: add(re, multiply(rational(col), spacing)), im: subtract(im, multiply(rational(row), spacing)) };
  }

  /** Decimals that tell apart points a 1/4096 of a screen pixel from each other. */
  places(scale) {
    const power = magnitude(this.place.spacing) + Math.floor(scale * Math.log10(2));
    return Math.max(2, 4 - power);
  }

  #metadata(path) {
    const metadata = this.group.nodes.get(path);
    if (!metadata) throw new Error(`The metadata of ${this.group.url.pathname} name “${path}”, which is not there.`);
    return metadata;
  }
}

const parent = (path) => path.replace(/\/?[^/]+$/, "");

/** Variables beside `path` of the same shape, its own first. */
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

/** Level-0 pixels to a pixel of a level, BigInt. */
function factor([rows0, cols0], [rows, cols]) {
  const times = BigInt(cols0) / BigInt(cols);
  if (BigInt(rows) * times !== BigInt(rows0) || BigInt(cols) * times !== BigInt(cols0)) {
    throw new Error("The levels of this image are not whole multiples of each other.");
  }
  return times;
}

/** Plane position of pixel (0, 0) of level 0 and plane units to a pixel; without metadata, in pixels. */
function place({ exact_center: center, exact_width: width }, cols) {
  if (center === undefined || width === undefined) return { re: rational(0n), im: rational(0n), spacing: rational(1n) };
  const middle = parsePoint(center);
  const half = multiply(parse(width), rational(1n, 2n));
  return { re: subtract(middle.re, half), im: add(middle.im, half), spacing: multiply(parse(width), rational(1n, cols)) };
}
