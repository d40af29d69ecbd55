/** Read chunks of two-dimensional arrays of numbers with zarrita; other arrays are refused with a message. */

import { open, root } from "../vendor/zarrita.js";
import { ask } from "./server.js";

const DTYPES = new Set(["int8", "uint8", "int16", "uint16", "int32", "uint32", "float32", "float64"]);

/** Rows and columns of the unit of reading: a chunk, or a chunk inside a shard. */
export function chunkShape({ chunk_grid: grid, codecs }) {
  const shard = codecs.find(({ name }) => name === "sharding_indexed");
  return (shard ?? grid).configuration.chunk_shape;
}

/**
 * Open an array without a request: its document is included in that of its group.
 *
 * @param {URL} url of the array, ending in "/"
 * @param {object} metadata its `zarr.json`
 * @param {Record<string, string>} headers
 * @returns {Promise<{read: (row: bigint, col: bigint, signal?: AbortSignal) => Promise<ArrayLike<number>>}>} read
 *   resolves to the values of a chunk, row by row, of the full chunk shape
 */
export async function openArray(url, metadata, headers = {}) {
  const refuse = (why) => {
    throw new Error(`This page cannot read ${url.pathname}: ${why}.`);
  };
  const { shape, data_type: dtype } = metadata;
  if (shape?.length !== 2) refuse(`it has ${shape?.length} dimensions, not 2`);
  if (!DTYPES.has(dtype)) refuse(`its values are ${JSON.stringify(dtype)}`);
  const document = new TextEncoder().encode(JSON.stringify(metadata));
  const store = {
    get: async (key, options) => (key === "/zarr.json" ? document : await bytesOf(key, options)),
    getRange: async (key, range, options) => await bytesOf(key, options, { Range: `bytes=${asked(range)}` }),
  };
  const array = await open.v3(root(store), { kind: "array" }).catch((error) => refuse(error.message));
  const size = chunkShape(metadata).reduce((count, side) => count * side, 1);

  /** Bytes of a key, or of a part of it; undefined if the server has none, which means an absent chunk. */
  async function bytesOf(key, options, more = {}) {
    try {
      const response = await ask(new URL(key.slice(1), url), { ...options, headers: { ...headers, ...more } });
      return new Uint8Array(await response.arrayBuffer());
    } catch (error) {
      if (error.status === 404) return undefined;
      throw error;
    }
  }

  async function read(row, col, signal) {
    const { data } = await array.getChunk([place(row), place(col)], { signal });
    if (data.length !== size) throw new Error(`A chunk of ${url.pathname} is truncated.`);
    return /** @type {ArrayLike<number>} */ (data);
  }
  return { read };
}

const asked = ({ suffixLength, offset, length }) =>
  suffixLength === undefined ? `${offset}-${offset + length - 1}` : `-${suffixLength}`;

/** The index of a chunk along an axis. Above 2^53 it stays a BigInt, which zarrita also writes exactly into the key. */
const place = (index) => (index <= Number.MAX_SAFE_INTEGER ? Number(index) : index);
