/** Read the server's data with zarrita: arrays, and images with their levels. */

import { get, open, root, slice } from "../../viewer/vendor/zarrita.js";
import { ChunkStore } from "./store.js";

const CHANNELS = new Set(["c", "channel", "channels", "band", "bands", "s", "sample", "samples", "rgb", "rgba"]);
const MANY = 8; // more channels than this are shown one at a time, with a slider

/**
 * Open an array; `url` may be relative to the page.
 *
 * Text of fixed width is not specified in Zarr v3, so zarrita reads it as v2, which the server has at the same path.
 */
export async function openArray(server, url) {
  const store = new ChunkStore(server, url);
  try {
    return described(await open.v3(root(store), { kind: "array" }), store);
  } catch (error) {
    if (error.status) throw error;
    const older = new ChunkStore(server, url.replace("/zarr/v3/", "/zarr/v2/"));
    return described(
      await open.v2(root(older), { kind: "array" }).catch(() => {
        throw error;
      }),
      older,
    );
  }
}

/** Add to an array the parts of its elements, if they are not plain numbers, and the names of its axes. */
function described(array, store) {
  const elements = store.packed.get(array.path.replace(/\/$/, ""));
  const rank = array.shape.length - (elements ? 1 : 0);
  array.elements = elements;
  array.dims = (array.dimensionNames ?? array.shape.map((_, axis) => `dim_${axis}`)).slice(0, rank);
  return array;
}

/** Open the group of levels of an image: its arrays, finest first, and their OME-Zarr metadata. */
async function openLevels(server, url, coarsest) {
  const store = new ChunkStore(server, url);
  const place = root(store);
  const group = await open.v3(place, { kind: "group" });
  const ome = group.attrs.ome ?? group.attrs;
  const [multiscale] = Array.isArray(ome.multiscales) ? ome.multiscales : [];
  const named = multiscale?.datasets.map((dataset) => dataset.path) ?? [];
  const paths = coarsest ? named.slice(-1) : named;
  if (!paths.length) throw new Error("The server does not make levels of this array.");
  const arrays = await Promise.all(
    paths.map(async (path) => described(await open.v3(place.resolve(path), { kind: "array" }), store)),
  );
  for (const array of arrays) array.dims = group.attrs.dimensions ?? array.dims; // viewers require the names y and x
  return { arrays, ome, multiscale };
}

/**
 * Open an array as an image.
 *
 * @param {object} server
 * @param {string} zarr URL of the array
 * @param {string} levels URL of its levels, or ""
 * @param {boolean} coarsest whether only the coarsest level is needed
 */
export async function openImage(server, zarr, levels, coarsest = false) {
  const found = levels
    ? await openLevels(server, levels, coarsest)
    : { arrays: [await openArray(server, zarr)], ome: {}, multiscale: undefined };
  const [finest] = found.arrays;
  const { dims } = finest;
  const last = dims.length - 1;
  const trailing =
    !levels &&
    last > 1 &&
    (CHANNELS.has(dims[last]) || (/\d$/.test(dims[last]) && [3, 4].includes(finest.shape[last])));
  const space = trailing ? [last - 2, last - 1] : [last - 1, last];
  const named = dims.findIndex((dim, axis) => CHANNELS.has(dim) && !space.includes(axis));
  const channel = trailing ? last : named;
  const picture = new Picture(found, space, channel >= 0 && finest.shape[channel] <= MANY ? channel : -1);
  const four = trailing && finest.shape[last] === 4 && finest.dtype === "uint8" && !finest.attrs.channels;
  picture.rgba = four && /^(c|rgba|.*\d)$/.test(dims[last]);
  return picture;
}

/** An image: levels of an array. Two axes are shown, one may be channels, and users select along the others. */
class Picture {
  constructor({ arrays, ome, multiscale }, space, channel) {
    const [{ dims, elements }] = arrays;
    this.arrays = arrays;
    this.elements = elements;
    this.omero = ome.omero?.channels;
    this.dims = dims;
    this.space = space;
    this.channel = channel;
    this.shape = arrays[0].shape.slice(0, dims.length);
    this.attrs = arrays[0].attrs;
    this.scales = arrays.map((array) =>
      space.map((axis) => this.shape[axis] / array.shape[axis]).map((ratio) => 2 ** Math.round(Math.log2(ratio))),
    );
    const [first] = multiscale?.datasets ?? [];
    this.axes = multiscale?.axes ?? dims.map((name) => ({ name }));
    const transforms = first?.coordinateTransformations ?? [];
    this.steps = transforms.find((each) => each.type === "scale")?.scale ?? dims.map(() => 1);
    this.starts = transforms.find((each) => each.type === "translation")?.translation ?? dims.map(() => 0);
    this.missing = missingValue(this.attrs);
    this.rgba = false; // whether the fourth channel may be opacity
  }

  get height() {
    return this.shape[this.space[0]];
  }

  get width() {
    return this.shape[this.space[1]];
  }

  get channels() {
    return this.channel < 0 ? 1 : this.shape[this.channel];
  }

  /** Parts of an element that can be drawn: of complex numbers and structs; a number is its only part. */
  get parts() {
    return this.elements?.parts ?? [{ name: "value", dtype: this.arrays[0].dtype }];
  }

  partName(part) {
    return this.parts[part].name;
  }

  dtypeOf(part) {
    return this.parts[part].dtype;
  }

  /** The axes that are neither shown nor channels. */
  get others() {
    return this.dims.map((_, axis) => axis).filter((axis) => !this.space.includes(axis) && axis !== this.channel);
  }

  /** Rows and columns of a level's tiles: its chunks, unless these are too long or too many to draw. */
  side(level) {
    return this.space.map((axis) =>
      Math.min(this.arrays[level].shape[axis], clampSide(this.arrays[level].chunks[axis])),
    );
  }

  /**
   * Read a tile of a level: rows of numbers.
   *
   * @param {number} level
   * @param {number} row of the tile, @param {number} column of it
   * @param {number[]} at index along every axis; shown axes are ignored
   * @param {number} part index in `parts` of an element
   */
  async tile(level, row, column, at, part, signal) {
    const array = this.arrays[level];
    const [height, width] = this.side(level);
    const wanted = array.shape.map((size, axis) => {
      if (axis === this.dims.length) return null; // read all bytes of an element
      const place = this.space.indexOf(axis);
      if (place < 0) return at[axis];
      const [start, side] = place === 0 ? [row * height, height] : [column * width, width];
      return slice(start, Math.min(start + side, size));
    });
    const { data, shape } = await get(array, wanted, { signal });
    const values = array.elements ? array.elements.numbers(data, part) : asNumbers(data);
    const exact = data instanceof BigInt64Array || data instanceof BigUint64Array ? data : undefined;
    return { values, exact, height: shape[0] ?? 1, width: shape[1] ?? 1 };
  }

  /** The position of an element along a spatial axis, with its unit. */
  position(axis, index) {
    return { value: this.starts[axis] + this.steps[axis] * index, unit: this.axes[axis]?.unit ?? "" };
  }
}

/** A side of tiles that is suitable for drawing: neither one row nor thousands. */
const clampSide = (side) => (side > 1024 ? 512 : side < 64 ? side * Math.ceil(256 / side) : side);

/** Values as numbers: 64-bit integers are rounded to JavaScript numbers; booleans become 0 and 1. */
function asNumbers(data) {
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) return Float64Array.from(data, Number);
  if (ArrayBuffer.isView(data)) return data;
  return Uint8Array.from({ length: data.length }, (_, index) => Number(data.get(index)));
}

/** The value of missing elements, from the attributes; NaN if there is none. */
export function missingValue(attrs) {
  const value = attrs._FillValue ?? attrs.missing_value;
  if (typeof value === "number") return value;
  if (typeof value !== "string" || !/^[A-Za-z0-9+/]+=*$/.test(value)) return Number.NaN;
  const bytes = Uint8Array.from(atob(value), (letter) => letter.charCodeAt(0)); // xarray's encoding of floats in v3
  return bytes.length === 8 ? new DataView(bytes.buffer).getFloat64(0, true) : Number.NaN;
}

/** Read part of an array of one dimension, or the value of a scalar, as JavaScript values. */
export async function readRow(array, start, stop, field) {
  const rank = array.dims.length;
  if (!rank && !array.elements) return [await get(array)];
  const { data } = await get(
    array,
    array.shape.map((_, axis) => (axis < rank ? slice(start, stop) : null)),
  );
  const count = rank ? stop - start : 1;
  const at = array.elements
    ? (index) => array.elements.value(data, index, field)
    : (index) => (data.get ? data.get(index) : data[index]);
  return Array.from({ length: count }, (_, index) => at(index));
}

/** Read part of an array of one dimension as numbers: one part of each element. */
export async function readNumbers(array, start, stop, part) {
  const { data } = await get(array, [slice(start, stop), ...(array.elements ? [null] : [])]);
  return array.elements ? array.elements.numbers(data, part) : asNumbers(data);
}

/** A value as text to display, using CF attributes if there are any. */
export function worded(value, attrs = {}) {
  if (typeof value === "number" || typeof value === "bigint") {
    const time =
      /^(days|hours|minutes|seconds|milliseconds) since (\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2}):(\d{2}))?/.exec(
        attrs.units ?? "",
      );
    if (time && (attrs.calendar ?? "standard") !== "noleap") return dated(Number(value), time);
    if (typeof value === "bigint") return value.toString();
    if (Number.isNaN(value) || value === missingValue(attrs)) return "missing";
    const packed = attrs.scale_factor !== undefined || attrs.add_offset !== undefined;
    const plain = packed ? value * (attrs.scale_factor ?? 1) + (attrs.add_offset ?? 0) : value;
    return Number.isInteger(plain) ? plain.toLocaleString("en") : String(Number(plain.toPrecision(7)));
  }
  return String(value);
}

const SECONDS = { days: 86400, hours: 3600, minutes: 60, seconds: 1, milliseconds: 0.001 };

/** @param {number} value @param {string[]} found */
function dated(value, [, unit, year, month, day, hours, minutes, seconds]) {
  const start = Date.UTC(+year, +month - 1, +day, +(hours ?? 0), +(minutes ?? 0), +(seconds ?? 0));
  const date = new Date(start + value * SECONDS[unit] * 1000);
  return Number.isNaN(date.getTime())
    ? String(value)
    : date.toISOString().replace("T00:00:00.000Z", "").replace(".000Z", "Z");
}
